"""Rows and Temporal's Schedules, on a real server: what is written, fires, is noticed."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from domain.cadences import Cadence, Repeat, shown_before, upcoming
from domain.queues import CONTROL
from domain.scheduled_tasks import Overlap, Rules, TaskState
from services import schedules as adapter
from services.schedules import Schedules, schedule_id
from store import scheduled_tasks
from store.columns import now
from store.db import Database
from tests.patience import until
from tests.schedule_world import DAILY, Planned, change, make_task, phones, working

NOTHING = dt.timedelta()
FIRST = count(50_000_000, 1_000)


@pytest.fixture
async def client(dev_temporal: WorkflowEnvironment) -> AsyncIterator[Client]:
    """Schedules that a test made are gone after it: they would go on for ever."""
    yield dev_temporal.client
    async for entry in await dev_temporal.client.list_schedules():
        with contextlib.suppress(RPCError):  # deleted before: the list lags
            await dev_temporal.client.get_schedule_handle(entry.id).delete()


@pytest.fixture
def schedules(db: Database, client: Client) -> Schedules:
    return Schedules(db, client)


async def planned_task(db: Database, cadence: Cadence = DAILY, **options: Any) -> Planned:
    return await make_task(db, phones(2, next(FIRST)), cadence=cadence, **options)


def handle_of(client: Client, planned: Planned) -> ScheduleHandle:
    return client.get_schedule_handle(schedule_id(planned.task))


async def move(planned: Planned, state: TaskState) -> None:
    async with planned.db.raw() as connection:
        await scheduled_tasks.move(connection, planned.task, state)


@pytest.mark.parametrize(
    "cadence",
    [
        DAILY,
        Cadence(Repeat.WEEKLY, time=dt.time(8, 30), weekdays=(1, 7)),
        Cadence(Repeat.MONTHLY, time=dt.time(0, 0), days=(29, 30, 31)),
        Cadence(Repeat.CRON, cron="15 8-18/5 * 1-6 MON-FRI"),
        Cadence(Repeat.CRON, "America/New_York", cron="30 1,2 * * *"),
        Cadence(Repeat.DAILY, "Australia/Lord_Howe", time=dt.time(1, 45)),
        Cadence(Repeat.CRON, "Europe/Berlin", cron="0 * * 3,10 SUN"),
    ],
    ids=lambda each: f"{each.repeat.value}-{each.cron or each.zone}",
)
async def test_temporal_means_the_same_times(
    db: Database, schedules: Schedules, client: Client, cadence: Cadence
) -> None:
    """Around both changes of the clock; what a clock shows twice Temporal does twice, and our rows only once."""
    for start in ("2027-03-12T00:00+00:00", "2027-10-29T00:00+00:00", "2027-11-05T00:00+00:00"):
        since = dt.datetime.fromisoformat(start)
        planned = await planned_task(db, replace(cadence, starts_at=since))
        assert await schedules.apply(planned.task)
        told = (await handle_of(client, planned).describe()).info.next_action_times
        once = [each for each in told if shown_before(each, cadence.zone) is None]
        assert len(once) >= 5
        assert list(upcoming(cadence, since - dt.timedelta(seconds=1), len(once)).times) == once


async def test_the_first_and_the_last_instant_count(db: Database, schedules: Schedules, client: Client) -> None:
    first = dt.datetime(2027, 3, 12, 1, 0, tzinfo=dt.UTC)  # 09:00 in Shanghai
    cadence = replace(DAILY, starts_at=first, ends_at=first + dt.timedelta(days=3))
    planned = await planned_task(db, cadence)
    await schedules.apply(planned.task)
    told = (await handle_of(client, planned).describe()).info.next_action_times
    assert list(upcoming(cadence, now()).times) == told and len(told) == 4


async def test_policies_are_written_out(db: Database, schedules: Schedules, client: Client) -> None:
    planned = await planned_task(db, rules=Rules(Overlap.SKIP, catch_up=30))
    await schedules.apply_wanted()
    described = await handle_of(client, planned).describe()
    policy, action = described.schedule.policy, described.schedule.action
    assert (policy.overlap.name, policy.catchup_window) == ("SKIP", dt.timedelta(minutes=30))
    assert described.schedule.spec.time_zone_name == "Asia/Shanghai"
    assert str(planned.customer.account) in str(described.typed_search_attributes)
    assert "Morning" not in str(described) and "+86" not in str(action)
    row = await planned.row()
    assert row["applied_version"] == row["wanted_version"] and await schedules.apply_wanted() == 0


async def test_it_follows_the_row_to_its_end(db: Database, schedules: Schedules, client: Client) -> None:
    planned = await planned_task(db)
    await schedules.apply_wanted()
    await move(planned, TaskState.PAUSED)
    await schedules.apply_wanted()
    assert (await handle_of(client, planned).describe()).schedule.state.paused
    await move(planned, TaskState.ACTIVE)
    await schedules.apply_wanted()
    assert not (await handle_of(client, planned).describe()).schedule.state.paused
    await move(planned, TaskState.CANCELLED)
    await schedules.apply_wanted()
    assert await schedules._paused(planned.task) is None
    assert await schedules.apply_wanted() == 0


async def test_a_restored_database_writes_them_anew(db: Database, schedules: Schedules, client: Client) -> None:
    planned = await planned_task(db)
    await schedules.apply_wanted()
    await db.pool.execute("UPDATE database_epoch SET epoch = epoch + 1")
    try:
        assert await schedules.apply_wanted() == 1
        action: Any = (await handle_of(client, planned).describe()).schedule.action
        assert b'"epoch":2' in action.args[0].data.replace(b" ", b"")
    finally:
        await db.pool.execute("UPDATE database_epoch SET epoch = 1")


async def test_one_that_was_lost_is_made_anew(db: Database, schedules: Schedules, client: Client) -> None:
    planned = await planned_task(db)
    await schedules.apply_wanted()
    await handle_of(client, planned).delete()

    async def is_missed() -> bool:
        await schedules.survey(NOTHING)
        return bool((await planned.row())["applied_version"] == 0)

    await until(is_missed)
    assert await schedules.apply_wanted() == 1
    assert await schedules._paused(planned.task) is False


async def test_a_pause_in_the_temporal_ui_is_taken_over(db: Database, schedules: Schedules, client: Client) -> None:
    planned = await planned_task(db)
    await schedules.apply_wanted()
    for asked, state in (("pause", "paused"), ("unpause", "active")):
        await getattr(handle_of(client, planned), asked)()

        async def is_noticed(state: str = state) -> bool:
            await schedules.survey(NOTHING)
            return bool((await planned.row())["state"] == state)

        await until(is_noticed)
    assert await schedules.apply_wanted() == 0  # the rows follow, and are not written back
    actors = await db.pool.fetch("SELECT actor, action FROM audit_entry ORDER BY id")
    assert [tuple(row) for row in actors] == [
        ("temporal-ui", "scheduled_task.pause"),
        ("temporal-ui", "scheduled_task.resume"),
    ]


async def test_a_pause_that_ends_after_the_only_time_needs_a_person(
    db: Database, schedules: Schedules, client: Client
) -> None:
    planned = await planned_task(db, Cadence(Repeat.ONCE, at=now().replace(microsecond=0) + dt.timedelta(hours=1)))
    await move(planned, TaskState.PAUSED)
    await schedules.apply_wanted()
    gone = now() - dt.timedelta(minutes=5)
    await change(planned, next_at=gone, cadence={"at": gone.isoformat()})
    await handle_of(client, planned).unpause()
    await schedules._take_over(planned.task)
    row = await planned.row()
    assert (row["state"], row["reason"]) == ("needs_human", "task_missed")


async def test_other_times_that_an_operator_wrote_are_written_over(
    db: Database, schedules: Schedules, client: Client
) -> None:
    """Else everybody would be texted at both: at these by Temporal, at the row's by the rows."""
    planned = await planned_task(db)
    await schedules.apply_wanted()
    told = (await handle_of(client, planned).describe()).info.next_action_times
    await schedules.survey(NOTHING)
    assert await schedules.apply_wanted() == 0
    await handle_of(client, planned).update(_to_midnight)

    async def is_noticed() -> bool:
        await schedules.survey(NOTHING)
        return bool((await planned.row())["applied_version"] == 0)

    await until(is_noticed)
    assert await schedules.apply_wanted() == 1
    assert (await handle_of(client, planned).describe()).info.next_action_times == told


