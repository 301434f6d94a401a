"""Whose turn it is: planned times become runs, each once, in transactions that hold the task's row."""

import datetime as dt
from collections import deque
from itertools import takewhile
from uuid import UUID

from domain.cadences import Repeat, happens_at, next_time, shown_before, times_from
from domain.scheduled_tasks import OVER, Fire, Overlap, Reckoned, TaskState, Why, is_late, reckon
from domain.times import told
from store import clockwork, scheduled_runs, scheduled_tasks
from store.db import Connection
from store.scheduled_tasks import Row, cadence_of, rules_of

KEPT = 200
"""Times that one long outage leaves behind of one task in its history: the last ones."""


async def take(connection: Connection, task: Row, until: dt.datetime, now: dt.datetime) -> Reckoned:
    """Account for the times up to `until` (inclusive) that no run stands for: those that are skipped are written down,
    the one that is to run now is left to the caller. The row is locked."""
    if task["next_at"] is None or task["next_at"] > until:
        return Reckoned()
    cadence = cadence_of(task)
    times = deque(takewhile(lambda each: each <= until, times_from(cadence, task["next_at"])), KEPT)
    busy = await scheduled_runs.busy(connection, task["id"], task["next_at"])
    found = reckon(list(times), busy, rules_of(task), now)
    if task["repeat"] == Repeat.ONCE and found.missed:
        found = Reckoned(run=found.missed)  # its process finds that it is too late, and tells the customer
    await scheduled_runs.skip_times(connection, task, found.skipped, now)
    await scheduled_tasks.set_next(connection, task["id"], next_time(cadence, until))
    return found


async def fired(connection: Connection, task: Row, fire: Fire) -> UUID | None:
    """A Schedule has fired; the run that its workflow is for, or None: this time needs none (any more).

    A tick that is heard late stands for every time that has passed: one run at most, the newest. Temporal itself would
    go through what was missed from the oldest on.
    """
    planned = fire.planned or fire.now
    if known := await scheduled_runs.of_workflow(connection, task["id"], fire.workflow_id):
        return known
    if TaskState(task["state"]) in OVER or await scheduled_runs.at_time(connection, task["id"], planned):
        return None
    cadence = cadence_of(task)
    if not happens_at(cadence, planned):
        return await _by_hand(connection, task, fire, planned)
    if task["next_at"] is None or planned < task["next_at"]:
        return None  # accounted for before: edited, resumed, or skipped
    if task["state"] == TaskState.PAUSED:
        await scheduled_runs.skip_times(connection, task, [(planned, Why.PAUSED)], fire.now)
        await scheduled_tasks.set_next(connection, task["id"], next_time(cadence, planned))
        return None
    reckoned = await take(connection, task, max(planned, fire.now), fire.now)
    if reckoned.run is None:
        return None
    if await _crowded(connection, task, reckoned.run, fire.now):
        return None
    return await scheduled_runs.record(connection, task, reckoned.run, fire.now, workflow=fire.workflow_id)


async def _by_hand(connection: Connection, task: Row, fire: Fire, planned: dt.datetime) -> UUID | None:
    """Not one of the task's times: somebody triggered the Schedule in the Temporal UI, unless it is of an older
    version of the task, or a clock that was set back shows the time again."""
    before = shown_before(planned, task["zone"])
    again = before is not None and happens_at(cadence_of(task), before)
    if fire.version != task["version"] or task["state"] == TaskState.PAUSED or again:
        return None
    return await scheduled_runs.record(connection, task, planned, fire.now, workflow=fire.workflow_id, by="temporal-ui")


async def _crowded(connection: Connection, task: Row, planned: dt.datetime, now: dt.datetime) -> bool:
    """Whether runs that Temporal does not know of (started by hand, or made up for) stand in its way."""
    opened = await scheduled_runs.open_runs(connection, task["id"])
    if len(opened) < (2 if rules_of(task).overlap is Overlap.BUFFER_ONE else 1):
        return False
    await scheduled_runs.skip_times(connection, task, [(planned, Why.OVERLAP)], now)
    return True


async def make_up(connection: Connection, task_id: UUID, before: dt.datetime, now: dt.datetime) -> UUID | None:
    """A task whose time passed without a run, as nothing ran or its Schedule was not there: what is still to be run
    gets a run, whose workflow the clockwork starts; otherwise it is written down that it was missed."""
    task = await scheduled_tasks.lock(connection, task_id)
    if task is None or task["state"] not in (TaskState.ACTIVE, TaskState.NEEDS_HUMAN):
        return None
    if task["next_at"] is None or task["next_at"] >= before or await scheduled_runs.open_runs(connection, task_id):
        return None
    reckoned = await take(connection, task, now, now)
    if reckoned.run is not None:
        return await scheduled_runs.enlist(connection, task, reckoned.run, now)
    await finish(connection, await scheduled_tasks.lock(connection, task_id))
    return None


async def go_on(connection: Connection, task: Row, now: dt.datetime) -> None:
    """From the next time on, after a pause that somebody ended in the Temporal UI; the row is locked and active."""
    following = next_time(cadence_of(task), now)
    await scheduled_tasks.set_next(connection, task["id"], following)
    missed = task["next_at"] if following is None else None
    await finish(connection, await scheduled_tasks.lock(connection, task["id"]), missed=missed)


async def finish(connection: Connection, task: Row, missed: dt.datetime | None = None) -> None:
    """End a task that has no further time and no open run; one whose only time was missed waits for a person."""
    if task["next_at"] is not None or task["state"] != TaskState.ACTIVE:
        return
    if await scheduled_runs.open_runs(connection, task["id"]):
        return
    if missed is not None and task["repeat"] == Repeat.ONCE:
        await need_another_time(connection, task, missed)
        return
    await scheduled_tasks.move(connection, task["id"], TaskState.ENDED)


async def need_another_time(connection: Connection, task: Row, missed: dt.datetime) -> None:
    """Nothing was sent at the task's only time: a person gives it another one, or runs it now."""
    await scheduled_tasks.move(
        connection, task["id"], TaskState.NEEDS_HUMAN, "task_missed", {"time": told(missed)}, with_schedule=False
    )


async def is_missed(connection: Connection, task: Row, run: Row, now: dt.datetime) -> bool:
    """Whether a run that begins now would be later than the catch-up window allows, and not as it waited its turn."""
    if run["by_hand"] or not is_late(run["planned_at"], now, rules_of(task).catch_up):
        return False
    busy = await scheduled_runs.busy(connection, task["id"], run["planned_at"], beside=run["id"])
    return not any(each.covers(run["planned_at"]) for each in busy)


async def close(connection: Connection, run: UUID, workflow: str) -> None:
    """The run's process has ended; with its last run the task ends."""
    found = await scheduled_runs.lock(connection, run)
    if found is not None:
        task, _ = found
        for other in await scheduled_runs.open_runs(connection, task["id"]):
            await clockwork.want_nudge_on(connection, other["workflow_id"])  # whose turn has come
        await finish(connection, task)
    await connection.execute(
        "UPDATE clockwork SET closed_at = now(), nudge_wanted = false, attention = NULL WHERE workflow_id = $1",
        workflow,
    )
