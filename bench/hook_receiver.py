"""A customer's webhook receiver of a bench: `python -m bench.hook_receiver`. The path says how it behaves.

`/ok` acknowledges; `/500` refuses; `/slow` refuses after three seconds; `/hang` never answers; `/random` does any of it
by chance. With a record file it appends `arrival tag webhook-id number type message` *before* it acknowledges, as the
sink does: what a sender was told to have delivered is in the file. The tag is the URL's query. The counters are the
sink's: events taken, connections.
"""

import asyncio
import os
import random
import re
import time
from enum import StrEnum
from pathlib import Path
from typing import cast

import httptools
import uvloop

from bench import receiving
from bench.sink import Counters

_NUMBER = re.compile(rb'"number":(\d+)')
_MESSAGE = re.compile(rb'"message_id":(\d+)')
_TYPE = re.compile(rb'"type":"(\w+)"')
SLOW_SECONDS = 3.0
SOMETIMES = (0.85, 0.93, 0.997)
"""Of `/random`: so often it acknowledges, then it refuses, then it closes without a word; else it never answers."""


class Manner(StrEnum):
    OK = "/ok"
    REFUSES = "/500"
    SLOW = "/slow"
    SILENT = "/hang"
    RANDOM = "/random"


class Book:
    """What the receiver knows."""

    def __init__(self, counters: Counters, record: Path | None, seed: int) -> None:
        self._counters = counters
        self._record = None if record is None else os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._taken = self._open = self._most = 0
        self._last = 0.0
        self.chance = random.Random(seed)

    def connected(self, change: int) -> None:
        self._open += change
        self._most = max(self._most, self._open)
        self._note()

    def took(self, tag: bytes, name: bytes, body: bytes) -> None:
        """One event, which is about to be acknowledged."""
        if self._record is not None:
            found = [pattern.search(body) for pattern in (_NUMBER, _TYPE, _MESSAGE)]
            told = [match[1] if match else b"-" for match in found]
            os.write(self._record, b"%.6f %s\n" % (time.time(), b" ".join([tag or b"-", name, *told])))
        self._taken += 1
        self._last = time.time()
        self._note()

    def _note(self) -> None:
        self._counters.write(self._taken, self._open, self._most, self._last)


class Answering(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._wire: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._begin()

    def _begin(self) -> None:
        self._path, self._name, self._body = b"", b"-", b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it
        self._book.connected(1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire = None
        self._book.connected(-1)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._close()

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"webhook-id":
            self._name = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path, _, tag = self._path.partition(b"?")
        manner, name, body = Manner(path.decode()), self._name, self._body
        self._begin()
        if manner is Manner.RANDOM:
            manner = self._by_chance()
        if manner is Manner.OK:
            self._book.took(tag, name, body)
            self._answer(b"200 OK")
        elif manner is Manner.REFUSES:
            self._answer(b"500 No")
        elif manner is Manner.SLOW:
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._answer, b"503 Later")
        elif manner is Manner.RANDOM:
            self._close()

    def _by_chance(self) -> Manner:
        """`RANDOM` itself: close."""
        said = self._book.chance.random()
        order = (Manner.OK, Manner.REFUSES, Manner.RANDOM)
        return next((manner for manner, below in zip(order, SOMETIMES, strict=True) if said < below), Manner.SILENT)

    def _answer(self, status: bytes) -> None:
        if self._wire is not None:
            self._wire.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)

    def _close(self) -> None:
        if self._wire is not None:
            self._wire.close()


def main() -> None:
    options = receiving.arguments(__doc__)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    book = Book(Counters(given.counters, create=True), given.record, given.seed)
    uvloop.run(receiving.serve(given.host, given.port, lambda: Answering(book)))


if __name__ == "__main__":
    main()
