"""An uploaded file in its sealed parts: reading from anywhere, finding out how it is to be read, writing it anew."""

import asyncio
import codecs
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from domain.audience import PART_BYTES, ImportFormat, ListKind, part_key, parts_of, text_key
from domain.audience_file import HEAD_BYTES, EncodingCount, FileForm, Inspector, Rewriter, file_form
from domain.errors import Refusal
from store.papers import PaperStore

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Workbooks(Protocol):
    """Reads Excel workbooks."""

    def rows(self, workbook: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """The first sheet as CSV in UTF-8. Raises `Refusal`."""


class Parts:
    """A stored file of `size` bytes; keeps the part that was read last."""

    def __init__(self, papers: PaperStore, key: str, size: int) -> None:
        self.key = key
        self.size = size
        self._papers = papers
        self._at: tuple[int, bytes] = (-1, b"")

    async def read(self, start: int, size: int) -> bytes:
        """So many bytes from `start` on; fewer at the end."""
        end = min(start + size, self.size)
        pieces: list[bytes] = []
        while start < end:
            number, offset = divmod(start, PART_BYTES)
            piece = (await self._part(number))[offset : offset + end - start]
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)

    async def whole(self) -> AsyncIterator[bytes]:
        """Part after part."""
        for number in range(parts_of(self.size)):
            yield await self._part(number)

    async def next_line(self, start: int) -> int:
        """Where the line after the one at `start` begins; the file's end when there is none."""
        while start < self.size:
            number, offset = divmod(start, PART_BYTES)
            part = await self._part(number)
            found = part.find(b"\n", offset)
            if found >= 0:
                return number * PART_BYTES + found + 1
            start = (number + 1) * PART_BYTES
        return self.size

    async def _part(self, number: int) -> bytes:
        if self._at[0] != number:
            self._at = (number, await self._papers.get(part_key(self.key, number)))
        return self._at[1]


async def write_parts(papers: PaperStore, key: str, pieces: AsyncIterator[bytes]) -> int:
    """Keep a stream in parts; returns its size."""
    number, size, waiting = 0, 0, bytearray()
    async for piece in pieces:
        waiting += piece
        while len(waiting) >= PART_BYTES:
            await papers.put(part_key(key, number), bytes(waiting[:PART_BYTES]))
            del waiting[:PART_BYTES]
            number, size = number + 1, size + PART_BYTES
    if waiting:
        await papers.put(part_key(key, number), bytes(waiting))
    return size + len(waiting)


async def forget_text(papers: PaperStore, key: str) -> None:
    """Delete what was written anew; how much of it there is, nobody may have had the time to write down."""
    number = 0
    while True:
        name = part_key(text_key(key), number)
        try:
            await papers.get(name)
        except FileNotFoundError:
            return
        await papers.delete(name)
        number += 1


@dataclass(frozen=True)
class Prepared:
    """A file that can be read in portions: where its text is, how to read it, and how many lines it has."""

    parts: Parts
    form: FileForm
    lines: int


async def prepare(
    papers: PaperStore, workbooks: Workbooks, upload: Parts, kind: ImportFormat, target: ListKind = ListKind.ADDRESSES
) -> Prepared:
    """Look through the whole file once or twice, and write it anew where it is no plain text of lines.

    Raises `Refusal` on field `file`.
    """
    inspector = Inspector()
    parts = upload
    if kind is ImportFormat.XLSX:
        parts = await _anew(papers, upload, workbooks.rows(upload.whole()))
    elif (await upload.read(0, 2)) in _UTF16:
        parts = await _anew(papers, upload, _rewritten(upload, Rewriter(utf16=True)))
    await _inspect(parts, inspector)
    if inspector.has_lone_returns and parts is upload:
        inspector = Inspector()
        parts = await _anew(papers, upload, _rewritten(upload, Rewriter(utf16=False)))
        await _inspect(parts, inspector)
    head = await parts.read(0, HEAD_BYTES)
    encoding = "utf-8" if inspector.is_utf8 else await _counted(parts)
    form = file_form(head, encoding, parts.size <= HEAD_BYTES, target)
    if inspector.lines <= form.first:
        raise Refusal("csv_no_lines", field="file")
    return Prepared(parts, form, inspector.lines)


async def _anew(papers: PaperStore, upload: Parts, pieces: AsyncGenerator[bytes]) -> Parts:
    key = text_key(upload.key)
    async with aclosing(pieces):
        return Parts(papers, key, await write_parts(papers, key, pieces))


async def _rewritten(upload: Parts, rewriter: Rewriter) -> AsyncGenerator[bytes]:
    async for piece in upload.whole():
        yield await asyncio.to_thread(rewriter.feed, piece)
    yield rewriter.feed(b"", final=True)


async def _inspect(parts: Parts, inspector: Inspector) -> None:
    async for piece in parts.whole():
        await asyncio.to_thread(inspector.feed, piece)
    inspector.finish()


async def _counted(parts: Parts) -> str:
    count = EncodingCount()
    async for piece in parts.whole():
        await asyncio.to_thread(count.feed, piece)
    return count.encoding
