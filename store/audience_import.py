"""Imports into address and contact lists: tables, and the step that makes a portion of a file count exactly once."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel, col, select, update

from domain.audience import MAX_OPEN_IMPORTS, ImportProgress, ImportState, ListKind
from domain.contacts import Kept
from domain.ids import new_id
from domain.recipients import LineProblem
from store import audience, contacts
from store.audience import Stand, Written
from store.columns import json_object, moment, now
from store.db import Connection, Session

OPEN = (ImportState.WAITING.value, ImportState.PREPARING.value, ImportState.RUNNING.value)
"""States in which something is still to be read."""


class ListImport(SQLModel, table=True):
    """One file that is, or was, read into a list. `done_bytes` and `line` are the checkpoint: both move in the
    transaction that writes what lies before them."""

    __tablename__ = "list_import"
    __table_args__ = (Index("list_import_list", "list_id", "id"), Index("list_import_account", "account_id", "id"))
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    list_id: UUID
    kind: str = Field(default=ListKind.ADDRESSES.value, sa_column_kwargs={"server_default": "addresses"})
    """`ListKind`: what the list is."""
    created_by: UUID | None = None
    filename: str
    format: str
    size: int = Field(default=0, sa_type=BigInteger)
    storage_key: str | None
    """Where the parts of the text that is read are; None once it is forgotten."""
    state: str
    form: dict[str, Any] | None = json_object(default=None)
    """A `FileForm`; None until it is found out."""
    total_bytes: int = Field(default=0, sa_type=BigInteger)
    done_bytes: int = Field(default=0, sa_type=BigInteger)
    line: int = 0
    total_lines: int | None = None
    added: int = 0
    updated: int = 0
    repeated: int = 0
    refused: int = 0
    held: bool = False
    """A campaign is copying the list; the import waits for it."""
    failure: str | None = None
    failure_params: dict[str, Any] = json_object(default_factory=dict)
    created_at: dt.datetime = moment(default_factory=now)
    started_at: dt.datetime | None = moment(default=None)
    finished_at: dt.datetime | None = moment(default=None)

    @property
    def progress(self) -> ImportProgress:
        return ImportProgress(
            ImportState(self.state), self.line, self.total_lines, self.added, self.updated, self.repeated,
            self.refused, self.held,
        )  # fmt: skip


class ListImportRefused(SQLModel, table=True):
    """A line that was not imported, and why. `address` is what stood in its place, cut short."""

    __tablename__ = "list_import_refused"
    import_id: UUID = Field(primary_key=True)
    line: int = Field(primary_key=True)
    address: str
    reason: str
    params: dict[str, Any] = json_object(default_factory=dict)


class Took(StrEnum):
    """What became of a portion."""

    WRITTEN = "written"
    FREEZING = "freezing"
    """A campaign is copying the list: nothing was written, try later."""
    MOVED = "moved"
    """Somebody else has read on meanwhile, or the import has ended: look at the row again."""


@dataclass(frozen=True)
class Step:
    """A portion that was read, from `at` bytes on: what it holds, and how far it brings the import."""

    at: int
    size: int
    lines: int
    members: Mapping[str, str] = field(default_factory=dict)
    refused: Sequence[LineProblem] = ()
    repeated: int = 0
    final: bool = False
    people: Mapping[str, str] = field(default_factory=dict)
    """Names by phone number, of contacts."""


async def find(session: Session, account: UUID, import_id: UUID) -> ListImport | None:
    """An import of the account that was uploaded whole."""
    query = select(ListImport).where(
        ListImport.id == import_id, ListImport.account_id == account, ListImport.state != ImportState.UPLOADING.value
    )
    found: ListImport | None = (await session.exec(query)).first()
    return found


async def page(session: Session, list_id: UUID, after: UUID | None, limit: int) -> list[ListImport]:
    """The imports of a list that were uploaded whole, newest first, older than `after`."""
    query = select(ListImport).where(ListImport.list_id == list_id, ListImport.state != ImportState.UPLOADING.value)
    if after is not None:
        query = query.where(col(ListImport.id) < after)
    return list(await session.exec(query.order_by(col(ListImport.id).desc()).limit(limit)))


async def by_ids(session: Session, ids: Sequence[UUID]) -> list[ListImport]:
    """These imports, whosever they are: for whoever has asked whose they are before."""
    return list(await session.exec(select(ListImport).where(col(ListImport.id).in_(ids))))


async def has_room(session: Session, account: UUID) -> bool:
    """Whether one more import of the account may be open."""
    query = select(ListImport.id).where(ListImport.account_id == account, col(ListImport.state).in_(OPEN))
    return len((await session.exec(query.limit(MAX_OPEN_IMPORTS))).all()) < MAX_OPEN_IMPORTS


async def leftovers(session: Session, account: UUID, before: dt.datetime) -> list[ListImport]:
    """Uploads of the account that were cut short."""
    query = select(ListImport).where(
        ListImport.account_id == account,
        ListImport.state == ImportState.UPLOADING.value,
        col(ListImport.created_at) < before,
    )
    return list(await session.exec(query))


async def prepared(session: Session, import_id: UUID, changes: Mapping[str, Any]) -> None:
    """Keep what was found out about the file, unless the import has ended."""
    await session.exec(
        update(ListImport)
        .where(col(ListImport.id) == import_id, col(ListImport.state).in_(OPEN), col(ListImport.done_bytes) == 0)
        .values(**changes)
    )


async def end(
    session: Session, import_id: UUID, state: ImportState, failure: str | None = None, params: Mapping[str, Any] = {}
) -> bool:
    """End an open import; False when it has ended already. Compare and set: exactly one of two ends wins."""
    done = await session.exec(
        update(ListImport)
        .where(col(ListImport.id) == import_id, col(ListImport.state).in_(OPEN))
        .values(state=state.value, failure=failure, failure_params=dict(params), finished_at=now(), held=False)
    )
    return bool(done.rowcount)


async def forget_file(session: Session, import_id: UUID) -> None:
    """The bytes of its file are gone."""
    await session.exec(update(ListImport).where(col(ListImport.id) == import_id).values(storage_key=None))


_ROW = "SELECT state, done_bytes, created_at FROM list_import WHERE id = $1 FOR NO KEY UPDATE"
_ADVANCE = """
UPDATE list_import SET state = $2, done_bytes = done_bytes + $3, line = line + $4, added = added + $5,
    updated = updated + $6, repeated = repeated + $7, refused = refused + $8, held = false,
    finished_at = CASE WHEN $9 THEN now() END
