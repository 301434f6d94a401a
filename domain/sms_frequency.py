"""How often one number may be written to (domain-rules §4.1): no telephone is flooded, by mistake or for spite."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import Refusal
from domain.sms import SmsKind

DAY = dt.timedelta(days=1)
SAME_TEXT = dt.timedelta(minutes=5)
"""A notice or an offer is not sent twice to one number within it; a code is new each time and has its minute."""


@dataclass(frozen=True)
class Limit:
    """At most so many within any such time; `code` is the refusal."""

    within: dt.timedelta
    most: int
    code: str


_FIFTY = (Limit(DAY, 50, "sms_too_often_day"),)
LIMITS: Mapping[SmsKind, tuple[Limit, ...]] = {
    SmsKind.CODE: (
        Limit(dt.timedelta(minutes=1), 1, "sms_too_often_minute"),
        Limit(dt.timedelta(hours=1), 5, "sms_too_often_hour"),
        Limit(DAY, 10, "sms_too_often_day"),
    ),
    SmsKind.NOTICE: _FIFTY,
    SmsKind.MARKETING: _FIFTY,
}
"""Of one account to one number, by kind."""


@dataclass(frozen=True)
class Recent:
    """What an account sent to a number of late, of one kind."""

    at: tuple[dt.datetime, ...] = ()
    content: bytes = b""
    """Digest of the last text."""


def digest(kind: SmsKind, text: str) -> bytes:
    """What tells a text from another. None of a code: six digits are found again from a digest in no time."""
    return b"" if kind is SmsKind.CODE else hashlib.sha256(text.encode(errors="replace")).digest()[:16]


def too_often(kind: SmsKind, recent: Recent, content: bytes, now: dt.datetime) -> Refusal | None:
    """Why one more now would be too much; None: it would not."""
    for limit in LIMITS[kind]:
        if sum(now - at < limit.within for at in recent.at) >= limit.most:
            return Refusal(limit.code, field="phone", limit=limit.most)
    if content and content == recent.content and recent.at and now - max(recent.at) < SAME_TEXT:
        return Refusal("sms_same_text", field="phone", minutes=int(SAME_TEXT.total_seconds() // 60))
    return None
