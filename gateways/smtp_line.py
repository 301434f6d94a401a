"""Commands of SMTP out, replies in (RFC 5321 §4.2): a reader of our own, since aiosmtplib expects one reply for one
command, and pipelining a mail's envelope saves two round trips and half of the CPU."""

import asyncio
from collections import deque
from dataclasses import dataclass

MAX_LINE = 8192
"""Octets of a reply's line; RFC 5321 §4.5.3.1.5 allows 512."""
MAX_REPLY = 4 * MAX_LINE
_TOO_LONG = "the reply is too long"


@dataclass(frozen=True)
class Reply:
    """A server's whole reply; bytes that are not UTF-8 are lone surrogates in `text`."""

    code: int
    text: str

    @property
    def accepts(self) -> bool:
        return 200 <= self.code < 300


class Broken(Exception):
    """The connection can no longer be spoken on; says why."""


class Line(asyncio.Protocol):
    """Commands out, replies in, in order. Holds one reply's octets at most, whatever a server sends.

    A reply that nobody asked for ends the connection: the next one would be taken for another command's.
    """

    def __init__(self, transport: asyncio.Transport, timeout: float) -> None:
        self._transport = transport
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._texts: list[bytes] = []
        self._size = 0
        self._owed = 0
        """Replies that the server owes us."""
        self._replies: deque[Reply] = deque()
        self._broken: Broken | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        return self._broken is None and not self._transport.is_closing()

    def check_open(self) -> None:
        """Raises `Broken` when it is known to be closed."""
        if not self.is_open:
            raise self._broken or Broken("the connection was closed")

    def ask(self, commands: bytes, replies: int = 1) -> None:
        """Send. Raises `Broken` when nothing was sent."""
        self.check_open()
        self._owed += replies
        self._transport.write(commands)

    async def reply(self) -> Reply:
        """The next reply. Raises `Broken` when there will be none, or not in time."""
        if not self._replies and self._broken is None:
            self._waiter = self._loop.create_future()
            self._deadline = self._loop.time() + self._timeout
            if self._alarm is None:
                self._alarm = self._loop.call_at(self._deadline, self._look)
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._replies:
            return self._replies.popleft()
        raise self._broken or Broken("the connection was closed")

    def close(self) -> None:
        """At once, whatever is still to be sent."""
        self._break("the connection was closed by us")

    def hang_up(self) -> None:
        """In peace: TLS says goodbye. What was broken is closed already."""
        self._transport.close()
        if self._alarm is not None:
            self._alarm.cancel()

    def _look(self) -> None:
        """One alarm per connection, set again while somebody waits: one per reply would cost as much as the reply."""
        self._alarm = None
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline:
            self._alarm = self._loop.call_at(self._deadline, self._look)
        else:
            self._break(f"no reply within {self._timeout:g} s")

    def data_received(self, data: bytes) -> None:
        """Whole lines are read, the rest waits. Nothing that a server sends raises."""
        if self._broken is not None:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        fault = next((fault for line in lines if (fault := self._read(line))), "")
        if fault or len(self._rest) > MAX_LINE:
            self._break(fault or _TOO_LONG)
        elif self._replies and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _read(self, line: bytes) -> str:
        """One line of a reply (RFC 5321 §4.2); returns what is wrong with it."""
        self._size += len(line)
        if len(line) > MAX_LINE or self._size > MAX_REPLY:
            return _TOO_LONG
        if len(line) < 3 or not line[:3].isdigit():
            return "what the server says is no reply of SMTP"
        if self._owed == 0:
            return "the server replied to nothing"
        self._texts.append(line[4:].strip())
        if line[3:4] != b"-":
            text = b"\n".join(self._texts).decode("utf-8", "surrogateescape")
            self._replies.append(Reply(int(line[:3]), text))
            self._owed -= 1
            self._size, self._texts = 0, []
        return ""

    def connection_lost(self, exc: Exception | None) -> None:
        """By the server or by the network."""
        self._break("the connection was lost")

    def _break(self, why: str) -> None:
        if self._broken is None:
            self._broken = Broken(why)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._transport.abort()
        self._rest, self._texts = b"", []
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
