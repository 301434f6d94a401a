"""One pretend carrier: an SMPP 3.4 server that takes texts, reports of them and passes on what handsets answer."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from sandbox import smsc_wire as wire
from sandbox.config import PortBusy
from sandbox.smsc_carriers import Carrier, Report, receipt
from sandbox.smsc_script import Fate, Manner, Telling, fate_of
from sandbox.smsc_session import Session
from sandbox.smsc_wire import Outgoing, Text, Unit

_AGAIN = 1.0  # seconds until a delivery that was not taken is tried again
_STEP = 0.2  # between the receipts of one text
_REPLY_AFTER = 0.5
_UCS2_PART = 67


@dataclass(frozen=True)
class Behaviour:
    """Of all numbers. ``throttle``: texts a second, those beyond are answered with 0x58 (None: no limit); times in
    seconds. ``scripted``: numbers of the table have their fate."""

    receipt_delay: float = 1.0
    answer_delay: float = 0.0
    throttle: int | None = None
    receipts: bool = True
    scripted: bool = True


@dataclass(frozen=True)
class Taken:
    """A part that a carrier took."""

    carrier: str
    text: Text
    smsc_id: str
    at: float


class Smsc:
    """``keep`` is called for each part that is taken, ``said`` (phone, destination, content) for what a handset writes;
    neither may wait."""

    def __init__(
        self,
        carrier: Carrier,
        host: str,
        port: int,
        behaviour: Behaviour,
        keep: Callable[[Taken], None],
        tls: ssl.SSLContext | None = None,
        said: Callable[[str, str, str], None] | None = None,
    ) -> None:
        self.carrier = carrier
        self.host = host
        self.port = port
        self.behaviour = behaviour
        self.counts: Counter[str] = Counter()
        """connections, binds, taken, refused, throttled, receipts, replies, repeated, and parts by number of tries."""
        self._keep = keep
        self._said = said
        self._tls = tls
        self._server: asyncio.Server | None = None
        self.sessions: set[Session] = set()
        self._waiting: deque[Outgoing] = deque()
        self._tries: Counter[str] = Counter()
        self._last = int(time.time() * 10_000)
        self._allowance = float(behaviour.throttle or 0)
        self._allowed_at = time.monotonic()
        self._reply = 0

    async def start(self) -> None:
        """Listen; raises PortBusy."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Session(self), self.host, self.port, backlog=128, ssl=self._tls
            )
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise PortBusy(f"carrier {self.carrier.name}", self.host, self.port, reason) from None

    async def stop(self) -> None:
        """Hang up."""
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.cut()
        if self._server is not None:
            await self._server.wait_closed()

    def behave(self, behaviour: Behaviour) -> None:
        """From now on."""
        self.behaviour = behaviour
        self._allowance, self._allowed_at = float(behaviour.throttle or 0), time.monotonic()

    @property
    def bound_port(self) -> int:
        """The port, also when it was left to the system (0)."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else self.port

    @property
    def waiting(self) -> int:
        """Deliveries that nobody is bound for, or that wait for their turn."""
        return len(self._waiting)

    def may_bind(self, system_id: str, password: str) -> int:
        """The status of the answer."""
        if system_id != self.carrier.system_id:
            return wire.BAD_SYSTEM_ID
        return wire.OK if password == self.carrier.password else wire.BAD_PASSWORD

    # Texts of the customer.

    def submitted(self, session: Session, request: Unit) -> None:
        """Answer one submit_sm, as the number's fate is."""
        text = wire.read_submit(request.octets)
        if text is None:
            session.send(wire.answer(request, status=wire.BAD_LENGTH))
            return
        fate = fate_of(text.phone) if self.behaviour.scripted else Fate("")
        if status := self._refusal(text, fate):
            self.counts["throttled" if status == wire.THROTTLED else "refused"] += 1
            self._later(self.behaviour.answer_delay, lambda: session.send(wire.answer(request, status=status)))
            return
        self._decide(session, request, text, fate)

    def _refusal(self, text: Text, fate: Fate) -> int:
        if not self._allowed():
            return wire.THROTTLED
        if not text.phone[1:].isdigit():
            return wire.BAD_NUMBER
        if fate.manner is Manner.REFUSE:
            return fate.status
        if fate.manner is not Manner.AT_FIRST:
            return wire.OK
        self._tries[text.phone] += 1
        if self._tries[text.phone] <= fate.times:
            return fate.status
        if text.part == text.total:
            del self._tries[text.phone]  # the next text has the same fate again
        return wire.OK

    def _allowed(self) -> bool:
        rate = self.behaviour.throttle
        if rate is None:
            return True
        now = time.monotonic()
        self._allowance = min(float(rate), self._allowance + (now - self._allowed_at) * rate)
        self._allowed_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _decide(self, session: Session, request: Unit, text: Text, fate: Fate) -> None:
        if fate.manner in (Manner.LOSE, Manner.DEAF):
            self.counts["lost"] += 1
            if fate.manner is Manner.LOSE:
                session.cut()
            return
        number = self._take(text)
        early = fate.telling is Telling.EARLY
        if early:
            self._report(text, number, fate)
        if fate.manner is Manner.CUT:
            session.cut()
        elif fate.manner is not Manner.MUTE:
            delay = fate.seconds or 0.0 if fate.manner is Manner.LATE else self.behaviour.answer_delay
            delay += _STEP if early else 0.0
            octets = wire.answer(request, self.carrier.answered_id(number).encode() + b"\0")
            octets += b"HTTP/1.1 400 Bad Request\r\n\r\n" if fate.manner is Manner.GARBAGE else b""
            self._later(delay, lambda: session.send(octets))
        if not early:
            self._report(text, number, fate)

    def _take(self, text: Text) -> int:
        self._last += 1
        self.counts["taken"] += 1
        self._keep(Taken(self.carrier.name, text, self.carrier.answered_id(self._last), time.time()))
        return self._last

    # What the customer is told.

    def _report(self, text: Text, number: int, fate: Fate) -> None:
        telling, behaviour, now = fate.telling, self.behaviour, time.time()
        delay = 0.0 if telling is Telling.EARLY else behaviour.receipt_delay
        if fate.seconds is not None and fate.manner is not Manner.LATE:
            delay = fate.seconds
        delay += fate.seconds or 0.0 if fate.manner is Manner.LATE else 0.0
        if fate.reply and text.part == text.total:
            self._later(delay + _REPLY_AFTER, lambda: self.reply(text.phone, text.source, fate.reply))
        if not behaviour.receipts or not text.wants_receipt or telling is Telling.NEVER:
            return
        state, error = fate.state, fate.error
        if telling is Telling.SECOND_FAILS and text.part == 2:
            state, error = "UNDELIV", "MK:0012"
        states = ["ENROUTE", "ACCEPTD", state] if telling is Telling.STEPS else [state]
        states += [state] if telling is Telling.TWICE else []
        for at, each in enumerate(states):
            shown = Report(
                *(text, number, each, error, now),
                has_id=telling is not Telling.NO_ID,
                marked=telling is not Telling.UNMARKED,
                has_text=telling is not Telling.TLV_ONLY,
            )
            self._later(delay + at * _STEP, self._telling(shown))

    def _telling(self, report: Report) -> Callable[[], None]:
        def tell() -> None:
            self.counts["receipts"] += 1
            self.deliver(receipt(self.carrier, report))

        return tell

    def reply(self, phone: str, destination: str, content: str) -> None:
        """What a handset writes; a long text in parts."""
        self.counts["replies"] += 1
        if self._said is not None:
            self._said(phone, destination, content)
        self._reply = self._reply % 255 + 1
        if content.isascii() and len(content) <= 160 and not set(content) & set("`$@_[]{}\\^~|"):
            self.deliver(Outgoing(phone, destination, content.encode()))
            return
        octets = content.encode("utf-16-be")
        if len(octets) <= 140:
            self.deliver(Outgoing(phone, destination, octets, data_coding=8))
            return
        parts = _parts(content)
        for at, part in enumerate(parts, 1):
            header = bytes((5, 0, 3, self._reply, len(parts), at))
            self.deliver(Outgoing(phone, destination, header + part, esm_class=0x40, data_coding=8))

    def deliver(self, outgoing: Outgoing) -> None:
        """Over a session that receives, when one has room; else it waits."""
        self._waiting.append(outgoing)
        self.pump()

    def pump(self) -> None:
        """Give sessions what waits."""
        while self._waiting:
            open_ones = [session for session in self.sessions if session.has_room]
            if not open_ones:
                return
            session = min(open_ones, key=lambda each: each.unanswered)
            session.deliver(self._waiting.popleft())

    def again(self, outgoing: Outgoing, *, at_once: bool = False) -> None:
        """It was not taken."""
        self.counts["repeated"] += 1
        self._later(0.0 if at_once else _AGAIN, lambda: self.deliver(outgoing))

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        if seconds <= 0:
            act()
        else:
            asyncio.get_running_loop().call_later(seconds, act)


def _parts(content: str) -> list[bytes]:
    """UTF-16 in pieces of 67 units; no pair is cut in two."""
    parts, part = [], ""
    for character in content:
        if len((part + character).encode("utf-16-be")) > 2 * _UCS2_PART:
            parts.append(part.encode("utf-16-be"))
            part = ""
        part += character
    return [*parts, part.encode("utf-16-be")][:255]
