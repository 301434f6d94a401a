"""Files that are read into address and contact lists: upload, follow, stop, and what could not be read."""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import Caller
from domain.audience import (
    MAX_OPEN_IMPORTS,
    PART_BYTES,
    ImportFormat,
    ImportState,
    ListKind,
    part_key,
    parts_of,
)
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.members import Right, require
from domain.recipients import explain_code
from domain.spreadsheets import BOM, cell, csv_lines
from services.foundation import Foundation
from services.live_feed import LiveFeed, Subject
from store import audience, clockwork, contacts
from store import audience_import as rows
from store.audience_import import ListImport, Refused
from store.columns import now
from store.db import Session
from store.papers import PaperStore, new_key

UNFINISHED = dt.timedelta(hours=6)
"""An upload whose bytes did not arrive by then never will."""
EXPORT_BATCH = 2_000
_PIECE = 256 * 1024
"""Bytes of an upload that are read at once."""
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_COLUMN = {ListKind.ADDRESSES: "address", ListKind.CONTACTS: "phone"}
"""What stood in the place of the key, in the list of refused lines."""


@dataclass(frozen=True)
class Upload:
    """A file that arrives: its name, and its bytes in pieces of any size."""

    filename: str
    pieces: AsyncIterator[bytes]

    @classmethod
    def of(cls, filename: str, read: Callable[[int], Awaitable[bytes]]) -> "Upload":
        """A file that a form keeps on the disk: `read` gives at most so many bytes, and none at its end."""
        return cls(filename, _pieces(read))


