"""What comes back, read: a corpus of mails in the style of many servers, and the rules that it rests on."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.reports import Report, ReportKind, read_report
from domain.reports.diagnosis import better_status, code_in, host_of, status_in

CORPUS = Path("tests/corpus/reports")
EXPECTED: dict[str, dict[str, Any]] = json.loads((CORPUS / "expected.json").read_text())
MESSAGE_ID = "0192f0a1b2c3d4e5f60718293a4b5c6d.abcdefghijklmnopqrstuvwxyz@shop.example"
RETURN_PATH = "b+abcdefghijklmnopqrstuvwxyz@bounce.songda.example"


def told(report: Report, count: int) -> dict[str, Any]:
    """As `expected.json` says it."""
    return {
        "kind": report.kind,
        "source": report.source,
        "recipients": [[each.address, each.action, each.status, each.code] for each in report.recipients[:count]],
        "id": MESSAGE_ID in report.message_ids,
        "path": RETURN_PATH in report.return_paths,
        "feedback_type": report.feedback_type,
    }


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_mail_of_the_corpus(name: str) -> None:
    expected = dict(EXPECTED[name])
    said, host = expected.pop("said"), expected.pop("host")
    count = expected.pop("count", len(expected["recipients"]))
    raw = (CORPUS / f"{name}.eml").read_bytes()
    report = read_report(raw)
    assert told(report, len(expected["recipients"])) == expected
    assert len(report.recipients) == count
    for first in report.recipients[:1]:
        assert said in first.diagnostic
        assert first.host == host
    if name != "hostile-binary":
        assert read_report(raw.replace(b"\n", b"\r\n")) == report, "line ends do not matter"


def test_the_corpus_is_complete() -> None:
    assert {path.stem for path in CORPUS.glob("*.eml")} == set(EXPECTED)
    assert len(EXPECTED) >= 100
    kinds = {line["kind"] for line in EXPECTED.values()}
    assert kinds == set(ReportKind)


def test_nothing_real_is_in_the_corpus() -> None:
    """Example names only (RFC 2606); `sina.com` is what flufl.bounce knows that server by."""
    for path in CORPUS.glob("*.eml"):
        for line in path.read_bytes().split(b"\n"):
            if line[:5].lower() in (b"from:", b"to: <") or line[:11].lower() == b"message-id:":
                assert b".example" in line or b"@sina.com" in line or b"undisclosed" in line, (path.name, line)


DAEMON = b"Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: b+x@bounce.example\nSubject: Undelivered mail\n"


def report_of(status: str, *, head: bytes = DAEMON) -> Report:
    parts = f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n{status}\n--b--\n"
    return read_report(head + b"Content-Type: multipart/report; boundary=b\n\n" + parts.encode())


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [
        ("failed", "5.1.1", ReportKind.BOUNCE),
        ("FAILED (bad address)", "5.1.1", ReportKind.BOUNCE),
        ("failed", "4.4.7", ReportKind.BOUNCE),
        ("delayed", "4.4.1", ReportKind.DELAY),
        ("", "4.4.1", ReportKind.DELAY),
        ("", "5.0.0", ReportKind.BOUNCE),
        ("relayed", "2.1.9", ReportKind.DELIVERED),
        ("", "2.0.0", ReportKind.DELIVERED),
    ],
)
def test_the_action_decides_and_else_the_class(action: str, status: str, expected: ReportKind) -> None:
    report = report_of(f"Final-Recipient: rfc822; a@dest.example\nAction: {action}\nStatus: {status}\n")
    assert (report.kind, report.recipients[0].status) == (expected, status)


def test_an_automatic_mark_makes_no_failure_report_an_answer() -> None:
    """RFC 3834 §2 asks servers to mark their reports so."""
    status = "Final-Recipient: rfc822; a@dest.example\nAction: failed\nStatus: 5.1.1\n"
    report = report_of(status, head=DAEMON + b"Auto-Submitted: auto-replied\nPrecedence: bulk\nX-Loop: yes\n")
    assert report.kind == ReportKind.BOUNCE


def test_a_report_is_believed_at_its_place_only() -> None:
    """Enclosed in another mail it is somebody else's; loose in a person's mail it was forwarded."""
    person = b"Return-Path: <a@dest.example>\nFrom: a@dest.example\nTo: b+x@bounce.example\n"
    status = b"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; c@dest.example\nAction: failed\n"
    loose = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + status + b"--b--\n"
    assert read_report(person + loose).kind == ReportKind.REPLY
    assert read_report(DAEMON + loose).kind == ReportKind.BOUNCE
    enclosed = b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\n" + DAEMON + loose
    assert read_report(person + enclosed).kind == ReportKind.REPLY


def test_a_permanent_code_is_a_failure_whatever_the_text_says_of_trying_again() -> None:
    words = "Your mail has been delayed, please try again later.\n\na@dest.example\n550 5.1.1 unknown\n"
    report = read_report(DAEMON + b"\n" + words.encode())
    assert (report.kind, report.recipients[0].action) == (ReportKind.BOUNCE, "failed")
    assert read_report(DAEMON + b"\n" + words.replace("550 5", "450 4").encode()).kind == ReportKind.DELAY


@pytest.mark.parametrize(
    ("told_status", "said", "expected"),
    [
        ("5.1.1", "550 5.7.1 no", "5.1.1"),
        ("5.0.0", "550 5.7.1 no", "5.7.1"),
        ("5.0.0", "451 4.2.0 retry timeout exceeded", "4.2.0"),
        ("5.0.0", "452 full", "4.0.0"),
        ("5.0.0", "no", "5.0.0"),
        ("", "no", ""),
        ("", "(#5.1.1)", "5.1.1"),
        ("5.1.1 (bad destination)", "", "5.1.1"),
        ("255.1.1", "at 192.5.1.1", ""),
    ],
)
def test_an_exact_code_goes_before_a_mere_class(told_status: str, said: str, expected: str) -> None:
    assert better_status(told_status, said) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 no", 550),
        ("550-5.1.1 no", 550),
        ("host mx said: 452 full", 452),
        ("<<< 550 5.1.1 unknown", 550),
        ("at the organization. 550 5.1.1 MSEXCH", 550),
        ("原因：550 用户不存在", 550),
        ("a limit of 500 MB", 0),
        ("on port 587 of 5.4.4.4", 0),
        ("250 2.0.0 OK", 0),
    ],
)
def test_three_digits_are_a_code_where_a_reply_begins(text: str, code: int) -> None:
    assert code_in(text) == code


def test_addresses_of_machines_are_no_codes() -> None:
    assert status_in("from 5.1.1.20 by 10.5.1.1") == ""
    assert host_of("dns; MX.dest.example. (192.0.2.20, its server)") == "mx.dest.example"
    assert host_of("dns;[192.0.2.20]") == "[192.0.2.20]"
