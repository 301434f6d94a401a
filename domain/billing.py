"""Recharging: what an order is and what becomes of it and of each payment (design §5 *Money*, seed 2.5)."""

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.errors import Refusal
from domain.ids import Process
from domain.money import CURRENCY, show_yuan
from domain.policy import Policy

ORDER_VALID = dt.timedelta(minutes=30)
LEAST_VALID = dt.timedelta(minutes=3)
"""However fast the clocks of a sandbox run, a person needs this long to pay."""
MAX_OPEN = 5
"""Open orders of one account."""
PRESETS_FEN = (10_000, 50_000, 100_000, 500_000)
"""Amounts that the page offers."""
_MINUTE, _HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
OPEN_WAITS = (_MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE)
"""Between asking the provider about an order from which nothing is heard; the last one repeats."""
LATE_WAITS = (10 * _MINUTE, _HOUR, 6 * _HOUR, 18 * _HOUR)
"""The same after it was closed. Alipay repeats a notification for some 24 hours; then nothing can come any more.

Each is over with a credible answer only; until then it repeats."""
REFUND_WAITS = (_MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR)
TROUBLES_FOR_A_PERSON = 3
"""After so many failures in a row an operator is asked to look."""


class RechargeState(StrEnum):
    """`CREDITED` counts as paid. A `CLOSED` order that is paid all the same becomes `CREDITED` (see `PaymentState`)."""

    OPEN = "open"
    CREDITED = "credited"
    CLOSED = "closed"


class CloseReason(StrEnum):
    TIMEOUT = "timeout"
    MEMBER = "member"


class Channel(StrEnum):
    """How a recharge is paid."""

    ALIPAY = "alipay"


class PaymentState(StrEnum):
    """What became of money that arrived: a second payment of one order, or one for a gone account, goes back."""

    CREDITED = "credited"
    REFUND_WANTED = "refund_wanted"
    REFUNDED = "refunded"


class RefundReason(StrEnum):
    """Why money goes back."""

    PAID_TWICE = "paid_twice"
    ACCOUNT_GONE = "account_gone"


class ProviderAnswer(StrEnum):
    """What asking the provider came to."""

    PAID = "paid"
    """And accounted for."""
    WAITING = "waiting"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    """It has no such order: the customer never went to its page."""
    SETTLED = "settled"
    """Nothing had to be asked: the order was settled or closed meanwhile."""
    SILENT = "silent"
    """No answer, or one that is not its word."""
    REFUSED = "refused"
    """An answer that does not fit our order, or a request that it refuses: a person must look."""


TROUBLES = frozenset({ProviderAnswer.SILENT, ProviderAnswer.REFUSED})


class Attention(StrEnum):
    """Why a process about money asks for a person while it goes on."""

    SILENT = "provider_silent"
    REFUSED = "provider_refused"
    NONE = ""
    """It does not, or no longer."""


def attention(answer: ProviderAnswer, failures: int) -> Attention | None:
    """What an answer after so many failures in a row changes; None: nothing."""
    if answer in TROUBLES and failures + 1 >= TROUBLES_FOR_A_PERSON:
        return Attention.SILENT if answer is ProviderAnswer.SILENT else Attention.REFUSED
    return Attention.NONE if answer not in TROUBLES and failures >= TROUBLES_FOR_A_PERSON else None


@dataclass(frozen=True)
class AlipayApp:
    """Our application at Alipay. Keys are RSA, in PEM or as the bare base64 that Alipay's tool writes."""

    app_id: str
    seller_id: str
    gateway_url: str
    private_key: str = field(repr=False)
    """Ours: signs requests."""
    public_key: str
    """Alipay's: signs its notifications and answers."""


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
    closed: bool = False


@dataclass(frozen=True)
class RefundOrder:
    """Money that shall go back. `request` makes repeats harmless (`out_request_no`)."""

    number: str
    transaction: str
    request: str
    amount_fen: int


class NoticeFault(StrEnum):
    """Why a notification is not the provider's word on an order of ours."""

    NOT_OFFERED = "not-offered"
    """No provider is set up here."""
    SIGNATURE = "signature"
    APP = "app"
    SELLER = "seller"
    ORDER = "order"
    CURRENCY = "currency"
    AMOUNT = "amount"
    TRANSACTION = "transaction"
    """It names none, or one that is known of another order."""


ASKED = "query-"
"""Before a fault of what the provider answered when it was asked, and did not send by itself."""