async def _pieces(read: Callable[[int], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    while piece := await read(_PIECE):
        yield piece


class ListImports:
    """Every method is scoped to the caller's account; another account's ids are "not found"."""

    def __init__(self, base: Foundation, kind: ListKind = ListKind.ADDRESSES) -> None:
        self._base = base
        self._kind = kind
        followed = Subject("list import", self._look, lambda row: row.progress, lambda row: row.progress.ended)
        self._feed = LiveFeed(followed)

    async def upload(self, caller: Caller, list_id: UUID, upload: Upload) -> ListImport:
        """Keep a file and have it read into the list. Durable when this returns; raises `Refusal` on field `file`.

        Its row comes before its bytes, so that every part that is kept has an owner.
        """
        require(caller, Right.SEND)
        row = ListImport(
            account_id=caller.account_id, list_id=list_id, kind=self._kind.value, created_by=caller.member_id,
            filename=_shown(upload.filename), format=ImportFormat.CSV.value, storage_key=new_key(),
            state=ImportState.UPLOADING.value,
        )  # fmt: skip
        await self._forget_leftovers(caller.account_id)
        async with self._base.db.begin() as session:
            await self._require_list(session, caller, list_id)
            if not await rows.has_room(session, caller.account_id):
                raise Refusal("too_many_imports", limit=MAX_OPEN_IMPORTS)
            session.add(row)
        try:
            row.format = await self._keep(row, upload)
        except Refusal:
            await self._forget(row)
            raise
        return await self._enlist(row)

    async def _require_list(self, session: Session, caller: Caller, list_id: UUID) -> None:
        if self._kind is ListKind.CONTACTS:
            if await contacts.find(session, caller.account_id, list_id) is None:
                raise Refusal("contact_list_not_found")
        elif await audience.find(session, caller.account_id, list_id) is None:
            raise Refusal("list_not_found")

    async def _enlist(self, row: ListImport) -> ListImport:
        row.state, row.total_bytes = ImportState.WAITING.value, row.size
        async with self._base.db.begin() as session:
            kept = await session.merge(row)
            name = await clockwork.enlist(session, Kind.LIST_IMPORT, row.id, row.account_id)
        await self._base.clockwork.start(name)
        return kept

    async def _keep(self, row: ListImport, upload: Upload) -> str:
        """Part after part; the format, told by the first bytes."""
        waiting, number, kind = bytearray(), 0, ""
        async for piece in upload.pieces:
            waiting += piece
            row.size += len(piece)
            if row.size > self.max_bytes:
                raise Refusal("import_too_large", field="file", limit=self._base.policy.list_import_max_mb)
            kind = kind or (_format(waiting) if len(waiting) >= 4 else "")
            while len(waiting) >= PART_BYTES:
                await self._papers.put(part_key(row.storage_key or "", number), bytes(waiting[:PART_BYTES]))
                del waiting[:PART_BYTES]
                number += 1
        if not row.size:
            raise Refusal("csv_empty", field="file")
        if waiting:
            await self._papers.put(part_key(row.storage_key or "", number), bytes(waiting))
        return kind or _format(waiting)

    @property
    def max_bytes(self) -> int:
        """Of one file."""
        return self._base.policy.list_import_max_mb * 2**20

    async def _forget_leftovers(self, account: UUID) -> None:
        async with self._base.db.read() as session:
            left = await rows.leftovers(session, account, now() - UNFINISHED)
        for row in left:
            row.size = self.max_bytes  # nobody wrote down how much of it came
            await self._forget(row)

    async def _forget(self, row: ListImport) -> None:
        """The bytes of an upload that came to nothing, then its row."""
        for number in range(parts_of(row.size)):
            await self._papers.delete(part_key(row.storage_key or "", number))
        async with self._base.db.begin() as session:
            if kept := await session.get(ListImport, row.id):
                await session.delete(kept)

    async def page(self, caller: Caller, list_id: UUID, after: UUID | None, limit: int) -> list[ListImport]:
        """The imports of a list, newest first, older than `after`."""
        async with self._base.db.read() as session:
            await self._require_list(session, caller, list_id)
            return await rows.page(session, list_id, after, limit)

    async def get(self, caller: Caller, list_id: UUID, import_id: UUID) -> ListImport:
        """One import of a list of the account."""
        async with self._base.db.read() as session:
            await self._require_list(session, caller, list_id)
            row = await rows.find(session, caller.account_id, import_id)
        if row is None or row.list_id != list_id:
            raise Refusal("import_not_found")
        return row

    async def cancel(self, caller: Caller, list_id: UUID, import_id: UUID) -> ListImport:
        """Read no further; what was read stays in the list. Raises `Refusal("import_ended")`."""
        require(caller, Right.SEND)
        await self.get(caller, list_id, import_id)
        async with self._base.db.begin() as session:
            if not await rows.end(session, import_id, ImportState.CANCELLED):
                raise Refusal("import_ended")
            await clockwork.want_nudge(session, workflow_id(Kind.LIST_IMPORT, import_id))
        return await self.get(caller, list_id, import_id)

    async def follow(self, caller: Caller, list_id: UUID, import_id: UUID, seconds: float) -> AsyncIterator[ListImport]:
        """The import now and whenever it gets on, until it has ended, or for so many seconds."""
        await self.get(caller, list_id, import_id)
        async for row in self._feed.follow(import_id, seconds):
            yield row

    async def _look(self, followed: frozenset[UUID]) -> dict[UUID, ListImport]:
        async with self._base.db.read() as session:
            return {row.id: row for row in await rows.by_ids(session, list(followed))}

    async def refused(
        self, caller: Caller, list_id: UUID, import_id: UUID, after: int = 0, limit: int = 100
    ) -> list[Refused]:
        """The first lines after line `after` that could not be imported."""
        await self.get(caller, list_id, import_id)
        async with self._base.db.raw() as connection:
            return await rows.refused_lines(connection, import_id, after, limit)

    async def export_refused(
        self, caller: Caller, list_id: UUID, import_id: UUID, language: str
    ) -> AsyncIterator[bytes]:
        """Every line that could not be imported with its reason, as CSV (UTF-8 with BOM), in pieces.

        Awaiting this checks the ids; raises `Refusal` then, before the first piece.
        """
        await self.get(caller, list_id, import_id)
        return self._pieces(import_id, language)

    async def _pieces(self, import_id: UUID, language: str) -> AsyncIterator[bytes]:
        yield BOM + csv_lines([["line", _COLUMN[self._kind], "code", "reason"]])
        after = 0
        while batch := await self._batch(import_id, after):
            yield csv_lines(
                [str(each.line), cell(each.address), each.code, explain_code(each.code, language, each.params)]
                for each in batch
            )
            after = batch[-1].line

    async def _batch(self, import_id: UUID, after: int) -> list[Refused]:
        async with self._base.db.raw() as connection:
            return await rows.refused_lines(connection, import_id, after, EXPORT_BATCH)

    @property
    def _papers(self) -> PaperStore:
        if self._base.papers is None:
            raise Refusal("papers_not_open")
        return self._base.papers


def _format(head: bytes | bytearray) -> str:
    if head.startswith(_OLE):
        raise Refusal("import_old_excel", field="file")
    return (ImportFormat.XLSX if head.startswith(_ZIP) else ImportFormat.CSV).value


def _shown(filename: str) -> str:
    """A file's name as it can be shown: its last component, short, printable."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in name if char.isprintable())[:120] or "file"