def _to_midnight(given: ScheduleUpdateInput) -> ScheduleUpdate:
    changed = given.description.schedule
    changed.spec = adapter.ScheduleSpec(calendars=[adapter.ScheduleCalendarSpec(hour=adapter._each([0]))])
    return ScheduleUpdate(changed)


@pytest.mark.parametrize(
    "name", ["schedule/by-hand", "schedule/", "other", "schedule/{0192f0d1-2a4b-7c3d-8e9f-0a1b2c3d4e5f}"]
)
async def test_what_an_operator_called_anyhow_is_left_alone(
    db: Database, schedules: Schedules, client: Client, name: str
) -> None:
    action = ScheduleActionStartWorkflow("Nothing", id="nothing", task_queue="nobody")
    handle = await client.create_schedule(name, Schedule(action=action, spec=adapter.ScheduleSpec()))

    async def is_listed() -> bool:
        return any([entry.id == name async for entry in await client.list_schedules()])

    await until(is_listed)
    await schedules.survey(NOTHING)
    assert (await handle.describe()).id == name


async def test_schedules_of_no_task_are_deleted(db: Database, schedules: Schedules, client: Client) -> None:
    planned = await planned_task(db)
    await schedules.apply_wanted()
    await db.pool.execute("DELETE FROM scheduled_task")

    async def is_deleted() -> bool:
        await schedules.survey(NOTHING)
        return await schedules._paused(planned.task) is None

    await until(is_deleted)


