"""A person's mobile number, proved by a code that an SMS brought (seed 1; decided: beside the e-mail link)."""

import datetime as dt
import secrets
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Refusal

DIGITS = 6
CODE_VALID = dt.timedelta(minutes=10)
TRIES = 5
"""Wrong ones of one code; then another must be asked for."""
RESEND_AFTER = dt.timedelta(seconds=60)
UNPROVED_FOR = dt.timedelta(days=30)
"""Then a number whose code nobody typed is forgotten: it may be a stranger's."""
ACCOUNTS_PER_PHONE = 3
"""Whose members may have proved the same number."""


class PhoneRule(StrEnum):
    """`SONGDA_REGISTRATION_PHONE`: what the registration asks for."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class PhoneStage(StrEnum):
    """How far a number is, as the process and the pages see it."""

    NONE = "none"
    GIVEN = "given"
    """Written into the form; no code asked for yet."""
    SENT = "sent"
    """A code was sent, at least once."""
    CONFIRMED = "confirmed"


@dataclass(frozen=True)
class PhoneStep:
    """What its owner is shown of a number."""

    stage: PhoneStage
    phone: str = ""
    """E.164; empty when none was given."""
    codes_sent: int = 0
    tries_left: int = 0
    """0: there is no code that could be typed."""
    resend_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    confirmed: str = ""
    """The number that stands on the member; another may be waiting."""

    def wait_seconds(self, now: dt.datetime) -> int:
        """Until another code may be asked for."""
        return max(0, round((self.resend_at - now).total_seconds())) if self.resend_at else 0


def new_code() -> str:
    """Six digits, each as likely as any other."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


def typed_code(text: str) -> str:
    """What was typed, without the spaces and full-width digits that keyboards and copying add.

    Raises `Refusal` on field `code` where it cannot be one; that costs no try.
    """
    code = "".join(unicodedata.normalize("NFKC", text[:64]).replace("-", "").split())
    if len(code) != DIGITS or not code.isascii() or not code.isdecimal():
        raise Refusal("phone_code_malformed", field="code", digits=DIGITS)
    return code


def number_range(e164: str) -> str:
    """The ten thousand numbers around it: who pumps SMS asks for numbers of one block, one after the other."""
    return e164[:-4]
