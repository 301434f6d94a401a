"""What an SMTP reply means: an ordered table, provider's words before digits (reference §1.5, §1.6).

Order matters: QQ answers 5xx to mere rate limits, so text is read before the first digit is believed.
"""

import re
from dataclasses import dataclass

from domain.sending import Outcome, OutcomeKind, Reason


@dataclass(frozen=True)
class Rule:
    """`host` and `text` are regular expressions (case-insensitive, searched); `code` matches from the start."""

    host: str
    code: str
    text: str
    reason: Reason
    kind: OutcomeKind


_D, _B = OutcomeKind.DEFERRED, OutcomeKind.BOUNCED

RULES: tuple[Rule, ...] = (
    Rule(r"qq\.com", r"5", r"(ip|domain|sender|connection) frequency limited", Reason.RATE_LIMITED, _D),
    Rule(r"qq\.com", r"5", r"mailbox unavailable or access denied", Reason.RATE_LIMITED, _D),
    Rule(r"qq\.com", r"5", r"mailbox not found|用户不存在|未开通", Reason.INVALID_MAILBOX, _B),
    Rule(r"qq\.com", r"5", r"content (rejected|denied)", Reason.CONTENT, _B),
    Rule(r"163|126|yeah|netease", r"4", r"\bHL:|MI:(DMC|CEL|CCL|SFQ)|RP:DRC", Reason.RATE_LIMITED, _D),
    Rule(r"163|126|yeah|netease", r"4", r"DT:RBL", Reason.IP, _D),
    Rule(r"163|126|yeah|netease", r"5", r"DT:SPM", Reason.CONTENT, _B),
    Rule(r"sina", r"5", r"user is locked", Reason.DISABLED, _B),
    Rule(r"sina", r"5", r"black ip|rbl deny|remote ip check", Reason.IP, _B),
    Rule(r"sina", r"5", r"anti-spam|too many same size", Reason.CONTENT, _B),
    Rule(r"", r"4", r"grey-?list|try again later|temporarily deferred", Reason.GREYLIST, _D),
    Rule(r"", r"4", r"full|quota|storage", Reason.FULL, _D),
    Rule(r"", r"5", r"5\.2\.2\b|mailbox (is )?full|over quota", Reason.FULL, _B),
    Rule(r"", r"4", r"rate|too many|throttl|frequency|4\.7\.28", Reason.RATE_LIMITED, _D),
    Rule(
        r"",
        r"5",
        r"5\.1\.1\b|user unknown|no such user|unknown user|does not exist|user not found|mailbox not found"
        r"|mailbox unavailable",
        Reason.INVALID_MAILBOX,
        _B,
    ),
    Rule(r"", r"5", r"5\.1\.2\b|5\.4\.4\b|host not found", Reason.BAD_DOMAIN, _B),
    Rule(r"", r"5", r"5\.2\.1\b|\bdisabled\b|suspended|\blocked\b", Reason.DISABLED, _B),
    Rule(r"", r"5", r"5\.7\.(26|515)|spf|dkim|dmarc", Reason.AUTH, _B),
    Rule(r"", r"5", r"block ?list|blacklist|rbl|spamhaus", Reason.IP, _B),
    Rule(r"", r"5", r"spam|content|virus", Reason.CONTENT, _B),
    Rule(r"", r"5", r"", Reason.OTHER, _B),
    Rule(r"", r"4", r"", Reason.CONN, _D),
)
_ESCAPED = re.compile("[\udc80-\udcff]")
_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")


def classify(host: str, code: int, text: str) -> Outcome:
    """The outcome of a reply with a 4xx or 5xx code (a 2xx never comes here)."""
    match = _ENHANCED.search(text)
    for rule in RULES:
        if _applies(rule, host, str(code), text):
            return Outcome(rule.kind, rule.reason, code, match[1] if match else "", bounded(text), host)
    return Outcome(OutcomeKind.DEFERRED, Reason.CONN, code, "", bounded(text), host)


def _applies(rule: Rule, host: str, code: str, text: str) -> bool:
    return bool(
        re.search(rule.host, host, re.IGNORECASE)
        and re.match(rule.code, code)
        and re.search(rule.text, text, re.IGNORECASE)
    )


def bounded(text: str) -> str:
    """A peer's words, fit for a row: one line, at most 500 characters, nothing that PostgreSQL refuses."""
    return " ".join(legible(text).replace("\0", "").split())[:500]


def legible(text: str) -> str:
    """The same text with bytes that were not UTF-8 read as GB18030, as many Chinese servers still reply.

    SMTP clients hand such bytes on as lone surrogates, which no database takes.
    """
    if text.isascii():
        return text
    raw = text.encode("utf-8", "surrogateescape" if _ESCAPED.search(text) else "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("ascii", "replace")
