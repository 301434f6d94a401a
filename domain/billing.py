"""Recharging: what an order is and what becomes of it and of each payment (design §5 *Money*, seed 2.5)."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class RechargeState(StrEnum):
    """`CREDITED` counts as paid. A `CLOSED` order that is paid all the same becomes `CREDITED` (see `PaymentState`)."""

    OPEN = "open"
    CREDITED = "credited"
    CLOSED = "closed"


class Channel(StrEnum):
    """How a recharge is paid."""

    ALIPAY = "alipay"


class PaymentState(StrEnum):
    """What became of money that arrived: a second payment of one order, or one for a gone account, goes back."""

    CREDITED = "credited"
    REFUND_WANTED = "refund_wanted"
    REFUNDED = "refunded"


@dataclass(frozen=True)
class PayOrder:
    """What the provider is asked to collect. `number` is the order's id in hex (`out_trade_no`)."""

    number: str
    amount_fen: int
    subject: str
    expires_at: dt.datetime
    notify_url: str
    return_url: str


@dataclass(frozen=True)
class PaymentNotice:
    """What the provider says of an order, in a notification or asked: verified, but not yet compared with our order."""

    number: str
    transaction: str
    """The provider's own number (`trade_no`)."""
    amount_fen: int
    currency: str
    paid: bool
    """False: it was closed, or still waits."""
    paid_at: dt.datetime | None = None


class NoticeRefused(Exception):
    """A notification that is not the provider's word to us; `reason` is a code for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
