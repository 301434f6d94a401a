"""The content of one mail as it comes after DATA (RFC 5321 §4.1.1.4, §4.5.2).

Only `<CRLF>.<CRLF>` ends it. It is read in flat pieces, whatever the lengths of its lines are: aiosmtpd keeps an object
for each line (a mail of empty lines takes 60 times its size) and refuses long ones.

A bare LF becomes a CRLF, once the mail was read to its end: programs send such (`sendmail(…, mail.as_bytes())` of
Python's), and nothing is passed on as it came. A bare CR or a NUL no honest program sends.
"""

import asyncio
import re
from enum import StrEnum

from smtp.limits import Share

END = b"\r\n.\r\n"
PIECE = 65_536
"""Bytes that a connection's reader holds; also the longest command line that is read before it is refused."""
_BARE_LF = re.compile(rb"(?<!\r)\n")


class Unread(StrEnum):
    """Why a mail that was read to its end was not kept."""

    TOO_LARGE = "552 5.3.4 message size exceeds the limit"
    NO_ROOM = "452 4.3.1 too many large mails at once, try again later"
    BARE = "550 5.6.0 the mail has a CR without LF (lines end in CRLF, RFC 5321 2.3.8) or a NUL"


async def read_data(reader: asyncio.StreamReader, most: int, share: Share, keep: int | None = None) -> bytes | Unread:
    """The mail without its last dot and with the dots that begin lines undone. It is read to its end in any case.

    `most` counts bytes on the wire; what is beyond `keep` of them is read and forgotten.
    """
    kept, trouble, size = bytearray(), None, 0
    # The line end of the command itself: the dot of an empty mail follows it.
    reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined]
    ended = False
    while not ended:
        piece, ended = await _piece(reader)
        size += len(piece)
        piece = piece if keep is None else piece[: max(0, keep - len(kept))]
        if trouble is None and size > most + len(END) + 2:
            trouble = Unread.TOO_LARGE
        if trouble is None and not share.grow(len(piece)):
            trouble = Unread.NO_ROOM
        if trouble is None:
            kept += piece
        else:
            kept.clear()
    return trouble or _lines(kept[:-3] if size == len(kept) else kept)


async def _piece(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """What can be read at once, and whether it ends the mail."""
    try:
        return await reader.readuntil(END), True
    except asyncio.LimitOverrunError as over:
        return await reader.readexactly(over.consumed), False


def _lines(kept: bytearray) -> bytes:
    """All ending in CRLF, without the first (the command's own) and without the dots that were doubled."""
    if kept.count(b"\n") != kept.count(b"\r\n"):
        kept = bytearray(_BARE_LF.sub(b"\r\n", kept))
    return bytes(kept.replace(b"\r\n.", b"\r\n")[2:])


def has_bare(content: bytes) -> bool:
    """Whether it has a CR without LF, which some programs take for the end of a line and others do not; or a NUL."""
    return content.count(b"\r") != content.count(b"\r\n") or b"\0" in content