async def test_it_fires_at_its_time_and_again_by_hand(db: Database, schedules: Schedules, client: Client) -> None:
    """A real Schedule, a real second: the run is for the planned time, sent once, and the task ends."""
    at = now().replace(microsecond=0) + dt.timedelta(seconds=2)
    planned = await planned_task(db, Cadence(Repeat.ONCE, at=at))
    await schedules.apply_wanted()
    async with working(client, db, CONTROL):
        await until(lambda: is_over(planned, 1))
        (run,) = await planned.run_rows()
        assert (run["planned_at"], run["state"], run["by_hand"]) == (at, "done", False)
        assert run["workflow_id"].startswith(f"scheduled-task/{planned.task}-")
        assert len(await planned.texted()) == 2
        await until(lambda: ended(planned))
    daily = await planned_task(db)
    await schedules.apply_wanted()
    async with working(client, db, CONTROL):
        await handle_of(client, daily).trigger()
        await until(lambda: is_over(daily, 1))
    (run,) = await daily.run_rows()
    assert (run["by_hand"], run["decided_by"], run["state"]) == (True, "temporal-ui", "done")
    assert await schedules._paused(planned.task) is None  # it has ended


async def is_over(planned: Planned, number: int) -> bool:
    runs = await planned.run_rows()
    return len(runs) == number and all(run["ended_at"] for run in runs)


async def ended(planned: Planned) -> bool:
    return bool((await planned.row())["state"] == "ended")


async def test_two_workers_write_one_schedule(db: Database, client: Client) -> None:
    planned = await planned_task(db)
    both = [Schedules(db, client), Schedules(db, client)]
    done = await asyncio.gather(*(each.apply(planned.task) for each in both))
    assert True in done
    row = await planned.row()
    assert row["applied_version"] == row["wanted_version"] and await both[0]._paused(planned.task) is False


async def test_what_temporal_cannot_take_stands_in_nobodys_way(
    db: Database, schedules: Schedules, client: Client
) -> None:
    bad, good = await planned_task(db), await planned_task(db)
    await change(bad, zone="Mars/Olympus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapter, "spec_of", _any_zone)
        await schedules.apply_wanted()
    assert await schedules._paused(bad.task) is None and await schedules._paused(good.task) is False


def _any_zone(row: Any) -> Any:
    return adapter.ScheduleSpec(
        calendars=[adapter.ScheduleCalendarSpec(hour=adapter._each([9]))], time_zone_name=row["zone"]
    )
