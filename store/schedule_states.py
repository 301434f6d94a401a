"""How far Temporal's Schedules follow the rows of scheduled tasks."""

import datetime as dt
from collections.abc import Collection
from uuid import UUID

from store.db import Connection
from store.scheduled_tasks import Row

_WANTED = """
SELECT t.id FROM scheduled_task t
WHERE (t.applied_version < t.wanted_version
       OR t.state NOT IN ('ended', 'cancelled') AND t.applied_epoch < (SELECT epoch FROM database_epoch))
  AND t.id <> ALL($1::uuid[])
ORDER BY t.id LIMIT $2
"""
_APPLIED = """
UPDATE scheduled_task SET applied_version = greatest(applied_version, $2), applied_epoch = $3, applied_at = now()
WHERE id = $1
"""


async def unapplied(connection: Connection, aside: Collection[UUID], limit: int = 50) -> list[UUID]:
    """Tasks whose Schedule has to change, or was written before the database was restored; without those set aside."""
    return [row["id"] for row in await connection.fetch(_WANTED, list(aside), limit)]


async def read(connection: Connection, task: UUID) -> tuple[Row, int] | None:
    """(the task's row, the database epoch) for whoever alone may write its Schedule now; None: somebody else does, or
    there is no such task. The right to it ends with the transaction."""
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 24))", f"schedule/{task}"):
        return None
    row = await connection.fetchrow(
        "SELECT t.*, (SELECT epoch FROM database_epoch) AS epoch FROM scheduled_task t WHERE t.id = $1", task
    )
    return (row, row["epoch"]) if row else None


async def stamp(connection: Connection, task: UUID, version: int, epoch: int) -> None:
    """Its Schedule is as the row was at this `wanted_version`."""
    await connection.execute(_APPLIED, task, version, epoch)


async def forget(connection: Connection, task: UUID) -> None:
    """Its Schedule is not there any more: it is to be made anew."""
    await connection.execute("UPDATE scheduled_task SET applied_version = 0 WHERE id = $1", task)


async def settled(connection: Connection, before: dt.datetime) -> dict[UUID, Row]:
    """By id: the tasks that are not over and whose Schedules were brought up to date before `before`."""
    rows = await connection.fetch(
        "SELECT id, state, repeat, zone, cadence, starts_at, ends_at FROM scheduled_task"
        " WHERE state NOT IN ('ended', 'cancelled')"
        " AND applied_version = wanted_version AND applied_at < $1",
        before,
    )
    return {row["id"]: row for row in rows}


async def living(connection: Connection, tasks: Collection[UUID]) -> set[UUID]:
    """Those of these tasks that are there and not over."""
    rows = await connection.fetch(
        "SELECT id FROM scheduled_task WHERE id = ANY($1::uuid[]) AND state NOT IN ('ended', 'cancelled')", list(tasks)
    )
    return {row["id"] for row in rows}
