"""The way from the form to a confirmed address: limits, and the messages of the process."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from domain.accounts import LINK_VALID_HOURS
from domain.errors import Refusal
from domain.phone_codes import PhoneStage
from domain.reviews import LONG_NUMBER

LINK_VALID = dt.timedelta(hours=LINK_VALID_HOURS)
RESEND_AFTER = dt.timedelta(seconds=60)
NAME_LENGTH = 64
REASON_LENGTH = 200
ACTOR_LENGTH = 64


class RegistrationState(StrEnum):
    """The account's state, as the process sees it."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"
    GONE = "gone"


@dataclass(frozen=True)
class RegistrationProgress:
    """The answer to the query `progress`; without personal data."""

    state: RegistrationState
    mails_wanted: int
    mails_sent: int
    expires_at: str
    """RFC 3339, or empty before the first look."""
    phone: PhoneStage = PhoneStage.NONE
    codes_sent: int = 0


@dataclass(frozen=True)
class OperatorConfirmation:
    """Quick registration (seed 1): an operator confirms, because neither mail nor code arrives.

    `reason` is kept in the audit log and must hold no personal data; `actor` is who decides; `phone`: the number that
    the person gave is confirmed, too.
    """

    reason: str
    actor: str = "temporal-ui"
    phone: bool = False


@dataclass(frozen=True)
class ConfirmationResult:
    """Whether this confirmation was the one that counted, and what stands now."""

    accepted: bool
    state: RegistrationState
    message: str


def account_name(text: str) -> str:
    """The name of an account or company; raises `Refusal` on field `name`."""
    name = " ".join(text.split())
    if not name:
        raise Refusal("required", field="name")
    if len(name) > NAME_LENGTH or not name.isprintable():
        raise Refusal("account_bad_name", field="name", limit=NAME_LENGTH)
    return name


def confirmation_fault(wish: OperatorConfirmation) -> str | None:
    """Why an operator's confirmation cannot be taken, or None."""
    if not wish.reason.strip():
        return "reason is required: say why the link could not be used (it is kept in the audit log)"
    if len(wish.reason) > REASON_LENGTH or "@" in wish.reason:
        return f"reason must have at most {REASON_LENGTH} characters and no address"
    if not wish.actor.strip() or len(wish.actor) > ACTOR_LENGTH or "@" in wish.actor:
        return f"actor must name who decides, in at most {ACTOR_LENGTH} characters and without an address"
    if LONG_NUMBER.search(wish.reason) or LONG_NUMBER.search(wish.actor):
        return "write no number of seven digits or more: it would stay in the process's history"
    return None
