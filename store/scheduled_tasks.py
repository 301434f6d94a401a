"""Scheduled tasks and their runs. Tables; then queries. A task's Temporal Schedule follows its row.

`next_at` is the first planned time that no run stands for yet: whatever lies before it is accounted for.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel, Uuid

from domain.cadences import Cadence, Repeat
from domain.channels import Channel
from domain.ids import new_id
from domain.scheduled_tasks import (
    MailContent,
    Misfire,
    NewTask,
    Overlap,
    Rules,
    RunState,
    SmsContent,
    TaskState,
)
from store.columns import json_object, moment, now
from store.db import Connection

Row: TypeAlias = Any
"""A row as asyncpg gives it."""


class ScheduledTask(SQLModel, table=True):
    __tablename__ = "scheduled_task"
    __table_args__ = (
        Index("scheduled_task_account", "account_id", "id"),
        Index("scheduled_task_next", "next_at", postgresql_where=text("state IN ('active', 'needs_human')")),
        Index("scheduled_task_unapplied", "id", postgresql_where=text("applied_version < wanted_version")),
        Index(
            "scheduled_task_idempotency", "account_id", "idempotency_key", unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
    )  # fmt: skip
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(start=1001), unique=True))
    """SendCloud's contactListTaskId."""
    account_id: UUID = Field(foreign_key="account.id")
    channel: str
    name: str
    content: dict[str, Any] = json_object()
    """`domain.scheduled_tasks.SmsContent` or `MailContent`."""
    repeat: str
    zone: str
    cadence: dict[str, Any] = json_object()
    """What `domain.cadences.Cadence` holds beside zone, start and end."""
    starts_at: dt.datetime | None = moment(default=None)
    ends_at: dt.datetime | None = moment(default=None)
    overlap: str
    catch_up: int
    """Minutes, as `late`."""
    late: int
    misfire: str
    state: str
    reason: str = ""
    """Why it is paused (the customer's words), or what a person must mend (a code)."""
    reason_params: dict[str, Any] = json_object(default_factory=dict)
    next_at: dt.datetime | None = moment(default=None)
    version: int = 1
    """Of its content and times; whoever edits says which one was read."""
    wanted_version: int = 1
    """Raised whenever its Schedule has to change."""
    applied_version: int = 0
    """The `wanted_version` that its Schedule was brought to."""
    applied_epoch: int = 0
    """The database epoch then: a restored database's Schedules carry the older one, and are written anew."""
    applied_at: dt.datetime | None = moment(default=None)
    idempotency_key: str | None = None
    created_at: dt.datetime = moment(default_factory=now)
    created_by: str
    changed_at: dt.datetime = moment(default_factory=now)


