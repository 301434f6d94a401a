"""What the first page of the portal says: what needs attention, what was sent, what is left."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from domain.signals import Level

DAYS = 14
"""Days that the chart shows, today included."""
QUOTA_WARNING = 0.8
"""The share of a day's quota from which on the page warns."""
EXPIRY_WARNING = dt.timedelta(days=30)


class Concern(StrEnum):
    """One kind of thing that a customer should look at; the most pressing first."""

    DOMAIN_BROKEN = "domain_broken"
    DOMAIN_LOST = "domain_lost"
    WEBHOOK_DISABLED = "webhook_disabled"
    QUALITY_BAD = "quality_bad"
    CERTIFICATION_REJECTED = "certification_rejected"
    CERTIFICATION_EXPIRES = "certification_expires"
    TEMPLATE_REJECTED = "template_rejected"
    SMS_SIGNATURE_REJECTED = "sms_signature_rejected"
    SMS_TEMPLATE_REJECTED = "sms_template_rejected"
    QUOTA_USED_UP = "quota_used_up"
    QUOTA_NEARLY_USED = "quota_nearly_used"
    BALANCE_LOW = "balance_low"


ORDER = tuple(Concern)


@dataclass(frozen=True)
class Attention:
    """`subject` is the id of the thing, `label` its name, `detail` the reason given (a person's words or a code)."""

    concern: Concern
    subject: str = ""
    label: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Waiting:
    """A review that a person has not decided yet. `due_at` is None until the process has counted the working time."""

    kind: str
    """`template`, `sms_signature`, `sms_template` or `certification`."""
    subject: str
    label: str
    due_at: dt.datetime | None
    provisional: bool


@dataclass(frozen=True)
class DayCount:
    """Messages accepted on one Shanghai day, by where they stand now."""

    day: dt.date
    outcomes: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    @property
    def delivered(self) -> int:
        return self.outcomes.get("delivered", 0)

    @property
    def failed(self) -> int:
        return self.outcomes.get("bounced", 0) + self.outcomes.get("dropped", 0)

    @property
    def pending(self) -> int:
        """Not decided: queued, deferred, or uncertain."""
        return self.total - self.delivered - self.failed


@dataclass(frozen=True)
class Figures:
    """Today's quota and the prepaid money of an account; `balance` figures are None before the first recharge."""

    daily_quota: int
    free_quota: int
    used: int
    balance_fen: int | None = None
    available_fen: int | None = None

    @property
    def free_left(self) -> int:
        return max(0, self.free_quota - self.used)

    @property
    def left(self) -> int:
        return max(0, self.daily_quota - self.used)


def quality_concern(level: Level) -> Attention | None:
    """Whether receivers will refuse the account's mails, or do."""
    return Attention(Concern.QUALITY_BAD) if level is Level.BAD else None


def quota_concern(figures: Figures) -> Attention | None:
    """Whether today's quota is used up, or nearly."""
    if figures.daily_quota <= 0 or figures.used < QUOTA_WARNING * figures.daily_quota:
        return None
    return Attention(Concern.QUOTA_NEARLY_USED if figures.left else Concern.QUOTA_USED_UP)


def balance_concern(figures: Figures, least_fen: int) -> Attention | None:
    """Whether a paying customer has less than `least_fen` (the least recharge) left."""
    if figures.available_fen is None or figures.available_fen >= least_fen:
        return None
    return Attention(Concern.BALANCE_LOW)
