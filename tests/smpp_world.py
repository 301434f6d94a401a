"""Pretend carriers on sockets, and a gateway's book that is kept in memory."""

import asyncio
import datetime as dt
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from domain.sms_carriers import Assembled, GatewayConfig, GatewaySight, ReplyPiece, assemble
from domain.sms_transport import Hears, Receipt, Reply, ShortMessage
from gateways.smpp import SmppCarriers
from sandbox.smsc import Behaviour, Smsc, Taken
from sandbox.smsc_carriers import CARRIERS
from tests import patience

QUICK = Behaviour(receipt_delay=0.0)
SCALE = 20.0


async def until(check: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What `check` returns once it is true."""

    async def look() -> Any:
        return check()

    return await patience.until(look, seconds)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Heard:
    """What a gateway told; with `trouble` set, nothing can be kept."""

    receipts: list[Receipt] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    trouble: bool = False

    async def receipt(self, receipt: Receipt) -> None:
        if self.trouble:
            raise OSError("no room on the disk")
        self.receipts.append(receipt)

    async def reply(self, reply: Reply) -> None:
        if self.trouble:
            raise OSError("no room on the disk")
        self.replies.append(reply)

    @property
    def hears(self) -> Hears:
        return Hears(self.receipt, self.reply)

    async def receipt_of(self, smsc_id: str) -> Receipt:
        found: Receipt = await until(lambda: next((r for r in self.receipts if r.smsc_id == smsc_id), None))
        return found


class MemoryBook:
    """A `GatewayBook`."""

    def __init__(self, *configs: GatewayConfig) -> None:
        self.now: Sequence[GatewayConfig] | None = list(configs)
        self.sights: Sequence[GatewaySight] = []
        self.pieces: dict[str, dict[int, ReplyPiece]] = {}
        self.late: list[Assembled] = []

    async def configs(self) -> Sequence[GatewayConfig] | None:
        return self.now

    async def say(self, sights: Sequence[GatewaySight]) -> None:
        self.sights = sights

    def has_problem(self) -> bool:
        """Whether it was tried, and did not work."""
        return bool(self.sights and self.sights[0].problem not in ("", "not bound yet"))

    async def piece(self, piece: ReplyPiece) -> Assembled | None:
        kept = self.pieces.setdefault(piece.key, {})
        kept[piece.index] = piece
        return assemble(list(kept.values())) if len(kept) == piece.total else None

    async def given(self, key: str) -> None:
        self.pieces.pop(key, None)

    async def overdue(self) -> Sequence[Assembled]:
        late, self.late = self.late, []
        return late


def config_of(port: int, carrier: int = 0, **changes: Any) -> GatewayConfig:
    """A gateway to one of the sandbox's carriers."""
    its = CARRIERS[carrier]
    base = GatewayConfig(1, its.title, "127.0.0.1", port, its.system_id, its.password, source=its.source)
    return replace(base, **changes)


@dataclass
class Line:
    """A gateway that is bound to a carrier."""

    carriers: SmppCarriers
    heard: Heard
    book: MemoryBook
    smsc: Smsc
    taken: list[Taken]

    async def submit(self, phone: str, text: str = "【送达】您的验证码是 123456", **changes: Any) -> Any:
        carrier = self.carriers.get(1)
        assert carrier is not None
        return await carrier.submit(replace(sms(phone, text), **changes))


def sms(phone: str, text: str = "【送达】您的验证码是 123456", reference: int = 7) -> ShortMessage:
    return ShortMessage(phone, text, 1, reference, dt.timedelta(minutes=10))


@asynccontextmanager
async def smsc_on(port: int, behaviour: Behaviour = QUICK, carrier: int = 0, **more: Any) -> AsyncIterator[Any]:
    """(SMSC, what it takes)."""
    taken: list[Taken] = []
    smsc = Smsc(CARRIERS[carrier], "127.0.0.1", port, behaviour, taken.append, **more)
    await smsc.start()
    try:
        yield smsc, taken
    finally:
        await smsc.stop()


@asynccontextmanager
async def gateway(book: MemoryBook, heard: Heard, **more: Any) -> AsyncIterator[SmppCarriers]:
    """It runs as long as the block lasts."""
    carriers = SmppCarriers(book, heard.hears, SCALE, **more)
    task = asyncio.create_task(carriers.run())
    try:
        yield carriers
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ready(carriers: SmppCarriers, number: int = 1) -> None:
    await until(lambda: (carrier := carriers.get(number)) is not None and carrier.ready)


@asynccontextmanager
async def line(behaviour: Behaviour = QUICK, carrier: int = 0, **changes: Any) -> AsyncIterator[Line]:
    port = free_port()
    book, heard = MemoryBook(config_of(port, carrier, **changes)), Heard()
    async with smsc_on(port, behaviour, carrier) as (smsc, taken), gateway(book, heard) as carriers:
        await ready(carriers)
        yield Line(carriers, heard, book, smsc, taken)
