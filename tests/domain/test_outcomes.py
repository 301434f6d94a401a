"""The classifier believes words before digits."""

import pytest

from domain.outcomes import RULES, bounded, classify
from domain.sending import OutcomeKind

D, B = OutcomeKind.DEFERRED, OutcomeKind.BOUNCED


@pytest.mark.parametrize(
    ("host", "code", "text", "reason", "kind"),
    [
        ("mx1.qq.com", 550, "Ip frequency limited", "soft.rate_limited", D),
        ("mx1.qq.com", 550, "Mailbox unavailable or access denied", "soft.rate_limited", D),
        ("mx1.qq.com", 550, "Mailbox not found", "hard.invalid_mailbox", B),
        ("163mx01.mxmail.netease.com", 421, "HL:ICC 163 smtp", "soft.rate_limited", D),
        ("163mx01.mxmail.netease.com", 554, "DT:SPM 163 smtp", "block.content", B),
        ("163mx01.mxmail.netease.com", 450, "DT:RBL 163", "block.ip", D),
        ("freemx.sinamail.sina.com.cn", 550, "user is locked", "hard.disabled", B),
        ("gmail-smtp-in.l.google.com", 550, "5.1.1 The email account does not exist", "hard.invalid_mailbox", B),
        ("gmail-smtp-in.l.google.com", 421, "4.7.28 unusual rate", "soft.rate_limited", D),
        ("mx.company.example", 450, "4.7.1 Greylisted, please try again", "soft.greylist", D),
        ("mx.company.example", 452, "4.2.2 Mailbox full", "soft.full", D),
        ("mx.company.example", 552, "5.2.2 Mailbox full", "soft.full", B),
        ("mx.company.example", 554, "5.7.1 spam message", "block.content", B),
        ("mx.company.example", 550, "5.7.26 unauthenticated", "block.auth", B),
        ("mx.company.example", 599, "what", "policy.other", B),
        ("mx.company.example", 451, "local error", "soft.conn", D),
    ],
)
def test_replies_are_classified(host: str, code: int, text: str, reason: str, kind: OutcomeKind) -> None:
    outcome = classify(host, code, text)
    assert (outcome.reason, outcome.kind) == (reason, kind)


def test_the_enhanced_code_is_found_and_the_text_is_bounded() -> None:
    outcome = classify("mx", 550, "5.1.1 " + "x" * 1000 + "\0\r\n")
    assert outcome.enhanced == "5.1.1" and len(outcome.text) == 500 and "\0" not in outcome.text


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("550 用户不存在".encode("gb18030"), "550 用户不存在"),
        ("550 用户不存在".encode(), "550 用户不存在"),
        (b"550 caf\xff", "550 caf\ufffd"),
    ],
)
def test_replies_in_any_encoding_can_be_read_and_stored(reply: bytes, shown: str) -> None:
    """As aiosmtplib hands them on; a lone surrogate that reached the database would stop the group commit for good."""
    outcome = classify("mx.qq.com", 550, reply.decode("utf-8", "surrogateescape"))
    assert outcome.text == shown
    assert bounded("a\ud800b").encode() == b"a?b"


def test_every_reply_has_a_rule() -> None:
    assert RULES[-1].text == "" and RULES[-2].text == ""