WHERE id = $1
"""
_REFUSE = """
INSERT INTO list_import_refused (import_id, line, address, reason, params)
SELECT $1, given.line, given.address, given.reason, given.params::jsonb
FROM unnest($2::int[], $3::text[], $4::text[], $5::text[]) AS given (line, address, reason, params)
"""


async def take(connection: Connection, import_id: UUID, step: Step) -> Took:
    """Write a portion and move the checkpoint past it, in the caller's transaction: both happen, or neither.

    The row says from where it has to be read; a portion from elsewhere was written by another attempt already.
    """
    target = await _target(connection, import_id)
    stand = await target.lock(connection)  # the list first, as everybody does
    row = await connection.fetchrow(_ROW, import_id)
    if row["state"] not in OPEN or row["done_bytes"] != step.at:
        return Took.MOVED
    if stand is Stand.GONE:
        await connection.execute(
            "UPDATE list_import SET state = $2, finished_at = now(), held = false WHERE id = $1",
            *(import_id, ImportState.CANCELLED.value),
        )
        return Took.MOVED
    if stand is Stand.FREEZING:
        await connection.execute("UPDATE list_import SET held = true WHERE id = $1", import_id)
        return Took.FREEZING
    await _write(connection, import_id, target, row["created_at"], step)
    return Took.WRITTEN


@dataclass
class _Addresses:
    """Writes into an address list."""

    list_id: UUID

    async def lock(self, connection: Connection) -> Stand:
        return await audience.lock_members(connection, self.list_id)

    async def write(self, connection: Connection, step: Step, at: dt.datetime) -> Written:
        return await audience.write_members(connection, self.list_id, step.members, at)


@dataclass
class _Contacts:
    """Writes into a contact list; nothing ever holds one of these."""

    list_id: UUID
    account: UUID

    async def lock(self, connection: Connection) -> Stand:
        living = await contacts.lock_contacts(connection, self.list_id)
        return Stand.GONE if living is None else Stand.OPEN

    async def write(self, connection: Connection, step: Step, at: dt.datetime) -> Written:
        kept = {phone: Kept(step.people.get(phone, ""), values) for phone, values in step.members.items()}
        return await contacts.write(connection, self.account, self.list_id, kept, at)


async def _target(connection: Connection, import_id: UUID) -> _Addresses | _Contacts:
    row = await connection.fetchrow("SELECT list_id, account_id, kind FROM list_import WHERE id = $1", import_id)
    if row["kind"] == ListKind.CONTACTS:
        return _Contacts(row["list_id"], row["account_id"])
    return _Addresses(row["list_id"])


async def _write(
    connection: Connection, import_id: UUID, target: _Addresses | _Contacts, at: dt.datetime, step: Step
) -> None:
    written = await target.write(connection, step, at)
    if step.refused:
        await _refuse(connection, import_id, step.refused)
    state = ImportState.DONE if step.final else ImportState.RUNNING
    await connection.execute(
        _ADVANCE,
        *(import_id, state.value, step.size, step.lines, written.added, written.updated),
        *(step.repeated + written.again, len(step.refused), step.final),
    )


async def _refuse(connection: Connection, import_id: UUID, refused: Sequence[LineProblem]) -> None:
    await connection.execute(
        _REFUSE,
        import_id,
        [each.line for each in refused],
        [each.value for each in refused],
        [each.code for each in refused],
        [json.dumps(each.params) for each in refused],
    )


@dataclass(frozen=True)
class Refused:
    """One refused line. `code` and `params` are those of a refusal."""

    line: int
    address: str
    code: str
    params: dict[str, Any]


async def refused_lines(connection: Connection, import_id: UUID, after: int, limit: int) -> list[Refused]:
    """Refused lines of an import in the order of the file, after line `after`."""
    rows = await connection.fetch(
        "SELECT line, address, reason, params FROM list_import_refused WHERE import_id = $1 AND line > $2"
        " ORDER BY line LIMIT $3",
        *(import_id, after, limit),
    )
    return [Refused(row["line"], row["address"], row["reason"], row["params"]) for row in rows]


_FORGET_REFUSED = (
    "DELETE FROM list_import_refused r USING list_import i JOIN address_list l ON l.id = i.list_id"
    " WHERE r.import_id = i.id AND l.account_id = $1 AND l.deleted_at IS NOT NULL",
    "DELETE FROM list_import_refused r USING list_import i JOIN contact_list l ON l.id = i.list_id"
    " WHERE r.import_id = i.id AND l.account_id = $1 AND l.deleted_at IS NOT NULL",
)


async def forget_refused(connection: Connection, account: UUID) -> None:
    """Delete the refused lines of imports into the account's deleted lists."""
    for statement in _FORGET_REFUSED:
        await connection.execute(statement, account)
