"""The people who run the platform, and what each may do in the console."""

import datetime as dt
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.errors import Refusal


class OperatorRole(StrEnum):
    REVIEWER = "reviewer"
    FINANCE = "finance"
    SUPPORT = "support"
    ADMIN = "admin"


class Duty(StrEnum):
    """One kind of act in the console."""

    REVIEW = "review"
    """Decide on templates and certifications; see the papers of a certification."""
    EXCEPTIONS = "exceptions"
    """Decide on certifications without a website (seed 2.4: support)."""
    ACCOUNTS = "accounts"
    """See customers; grant quota; confirm registrations and numbers; lift what blocks a number; answer letters."""
    MONEY = "money"
    """See recharges, payments and the ledger; set prices."""
    CALENDAR = "calendar"
    LANES = "lanes"
    """Pause and resume lanes, change their limits; say what replies mean, and when to try again."""
    OPERATORS = "operators"
    AUDIT = "audit"


_ALL = frozenset(Duty)
DUTIES: Mapping[OperatorRole, frozenset[Duty]] = {
    OperatorRole.REVIEWER: frozenset({Duty.REVIEW, Duty.ACCOUNTS}),
    OperatorRole.FINANCE: frozenset({Duty.MONEY, Duty.ACCOUNTS}),
    OperatorRole.SUPPORT: frozenset({Duty.EXCEPTIONS, Duty.ACCOUNTS}),
    OperatorRole.ADMIN: _ALL,
}


@dataclass(frozen=True)
class Operator:
    """A signed-in operator. `name` is the handle that the audit log shows."""

    id: UUID
    name: str
    roles: frozenset[OperatorRole]
    session_id: UUID | None = None
    language: str = "zh"

    @property
    def actor(self) -> str:
        return f"operator/{self.name}"

    def may(self, duty: Duty) -> bool:
        """Whether one of the operator's roles includes the duty."""
        return any(duty in DUTIES[role] for role in self.roles)

    def require(self, duty: Duty) -> None:
        """Raise the refusal `duty_forbidden`."""
        if not self.may(duty):
            raise Refusal("duty_forbidden", duty=duty.value)


NAME = re.compile("[a-z][a-z0-9_-]{1,31}")
IDLE = dt.timedelta(minutes=30)
"""A session that was not used for so long ends."""
LONGEST = dt.timedelta(hours=12)
"""And so does one that is as old, however busy."""
TICKET_VALID = dt.timedelta(minutes=5)
"""Between the right password and the code."""
MAX_REASON = 500
"""Characters of a reason that an operator gives."""
RECOVERY_CODES = 8


@dataclass(frozen=True)
class OperatorSignIn:
    """A new session: `token` goes into the cookie and nowhere else."""

    token: str
    operator: Operator
    recovery_codes: tuple[str, ...] = ()
    """Shown once, after enrolment."""


@dataclass(frozen=True)
class Ticket:
    """The password was right. `enrolled` False: an own password and an authenticator have to be set up first."""

    token: str
    name: str
    enrolled: bool


@dataclass(frozen=True)
class Enrolment:
    """What the authenticator app needs: the Base32 secret, and the `otpauth://` URI of the QR code."""

    name: str
    secret: str
    uri: str


@dataclass(frozen=True)
class GivenOut:
    """A new operator's first password, shown once. `secret` and `uri` only where the account is enrolled already."""

    name: str
    password: str
    secret: str = ""
    uri: str = ""


def roles_of(names: Iterable[str]) -> frozenset[OperatorRole]:
    """Raises the refusal `operator_bad_role` for an unknown role, and when there is none."""
    chosen = set(names)
    if not chosen or not chosen <= set(OperatorRole):
        raise Refusal("operator_bad_role", field="role")
    return frozenset(OperatorRole(name) for name in chosen)


def reason_of(text: str) -> str:
    """Why an operator acts, for the audit log. Raises `required` and `text_too_long` on field `reason`."""
    words = text.replace("\0", "").strip()
    if not words:
        raise Refusal("required", field="reason")
    if len(words) > MAX_REASON:
        raise Refusal("text_too_long", field="reason", limit=MAX_REASON)
    return words


def matching_step(codes: Iterable[tuple[int, str]], typed: str, last: int) -> int | None:
    """Which time step's code was typed (RFC 6238), if it is later than the `last` that was used (§5.2: once only)."""
    found = [step for step, code in codes if hmac.compare_digest(code.encode(), typed.encode()) and step > last]
    return found[0] if found else None
