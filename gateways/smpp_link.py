"""One SMPP connection: bind, requests with their answers, `enquire_link`, and an end that is noticed."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from domain.sms_carriers import GatewayConfig, status_name
from gateways import smpp_pdu as wire
from gateways.smpp_pdu import Frames, Garbage, Pdu

CONNECT_SECONDS = 10.0
LAST_SEQUENCE = 0x7FFFFFFF
MOST_UNREAD = 4 * 2**20
"""Octets for a carrier that does not read what it is told."""


class NotWritten(Exception):
    """The connection had ended before: nothing of it was sent."""


class Broken(Exception):
    """It was written, and the connection ended before its answer."""


class CannotBind(Exception):
    """Why the carrier could not be bound to, for operators."""


Heard = Callable[["Link", Pdu], None]


@dataclass(frozen=True)
class Way:
    """How links of one gateway are made. `seconds`: for each answer."""

    config: GatewayConfig
    tls: ssl.SSLContext | None
    heard: Heard
    seconds: float


class Link(asyncio.Protocol):
    """`open` one. `ended` is set when it is over, `problem` says why."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._asked: dict[int, asyncio.Future[Pdu]] = {}
        self._sequence = 0
        self._came = 0.0
        self._doubted = -1.0
        """When something was not answered in time; if nothing came since, nobody may be there any more."""
        self._making_sure = asyncio.Lock()
        self.in_flight = 0
        """Messages that hold a place in its window."""
        self.bound = False
        self.leaving = False
        self.problem = ""
        self.ended = asyncio.Event()
        self._done_with = asyncio.Event()
        """It ended, or is of no use."""

    @classmethod
    async def open(cls, way: Way, command: int) -> "Link":
        """Connected and bound. Raises `CannotBind`."""
        link = cls(way)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await link._connect()
                await link._bind(command)
        except TimeoutError:
            link.abort("no answer")
            raise CannotBind("no answer to the connection or the bind") from None
        except (OSError, ssl.SSLError) as problem:
            link.abort("no connection")
            raise CannotBind(_why(problem)) from None
        except BaseException:
            link.abort("not bound")
            raise
        return link

    async def _connect(self) -> None:
        config, tls = self._way.config, self._way.tls
        name = config.host if tls is not None else None
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, config.host, config.port, ssl=tls, server_hostname=name)

    async def _bind(self, command: int) -> None:
        config = self._way.config
        body = wire.bind_body(config.system_id, config.password, config.system_type)
        try:
            answer = await self.ask(command, lambda sequence: wire.pdu(command, sequence, body))
        except (Broken, NotWritten):
            raise CannotBind(self.problem or "closed by the carrier before it answered the bind") from None
        if answer.command != command | wire.RESPONSE or answer.status != wire.OK:
            raise CannotBind(f"bind refused: {status_name(answer.status)}")
        self.bound = True

    @property
    def usable(self) -> bool:
        """Whether something can be asked on it now."""
        return self.bound and not self.leaving and not self.ended.is_set()

    async def ask(self, command: int, write: Callable[[int], bytes]) -> Pdu:
        """Write a request, wait for its answer (or a `generic_nack`). `write` gets the sequence number.

        Raises `NotWritten`, `Broken`; `TimeoutError` when nothing is answered in time.
        """
        transport = self._transport
        if transport is None or transport.is_closing() or self.ended.is_set():
            raise NotWritten(self.problem)
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        sequence = self._sequence
        octets = write(sequence)
        answered: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._asked[sequence] = answered
        try:
            transport.write(octets)
            async with asyncio.timeout(self._way.seconds):
                return await answered
        except TimeoutError:
            self._doubted = asyncio.get_running_loop().time()
            raise
        finally:
            self._asked.pop(sequence, None)

    async def make_sure(self) -> None:
        """Before a text is trusted to it: when it left something unanswered and is silent since, ask whether it is
        there. Else a half-open connection swallows a window of texts again and again. Raises `NotWritten`."""
        async with self._making_sure:
            if self._came < self._doubted:
                await self._ask_whether_there()
        if self.ended.is_set():
            raise NotWritten(self.problem)

    async def _ask_whether_there(self) -> None:
        try:
            await self.ask(wire.ENQUIRE_LINK, lambda sequence: wire.pdu(wire.ENQUIRE_LINK, sequence))
        except TimeoutError:
            self.abort("no answer to enquire_link")
        except (Broken, NotWritten):
            self.abort("closed")

    def answer(self, to: Pdu, status: int = wire.OK) -> None:
        """To a request of the carrier; if it is gone, it will ask again."""
        self._write(wire.response(to, status))

    def _write(self, octets: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self.abort("it does not read what it is told")
            return
        self._transport.write(octets)

    async def watch(self) -> None:
        """Until it ends or is retired: when it has been quiet for a while, ask whether the carrier is there."""
        loop, quiet = asyncio.get_running_loop(), self._way.config.enquire.total_seconds()
        while not self._done_with.is_set():
            left = self._came + quiet - loop.time()
            if left > 0:
                await self._ends_within(left)
                continue
            await self._ask_whether_there()

    async def _ends_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._done_with.wait()
        except TimeoutError:
            return

    def retire(self, problem: str) -> None:
        """Nothing new is asked on it, and `watch` returns; what is in flight may still be answered."""
        self.leaving = True
        self.problem = self.problem or problem
        self._done_with.set()

    async def leave(self, patience: float) -> None:
        """An orderly end: what is in flight gets the time that it has for its answer, then unbind."""
        self.leaving = True
        try:
            async with asyncio.timeout(self._way.seconds):
                while self.in_flight and not self.ended.is_set():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        try:
            async with asyncio.timeout(patience):
                await self.ask(wire.UNBIND, lambda sequence: wire.pdu(wire.UNBIND, sequence))
        except (TimeoutError, Broken, NotWritten):
            pass
        finally:
            self.abort("unbound")

    def abort(self, problem: str) -> None:
        """End it now."""
        self.problem = self.problem or problem
        if self._transport is not None:
            self._transport.abort()
        self._over()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._came = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        self._came = asyncio.get_running_loop().time()
        try:
            for came in self._frames.feed(data):
                self._take(came)
        except Garbage as problem:
            self._write(wire.pdu(wire.GENERIC_NACK, 0, status=wire.INVALID_LENGTH))
            self.abort(f"no SMPP: {problem}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.problem = self.problem or ("closed by the carrier" if exc is None else _why(exc))
        self._over()

    def _over(self) -> None:
        self.ended.set()
        self._done_with.set()
        for answered in self._asked.values():
            if not answered.done():
                answered.set_exception(Broken(self.problem))

    def _take(self, came: Pdu) -> None:
        if came.command & wire.RESPONSE:
            answered = self._asked.get(came.sequence)
            if answered is not None and not answered.done():
                answered.set_result(came)
        elif came.command == wire.DELIVER_SM:
            self._way.heard(self, came)
        elif came.command == wire.ENQUIRE_LINK:
            self.answer(came)
        elif came.command == wire.UNBIND:
            self._unbound(came)
        elif came.command != wire.ALERT_NOTIFICATION:
            self._write(wire.pdu(wire.GENERIC_NACK, came.sequence, status=wire.INVALID_COMMAND))

    def _unbound(self, came: Pdu) -> None:
        """The carrier wants to end: answers that are on their way came before this."""
        self.answer(came)
        self.leaving = True
        self.problem = self.problem or "unbound by the carrier"
        if self._transport is not None:
            self._transport.close()


def _why(problem: BaseException) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"certificate: {problem.verify_message}"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem) or type(problem).__name__
