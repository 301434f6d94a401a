"""One connection to a pretend carrier."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from sandbox import smsc_wire as wire
from sandbox.smsc_wire import NotSmpp, Outgoing, Unit

if TYPE_CHECKING:
    from sandbox.smsc import Smsc

_WINDOW = 200  # deliveries without an answer
_ANSWER_WITHIN = 15.0


class Session(asyncio.Protocol):
    """From the connection to its end."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._asked: dict[int, tuple[Outgoing, asyncio.TimerHandle]] = {}
        self._sequence = 0
        self.bind = ""
        """RX, TX or TRX; empty: not bound."""

    @property
    def unanswered(self) -> int:
        return len(self._asked)

    @property
    def has_room(self) -> bool:
        """Whether it receives, and not too much already."""
        return self.bind in ("RX", "TRX") and self._open and len(self._asked) < _WINDOW

    @property
    def _open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._smsc.sessions.add(self)
        self._smsc.counts["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._smsc.sessions.discard(self)
        asked, self._asked = self._asked, {}
        for outgoing, timer in asked.values():
            timer.cancel()
            self._smsc.again(outgoing, at_once=True)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            for unit in wire.cut(self._buffer):
                self._take(unit)
        except NotSmpp:
            self.send(wire.unit(wire.NACK, 0, status=wire.BAD_LENGTH))
            self.close()

    def send(self, octets: bytes) -> None:
        """Nothing, when the peer is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)

    def cut(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Hang up when what was sent is gone."""
        if self._transport is not None:
            self._transport.close()

    def deliver(self, outgoing: Outgoing) -> None:
        """Send one; it is repeated unless it is answered well."""
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        sequence = self._sequence
        timer = asyncio.get_running_loop().call_later(_ANSWER_WITHIN, self._silent, sequence)
        self._asked[sequence] = (outgoing, timer)
        self.send(outgoing.octets(sequence))

    def _silent(self, sequence: int) -> None:
        if asked := self._asked.pop(sequence, None):
            self._smsc.again(asked[0])

    def _take(self, unit: Unit) -> None:
        if unit.command == wire.DELIVER | wire.NACK:
            self._answered(unit)
        elif unit.command in wire.BINDS:
            self._bind(unit)
        elif unit.command == wire.SUBMIT:
            if self.bind in ("TX", "TRX"):
                self._smsc.submitted(self, unit)
            else:
                self.send(wire.answer(unit, status=wire.NOT_BOUND))
        elif unit.command in (wire.ENQUIRE, wire.UNBIND):
            self.send(wire.answer(unit))
            if unit.command == wire.UNBIND:
                self.close()
        elif not unit.command & wire.NACK:
            self.send(wire.unit(wire.NACK, unit.sequence, status=wire.BAD_COMMAND))

    def _answered(self, unit: Unit) -> None:
        if asked := self._asked.pop(unit.sequence, None):
            outgoing, timer = asked
            timer.cancel()
            if unit.status == wire.OK:
                self._smsc.counts["told"] += 1
            else:
                self._smsc.again(outgoing)
        self._smsc.pump()

    def _bind(self, unit: Unit) -> None:
        status = self._smsc.may_bind(*wire.read_bind(unit.octets))
        if status != wire.OK:
            self.send(wire.answer(unit, status=status))
            self.close()
            return
        self.bind = wire.BINDS[unit.command]
        self._smsc.counts["binds"] += 1
        self.send(wire.answer(unit, self._smsc.carrier.name.encode() + b"\0"))
        self._smsc.pump()
