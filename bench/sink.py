"""A receiving mail server that keeps nothing but counts and, when asked, one line per mail: `python -m bench.sink`.

It takes every mail. With a record file it appends `arrival recipient message-id` *before* it answers 250: what a
sender was told to have delivered is in the file, whoever is killed next. Arrival is the moment of the MAIL command, in
seconds since 1970. Of RFC 5321 it knows what senders need, pipelined or not.
"""

import asyncio
import mmap
import os
import re
import struct
import time
from pathlib import Path

from bench import receiving

_EHLO = b"250-sink.bench.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n"
_ADDRESS = re.compile(rb"<([^>]*)>")
_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*<([^>\r\n]*)>")
_END = b"\r\n.\r\n"
_FIELDS = struct.Struct("=qqqd")


class Counters:
    """Mails, connections open now, the most that were open at once, and when the last mail came: in a mapped file, so
    that another process reads them without asking."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if create:
            path.write_bytes(bytes(_FIELDS.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FIELDS.size)

    def read(self) -> tuple[int, int, int, float]:
        """(mails, open, most open, the last mail's arrival)."""
        mails, now_open, most, last = _FIELDS.unpack(self._map[:])
        return mails, now_open, most, last

    def write(self, mails: int, now_open: int, most: int, last: float) -> None:
        self._map[:] = _FIELDS.pack(mails, now_open, most, last)


class Book:
    """What the sink knows: counters, and the record file when there is one."""

    def __init__(self, counters: Counters, record: Path | None = None) -> None:
        self._counters = counters
        self._record = None if record is None else os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._mails = self._open = self._most = 0
        self._last = 0.0

    def opened(self) -> None:
        self._open += 1
        self._most = max(self._most, self._open)
        self._note()

    def closed(self) -> None:
        self._open -= 1
        self._note()

    def took(self, arrival: float, recipients: list[bytes], content: bytes) -> None:
        """One mail, which is about to be answered with 250."""
        if self._record is not None:
            found = _MESSAGE_ID.search(content)
            name = found[1] if found else b"-"
            lines = [b"%.6f %s %s\n" % (arrival, address, name) for address in recipients]
            os.write(self._record, b"".join(lines))
        self._mails += len(recipients)
        self._last = time.time()
        self._note()

    def _note(self) -> None:
        self._counters.write(self._mails, self._open, self._most, self._last)


class Dialogue(asyncio.Protocol):
    """One connection."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._buffer = bytearray()
        self._recipients: list[bytes] = []
        self._arrival = 0.0
        self._content = False
        self._scanned = 0
        self._wire: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - for mypy
        self._wire = transport
        self._book.opened()
        transport.write(b"220 sink.bench.example ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._book.closed()

    def data_received(self, data: bytes) -> None:
        """Answer whatever is complete, in one write."""
        self._buffer += data
        replies: list[bytes] = []
        while (reply := self._mail() if self._content else self._command()) is not None:
            replies.append(reply)
        if self._wire is not None and replies:
            self._wire.write(b"".join(replies))
            if replies[-1].startswith(b"221"):
                self._wire.close()

    def _mail(self) -> bytes | None:
        """The answer to a whole content; None when more of it has to come."""
        # An empty content is its dot alone: the line end before it is the DATA command's.
        end, edge = (
            (0, _END[2:]) if self._buffer.startswith(_END[2:]) else (self._buffer.find(_END, self._scanned), _END)
        )
        if end < 0:
            self._scanned = max(0, len(self._buffer) - len(_END))
            return None
        head = bytes(self._buffer[:end])
        del self._buffer[: end + len(edge)]
        self._content, self._scanned = False, 0
        self._book.took(self._arrival, self._recipients, head)
        self._recipients = []
        return b"250 2.0.0 taken\r\n"

    def _command(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return self._answer(line[:4].upper(), line)

    def _answer(self, verb: bytes, line: bytes) -> bytes:
        if verb == b"MAIL":
            self._arrival, self._recipients = time.time(), []
        elif verb == b"RCPT":
            found = _ADDRESS.search(line)
            self._recipients.append(found[1] if found else b"?")
        elif verb == b"DATA":
            if not self._recipients:
                return b"503 5.5.1 RCPT first\r\n"
            self._content = True
            return b"354 go on\r\n"
        return _REPLIES.get(verb, b"250 2.0.0 ok\r\n")


_REPLIES = {b"EHLO": _EHLO, b"QUIT": b"221 2.0.0 bye\r\n"}


def main() -> None:
    given = receiving.arguments(__doc__).parse_args()
    book = Book(Counters(given.counters, create=True), given.record)
    asyncio.run(receiving.serve(given.host, given.port, lambda: Dialogue(book)))


if __name__ == "__main__":
    main()
