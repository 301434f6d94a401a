"""A customer's webhook receiver on a real socket, which answers as a script says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANG, DROP = 0, -1
"""Answers besides HTTP statuses: never answer; close without a word."""


@dataclass
class Request:
    """What arrived. Header names are lower-case."""

    headers: dict[str, str]
    body: bytes
    line: str = ""
    """Method, path and version."""


@dataclass
class Receiver:
    """`script` maps the number of a request (from 0) and the request to a status, `HANG` or `DROP`."""

    script: Callable[[int, Request], int] = lambda number, request: 204
    extra: bytes = b""
    """More header lines of every answer."""
    body: bytes = b""
    requests: list[Request] = field(default_factory=list)
    gate: asyncio.Event | None = None
    """No answer before it is set."""
    answered: int = 0
    met: Callable[[int], object] = lambda port: None
    """Told the port that each request comes from."""
    port: int = 0
    peak: int = 0
    """Most requests in hand at one time."""
    _open: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line, *head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head if line)}
        request = Request(headers, await reader.readexactly(int(headers.get("content-length", "0"))), line)
        self.requests.append(request)
        self.met(writer.get_extra_info("peername")[1])
        status = self.script(len(self.requests) - 1, request)
        self._open += 1
        self.peak = max(self.peak, self._open)
        await asyncio.sleep(3600 if status == HANG else 0.001)
        if self.gate is not None:
            await self.gate.wait()
        self._open -= 1
        if status == DROP:
            return False
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(self.body), self.extra, self.body)
        )
        await writer.drain()
        self.answered += 1
        return True


@asynccontextmanager
async def receiving(
    script: Callable[[int, Request], int] | None = None,
    *,
    extra: bytes = b"",
    body: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Receiver]:
    """A receiver on a free port of 127.0.0.1 for the time of the block."""
    receiver = Receiver(extra=extra, body=body)
    if script is not None:
        receiver.script = script
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
