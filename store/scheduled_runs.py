"""Runs of scheduled tasks: each planned time once, and how far it has come. asyncpg; the task's row is locked first."""

import datetime as dt
from collections.abc import Mapping, Sequence
from uuid import UUID

from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.scheduled_tasks import RUN_OVER, Busy, Decision, RunCounts, RunState, TaskState, Why, decided
from store import clockwork, scheduled_tasks
from store.db import Connection
from store.scheduled_tasks import Row

_RECORD = """
INSERT INTO scheduled_run (id, task_id, account_id, planned_at, by_hand, state, reason, reason_params, workflow_id,
    recorded_at, decided_by, place, listed, accepted, refused, refused_by, submissions)
VALUES ($1, $2, $3, $4, $5, 'waiting', '', '{}', $6, $7, $8, 0, 0, 0, 0, '{}', '{}')
ON CONFLICT (task_id, planned_at) DO NOTHING RETURNING id
"""
_SKIPPED = """
INSERT INTO scheduled_run (id, task_id, account_id, planned_at, by_hand, state, reason, reason_params, workflow_id,
    recorded_at, decided_by, place, listed, accepted, refused, refused_by, submissions, ended_at)
VALUES ($1, $2, $3, $4, false, 'skipped', $5, '{}', '', $6, '', 0, 0, 0, 0, '{}', '{}', $6)
ON CONFLICT (task_id, planned_at) DO NOTHING
"""
_STARTED = """
INSERT INTO clockwork (workflow_id, kind, subject, account_id, created_at, started_at, nudge_wanted)
VALUES ($1, $2, $3, $4, now(), now(), false) ON CONFLICT (workflow_id) DO NOTHING
"""


async def record(
    connection: Connection, task: Row, planned: dt.datetime, at: dt.datetime, *, workflow: str, by: str = ""
) -> UUID | None:
    """A run for a planned time, whose workflow a Schedule has started. `by`: who triggered it. None: there is one
    already."""
    run: UUID | None = await connection.fetchval(
        _RECORD, new_id(), task["id"], task["account_id"], planned, bool(by), workflow, at, by
    )
    if run is not None:
        kind = Kind.SCHEDULED_TASK.value
        await connection.execute(_STARTED, workflow, kind, str(run), task["account_id"])
    return run


async def enlist(
    connection: Connection, task: Row, planned: dt.datetime, at: dt.datetime, *, by: str = ""
) -> UUID | None:
    """A run whose workflow is to be started by the clockwork. `by`: who wants it now. None: there is one already."""
    run = new_id()
    name = workflow_id(Kind.SCHEDULED_TASK, run)
    values = (run, task["id"], task["account_id"], planned, bool(by), name, at, by)
    if await connection.fetchval(_RECORD, *values) is None:
        return None
    await clockwork.enlist_on(connection, Kind.SCHEDULED_TASK, run, task["account_id"])
    return run


async def skip_times(
    connection: Connection, task: Row, skipped: Sequence[tuple[dt.datetime, Why]], at: dt.datetime
) -> None:
    """Write down times at which nothing was sent, and why."""
    for planned, why in skipped:
        await connection.execute(_SKIPPED, new_id(), task["id"], task["account_id"], planned, why.value, at)


async def at_time(connection: Connection, task: UUID, planned: dt.datetime) -> Row | None:
    """The run for this planned time."""
    return await connection.fetchrow(
        "SELECT * FROM scheduled_run WHERE task_id = $1 AND planned_at = $2", task, planned
    )


async def of_workflow(connection: Connection, task: UUID, name: str) -> UUID | None:
    """The run that this workflow, which a Schedule started, has been given before."""
    found: UUID | None = await connection.fetchval(
        "SELECT r.id FROM clockwork c JOIN scheduled_run r ON r.id::text = c.subject"
        " WHERE c.workflow_id = $1 AND r.task_id = $2",
        *(name, task),
    )
    return found


async def lock(connection: Connection, run: UUID) -> tuple[Row, Row] | None:
    """(task, run), both locked, in this order everywhere; None: there is no such run."""
    task = await connection.fetchrow(
        "SELECT t.* FROM scheduled_task t WHERE t.id = (SELECT task_id FROM scheduled_run WHERE id = $1)"
        " FOR NO KEY UPDATE",
        run,
    )
    if task is None:
        return None
    return task, await connection.fetchrow("SELECT * FROM scheduled_run WHERE id = $1 FOR NO KEY UPDATE", run)


async def open_runs(connection: Connection, task: UUID) -> list[Row]:
    """Runs that are not over, in the order of their turns: one that has begun goes before those that wait."""
    return list(await connection.fetch(
        "SELECT * FROM scheduled_run WHERE task_id = $1 AND ended_at IS NULL"
        " ORDER BY state = 'waiting', planned_at, id",
        task,
    ))  # fmt: skip


