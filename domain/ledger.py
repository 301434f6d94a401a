"""The books' words: journals whose lines sum to zero, what a message costs, when it is charged (design §5 *Money*).

Fen (1/100 yuan) in the books, micro-yuan (1/1,000,000 yuan) for unit prices and money held. Never a float.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.money import MICRO_PER_FEN
from domain.sending import MessageState, Reason

PREPAID = "prepaid"
"""What a customer has paid and not used: the one ledger account with running figures."""
REVENUE = "revenue"
EMAIL = "email"
"""The item of a price: one mail handed over."""


class JournalKind(StrEnum):
    RECHARGE = "recharge"
    CHARGE = "charge"
    ADJUSTMENT = "adjustment"
    """A message is charged after its submission was settled: a report says that it was handed over."""
    REFUND_DUE = "refund_due"
    REFUND = "refund"


@dataclass(frozen=True)
class NewJournal:
    """One event to be posted once per `(kind, reference, round)`.

    `lines` are (ledger account's name, the customer it belongs to or None for the platform's own, amount in fen).
    Positive: the account's worth to its holder grows. Raises `ValueError` when they do not sum to zero.
    """

    kind: str
    reference: UUID
    """The payment, or the submission."""
    round: int
    account_id: UUID | None
    """Whose statement shows it."""
    memo: str
    lines: Sequence[tuple[str, UUID | None, int]]

    def __post_init__(self) -> None:
        if len(self.lines) < 2 or sum(amount for _, _, amount in self.lines) != 0:
            raise ValueError(f"the lines of {self.kind} {self.reference} do not sum to zero")


@dataclass(frozen=True)
class Terms:
    """What the platform's settings say to a request that is accepted."""

    scale: float = 1.0
    """Divides the time to live, as `Policy.time_scale` does with every interval."""
    price_micro: int = 4_500
    """Of one mail, where no price was set."""


@dataclass(frozen=True)
class PriceRow:
    """A price as it was set: for one account (`own`) or for everybody, from a time on."""

    unit_micro: int
    effective_from: dt.datetime
    own: bool


def first_charged(used: int, count: int, free_quota: int) -> int:
    """The ordinal of a request's first message that costs money; `count` when the free quota covers them all.

    `used`: messages of the day with this request; the first `free_quota` of a day are free (design §5).
    """
    return min(count, max(0, free_quota - (used - count)))


def is_charged(state: str, reason: str, code: int) -> bool:
    """Whether a message that ended so is charged: it was handed over, and the receiver's server gave a final answer.

    Delivered, or bounced by its reply (`code`: the SMTP reply). Not: dropped; unknown; bounced without a reply (no such
    domain, say); expired while the receiver only ever asked to try again, whose last deferral's code stays on the row.

    A message whose outcome a later report corrected is charged whatever it became (`domain.corrections`): the report
    proves that it was handed over.
    """
    return state == MessageState.DELIVERED or (state == MessageState.BOUNCED and code > 0 and reason != Reason.EXPIRED)


def in_fen(carry_micro: int, charges: Iterable[int]) -> tuple[list[int], int]:
    """Each charge (micro-yuan) as the whole fen that are posted with it, and what is carried to the next (< 1 fen)."""
    posted = []
    for charge in charges:
        fen, carry_micro = divmod(carry_micro + charge, MICRO_PER_FEN)
        posted.append(fen)
    return posted, carry_micro


def available_micro(balance_fen: int, carry_micro: int, held_micro: int) -> int:
    """What may still be held."""
    return balance_fen * MICRO_PER_FEN - carry_micro - held_micro


def price_at(rows: Sequence[PriceRow], at: dt.datetime, default: int) -> int:
    """The price at a time: an account's own beats the general, the latest to begin beats the ones before.

    `rows` in the order in which they were set: of two that begin at once, the later set counts.
    """
    begun = [row for row in rows if row.effective_from <= at]
    latest = max(enumerate(begun), key=lambda one: (one[1].own, one[1].effective_from, one[0]), default=None)
    return default if latest is None else latest[1].unit_micro


def price_steps(rows: Sequence[PriceRow], now: dt.datetime, default: int) -> list[tuple[dt.datetime | None, int]]:
    """The price now (since: None), then each change that is announced, with its time."""
    steps: list[tuple[dt.datetime | None, int]] = [(None, price_at(rows, now, default))]
    for moment in sorted({row.effective_from for row in rows if row.effective_from > now}):
        unit = price_at(rows, moment, default)
        if unit != steps[-1][1]:
            steps.append((moment, unit))
    return steps
