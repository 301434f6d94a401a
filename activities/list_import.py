"""Reads an uploaded file into a list: finds out how, then portion after portion, each exactly once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from uuid import UUID

from temporalio import activity

from activities.import_file import Parts, Prepared, Workbooks, forget_text, prepare
from domain.audience import (
    ImportFormat,
    ImportOrder,
    ImportProgress,
    ImportState,
    ListKind,
    part_key,
    parts_of,
    upload_key,
)
from domain.audience_file import PORTION_BYTES, FileForm, Portion, read_portion, too_long
from domain.errors import Refusal
from domain.ids import Process
from store import audience_import as rows
from store import clockwork
from store.audience_import import ListImport, Step, Took
from store.columns import now
from store.db import Database
from store.papers import PaperStore

HEARTBEAT = 4.0
"""Seconds between two signs of life, also while a large file is being prepared."""


class ListImportActivities:
    """Every method raises `StaleEpoch` when the database was restored after the process began."""

    def __init__(self, db: Database, papers: PaperStore, workbooks: Workbooks, max_lines: int) -> None:
        self._db = db
        self._papers = papers
        self._workbooks = workbooks
        self._max_lines = max_lines

    @activity.defn(name="ListImportActivities.read")
    async def read(self, order: ImportOrder) -> ImportProgress:
        """Read on from the checkpoint for some seconds. Killed at any moment, the next attempt goes on from there."""
        until = time.monotonic() + order.seconds
        row = await self._row(order.process)
        if row is None:
            return ImportProgress(ImportState.CANCELLED)
        async with _alive():
            try:
                if row.form is None and not row.progress.ended:
                    row = await self._prepare(row)
                while not row.progress.ended and time.monotonic() < until:
                    took = await self._go_on(row, until)
                    row = await self._again(row.id)
                    if took is Took.FREEZING:
                        break
            except Refusal as refusal:
                row = await self._fail(row, refusal)
        return row.progress

    @activity.defn(name="ListImportActivities.close")
    async def close(self, process: Process) -> None:
        """Forget the file, and note that the process ended by itself."""
        row = await self._row(process)
        if row is not None and row.storage_key is not None:
            key = upload_key(row.storage_key)
            for number in range(parts_of(row.size)):
                await self._papers.delete(part_key(key, number))
            await forget_text(self._papers, key)
            async with self._db.begin() as session:
                await rows.forget_file(session, row.id)
        async with self._db.begin() as session:
            await clockwork.stamp_closed(session, process.workflow_id)

    async def _row(self, process: Process) -> ListImport | None:
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
            return await session.get(ListImport, UUID(process.subject))

    async def _again(self, import_id: UUID) -> ListImport:
        async with self._db.read() as session:
            return await session.get_one(ListImport, import_id)

    async def _fail(self, row: ListImport, refusal: Refusal) -> ListImport:
        async with self._db.begin() as session:
            await rows.end(session, row.id, ImportState.FAILED, refusal.code, refusal.params)
        return await self._again(row.id)

    async def _prepare(self, row: ListImport) -> ListImport:
        """The row once it says how its file is read, and where: what had to be written anew has another key."""
        async with self._db.begin() as session:
            await rows.prepared(session, row.id, {"state": ImportState.PREPARING.value, "started_at": now()})
        upload = Parts(self._papers, row.storage_key or "", row.size)
        found = await prepare(self._papers, self._workbooks, upload, ImportFormat(row.format), ListKind(row.kind))
        if found.lines > self._max_lines:
            raise Refusal("import_too_many_lines", field="file", limit=self._max_lines, found=found.lines)
        async with self._db.begin() as session:
            await rows.prepared(session, row.id, _findings(found))
        return await self._again(row.id)

    async def _go_on(self, row: ListImport, until: float) -> Took:
        """Portion after portion, the next one being read while one is written."""
        parts = Parts(self._papers, row.storage_key or "", row.total_bytes)
        form = FileForm.read(row.form or {})
        at, line = row.done_bytes, row.line
        reading = asyncio.create_task(_portion(parts, form, at, line))
        try:
            while True:
                portion = await reading
                final = at + portion.size >= parts.size
                if not final:
                    reading = asyncio.create_task(_portion(parts, form, at + portion.size, line + portion.lines))
                took = await self._take(row.id, _step(portion, at, final))
                at, line = at + portion.size, line + portion.lines
                if took is not Took.WRITTEN or final or time.monotonic() >= until:
                    return took
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _take(self, import_id: UUID, step: Step) -> Took:
        async with self._db.raw() as connection:
            return await rows.take(connection, import_id, step)


async def _portion(parts: Parts, form: FileForm, at: int, line: int) -> Portion:
    data = await parts.read(at, PORTION_BYTES)
    final = at + len(data) >= parts.size
    if not final and b"\n" not in data:
        return too_long(line, await parts.next_line(at) - at)
    return await asyncio.to_thread(read_portion, data, form, line, final)


def _step(portion: Portion, at: int, final: bool) -> Step:
    return Step(
        at, portion.size, portion.lines, portion.members, portion.refused, portion.repeated, final, portion.people
    )


def _findings(found: Prepared) -> dict[str, object]:
    return {
        "state": ImportState.RUNNING.value, "form": found.form.kept(), "total_lines": found.lines,
        "total_bytes": found.parts.size, "storage_key": found.parts.key,
    }  # fmt: skip


@contextlib.asynccontextmanager
async def _alive() -> AsyncIterator[None]:
    """Signs of life while the block runs, whatever it waits for."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(HEARTBEAT)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
