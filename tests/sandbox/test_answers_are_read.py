"""What the pretend Internet sends back means to our reader what was meant."""

from __future__ import annotations

import pytest

from domain.reports import Report, ReportKind, read_report
from sandbox.answers import Received, answers_to
from sandbox.manners import Action
from sandbox.providers import PROVIDERS, Provider

RETURN_PATH = "b+abcdefghijklmnopqrstuvwxyz@bounce.songda.example"
RAW = (
    b"From: Shop <news@shop.example>\r\nTo: amy@dest.example\r\nSubject: =?utf-8?b?5L2g5aW9?=\r\n"
    b"Message-ID: <0192.1@shop.example>\r\n\r\nHello.\r\n"
)


def came_back(provider: Provider, action: Action, recipient: str = "amy@dest.example") -> list[Report]:
    """As the door reads it: with the envelope's sender on top."""
    mail = Received(provider.name, provider.hosts[0], provider.wording, RETURN_PATH, recipient, RAW)
    answers = answers_to(mail, action, 0)
    assert {each.rcpt_to for each in answers} == {RETURN_PATH if action is not Action.ANSWER else "news@shop.example"}
    return [read_report(f"Return-Path: <{each.mail_from}>\r\n".encode() + each.raw) for each in answers]


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_every_provider_is_understood(provider: Provider) -> None:
    (bounce,) = came_back(provider, Action.LATEBOUNCE)
    delay, full = came_back(provider, Action.LATEFULL)
    (complaint,) = came_back(provider, Action.COMPLAIN)
    (vacation,) = came_back(provider, Action.VACATION)
    (reply,) = came_back(provider, Action.ANSWER)
    kinds = [each.kind for each in (bounce, delay, full, complaint, vacation, reply)]
    assert kinds == [
        ReportKind.BOUNCE, ReportKind.DELAY, ReportKind.BOUNCE, ReportKind.COMPLAINT, ReportKind.AUTO_REPLY,
        ReportKind.REPLY,
    ]  # fmt: skip
    found = [(each.address, each.status) for report in (bounce, delay, full) for each in report.recipients]
    assert found == [("amy@dest.example", status) for status in ("5.1.1", "4.2.2", "5.2.2")]
    assert complaint.feedback_type == "abuse"
    for report in (bounce, delay, full, complaint, vacation, reply):
        assert report.message_ids[0] == "0192.1@shop.example"
    for report in (bounce, delay, full, complaint, vacation):
        assert RETURN_PATH in report.return_paths


def test_an_address_beyond_ascii_is_understood() -> None:
    (bounce,) = came_back(PROVIDERS[-1], Action.LATEBOUNCE, "王@dest.example")
    assert [each.address for each in bounce.recipients] == ["王@dest.example"]
