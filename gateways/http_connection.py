"""One HTTP/1.1 connection to one address, one request at a time (RFC 9112), kept open between requests.

Small on purpose: it asks, reads a status and the first words of an answer within bounds, and follows nothing. Answers
are parsed by llhttp (`httptools`), as the API's own server parses requests.
"""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import cast

import httptools

READ_CAP = 64 * 1024
"""Bytes of an answer, head and body, that are read at most."""
KEPT = 2048
"""Bytes of a body that are kept."""
KEEP_SECONDS = 2.0
"""A connection that rested longer is not used again: its server may be about to close it."""


class Broken(Exception):
    """The connection ended before the answer did, or the answer is no HTTP. `untouched`: no byte of it had come."""

    def __init__(self, *, untouched: bool = False) -> None:
        super().__init__("broken")
        self.untouched = untouched


@dataclass(frozen=True)
class Reply:
    """`status`, and the beginning of the body."""

    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """Made by `connect`. `usable` says whether another request may be made on it."""

    def __init__(self) -> None:
        self._wire: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._rested_since = 0.0
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._size = 0
        self._body = b""
        self._head_read = self._by_close = False

    def usable(self) -> bool:
        """Whether it is open and did not rest for too long."""
        rested = asyncio.get_running_loop().time() - self._rested_since
        return self._wire is not None and not self._wire.is_closing() and rested < KEEP_SECONDS

    def close(self) -> None:
        if self._wire is not None:
            self._wire.abort()
            self._wire = None

    async def ask(self, request: bytes) -> Reply:
        """Send a whole request and read the answer. Raises `Broken`; the caller bounds the time."""
        if self._wire is None:
            raise Broken(untouched=True)
        self._begin()
        self._waiting = asyncio.get_running_loop().create_future()
        self._wire.write(request)
        try:
            return await self._waiting
        finally:
            if not self._waiting.done() or self._waiting.cancelled():
                self.close()
            self._waiting = None
            self._rested_since = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            self.close()  # nobody asked
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end(keep=False)
        except httptools.HttpParserError:
            self._fail()
        if self._size >= READ_CAP:
            self._end(keep=False) if self._head_read else self._fail()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire = None
        if self._head_read and self._by_close and exc is None:
            self._end(keep=False)
        self._fail()

    # What llhttp calls while it is fed.

    def on_message_begin(self) -> None:
        self._by_close = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._by_close = False

    def on_headers_complete(self) -> None:
        self._head_read = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        if len(self._body) < KEPT:
            self._body = (self._body + body)[:KEPT]

    def on_message_complete(self) -> None:
        if self._head_read:  # what came before was 100 Continue or the like
            self._end(keep=self._parser.should_keep_alive())

    def _end(self, *, keep: bool) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Reply(self._parser.get_status_code(), self._body))
        if not keep:
            self.close()

    def _fail(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Broken(untouched=self._size == 0))
        self.close()


async def connect(address: str, port: int, tls: ssl.SSLContext | None, name: str, seconds: float) -> Connection:
    """To this numeric address; TLS is verified for `name`. Raises `OSError` (`ssl.SSLError`, `TimeoutError`)."""
    loop = asyncio.get_running_loop()
    server_name = name if tls is not None else None
    made: Connection
    async with asyncio.timeout(seconds):
        _, made = await loop.create_connection(Connection, address, port, ssl=tls, server_hostname=server_name)
    return made


class Connections:
    """Open connections to one origin that rest, the last used first."""

    def __init__(self) -> None:
        self._resting: list[Connection] = []

    def take(self) -> Connection | None:
        while self._resting:
            connection = self._resting.pop()
            if connection.usable():
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        if connection.usable():
            self._resting.append(connection)

    def close(self) -> None:
        for connection in self._resting:
            with contextlib.suppress(OSError):
                connection.close()
        self._resting.clear()