class ScheduledRun(SQLModel, table=True):
    """One time of a task: sent, skipped with the reason, or on its way. `id` is the `task_id` of its submissions."""

    __tablename__ = "scheduled_run"
    __table_args__ = (
        UniqueConstraint("task_id", "planned_at"),
        Index("scheduled_run_newest", "task_id", "id"),
        Index("scheduled_run_open", "task_id", postgresql_where=text("ended_at IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    task_id: UUID = Field(foreign_key="scheduled_task.id")
    account_id: UUID
    planned_at: dt.datetime = moment()
    by_hand: bool = False
    """Somebody started it: it is never late."""
    state: str
    reason: str = ""
    reason_params: dict[str, Any] = json_object(default_factory=dict)
    workflow_id: str = ""
    """Empty: it was skipped without one."""
    recorded_at: dt.datetime = moment(default_factory=now)
    started_at: dt.datetime | None = moment(default=None)
    asked_at: dt.datetime | None = moment(default=None)
    expires_at: dt.datetime | None = moment(default=None)
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str = ""
    place: int = Field(default=0, sa_type=BigInteger)
    """The last contact that was gone through: the checkpoint, written with what was accepted."""
    content: dict[str, Any] | None = json_object(default=None)
    """What it sends, from its first chunk on, whatever the task is changed to meanwhile."""
    last: int | None = Field(default=None, sa_type=BigInteger)
    """The list's last contact when it began; later ones are not in this run."""
    listed: int = 0
    accepted: int = 0
    refused: int = 0
    refused_by: dict[str, int] = json_object(default_factory=dict)
    submissions: list[UUID] = Field(default_factory=list, sa_type=ARRAY(Uuid))
    campaign_id: UUID | None = None
    sends_at: dt.datetime | None = moment(default=None)
    """Marketing outside its hours: when they begin."""
    ended_at: dt.datetime | None = moment(default=None)


def cadence_of(row: Row) -> Cadence:
    """When the task of this row happens."""
    kept = row["cadence"]
    return Cadence(
        Repeat(row["repeat"]), row["zone"],
        dt.datetime.fromisoformat(kept["at"]) if kept.get("at") else None,
        dt.time.fromisoformat(kept["time"]) if kept.get("time") else None,
        tuple(kept.get("weekdays", ())), tuple(kept.get("days", ())), kept.get("cron", ""),
        row["starts_at"], row["ends_at"],
    )  # fmt: skip


def rules_of(row: Row) -> Rules:
    return Rules(Overlap(row["overlap"]), row["catch_up"], row["late"], Misfire(row["misfire"]))


def content_of(task: Row, run: Row | None = None) -> SmsContent | MailContent:
    """What a task sends now; what one of its runs sends that has begun."""
    kept = (run["content"] if run is not None else None) or task["content"]
    if task["channel"] == Channel.SMS:
        return SmsContent(**kept)
    return MailContent(**kept | {"lists": tuple(kept["lists"])})


def _columns(asked: NewTask) -> tuple[Any, ...]:
    """What an edit may change: $3 to $13 of `_CREATE` and `_EDIT`."""
    cadence, rules = asked.cadence, asked.rules
    kept: Mapping[str, Any] = {
        "at": cadence.at.isoformat() if cadence.at else "",
        "time": cadence.time.isoformat("minutes") if cadence.time else "",
        "weekdays": list(cadence.weekdays), "days": list(cadence.days), "cron": cadence.cron,
    }  # fmt: skip
    return (
        asked.name.strip(), asdict(asked.content), cadence.repeat.value, cadence.zone, kept, cadence.starts_at,
        cadence.ends_at, rules.overlap.value, rules.catch_up, rules.late, rules.misfire.value,
    )  # fmt: skip


_CREATE = """
INSERT INTO scheduled_task (id, account_id, name, content, repeat, zone, cadence, starts_at, ends_at, overlap, catch_up,
    late, misfire, channel, state, reason, reason_params, next_at, version, wanted_version, applied_version,
    applied_epoch, idempotency_key, created_at, created_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'active', '', '{}', $15, 1, 1, 0, 0, $16, $17, $18,
    $17)
ON CONFLICT (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id
"""
_EDIT = """
UPDATE scheduled_task SET name = $3, content = $4, repeat = $5, zone = $6, cadence = $7, starts_at = $8, ends_at = $9,
    overlap = $10, catch_up = $11, late = $12, misfire = $13, next_at = $14, changed_at = $15, version = version + 1,
    wanted_version = wanted_version + 1
WHERE id = $1 AND account_id = $2
"""


async def create(
    connection: Connection, account: UUID, asked: NewTask, next_at: dt.datetime | None, made: tuple[dt.datetime, str]
) -> UUID | None:
    """Write the task, active; its id, or None when the idempotency key was used before."""
    at, by = made
    created: UUID | None = await connection.fetchval(
        _CREATE,
        *(new_id(), account, *_columns(asked), asked.channel.value, next_at, asked.idempotency_key, at, by),
    )
    return created


async def edit(connection: Connection, row: Row, asked: NewTask, next_at: dt.datetime | None, at: dt.datetime) -> None:
    """Write what it shall be from now on, into a locked row."""
    await connection.execute(_EDIT, row["id"], row["account_id"], *_columns(asked), next_at, at)


async def lock(connection: Connection, task: UUID, account: UUID | None = None) -> Row | None:
    """The row, locked; None when the account has no such task. Runs of it are written under this lock."""
    return await connection.fetchrow(
        "SELECT * FROM scheduled_task WHERE id = $1 AND ($2::uuid IS NULL OR account_id = $2) FOR NO KEY UPDATE",
        task,
        account,
    )


_MOVE = """
UPDATE scheduled_task SET state = $2, reason = $3, reason_params = $4, changed_at = now(),
    wanted_version = wanted_version + CASE WHEN $5 THEN 1 ELSE 0 END
WHERE id = $1
"""


async def move(
    connection: Connection, task: UUID, to: TaskState, reason: str = "", params: Mapping[str, object] | None = None,
    *, with_schedule: bool = True,
) -> None:  # fmt: skip
    """Another state, into a locked row. `with_schedule`: its Schedule has to follow."""
    shown = {name: str(value) for name, value in (params or {}).items()}
    await connection.execute(_MOVE, task, to.value, reason, shown, with_schedule)


async def set_next(connection: Connection, task: UUID, next_at: dt.datetime | None) -> None:
    """The first planned time that is not accounted for, into a locked row."""
    await connection.execute("UPDATE scheduled_task SET next_at = $2 WHERE id = $1", task, next_at)


async def open_tasks(connection: Connection, account: UUID) -> int:
    """How many of the account are not over."""
    return int(await connection.fetchval(
        "SELECT count(*) FROM scheduled_task WHERE account_id = $1 AND state NOT IN ('ended', 'cancelled')", account
    ))  # fmt: skip


async def find_by_key(connection: Connection, account: UUID, key: str) -> UUID | None:
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM scheduled_task WHERE account_id = $1 AND idempotency_key = $2", account, key
    )
    return found


async def find_by_number(connection: Connection, account: UUID, number: int) -> UUID | None:
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM scheduled_task WHERE account_id = $1 AND number = $2", account, number
    )
    return found


async def find(connection: Connection, account: UUID, task: UUID) -> Row | None:
    return await connection.fetchrow("SELECT * FROM scheduled_task WHERE id = $1 AND account_id = $2", task, account)


async def page(connection: Connection, account: UUID, after: UUID | None, limit: int) -> list[Row]:
    """The account's tasks, newest first, older than `after`."""
    return list(await connection.fetch(
        "SELECT * FROM scheduled_task WHERE account_id = $1 AND ($2::uuid IS NULL OR id < $2)"
        " ORDER BY id DESC LIMIT $3",
        *(account, after, limit),
    ))  # fmt: skip


async def last_runs(connection: Connection, tasks: Sequence[UUID]) -> dict[UUID, Row]:
    """The newest run of each task that had any; an open one goes before."""
    rows = await connection.fetch(
        "SELECT r.* FROM unnest($1::uuid[]) AS t (id) CROSS JOIN LATERAL (SELECT * FROM scheduled_run"
        " WHERE task_id = t.id ORDER BY (ended_at IS NULL) DESC, planned_at DESC LIMIT 1) AS r",
        list(tasks),
    )
    return {row["task_id"]: row for row in rows}


_PASSED = """
SELECT id FROM scheduled_task
WHERE state IN ('active', 'needs_human') AND next_at < $1
  AND NOT EXISTS (SELECT FROM scheduled_run r WHERE r.task_id = scheduled_task.id AND r.ended_at IS NULL)
ORDER BY next_at LIMIT $2
"""


async def passed(connection: Connection, before: dt.datetime, limit: int = 50) -> list[UUID]:
    """Tasks whose next time lies before `before`, and that have no open run."""
    return [row["id"] for row in await connection.fetch(_PASSED, before, limit)]


OPEN = (RunState.WAITING, RunState.ASKED, RunState.SENDING, RunState.BLOCKED)
