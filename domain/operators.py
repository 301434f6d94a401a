"""The people who run the platform, and what each may do in the console."""

from collections.abc import Mapping
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
    """See customers; grant quota; answer what they write."""
    MONEY = "money"
    """See recharges, payments and the ledger; set prices."""
    CALENDAR = "calendar"
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
