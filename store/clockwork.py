"""Which workflows should exist, and which of them were started or want a nudge (design §3)."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel, col, select, update

from domain.errors import StaleEpoch
from domain.ids import Kind, Process, workflow_id
from store.columns import json_object, moment, now
from store.db import Session


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


async def epoch(session: Session) -> int:
    """The database epoch."""
    return (await session.exec(select(DatabaseEpoch.epoch))).one()


async def require_epoch(session: Session, process: Process) -> None:
    """Raise `StaleEpoch` when the process began before the database was restored."""
    if process.epoch < await epoch(session):
        raise StaleEpoch(process.workflow_id)


async def unstarted(session: Session, limit: int = 100) -> list[Process]:
    """Processes whose workflow was not started yet, oldest first."""
    rows = await session.exec(
        select(Clockwork).where(col(Clockwork.started_at).is_(None)).order_by(col(Clockwork.created_at)).limit(limit)
    )
    current = await epoch(session)
    return [Process(Kind(row.kind), row.subject, str(row.account_id), current) for row in rows]


async def find(session: Session, name: str) -> Clockwork | None:
    """The row of one process."""
    return await session.get(Clockwork, name)


async def stamp_started(session: Session, name: str) -> None:
    """Remember that the workflow exists."""
    await session.exec(update(Clockwork).where(col(Clockwork.workflow_id) == name).values(started_at=now()))


async def stamp_closed(session: Session, name: str) -> None:
    """Remember that the process ended by itself."""
    await session.exec(
        update(Clockwork).where(col(Clockwork.workflow_id) == name).values(closed_at=now(), nudge_wanted=False)
    )


async def stamp_needs_human(session: Session, name: str, why: str) -> None:
    """Remember that the process was ended from outside and must not be restarted by a loop."""
    await session.exec(
        update(Clockwork).where(col(Clockwork.workflow_id) == name).values(needs_human=why, nudge_wanted=False)
    )


async def take_nudges(session: Session, limit: int = 200) -> list[str]:
    """Claim the wanted nudges of started processes; the caller sends them."""
    wanted = (
        select(Clockwork.workflow_id)
        .where(col(Clockwork.nudge_wanted), col(Clockwork.started_at).is_not(None))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    names = list((await session.exec(wanted)).all())
    await session.exec(update(Clockwork).where(col(Clockwork.workflow_id).in_(names)).values(nudge_wanted=False))
    return names


async def unexported(session: Session, kinds: list[str], limit: int = 20) -> list[Clockwork]:
    """Closed processes of these kinds whose history is not kept yet."""
    rows = await session.exec(
        select(Clockwork)
        .where(
            col(Clockwork.closed_at).is_not(None),
            col(Clockwork.exported_at).is_(None),
            col(Clockwork.kind).in_(kinds),
        )
        .limit(limit)
    )
    return list(rows)


async def open_processes(session: Session) -> list[Clockwork]:
    """Every process that was started and has not ended, for the full check of `reconcile`."""
    rows = await session.exec(
        select(Clockwork).where(
            col(Clockwork.started_at).is_not(None),
            col(Clockwork.closed_at).is_(None),
            col(Clockwork.needs_human).is_(None),
        )
    )
    return list(rows)
