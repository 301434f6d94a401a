"""Temporal Schedules follow the rows of scheduled tasks: rows are written first, and this brings Temporal after them.

A person who pauses or unpauses a Schedule in the Temporal UI is heard: the row takes it over. Times that are changed
there are written over within about a minute; whatever else is changed lasts until the task is changed here.
"""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from domain.cadences import Repeat, fields_of, next_time, shown_before, zone_names
from domain.errors import Refusal
from domain.ids import Kind, Process, workflow_id
from domain.queues import CONTROL
from domain.scheduled_tasks import OVER, Overlap, TaskState
from store import audit_log, schedule_states, scheduled_runs, scheduled_tasks, scheduled_turns
from store.columns import now
from store.db import Database
from store.scheduled_tasks import Row, cadence_of
from workflows import visibility
from workflows.scheduled_task import VERSION

log = structlog.get_logger(__name__)

PREFIX = "schedule/"
DEADLINE = dt.timedelta(seconds=2)
GRACE = dt.timedelta(seconds=60)
"""A planned time without a run after so long is taken up by the rows: Temporal starts runs within a second."""
SURVEY_EVERY = 60.0
"""Seconds between two comparisons of all Schedules with the rows; Temporal's list lags by seconds."""
ASIDE_SECONDS = 60.0
UI = "temporal-ui"
"""Who did it, for the audit log: nobody is signed in there."""
OVERLAPS = {Overlap.SKIP: ScheduleOverlapPolicy.SKIP, Overlap.BUFFER_ONE: ScheduleOverlapPolicy.BUFFER_ONE}
_THIS_ONE_ALONE = (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.OUT_OF_RANGE)


def schedule_id(task: UUID) -> str:
    return f"{PREFIX}{task}"


def task_of(name: str) -> UUID | None:
    """Whose Schedule this is; None: not one of ours, whatever an operator called it."""
    with contextlib.suppress(ValueError):
        task = UUID(name.removeprefix(PREFIX))
        return task if name == schedule_id(task) else None
    return None


@dataclass(frozen=True)
class _Told:
    """What Temporal says of a Schedule."""

    is_paused: bool
    times: tuple[dt.datetime, ...]

    def differs(self, row: Row, at: dt.datetime) -> bool:
        """Whether it fires next at another time than the row says: somebody changed it in the Temporal UI."""
        if self.is_paused or row["zone"] not in zone_names():
            return False
        coming = (each for each in self.times if each > at and shown_before(each, row["zone"]) is None)
        return next(coming, None) != next_time(cadence_of(row), at)


def _differs_from(row: Row) -> Callable[[_Told | None], bool]:
    return lambda told: told is not None and told.differs(row, now())


class Schedules:
    """The one place that writes Schedules."""

    def __init__(self, db: Database, client: Client, grace: dt.timedelta = GRACE) -> None:
        self._db = db
        self._client = client
        self._grace = grace
        self._aside: dict[UUID, float] = {}
        self._surveyed = 0.0

    async def apply_wanted(self) -> int:
        """Bring the Schedules of changed tasks up to date; returns how many were. Raises when Temporal is away."""
        self._aside = {task: until for task, until in self._aside.items() if until > time.monotonic()}
        async with self._db.raw() as connection:
            wanted = await schedule_states.unapplied(connection, self._aside.keys())
        done = 0
        for task in wanted:
            try:
                done += await self.apply(task)
            except RPCError as error:
                if error.status not in _THIS_ONE_ALONE:
                    raise
                log.warning("schedule_set_aside", task=str(task), why=error.status.name)
                self._aside[task] = time.monotonic() + ASIDE_SECONDS
        return done

    async def apply(self, task: UUID) -> bool:
        """Bring one Schedule to what its row says now. False: somebody else is at it. Raises when Temporal is away."""
        async with self._db.raw() as connection:
            found = await schedule_states.read(connection, task)
            if found is None:
                return False
            row, epoch = found
            if TaskState(row["state"]) in OVER:
                await self._delete(schedule_id(task))
            else:
                await self._write(row, epoch)
            await schedule_states.stamp(connection, task, row["wanted_version"], epoch)
        return True

    async def _write(self, row: Row, epoch: int) -> None:
        name, wanted = schedule_id(row["id"]), schedule_of(row, epoch)
        account = TypedSearchAttributes([SearchAttributePair(visibility.ACCOUNT, str(row["account_id"]))])
        try:
            await self._client.create_schedule(
                name, wanted, memo={"task": str(row["id"]), "channel": row["channel"]}, search_attributes=account,
                rpc_timeout=DEADLINE,
            )  # fmt: skip
        except ScheduleAlreadyRunningError:
            handle = self._client.get_schedule_handle(name)
            await handle.update(lambda _: ScheduleUpdate(wanted), rpc_timeout=DEADLINE)

    async def _delete(self, name: str) -> None:
        try:
            await self._client.get_schedule_handle(name).delete(rpc_timeout=DEADLINE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def make_up(self) -> int:
        """Give runs to planned times that passed without one; returns how many. Needs no Temporal."""
        at = now()
        async with self._db.raw() as connection:
            passed = await scheduled_tasks.passed(connection, at - self._grace)
        made = 0
        for task in passed:
            try:
                async with self._db.raw() as connection:
                    made += await scheduled_turns.make_up(connection, task, at - self._grace, at) is not None
            except Refusal as refusal:  # a zone whose data is not on this machine; the other tasks do not wait for it
                log.warning("schedule_unreadable", task=str(task), why=refusal.code)
        return made

    async def survey_now_and_then(self) -> None:
        """`survey`, once a minute."""
        if time.monotonic() - self._surveyed >= SURVEY_EVERY:
            self._surveyed = time.monotonic()  # also when it fails: the loop's others do not wait for it each second
            await self.survey()

    async def survey(self, lag: dt.timedelta = dt.timedelta(seconds=30)) -> None:
        """Compare all Schedules with the rows: missing ones are made anew, those of no task are deleted, a pause or its
        end that somebody set in the Temporal UI is taken over, and other times are written over. `lag`: what changed so
        lately is not looked at.
        """
        async with self._db.raw() as connection:
            rows = await schedule_states.settled(connection, now() - lag)
        listed = await self._listed()
        for task in rows.keys() - listed.keys():
            await self._anew(task, "schedule_missing", lambda found: found is None)
        for task in rows.keys() & listed.keys():
            if listed[task].is_paused != (rows[task]["state"] == TaskState.PAUSED):
                await self._take_over(task)
            elif listed[task].differs(rows[task], now()):
                await self._anew(task, "schedule_times_changed", _differs_from(rows[task]))
        async with self._db.raw() as connection:
            living = await schedule_states.living(connection, listed.keys())
        for task in listed.keys() - living:
            await self._delete(schedule_id(task))

    async def _listed(self) -> dict[UUID, _Told]:
        """What Temporal's list says of each Schedule of ours, by its task."""
        found: dict[UUID, _Told] = {}
        async for entry in await self._client.list_schedules(rpc_timeout=DEADLINE * 2):
            task = task_of(entry.id)
            if task is not None and entry.schedule is not None:
                times = entry.info.next_action_times if entry.info else ()
                found[task] = _Told(entry.schedule.state.paused, tuple(times))
        return found

    async def _anew(self, task: UUID, why: str, is_so: Callable[[_Told | None], bool]) -> None:
        """Have a Schedule written again, when it is as the list said, which lags."""
        if is_so(await self._told(task)):
            log.warning(why, task=str(task))
            async with self._db.raw() as connection:
                await schedule_states.forget(connection, task)

    async def _told(self, task: UUID) -> _Told | None:
        """What Temporal says of one Schedule itself; None: there is none."""
        try:
            found = await self._client.get_schedule_handle(schedule_id(task)).describe(rpc_timeout=DEADLINE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return _Told(found.schedule.state.paused, tuple(found.info.next_action_times))

    async def _paused(self, task: UUID) -> bool | None:
        """Whether it is paused; None: there is none."""
        told = await self._told(task)
        return told.is_paused if told else None

    async def _take_over(self, task: UUID) -> None:
        paused = await self._paused(task)
        async with self._db.raw() as connection:
            row = await scheduled_tasks.lock(connection, task)
            if row is None or paused is None or row["applied_version"] < row["wanted_version"]:
                return
            if TaskState(row["state"]) in OVER or paused == (row["state"] == TaskState.PAUSED):
                return
            to = TaskState.PAUSED if paused else TaskState.ACTIVE
            await scheduled_tasks.move(connection, task, to, UI if paused else "", with_schedule=False)
            if not paused:
                await scheduled_turns.go_on(connection, row, now())
            action = f"scheduled_task.{'pause' if paused else 'resume'}"
            await audit_log.note_on(connection, action, f"scheduled-task/{task}", row["account_id"], UI)
            await scheduled_runs.nudge_open(connection, task)


def schedule_of(row: Row, epoch: int) -> Schedule:
    """What Temporal is told of a task: when, how, and which workflow; ids only."""
    process = Process(Kind.SCHEDULED_TASK, str(row["id"]), str(row["account_id"]), epoch)
    action = ScheduleActionStartWorkflow(
        "ScheduledTask",
        process,
        id=workflow_id(Kind.SCHEDULED_TASK, row["id"]),
        task_queue=CONTROL,
        memo={VERSION: row["version"]},
        typed_search_attributes=visibility.at_start(str(row["account_id"])),
        static_summary="Scheduled task: one run",
    )
    is_paused = row["state"] == TaskState.PAUSED
    note = f"{row['channel']}, {row['repeat']}, version {row['version']}{': paused in Songda' if is_paused else ''}"
    policy = SchedulePolicy(
        overlap=OVERLAPS[Overlap(row["overlap"])], catchup_window=dt.timedelta(minutes=row["catch_up"])
    )
    return Schedule(
        action=action, spec=spec_of(row), policy=policy, state=ScheduleState(note=note, paused=is_paused)
    )  # fmt: skip


def spec_of(row: Row) -> ScheduleSpec:
    """The task's times as Temporal writes them."""
    cadence = cadence_of(row)
    if cadence.repeat is Repeat.ONCE and cadence.at is not None:
        at = cadence.at.astimezone(dt.UTC)
        single = ScheduleCalendarSpec(
            second=_each([at.second]), minute=_each([at.minute]), hour=_each([at.hour]), day_of_month=_each([at.day]),
            month=_each([at.month]), year=_each([at.year]),
        )  # fmt: skip
        return ScheduleSpec(calendars=[single], time_zone_name="UTC")
    fields = fields_of(cadence)
    calendar = ScheduleCalendarSpec(
        minute=_each([fields.minute]), hour=_each(fields.hours), day_of_month=_each(fields.days),
        month=_each(fields.months), day_of_week=_each(fields.weekdays),
    )  # fmt: skip
    return ScheduleSpec(
        calendars=[calendar], start_at=cadence.starts_at, end_at=cadence.ends_at, time_zone_name=cadence.zone
    )


def _each(numbers: Sequence[int]) -> list[ScheduleRange]:
    return [ScheduleRange(number) for number in numbers]
