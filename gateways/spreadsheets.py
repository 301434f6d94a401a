"""Excel workbooks as CSV, in a process of their own: a workbook that blows up its decoder ends that process alone.

A file of some kilobytes may unpack to gigabytes; so the process has no environment with secrets, limits on memory, time
and files, and answers with a header line and the first sheet's rows, one line each: row numbers stay line numbers.
"""

import asyncio
import csv
import datetime as dt
import io
import json
import os
import resource
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from contextlib import aclosing
from typing import BinaryIO, cast

import python_calamine
import structlog

from domain.errors import Refusal

log = structlog.get_logger(__name__)

MEMORY = 1_536 * 2**20
CPU_SECONDS = 120
PIECE = 256 * 1024
PATIENCE = 150.0
"""Seconds without a byte after which the process is ended."""
_ROWS_AT_ONCE = 2_000
_PROGRAM = "from gateways.spreadsheets import main; main()"


class Spreadsheets:
    """Reads workbooks (.xlsx)."""

    async def rows(self, workbook: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """The first sheet as CSV in UTF-8, in pieces. Raises `Refusal` on field `file` when it cannot be read."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROGRAM, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, limit=PIECE,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )  # fmt: skip
        try:
            async with aclosing(_conversation(process, workbook)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _conversation(process: asyncio.subprocess.Process, workbook: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The workbook goes in whole, then the answer comes out."""
    await _give(cast(asyncio.StreamWriter, process.stdin), workbook)
    said = cast(asyncio.StreamReader, process.stdout)
    _require_readable(await _heard(said.readline()))
    while piece := await _heard(said.read(PIECE)):
        yield piece
    if await process.wait():
        log.warning("spreadsheet_process_died", returncode=process.returncode)
        raise Refusal("xlsx_damaged", field="file")


async def _give(pipe: asyncio.StreamWriter, workbook: AsyncIterator[bytes]) -> None:
    try:
        async for piece in workbook:
            pipe.write(piece)
            await pipe.drain()
        pipe.close()
        await pipe.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        return  # it died; what it said before tells why


async def _heard(reading: Awaitable[bytes]) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            return await reading
    except (TimeoutError, ValueError) as error:
        raise Refusal("xlsx_damaged", field="file") from error


def _require_readable(head: bytes) -> None:
    try:
        told = json.loads(head)
    except ValueError:
        raise Refusal("xlsx_damaged", field="file") from None
    if "refused" in told:
        raise Refusal(str(told["refused"]), field="file")


def main() -> None:
    """The process: a workbook from standard input, the answer to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer(sys.stdin.buffer.read(), sys.stdout.buffer)


def answer(data: bytes, out: BinaryIO) -> None:
    """A JSON line, then a line per row."""
    try:
        sheet = _first_sheet(data)
    except (python_calamine.CalamineError, OSError, ValueError, MemoryError) as error:
        locked = isinstance(error, python_calamine.PasswordError)
        out.write(json.dumps({"refused": "xlsx_locked" if locked else "xlsx_damaged"}).encode() + b"\n")
        return
    if sheet is None:
        out.write(json.dumps({"refused": "csv_empty"}).encode() + b"\n")
        return
    out.write(b"{}\n")
    for piece in _lines(sheet):
        out.write(piece)


def _first_sheet(data: bytes) -> python_calamine.CalamineSheet | None:
    """The first visible one that holds anything."""
    workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    for about in workbook.sheets_metadata:
        if about.visible is not python_calamine.SheetVisibleEnum.Visible:
            continue
        if about.typ is not python_calamine.SheetTypeEnum.WorkSheet:
            continue
        sheet = workbook.get_sheet_by_name(about.name)
        if sheet.height:
            return sheet
    return None


def _lines(sheet: python_calamine.CalamineSheet) -> Iterator[bytes]:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    for number, row in enumerate(sheet.iter_rows(), 1):
        cells = [_text(value) for value in row]
        writer.writerow(cells if any(cells) else [])  # a row without anything is a blank line
        if number % _ROWS_AT_ONCE == 0:
            yield sink.getvalue().encode()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue().encode()


def _text(value: object) -> str:
    """A cell as people see it, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")
    return " ".join(str(value).split()) if "\n" in str(value) or "\r" in str(value) else str(value)
