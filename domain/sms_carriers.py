"""Carriers over SMPP 3.4: how a gateway is reached, what its answers mean, what processes say of their binds. Pure."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from domain.sending import Outcome, OutcomeKind, Scope
from domain.sms_results import SmsReason
from domain.sms_text import halves_joined
from domain.sms_transport import Reply
from domain.transport import Tls


class GatewayState(StrEnum):
    """A paused gateway has no binds. A removed one never has again; messages still remember its number."""

    ENABLED = "enabled"
    PAUSED = "paused"
    REMOVED = "removed"


class Bind(StrEnum):
    """How a gateway is bound to (SMPP 3.4 §4.1)."""

    TRANSCEIVER = "transceiver"
    PAIR = "pair"
    """A transmitter and a receiver, for servers that know no transceiver."""


class IdForm(StrEnum):
    """How ids of `submit_sm_resp` become those of receipts."""

    AS_IS = "as_is"
    HEX_TO_DECIMAL = "hex_to_decimal"
    DECIMAL_TO_HEX = "decimal_to_hex"


@dataclass(frozen=True)
class GatewayConfig:
    """A gateway as a process needs it; `binds` and `window` as in `store.sms_gateways`."""

    number: int
    name: str
    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    tls: Tls = Tls.NONE
    bind: Bind = Bind.TRANSCEIVER
    binds: int = 1
    window: int = 32
    source: str = ""
    id_form: IdForm = IdForm.AS_IS
    clock: dt.timedelta = dt.timedelta(hours=8)
    """Of the times in its receipts, from UTC."""
    enquire: dt.timedelta = dt.timedelta(seconds=30)
    """Of silence, before the carrier is asked whether it is there."""


@dataclass(frozen=True)
class GatewaySight:
    """What one process has of a gateway. `problem`: why the binds that are missing are not up, for operators."""

    number: int
    bound: int
    problem: str = ""


@dataclass(frozen=True)
class ReplyPiece:
    """One part of a long text from a handset: `index` is 1-based. Its parts can come over different binds."""

    gateway: int
    sender: str
    recipient: str
    reference: int
    index: int
    total: int
    content: str
    at: dt.datetime

    @property
    def key(self) -> str:
        """What its parts have in common."""
        return f"{self.gateway} {self.sender} {self.recipient} {self.reference} {self.total}"


@dataclass(frozen=True)
class Assembled:
    """A long text put together, as far as its parts came. `key`: what `GatewayBook.given` is told."""

    key: str
    reply: Reply


MISSING = "…"
"""In place of parts that did not come."""


def assemble(pieces: Sequence[ReplyPiece]) -> Assembled:
    """Parts of one text (at least one), in any order; those that are missing are shown as missing."""
    first = min(pieces, key=lambda piece: piece.index)
    texts = {piece.index: piece.content for piece in pieces}
    content, gap = "", False
    for index in range(1, first.total + 1):
        if index in texts:
            content, gap = content + texts[index], False
        elif not gap:
            content, gap = content + MISSING, True
    at = min(piece.at for piece in pieces)
    reply = Reply(first.gateway, first.sender, first.recipient, halves_joined(content), at)
    return Assembled(first.key, reply)


class GatewayBook(Protocol):
    """What gateways ask of the house. Nothing here raises for a database that is away, but `piece` and `given`."""

    async def configs(self) -> Sequence[GatewayConfig] | None:
        """Gateways that are enabled; None: nobody can say just now, and what was known holds."""

    async def say(self, sights: Sequence[GatewaySight]) -> None:
        """What this process has of each gateway; called often."""

    async def piece(self, piece: ReplyPiece) -> Assembled | None:
        """Keep a part durably. The whole, for whoever brought the last part; a part may come twice. Raises when it
        cannot be kept now."""

    async def given(self, key: str) -> None:
        """The whole was heard: its parts are not needed any more."""

    async def overdue(self) -> Sequence[Assembled]:
        """Texts whose missing parts do not come any more; the same ones are not named again for some minutes."""


THROTTLED, QUEUE_FULL = 0x58, 0x14
STATUS_NAMES = {
    0x01: "ESME_RINVMSGLEN",
    0x02: "ESME_RINVCMDLEN",
    0x03: "ESME_RINVCMDID",
    0x04: "ESME_RINVBNDSTS",
    0x05: "ESME_RALYBND",
    0x06: "ESME_RINVPRTFLG",
    0x07: "ESME_RINVREGDLVFLG",
    0x08: "ESME_RSYSERR",
    0x0A: "ESME_RINVSRCADR",
    0x0B: "ESME_RINVDSTADR",
    0x0C: "ESME_RINVMSGID",
    0x0D: "ESME_RBINDFAIL",
    0x0E: "ESME_RINVPASWD",
    0x0F: "ESME_RINVSYSID",
    0x14: "ESME_RMSGQFUL",
    0x15: "ESME_RINVSERTYP",
    0x43: "ESME_RINVESMCLASS",
    0x45: "ESME_RSUBMITFAIL",
    0x48: "ESME_RINVSRCTON",
    0x49: "ESME_RINVSRCNPI",
    0x50: "ESME_RINVDSTTON",
    0x51: "ESME_RINVDSTNPI",
    0x53: "ESME_RINVSYSTYP",
    0x58: "ESME_RTHROTTLED",
    0x61: "ESME_RINVSCHED",
    0x62: "ESME_RINVEXPIRY",
    0x64: "ESME_RX_T_APPN",
    0x65: "ESME_RX_P_APPN",
    0x66: "ESME_RX_R_APPN",
    0xC3: "ESME_RINVTLVLEN",
    0xC4: "ESME_RINVTLVVAL",
    0xFE: "ESME_RDELIVERYFAILURE",
    0xFF: "ESME_RUNKNOWNERR",
}
_SLOWER = frozenset({THROTTLED, QUEUE_FULL})
_NUMBER = frozenset({0x0B})
_OURS = frozenset({0x01, 0x06, 0x07, 0x0A, 0x43, 0x48, 0x49, 0x50, 0x51, 0x61, 0x62, 0x65, 0x66, 0xC3, 0xC4, 0xFE})
"""What it says of this message would be said again."""


def status_name(status: int) -> str:
    """`ESME_RINVDSTADR`; a vendor's own as `0x00000400`."""
    return STATUS_NAMES.get(status, f"0x{status:08X}")


