"""Mails made to hurt their reader: never an error, and a bounded amount of work and of answer."""

import codecs
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.reports import Report, read_report
from domain.reports.evidence import MOST
from domain.reports.mime import CHARSETS, DEPTH, MAIL_OCTETS, PARTS, parts

HEAD = b"Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nSubject: Undelivered mail\nTo: b+a@bounce.songda.example\n"
MULTIPART = b"Content-Type: multipart/report; boundary=b\n\n"
STATUS = b"--b\nContent-Type: message/delivery-status\n\n"
TRIGGERS = b"failed addresses follow:\nnot yet been delivered\nYour message to:\nUnable to deliver message to\n"
GROUP = b"Final-Recipient: rfc822;a@b.example\nAction: failed\n\n"


def nested(depth: int) -> bytes:
    return b"".join(b'Content-Type: multipart/mixed; boundary="d%d"\n\n--d%d\n' % (n, n) for n in range(depth))


def lines(form: bytes, count: int) -> bytes:
    return b"".join(form % n + b"\n" for n in range(count))


BOMBS: dict[str, Callable[[int], bytes]] = {
    "depth": lambda n: HEAD + nested(n // 50),
    "one boundary for all depths": lambda n: HEAD + b"Content-Type: multipart/mixed; boundary=d\n\n--d\n" * (n // 40),
    "parts": lambda n: HEAD + MULTIPART + b"--b\n\nx\n" * (n // 7),
    "status parts": lambda n: HEAD + MULTIPART + (STATUS + GROUP) * (n // 100),
    "recipients": lambda n: HEAD + MULTIPART + STATUS + GROUP * (n // 50),
    "recipients and words": lambda n: HEAD + MULTIPART + STATUS + GROUP * 120 + b"--b\n\nc@d.example x\n" * (n // 20),
    "returned mails": lambda n: HEAD + MULTIPART + (b"--b\nContent-Type: message/rfc822\n\n" + GROUP) * (n // 80),
    "header fields": lambda n: HEAD + b"X: y\n" * (n // 5),
    "one long field": lambda n: HEAD + b"X: " + b"y" * n,
    "folded": lambda n: HEAD + b"X: a\n" + b" b\n" * (n // 3),
    "parameters": lambda n: HEAD + b"Content-Type: multipart/mixed; " + b'a="b\\"; ' * (n // 8),
    "RFC 2231": lambda n: HEAD + b"Content-Type: a/b; " + b"".join(b"boundary*%d*=a; " % i for i in range(n // 16)),
    "encoded words": lambda n: HEAD + b"Subject: " + b"=?utf-8?q?a?= =? " * (n // 17),
    "references": lambda n: HEAD + lines(b"References: <a%d@b.example>", n // 32) + b"\n",
    "addresses": lambda n: HEAD + b"\n" + lines(b"a%d@b.example", n // 20),
    "refusals": lambda n: HEAD + b"\n" + lines(b"a%d@b.example 550 5.1.1 no", n // 32),
    "at signs": lambda n: HEAD + b"\n" + b"@" * n,
    "tags": lambda n: HEAD + b"Content-Type: text/html\n\n" + b"<a<br<style&#" * (n // 13),
    "known texts": lambda n: HEAD + b"\n" + TRIGGERS + (b"x" * 150 + b"\n") * (n // 151),
    "empty lines": lambda n: HEAD + MULTIPART + STATUS + b"\n " * (n // 2),
    "a long number": lambda n: HEAD + b"Content-Type: text/html\n\n&#" + b"9" * n,
    "base64": lambda n: HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"=" * n,
    "zip as a charset": lambda n: HEAD + b"Content-Type: text/plain; charset=zip\n\n" + b"x\x9c" * (n // 2),
    "bytes": lambda n: b"\xff\x00\n:" * (n // 4),
}


def work(raw: bytes) -> int:
    """Calls of functions, those in C included: a measure of work that does not depend on the machine."""
    count = 0

    def seen(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += 1

    sys.setprofile(seen)
    try:
        read_report(raw)
    finally:
        sys.setprofile(None)
    return count


def check(report: Report) -> None:
    """What every answer promises to those who keep it."""
    assert len(report.recipients) <= 100
    assert max(len(report.message_ids), len(report.return_paths)) <= MOST
    texts = [*report.message_ids, *report.return_paths, report.feedback_type, report.source]
    for each in report.recipients:
        assert each.code == 0 or 400 <= each.code < 600
        assert each.action in ("", "failed", "delayed", "delivered", "relayed", "expanded")
        assert len(each.diagnostic) <= 500
        assert len(each.host) <= 255
        texts += [each.address, each.status, each.diagnostic, each.host]
    for text in texts:
        text.encode()
        assert "\0" not in text
        assert "\n" not in text


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_no_more_when_it_is_larger(name: str) -> None:
    """What one of a megabyte costs is the most that any can: the rest is not read."""
    limit = 150_000
    read_report(HEAD)  # compiles expressions
    small, large = BOMBS[name](1 << 20), BOMBS[name](4 << 20)
    assert len(parts(large)) <= PARTS
    assert len(parts(large)[0].content) <= MAIL_OCTETS
    assert max(part.depth for part in parts(large)) <= DEPTH
    check(read_report(large))
    at_most = work(small)
    assert at_most < limit
    assert work(large) <= 1.1 * at_most + 1000


def test_the_largest_mail_is_read_no_further_than_the_smallest() -> None:
    report = read_report(
        HEAD + MULTIPART + STATUS + GROUP + b"--b\nContent-Type: message/rfc822\n\n" + b"x" * 25_000_000
    )
    assert report.recipients[0].address == "a@b.example"


CORPUS = sorted(path.read_bytes() for path in Path("tests/corpus/reports").glob("*.eml"))
SPLICES = st.sampled_from(
    [b"", b"\n", b"\n\n", b"\0", b"\xff", b"--", b";", b'"', b"=?", b":", b"<", b"@", b"5.1.1", b"\r"]
)


@st.composite
def broken_mails(draw: st.DrawFn) -> bytes:
    """One of the corpus with pieces cut out, put in and swapped."""
    raw = bytearray(draw(st.sampled_from(CORPUS)))
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, max(0, len(raw) - 1)))
        end = min(len(raw), start + draw(st.integers(0, 60)))
        raw[start:end] = draw(SPLICES | st.binary(max_size=8) | st.just(bytes(raw[end : end + 40])))
    return bytes(raw)


@given(broken_mails())
@example(HEAD + b"To:\0b+a@bounce.songda.example\nReferences: <a\0@b.example>\n")
@example(HEAD + b"Content-Type: a/b; boundary*;0*=utf-8''x; boundary*1=y\n\n")
def test_a_broken_mail_is_read_or_not_but_never_an_error(raw: bytes) -> None:
    check(read_report(raw))


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_mail(raw: bytes) -> None:
    check(read_report(raw))


@given(st.sampled_from(CORPUS), st.integers(0, 4000))
def test_a_mail_may_end_anywhere(raw: bytes, end: int) -> None:
    check(read_report(raw[:end]))


def test_every_charset_that_is_asked_for_exists() -> None:
    for name in CHARSETS:
        codecs.lookup(name)


def test_no_detector_of_flufl_fails_on_the_corpus(caplog: pytest.LogCaptureFixture) -> None:
    """It writes the error of a detector down, with the mail's words in it, and asks no other one."""
    for raw in [*CORPUS, HEAD.replace(b"From: MAILER-DAEMON@x.example\n", b"") + b"\nx", HEAD + b"\n", b""]:
        read_report(raw)
    assert [record for record in caplog.records if record.exc_info] == []
