"""What the sending engine asks of a carrier, and what a carrier tells (SMPP 3.4)."""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from domain.sending import Outcome


@dataclass(frozen=True)
class ShortMessage:
    """One SMS ready for the wire: its text is cut into parts by the gateway, exactly as `segments` counted them."""

    phone: str
    """E.164 with `+`."""
    text: str
    """Signature and opt-out words included."""
    segments: int
    reference: int
    """Of ours, 16 bits: sent as `user_message_reference`, which some carriers write into receipts."""
    validity: dt.timedelta
    """How long the carrier may try (`validity_period`)."""
    source: str = ""
    """`source_addr`; empty: the gateway's own."""


@dataclass(frozen=True)
class Submitted:
    """How one dialogue with a carrier ended.

    `ids` are the message ids of the parts that the carrier took, in order, normalised as its receipts write them.
    `outcome.kind`: `DELIVERED` here means *submitted*: every part was taken. `BOUNCED`/`DEFERRED`: the part after the
    last id was refused (for good / for now). `UNCERTAIN`: a part was written and its answer did not come.
    """

    outcome: Outcome
    ids: tuple[str, ...] = ()


class ReceiptState(StrEnum):
    """`message_state` of a receipt (SMPP 3.4 §5.2.28 and appendix B)."""

    ENROUTE = "ENROUTE"
    DELIVRD = "DELIVRD"
    EXPIRED = "EXPIRED"
    DELETED = "DELETED"
    UNDELIV = "UNDELIV"
    ACCEPTD = "ACCEPTD"
    UNKNOWN = "UNKNOWN"
    REJECTD = "REJECTD"

    @property
    def is_final(self) -> bool:
        return self in (ReceiptState.DELIVRD, ReceiptState.EXPIRED, ReceiptState.UNDELIV, ReceiptState.REJECTD)


@dataclass(frozen=True)
class Receipt:
    """A delivery receipt (`deliver_sm` with esm_class 0x04), as one carrier wrote it."""

    gateway: int
    """`sms_gateway.number`."""
    smsc_id: str
    """Normalised by the gateway's `id_form`; empty when the receipt names none."""
    phone: str
    """E.164 where it can be read, else as it was written."""
    state: str
    """A `ReceiptState`, or what the carrier wrote instead, at most 20 characters."""
    error: str = ""
    """The carrier's own code: `MK:0001`, `err:011`."""
    done_at: dt.datetime | None = None
    reference: int | None = None
    """`user_message_reference`, when the carrier sent it back."""
    text: str = ""
    """The receipt, bounded, up to the words of the message that it quotes."""


@dataclass(frozen=True)
class Reply:
    """A short message from a handset (mobile originated), whole: its parts are put together by the gateway."""

    gateway: int
    sender: str
    """E.164 where it can be read."""
    recipient: str
    """The number it was sent to: `source_addr` of what it answers."""
    content: str
    at: dt.datetime


@dataclass(frozen=True)
class Hears:
    """Where a gateway takes what it hears. Each returns when it is durable; only then the carrier is answered."""

    receipt: Callable[[Receipt], Awaitable[None]]
    reply: Callable[[Reply], Awaitable[None]]


class Carrier(Protocol):
    """One carrier's gateway with all its binds."""

    number: int
    name: str

    @property
    def ready(self) -> bool:
        """Whether a bind is up that can submit."""

    async def submit(self, message: ShortMessage) -> Submitted:
        """Never raises for what the peer does."""


class Carriers(Protocol):
    """All gateways of this process."""

    def get(self, number: int) -> Carrier | None:
        """None: it is paused, removed, or not known yet."""
