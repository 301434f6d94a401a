"""Rows and Temporal's Schedules, on a real server: what is written, fires, is noticed, is made up for."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from temporalio.client import Client, ScheduleHandle
from temporalio.testing import WorkflowEnvironment

from domain.cadences import Cadence, Repeat, shown_before, upcoming
from domain.ids import Kind, Process
from domain.queues import CONTROL
from domain.scheduled_tasks import Fire, Misfire, Overlap, Rules, TaskState
from services import schedules as adapter
from services.schedules import Schedules, schedule_id
from store import scheduled_tasks, scheduled_turns
from store.columns import now
from store.db import Database
from tests.patience import until
from tests.schedule_world import DAILY, Planned, make_task, phones, working

NOTHING = dt.timedelta()
FIRST = count(50_000_000, 1_000)


@pytest.fixture
async def client(dev_temporal: WorkflowEnvironment) -> AsyncIterator[Client]:
    """Schedules that a test made are gone after it: they would go on for ever."""
    yield dev_temporal.client
    async for entry in await dev_temporal.client.list_schedules():
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


async def change(planned: Planned, **values: object) -> None:
    """What the row says, without asking the service."""
    for name, value in values.items():
        await planned.db.pool.execute(f"UPDATE scheduled_task SET {name} = $2 WHERE id = $1", planned.task, value)


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


async def passed(planned: Planned, minutes: int) -> dt.datetime:
    """Its next time was so long ago, and nothing ran."""
    at = (now() - dt.timedelta(minutes=minutes)).replace(second=0, microsecond=0)
    await change(planned, next_at=at, repeat="once", cadence={"at": at.isoformat()})
    return at


async def test_a_time_that_nothing_fired_for_is_run_by_the_rows(db: Database, schedules: Schedules) -> None:
    planned = await planned_task(db)
    at = await passed(planned, 20)
    assert [await schedules.make_up(), await schedules.make_up()] == [1, 0]
    (run,) = await planned.run_rows()
    assert (run["planned_at"], run["state"]) == (at, "waiting")
    waits = await db.pool.fetchval(
        "SELECT started_at IS NULL FROM clockwork WHERE workflow_id = $1", run["workflow_id"]
    )
    assert waits


async def test_one_that_was_missed_for_too_long_needs_a_person(db: Database, schedules: Schedules) -> None:
    planned = await planned_task(db, rules=Rules(misfire=Misfire.SEND))
    await passed(planned, 90)
    assert await schedules.make_up() == 0
    (run,) = await planned.run_rows()
    assert (run["state"], run["reason"]) == ("skipped", "missed")
    row = await planned.row()
    assert (row["state"], row["reason"]) == ("needs_human", "task_missed")


async def test_after_a_long_outage_a_daily_task_goes_on(db: Database, schedules: Schedules) -> None:
    planned = await planned_task(db)
    yesterday = (await planned.row())["next_at"] - dt.timedelta(days=3)
    await change(planned, next_at=yesterday)
    await schedules.make_up()
    runs = await planned.run_rows()
    assert {run["state"] for run in runs[:-1]} == {"skipped"} and len(runs) in (2, 3)
    assert (await planned.row())["next_at"] > now()


async def test_before_the_grace_is_over_temporal_has_its_chance(db: Database, schedules: Schedules) -> None:
    planned = await planned_task(db)
    await change(planned, next_at=now() - dt.timedelta(seconds=30))
    assert await schedules.make_up() == 0 and not await planned.run_rows()


async def test_racing_for_one_time_there_is_one_run(db: Database, schedules: Schedules) -> None:
    """Two reconcile loops and two workflows of the Schedule."""
    planned = await planned_task(db)
    at = await passed(planned, 5)

    async def fire(name: str) -> object:
        async with db.raw() as connection:
            row = await scheduled_tasks.lock(connection, planned.task)
            return await scheduled_turns.fired(connection, row, fired_at(planned, at, name))

    await asyncio.gather(fire("a"), schedules.make_up(), fire("b"), Schedules(db, schedules._client).make_up())
    assert len(await planned.run_rows()) == 1


def fired_at(planned: Planned, at: dt.datetime, name: str, version: int = 1) -> Fire:
    process = Process(Kind.SCHEDULED_TASK, str(planned.task), str(planned.customer.account), 1)
    return Fire(process, f"scheduled-task/{planned.task}-{name}", now(), at, version)


async def test_what_a_schedule_fires_in_vain(db: Database, schedules: Schedules) -> None:
    """Of an older version, while it is paused, twice, or when the clock shows the time again: nothing is sent."""
    new_york = Cadence(Repeat.DAILY, "America/New_York", time=dt.time(1, 30))
    planned = await planned_task(db, new_york)
    first = dt.datetime(2027, 11, 7, 5, 30, tzinfo=dt.UTC)
    await change(planned, next_at=first, version=2)
    assert await fire(planned, first + dt.timedelta(hours=3), version=1) is None  # the time of the version before
    assert await fire(planned, first + dt.timedelta(hours=1), version=2) is None  # 01:30 again
    assert await fire(planned, first, version=1) is not None  # a time of both versions
    assert await fire(planned, first, name="again") is None
    assert (await planned.row())["next_at"] == first + dt.timedelta(hours=25)
    await move(planned, TaskState.PAUSED)
    assert await fire(planned, first + dt.timedelta(hours=25), name="paused") is None
    runs = await planned.run_rows()
    assert [(run["state"], run["reason"]) for run in runs] == [("waiting", ""), ("skipped", "paused")]


async def fire(planned: Planned, at: dt.datetime, version: int = 2, name: str = "w") -> object:
    said = replace(fired_at(planned, at, name, version), now=at)
    async with planned.db.raw() as connection:
        return await scheduled_turns.fired(connection, await scheduled_tasks.lock(connection, planned.task), said)


async def test_beside_a_run_that_was_started_by_hand(db: Database, schedules: Schedules) -> None:
    """Temporal does not know of it, so the rows keep the rule of overlaps."""
    for overlap, state in ((Overlap.SKIP, "skipped"), (Overlap.BUFFER_ONE, "waiting")):
        planned = await planned_task(db, rules=Rules(overlap))
        first = (await planned.row())["next_at"]
        await planned.run_for(now(), by="member/x")
        await fire(planned, first, version=1)
        await fire(planned, first + dt.timedelta(days=1), version=1)
        runs = await planned.run_rows()
        assert [run["state"] for run in runs] == ["waiting", state, "skipped"]
        assert runs[-1]["reason"] == "overlap"
