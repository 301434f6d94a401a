"""Imports live: one reader per process looks at the rows for everybody who follows one (design §3)."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from store import audience_import as rows
from store.audience_import import ListImport
from store.db import Database

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks; more when a look takes long, so that reading costs at most a fifth of the time."""


class ImportFeed:
    """Reads only while someone follows, and only the imports that are followed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._followed: Counter[UUID] = Counter()
        self._seen: dict[UUID, ListImport] = {}
        self._looked = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    async def follow(self, import_id: UUID, seconds: float) -> AsyncIterator[ListImport]:
        """The import at the next look and whenever it gets on, until it has ended, or for so many seconds."""
        end, shown = asyncio.get_running_loop().time() + seconds, None
        self._followed[import_id] += 1
        self._begin()
        try:
            while row := await self._news(import_id, shown, end):
                yield row
                shown = row.progress
                if shown.ended:
                    return
        finally:
            self._leave(import_id)

    async def _news(self, import_id: UUID, shown: object, end: float) -> ListImport | None:
        """The row once it says something else than `shown`; None when the time is over."""

        def found() -> ListImport | None:
            row = self._seen.get(import_id)
            return row if row is not None and row.progress != shown else None

        try:
            async with asyncio.timeout_at(end), self._looked:
                await self._looked.wait_for(found)
                return found()
        except TimeoutError:
            return None

    def _begin(self) -> None:
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._read())

    def _leave(self, import_id: UUID) -> None:
        self._followed[import_id] -= 1
        if not self._followed[import_id]:
            del self._followed[import_id]
            self._seen.pop(import_id, None)

    async def _read(self) -> None:
        while self._followed:
            began = time.monotonic()
            try:
                await self._look()
            except (OSError, SQLAlchemyError) as error:
                log.warning("import_feed_waits", error=type(error).__name__)
            await asyncio.sleep(max(LOOK_EVERY, 4 * (time.monotonic() - began)))

    async def _look(self) -> None:
        async with self._db.read() as session:
            found = await rows.by_ids(session, list(self._followed))
        self._seen |= {row.id: row for row in found if row.id in self._followed}
        async with self._looked:
            self._looked.notify_all()