class NoticeRefused(Exception):
    """A notification that is not the provider's word to us."""

    def __init__(self, reason: NoticeFault) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderTrouble(Exception):
    """The provider did not answer, or not credibly; `reason` is a code. Nothing is known of what it did."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderRefused(Exception):
    """The provider answered that it will not; `reason` is its code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Fate:
    """What becomes of a payment that arrived."""

    state: PaymentState
    late: bool
    why: str = ""


@dataclass(frozen=True)
class OrderFacts:
    """An order as the payment met it."""

    amount_fen: int
    state: RechargeState
    account_active: bool


def require_fit(notice: PaymentNotice, order: OrderFacts) -> None:
    """Raises `NoticeRefused` unless the payment is of our order's amount and currency."""
    if notice.currency != CURRENCY:
        raise NoticeRefused(NoticeFault.CURRENCY)
    if notice.amount_fen != order.amount_fen:
        raise NoticeRefused(NoticeFault.AMOUNT)
    if not notice.transaction:
        raise NoticeRefused(NoticeFault.TRANSACTION)


def fate(order: OrderFacts) -> Fate:
    """The rule: the first payment of an active account's order is credited, also when it comes late; others go back."""
    late = order.state is RechargeState.CLOSED
    if order.state is RechargeState.CREDITED:
        return Fate(PaymentState.REFUND_WANTED, late, RefundReason.PAID_TWICE)
    if not order.account_active:
        return Fate(PaymentState.REFUND_WANTED, late, RefundReason.ACCOUNT_GONE)
    return Fate(PaymentState.CREDITED, late)


def order_id(number: str) -> UUID | None:
    """The order that a provider's `out_trade_no` names; None for a number that is none of ours."""
    try:
        found = UUID(hex=number)
    except ValueError:
        return None
    return found if found.hex == number else None


def order_valid(policy: Policy) -> dt.timedelta:
    """How long an order can be paid."""
    return max(policy.scaled(ORDER_VALID), LEAST_VALID)


def wait_after(waits: tuple[dt.timedelta, ...], tries: int, policy: Policy) -> dt.timedelta:
    """The wait before the next try; at least a second, so that scaled clocks do not spin."""
    return max(policy.scaled(waits[min(tries, len(waits) - 1)]), dt.timedelta(seconds=1))


def require_allowed_amount(fen: int, policy: Policy) -> None:
    """Raises the refusal `recharge_amount`."""
    if not policy.recharge_min_fen <= fen <= policy.recharge_max_fen:
        least, most = show_yuan(policy.recharge_min_fen), show_yuan(policy.recharge_max_fen)
        raise Refusal("recharge_amount", field="amount", least=least, most=most)


@dataclass(frozen=True)
class RechargeLookRequest:
    """`asks`: how often the provider was asked while the order was open; `late_asks`: how often it answered since."""

    process: Process
    now: dt.datetime
    asks: int = 0
    late_asks: int = 0


@dataclass(frozen=True)
class RechargeLook:
    """An order as its process sees it."""

    state: RechargeState
    amount_fen: int = 0
    expires_at: dt.datetime | None = None
    shut_due: bool = False
    """Its time is up, or the customer wants it closed."""
    watched: bool = False
    """Something may still happen to it."""
    wait_seconds: float = 0.0
    """Until the provider is to be asked again."""
    late: bool = False
    """Credited after it was closed."""
    troubled: bool = False
    """An earlier run of the process asked for a person, and no credible answer came since."""


@dataclass(frozen=True)
class PaymentStep:
    """One request to the provider, after so many failures in a row."""

    process: Process
    now: dt.datetime
    failures: int = 0


@dataclass(frozen=True)
class RefundLookRequest:
    process: Process
    tries: int = 0


@dataclass(frozen=True)
class RefundLook:
    """A payment that goes back, as its process sees it."""

    state: PaymentState
    amount_fen: int = 0
    why: str = ""
    wait_seconds: float = 0.0
    """Until the next try."""
    troubled: bool = False
    """As in `RechargeLook`."""


@dataclass(frozen=True)
class RechargeProgress:
    """The answer to `progress`."""

    state: RechargeState
    asks: int
    failures: int
    answer: ProviderAnswer | None
    needs_human: bool


@dataclass(frozen=True)
class RefundProgress:
    """The answer to `progress`."""

    state: PaymentState
    tries: int
    failures: int
    needs_human: bool
