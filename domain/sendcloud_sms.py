"""How SendCloud's SMS API names a message: `1458113381893_15_3_11_1ainnq$13100000000` (reference §2).

Ours says in that form which submission and which of its messages it is, so no table translates it: time and random bits
of the UUIDv7 (RFC 9562 §5.7) as decimal numbers, the ordinal in six digits of base 36.
"""

import re
import string
from dataclasses import dataclass
from uuid import UUID

from domain.sms_numbers import national

_DIGITS = string.digits + string.ascii_lowercase
_FORM = re.compile(r"(\d{1,15})_(\d{1,4})_(\d{1,10})_(\d{1,10})_([0-9a-z]{6})\$(\+?\d{5,20})", re.ASCII)
_VERSION, _VARIANT = 7 << 76, 2 << 62
_LOW = (1 << 31) - 1


@dataclass(frozen=True)
class SmsName:
    """What a `smsId` says. Whether there is such a message, and whose, the rows say."""

    submission: UUID
    ordinal: int
    phone: str
    """E.164."""


def wire_phone(e164: str) -> str:
    """A number as the API writes it: `13100000000`, of other countries `+447400123456`."""
    return national(e164)


def sms_id(submission: UUID, ordinal: int, phone: str) -> str:
    """The message's name on the wire; `phone` in E.164."""
    number = submission.int
    chance = number & ((1 << 62) - 1)
    groups = (number >> 80, number >> 64 & 0xFFF, chance >> 31, chance & _LOW)
    return f"{'_'.join(map(str, groups))}_{_base36(ordinal)}${wire_phone(phone)}"


def read_sms_id(name: str) -> SmsName | None:
    """The message of a `smsId`, or None where it is none of ours."""
    match = _FORM.fullmatch(name.strip())
    if match is None:
        return None
    at, some, high, low = (int(match[place]) for place in range(1, 5))
    ordinal = int(match[5], 36)
    if at >= 1 << 48 or some > 0xFFF or max(high, low, ordinal) > _LOW:
        return None
    phone = match[6] if match[6].startswith("+") else f"+86{match[6]}"
    return SmsName(UUID(int=at << 80 | _VERSION | some << 64 | _VARIANT | high << 31 | low), ordinal, phone)


def _base36(number: int) -> str:
    digits = ""
    for _ in range(6):
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits
