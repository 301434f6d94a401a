"""Times that have passed, and ticks that are heard late, twice or in vain: what becomes of them in the rows."""

import asyncio
import datetime as dt
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from domain.cadences import Cadence, Repeat
from domain.ids import Kind, Process
from domain.scheduled_tasks import Fire, Misfire, Overlap, Rules, TaskState
from services.schedules import Schedules
from services.schedules import _Told as schedules_told
from store import scheduled_tasks, scheduled_turns
from store.columns import now
from store.db import Database
from tests.platform_rows import have_platform
from tests.schedule_world import DAILY, Planned, activities, change, make_task, phones, step
from tests.sending_world import VAULT
from tests.webhook_world import POLICY

FIRST = count(60_000_000, 1_000)


@pytest.fixture
async def schedules(db: Database) -> Schedules:
    """Temporal is away: the rows need none."""
    return Schedules(db, await Client.connect("127.0.0.1:1", lazy=True))


async def planned_task(db: Database, cadence: Cadence = DAILY, **options: Any) -> Planned:
    return await make_task(db, phones(2, next(FIRST)), cadence=cadence, **options)


async def move(planned: Planned, state: TaskState) -> None:
    async with planned.db.raw() as connection:
        await scheduled_tasks.move(connection, planned.task, state)


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


async def test_a_zone_that_is_no_more_stands_in_nobodys_way(db: Database, schedules: Schedules) -> None:
    """As when a machine gets another release of Debian, without `tzdata-legacy`."""
    lost, good = await planned_task(db), await planned_task(db)
    await change(lost, next_at=now() - dt.timedelta(minutes=9), zone="Mars/Olympus")
    await passed(good, 5)
    assert await schedules.make_up() == 1 and len(await good.run_rows()) == 1
    told = schedules_told(False, ())
    assert not told.differs(await lost.row(), now())


@pytest.mark.parametrize("is_tick", [False, True])
async def test_one_that_was_missed_for_too_long_needs_a_person(
    db: Database, schedules: Schedules, is_tick: bool
) -> None:
    """Whatever the rule for late runs says. Its owner is told."""
    await have_platform(db, VAULT, POLICY)
    planned = await planned_task(db, rules=Rules(misfire=Misfire.SEND))
    at = await passed(planned, 90)
    run = await fire(planned, at, version=1, at=now()) if is_tick else await schedules.make_up()
    assert run is not None
    await looked_at(planned)
    (kept,) = await planned.run_rows()
    assert (kept["planned_at"], kept["state"], kept["reason"]) == (at, "skipped", "missed")
    row = await planned.row()
    assert (row["state"], row["reason"], row["next_at"]) == ("needs_human", "task_missed", None)
    await looked_at(planned)
    assert await db.pool.fetchval("SELECT count(*) FROM submission WHERE label = 'scheduled-run-blocked'") == 1


async def looked_at(planned: Planned) -> None:
    """As the process of its newest run does."""
    *_, run = await planned.run_rows()
    process = Process(Kind.SCHEDULED_TASK, str(run["id"]), str(planned.customer.account), 1)
    await ActivityEnvironment().run(activities(planned.db).look, step(process))


async def test_a_run_that_could_not_begin_for_hours_is_missed(db: Database, schedules: Schedules) -> None:
    """The rows gave it its run at its time; Temporal came back too late. One that waited its turn is late, no more."""
    planned = await planned_task(db, rules=Rules(misfire=Misfire.SEND))
    await planned.run_for(now() - dt.timedelta(hours=3))
    await looked_at(planned)
    await planned.run_for(now() - dt.timedelta(hours=2))
    await db.pool.execute(
        "UPDATE scheduled_run SET recorded_at = planned_at, reason = '', ended_at = now() WHERE ended_at IS NOT NULL"
    )
    await looked_at(planned)
    assert [run["state"] for run in await planned.run_rows()] == ["skipped", "sending"]


async def test_after_a_long_outage_a_daily_task_goes_on(db: Database, schedules: Schedules) -> None:
    planned = await planned_task(db)
    yesterday = (await planned.row())["next_at"] - dt.timedelta(days=3)
    await change(planned, next_at=yesterday)
    await schedules.make_up()
    runs = await planned.run_rows()
    assert {run["state"] for run in runs[:-1]} == {"skipped"} and len(runs) in (2, 3)
    assert (await planned.row())["next_at"] > now()


HOURLY = Cadence(Repeat.CRON, cron="0 * * * *")


async def test_ticks_that_are_heard_late_are_one_run(db: Database, schedules: Schedules) -> None:
    """The workers were away for hours, Temporal was not: its first tick waits, the next one is buffered."""
    planned = await planned_task(db, HOURLY, rules=Rules(catch_up=1440, misfire=Misfire.SEND))
    last = now().replace(minute=0, second=0, microsecond=0)
    first = last - dt.timedelta(hours=3)
    await change(planned, next_at=first)
    run = await fire(planned, first, version=1, name="first", at=now())
    assert run is not None
    assert await fire(planned, first, version=1, name="first", at=now()) == run  # tried again
    runs = await planned.run_rows()
    assert [(each["state"], each["reason"]) for each in runs] == [("skipped", "missed")] * 3 + [("waiting", "")]
    assert (runs[-1]["id"], runs[-1]["planned_at"]) == (run, last)
    await db.pool.execute("UPDATE scheduled_run SET state = 'done', ended_at = now() WHERE id = $1", run)
    assert await fire(planned, first + dt.timedelta(hours=1), version=1, name="second", at=now()) is None
    assert await schedules.make_up() == 0 and len(await planned.run_rows()) == 4


async def test_of_times_beside_a_long_run_one_is_run(db: Database, schedules: Schedules) -> None:
    """The buffered tick is the first of them; the others are not made up for after it."""
    planned = await planned_task(db, HOURLY, rules=Rules(Overlap.BUFFER_ONE, catch_up=1440))
    first = now().replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=3)
    await planned.run_for(first - dt.timedelta(hours=1))
    await db.pool.execute(
        "UPDATE scheduled_run SET recorded_at = planned_at, state = 'done', ended_at = now() WHERE task_id = $1",
        planned.task,
    )
    await change(planned, next_at=first)
    assert await fire(planned, first, version=1, at=now()) is not None
    assert [run["reason"] for run in await planned.run_rows()] == ["", "overlap", "overlap", "overlap", ""]
    await db.pool.execute("UPDATE scheduled_run SET state = 'done', ended_at = now() WHERE ended_at IS NULL")
    assert await schedules.make_up() == 0


async def test_one_that_waits_for_an_answer_is_open(db: Database, schedules: Schedules) -> None:
    """A time beside it is skipped by the rule, also when the run was sent after it."""
    planned = await planned_task(db, HOURLY, rules=Rules(Overlap.SKIP))
    beside = now().replace(minute=0, second=0, microsecond=0)
    await planned.run_for(beside - dt.timedelta(hours=1))
    await db.pool.execute(
        "UPDATE scheduled_run SET recorded_at = planned_at, asked_at = planned_at, started_at = now(), state = 'done',"
        " ended_at = now() WHERE task_id = $1",
        planned.task,
    )
    await change(planned, next_at=beside)
    assert await fire(planned, beside, version=1, at=now()) is None
    assert [run["reason"] for run in await planned.run_rows()] == ["", "overlap"]


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


async def fire(
    planned: Planned, planned_for: dt.datetime, version: int = 2, name: str = "w", at: dt.datetime | None = None
) -> object:
    """`at`: when it is heard; at its time."""
    said = replace(fired_at(planned, planned_for, name, version), now=at or planned_for)
    async with planned.db.raw() as connection:
        return await scheduled_turns.fired(connection, await scheduled_tasks.lock(connection, planned.task), said)


async def test_beside_a_run_that_was_started_by_hand(db: Database, schedules: Schedules) -> None:
    """Temporal does not know of it, so the rows keep the rule of overlaps."""
    for overlap, state in ((Overlap.SKIP, "skipped"), (Overlap.BUFFER_ONE, "waiting")):
        planned = await planned_task(db, rules=Rules(overlap))
        first = (await planned.row())["next_at"]
        await planned.run_for(now(), by="member/x")
        await fire(planned, first, version=1)
        await fire(planned, first + dt.timedelta(days=1), version=1, name="next")
        runs = await planned.run_rows()
        assert [run["state"] for run in runs] == ["waiting", state, "skipped"]
        assert runs[-1]["reason"] == "overlap"