def outcome_of_status(status: int) -> Outcome:
    """What a `command_status` other than 0 says of the message.

    A number that the server refuses is not proved dead (it may be our way of writing it), so nobody is blocked for it.
    What is unknown or a vendor's own (no credit, say) is tried again, perhaps over another carrier.
    """
    text = status_name(status)
    if status in _SLOWER:
        return Outcome(OutcomeKind.DEFERRED, SmsReason.RATE_LIMITED, status, "", text, scope=Scope.ADDRESS)
    if status in _NUMBER:
        return Outcome(OutcomeKind.BOUNCED, SmsReason.OTHER, status, "", text, scope=Scope.RECIPIENT)
    if status in _OURS:
        return Outcome(OutcomeKind.BOUNCED, SmsReason.OTHER, status, "", text, scope=Scope.CONTENT)
    return Outcome(OutcomeKind.DEFERRED, SmsReason.CONN, status, "", text, scope=Scope.CONNECTION)


def not_taken(text: str) -> Outcome:
    """Nothing was written: it can go over another bind or another carrier."""
    return Outcome(OutcomeKind.DEFERRED, SmsReason.CONN, 0, "", text, scope=Scope.CONNECTION)


def uncertain(text: str) -> Outcome:
    """A part was written, and its answer did not come."""
    return Outcome(OutcomeKind.UNCERTAIN, SmsReason.UNCERTAIN, 0, "", text, scope=Scope.CONNECTION)


SUBMITTED = Outcome(OutcomeKind.DELIVERED)