async def busy(connection: Connection, task: UUID, since: dt.datetime, *, beside: UUID | None = None) -> list[Busy]:
    """While which times after `since` runs of the task were open, other ones than `beside`."""
    rows = await connection.fetch(
        "SELECT recorded_at AS since, ended_at FROM scheduled_run"
        " WHERE task_id = $1 AND workflow_id <> '' AND (ended_at IS NULL OR ended_at >= $2)"
        " AND id IS DISTINCT FROM $3",
        *(task, since, beside),
    )
    return [Busy(row["since"], row["ended_at"]) for row in rows]


_MOVE = """
UPDATE scheduled_run SET state = $2::text, reason = $3, reason_params = $4,
    started_at = CASE WHEN $2::text = 'sending' THEN coalesce(started_at, $5) ELSE started_at END,
    asked_at = CASE WHEN $2::text = 'asked' THEN $5 ELSE asked_at END,
    expires_at = $6,
    ended_at = CASE WHEN $7 THEN $5 END
WHERE id = $1
"""


async def move(
    connection: Connection, run: UUID, to: RunState, at: dt.datetime, reason: str = "",
    params: Mapping[str, object] | None = None, *, expires: dt.datetime | None = None,
) -> None:  # fmt: skip
    """Another state, into a locked row; the end of one that is over. `expires`: until when a person is asked."""
    shown = {name: str(value) for name, value in (params or {}).items()}
    await connection.execute(_MOVE, run, to.value, reason, shown, at, expires, to in RUN_OVER)


async def decide(
    connection: Connection, task: Row, run: Row, decision: Decision, made: tuple[dt.datetime, str]
) -> RunState:
    """A person's word on a run, both rows locked, and a nudge for its process. Raises the refusal `run_state`."""
    at, by = made
    to = decided(decision, run["state"], run["listed"])
    await move(connection, run["id"], to, at, "" if decision is Decision.SEND else Why.DECIDED.value)
    await connection.execute(
        "UPDATE scheduled_run SET decided_at = $2, decided_by = $3 WHERE id = $1", run["id"], at, by
    )
    await clockwork.want_nudge_on(connection, run["workflow_id"])
    if task["state"] == TaskState.NEEDS_HUMAN and run["state"] == RunState.BLOCKED:
        await scheduled_tasks.move(connection, task["id"], TaskState.ACTIVE, with_schedule=False)
    return to


async def cancel_open(connection: Connection, task: Row, made: tuple[dt.datetime, str]) -> None:
    """What is not accepted yet of its open runs is not sent."""
    for run in await open_runs(connection, task["id"]):
        await decide(connection, task, run, Decision.SKIP, made)


async def nudge_open(connection: Connection, task: UUID) -> None:
    """Have the processes of its open runs look again."""
    for run in await open_runs(connection, task):
        await clockwork.want_nudge_on(connection, run["workflow_id"])


_NOTE = """
UPDATE scheduled_run SET place = $2, listed = $3, accepted = $4, refused = $5, refused_by = $6,
    submissions = submissions || $7::uuid[], sends_at = coalesce($8, sends_at)
WHERE id = $1
"""


async def note_chunk(
    connection: Connection, run: Row, place: int, counts: RunCounts, sends_at: dt.datetime | None
) -> None:
    """What one chunk came to, in the transaction that accepted it; the counts are the run's so far."""
    await connection.execute(
        _NOTE, run["id"], place, counts.listed, counts.accepted, counts.refused, counts.refused_by,
        list(counts.submissions), sends_at,
    )  # fmt: skip


async def note_begin(connection: Connection, task: Row, run: UUID, chosen: UUID, last: int) -> None:
    """What it sends, to which list (its name may come to mean another one), and the list's last contact, when the
    run's first chunk begins."""
    content = task["content"] | {"contact_list": str(chosen)}
    await connection.execute("UPDATE scheduled_run SET last = $2, content = $3 WHERE id = $1", run, last, content)


async def note_campaign(connection: Connection, run: UUID, campaign: UUID) -> None:
    await connection.execute("UPDATE scheduled_run SET campaign_id = $2 WHERE id = $1", run, campaign)


async def find(connection: Connection, account: UUID, task: UUID, run: UUID) -> Row:
    """One run of a task of the account. Raises the refusal `run_not_found`."""
    row = await connection.fetchrow(
        "SELECT * FROM scheduled_run WHERE id = $1 AND task_id = $2 AND account_id = $3", run, task, account
    )
    if row is None:
        raise Refusal("run_not_found")
    return row


async def page(connection: Connection, account: UUID, task: UUID, after: UUID | None, limit: int) -> list[Row]:
    """Runs of a task, newest first, recorded before `after`."""
    return list(await connection.fetch(
        "SELECT * FROM scheduled_run WHERE task_id = $1 AND account_id = $2 AND ($3::uuid IS NULL OR id < $3)"
        " ORDER BY id DESC LIMIT $4",
        *(task, account, after, limit),
    ))  # fmt: skip
