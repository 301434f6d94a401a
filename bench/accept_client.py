"""A client that costs little: prepared requests over kept connections, one at a time on each, for some seconds.

`python -m bench.accept_client` is one process of it. It reads what to send as one line of JSON, says `ready` when its
connections stand, waits for a line, and says how it went. (A library's client takes longer for a request than Songda.)
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import uvloop

from bench.report import percentile
from supervision.ports import LOOPBACK

PLACE = b"@@@@@@@@"
"""Where a request has its number: eight digits, so that its length is always the same."""
ANSWER_WITHIN = 30.0


@dataclass(frozen=True)
class Order:
    """`requests` are whole HTTP requests, used in turn; an answer that holds `good` is a success."""

    port: int
    requests: list[str]
    good: str
    connections: int
    warm_seconds: float
    seconds: float
    first: int
    """Of the numbers; each process has its own."""


@dataclass(frozen=True)
class Load:
    """How one process did; the warming up is not counted in `good` and in the waits."""

    good: int
    good_ever: int
    bad: int
    seconds: float
    p50_ms: float
    p99_ms: float
    sample: str = ""
    """The first answer that was not good."""


class Connection(asyncio.Protocol):
    """Sends the next request when the last one is answered."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: Any = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def start(self) -> None:
        """Send the first request."""
        self._next()

    def _next(self) -> None:
        data = self._client.next_request()
        if data is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        head, split, body = self._buffer.partition(b"\r\n\r\n")
        if not split or len(body) < _length(head):
            return
        self._buffer = b""
        self._client.note(body, self._sent_at)
        self._next()

    def connection_lost(self, problem: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _length(head: bytes) -> int:
    """Of the body; what does not say so is over at once, and counts as bad."""
    lower = head.lower()
    at = lower.find(b"content-length:")
    return int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class Client:
    """All connections of a process."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._requests = [tuple(each.encode().split(PLACE)) for each in order.requests]
        self._good = order.good.encode()
        self._number = order.first
        self._counts_from = self._until = 0.0
        self._waits: list[float] = []
        self._all = self._bad = 0
        self._sample = b""

    def next_request(self) -> bytes | None:
        """None when the time is over."""
        if time.perf_counter() >= self._until:
            return None
        self._number += 1
        parts = self._requests[self._number % len(self._requests)]
        return (b"%08d" % self._number).join(parts)

    def note(self, body: bytes, sent_at: float) -> None:
        """An answer."""
        if self._good not in body:
            self._bad += 1
            self._sample = self._sample or body[:300]
            return
        self._all += 1
        now = time.perf_counter()
        if self._counts_from <= now < self._until:
            self._waits.append(now - sent_at)

    async def open(self) -> list[Connection]:
        loop = asyncio.get_running_loop()
        made = [loop.create_connection(lambda: Connection(self), LOOPBACK, self._order.port)
                for _ in range(self._order.connections)]  # fmt: skip
        return [connection for _, connection in await asyncio.gather(*made)]

    async def run(self, connections: list[Connection]) -> Load:
        self._counts_from = time.perf_counter() + self._order.warm_seconds
        self._until = self._counts_from + self._order.seconds
        for connection in connections:
            connection.start()
        waiting = asyncio.gather(*(connection.ended for connection in connections))
        await asyncio.wait_for(waiting, self._order.warm_seconds + self._order.seconds + ANSWER_WITHIN)
        p50, p99 = (1000 * percentile(self._waits, share) if self._waits else -1.0 for share in (0.5, 0.99))
        said = self._sample.decode(errors="replace")
        return Load(len(self._waits), self._all, self._bad, self._order.seconds, p50, p99, said)


async def work() -> None:
    order = Order(**json.loads(sys.stdin.readline()))
    client = Client(order)
    connections = await client.open()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    load = await client.run(connections)
    sys.stdout.write(json.dumps(asdict(load)) + "\n")


if __name__ == "__main__":
    uvloop.run(work())
