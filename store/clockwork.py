"""Which workflows should exist, and which of them were started or want a nudge (design §3)."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel, col, select, update

from domain.errors import StaleEpoch
from domain.ids import Kind, Process, workflow_id
from store.columns import json_object, moment, now
from store.db import Connection, Session


class DatabaseEpoch(SQLModel, table=True):
    """One row. Raised when the database is restored from a backup, so that older processes stand back."""

    __tablename__ = "database_epoch"
    id: int = Field(default=1, primary_key=True)
    epoch: int = 1


class Clockwork(SQLModel, table=True):
    """A row per durable process, inserted by the transaction that creates the process's own row."""

    __tablename__ = "clockwork"
    __table_args__ = (
        Index("clockwork_unstarted", "created_at", postgresql_where=text("started_at IS NULL")),
        Index("clockwork_nudges", "workflow_id", postgresql_where=text("nudge_wanted")),
        Index("clockwork_account", "account_id"),
    )
    workflow_id: str = Field(primary_key=True)
    kind: str
    subject: str
    account_id: UUID
    created_at: dt.datetime = moment(default_factory=now)
    started_at: dt.datetime | None = moment(default=None)
    closed_at: dt.datetime | None = moment(default=None)
    exported_at: dt.datetime | None = moment(default=None)
    nudge_wanted: bool = False
    needs_human: str | None = None
    """Why a person must look: the process was ended from outside, or failed."""
    attention: str | None = None
    """Why the process itself asks for a person, while it goes on: a code."""


class ProcessHistory(SQLModel, table=True):
    """The event history of a closed human process, kept after Temporal's retention."""

    __tablename__ = "process_history"
    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=True))
    workflow_id: str = Field(index=True)
    run_id: str
    account_id: UUID
    closed_at: dt.datetime = moment()
    history: dict[str, Any] = json_object()


async def enlist(session: Session, kind: Kind, subject: UUID, account: UUID) -> str:
    """Ask for a process, in the caller's transaction; returns its workflow id."""
    name = workflow_id(kind, subject)
    session.add(Clockwork(workflow_id=name, kind=kind.value, subject=str(subject), account_id=account))
    return name


async def want_nudge(session: Session, name: str) -> None:
    """Have the process look at its rows again; reconcile sends the signal within a second, coalesced."""
    await session.exec(update(Clockwork).where(col(Clockwork.workflow_id) == name).values(nudge_wanted=True))


async def enlist_on(connection: Connection, kind: Kind, subject: UUID, account: UUID) -> str:
    """`enlist` in a transaction on a plain connection."""
    name = workflow_id(kind, subject)
    await connection.execute(
        "INSERT INTO clockwork (workflow_id, kind, subject, account_id, created_at, nudge_wanted)"
        " VALUES ($1, $2, $3, $4, now(), false)",
        *(name, kind.value, str(subject), account),
    )
    return name


async def want_nudge_on(connection: Connection, name: str) -> None:
    """`want_nudge` in a transaction on a plain connection."""
    await connection.execute("UPDATE clockwork SET nudge_wanted = true WHERE workflow_id = $1", name)


async def epoch(session: Session) -> int:
    """The database epoch."""
    return (await session.exec(select(DatabaseEpoch.epoch))).one()


async def require_epoch(session: Session, process: Process) -> None:
    """Raise `StaleEpoch` when the process began before the database was restored."""
    if process.epoch < await epoch(session):
        raise StaleEpoch(process.workflow_id)


async def unstarted(session: Session, aside: Collection[str] = (), limit: int = 100) -> list[Clockwork]:
    """Processes whose workflow was not started yet, oldest first, without those set aside."""
    rows = await session.exec(
        select(Clockwork)
        .where(col(Clockwork.started_at).is_(None), col(Clockwork.workflow_id).not_in(list(aside)))
        .order_by(col(Clockwork.created_at))
        .limit(limit)
    )
    return list(rows)


async def find(session: Session, name: str) -> Clockwork | None:
    """The row of one process."""
    return await session.get(Clockwork, name)


async def stamp_started(session: Session, name: str) -> None:
    """Remember that the workflow exists."""
    await session.exec(update(Clockwork).where(col(Clockwork.workflow_id) == name).values(started_at=now()))


async def stamp_missing(session: Session, name: str) -> None:
    """Forget that it was started: Temporal no longer knows the workflow, and it is to be started again."""
    await session.exec(update(Clockwork).where(col(Clockwork.workflow_id) == name).values(started_at=None))


async def stamp_exported(session: Session, name: str) -> None:
    """Remember that the history is kept, or that there is none left to keep."""
    await session.exec(update(Clockwork).where(col(Clockwork.workflow_id) == name).values(exported_at=now()))


async def stamp_closed(session: Session, name: str) -> None:
    """Remember that the process ended by itself."""
    ended = {"closed_at": now(), "nudge_wanted": False, "attention": None}
    await session.exec(update(Clockwork).where(col(Clockwork.workflow_id) == name).values(**ended))


async def stamp_resumed(session: Session, name: str) -> None:
    """Forget that a person must look: it runs again."""
    await session.exec(update(Clockwork).where(col(Clockwork.workflow_id) == name).values(needs_human=None))


async def stamp_needs_human(session: Session, name: str, why: str) -> None:
    """Remember that the process was ended from outside and must not be restarted by a loop."""
    await session.exec(
        update(Clockwork).where(col(Clockwork.workflow_id) == name).values(needs_human=why, nudge_wanted=False)
    )


async def stamp_attention(session: Session, name: str, why: str | None) -> None:
    """Remember that the process asks for a person while it goes on, or (None) that it does no longer."""
    await session.exec(update(Clockwork).where(col(Clockwork.workflow_id) == name).values(attention=why))


_WANTED = """
SELECT workflow_id, xmin::text AS written FROM clockwork
WHERE nudge_wanted AND started_at IS NOT NULL AND workflow_id <> ALL($1::text[])
ORDER BY workflow_id LIMIT $2
"""
_SENT = """
UPDATE clockwork SET nudge_wanted = false WHERE workflow_id IN (
    SELECT c.workflow_id FROM clockwork c JOIN unnest($1::text[], $2::text[]) AS sent (workflow_id, written)
      ON sent.workflow_id = c.workflow_id AND sent.written = c.xmin::text
    FOR NO KEY UPDATE OF c SKIP LOCKED)
"""


@dataclass(frozen=True)
class WantedNudge:
    """`written` is the transaction that wrote the row last: a nudge that is wanted anew changes it."""

    workflow_id: str
    written: str


async def wanted_nudges(connection: Connection, aside: Collection[str] = (), limit: int = 200) -> list[WantedNudge]:
    """The nudges that started processes are owed. No lock is held while they are sent: those who want nudges go on."""
    rows = await connection.fetch(_WANTED, list(aside), limit)
    return [WantedNudge(row["workflow_id"], row["written"]) for row in rows]


async def stamp_nudged(connection: Connection, sent: list[WantedNudge]) -> None:
    """Remember that these were sent. What was wanted anew since stays wanted: its facts may be newer than the look."""
    await connection.execute(_SENT, [each.workflow_id for each in sent], [each.written for each in sent])


async def unexported(
    session: Session, kinds: list[str], aside: Collection[str] = (), limit: int = 20
) -> list[Clockwork]:
    """Closed processes of these kinds whose history is not kept yet, oldest first, without those set aside."""
    rows = await session.exec(
        select(Clockwork)
        .where(
            col(Clockwork.closed_at).is_not(None),
            col(Clockwork.exported_at).is_(None),
            col(Clockwork.kind).in_(kinds),
            col(Clockwork.workflow_id).not_in(list(aside)),
        )
        .order_by(col(Clockwork.closed_at))
        .limit(limit)
    )
    return list(rows)


async def open_processes(session: Session) -> list[Clockwork]:
    """Every process that was started and has not ended, for the full check of `reconcile`."""
    rows = await session.exec(
        select(Clockwork).where(
            col(Clockwork.started_at).is_not(None),
            col(Clockwork.closed_at).is_(None),
        )
    )
    return list(rows)
