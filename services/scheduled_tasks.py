"""Scheduled tasks: create, edit, pause, resume, cancel, run now, decide on late runs, history (seed 发送相关-定时任务).

Every change is durable on return; its Schedule in Temporal follows within about a second, or when Temporal is back.
"""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias
from uuid import UUID

from domain.accounts import Caller
from domain.cadences import Cadence, Repeat, Upcoming, next_time, upcoming
from domain.campaigns import check_new as check_campaign
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.members import Right, require
from domain.scheduled_tasks import (
    MAX_REASON,
    MAX_TASKS,
    OVER,
    Decision,
    MailContent,
    NewTask,
    Rules,
    RunState,
    SmsContent,
    TaskCommand,
    TaskState,
    campaign_of,
    check_new,
    require_allowed,
)
from domain.sms import SmsKind, SmsRequest
from domain.sms_acceptance import check_identity
from domain.sms_hours import next_open
from services.domains import actor
from services.foundation import Foundation
from services.live_feed import LiveFeed, Subject
from store import audit_log, campaign_names, contacts, scheduled_runs, scheduled_tasks, sms_accepting
from store.columns import now
from store.db import Connection
from store.scheduled_tasks import Row, cadence_of, content_of, rules_of

STREAM_SECONDS = 300.0
Values: TypeAlias = Mapping[str, Any]
"""Of a row, by its columns."""
Watched: TypeAlias = tuple[UUID, UUID]
"""Account and task."""


@dataclass(frozen=True)
class Created:
    """`number` is SendCloud's task id. `repeated`: the answer of an earlier request with the same key."""

    id: UUID
    number: int
    repeated: bool = False


@dataclass(frozen=True)
class Checked(Upcoming):
    """The next times, and for marketing by SMS when each of them is really sent."""

    sends_at: tuple[dt.datetime, ...] = ()


@dataclass(frozen=True)
class TaskView:
    """A task with its open or newest run."""

    row: Values
    run: Values | None

    @property
    def id(self) -> UUID:
        return UUID(str(self.row["id"]))

    @property
    def state(self) -> TaskState:
        return TaskState(self.row["state"])

    @property
    def cadence(self) -> Cadence:
        return cadence_of(self.row)

    @property
    def rules(self) -> Rules:
        return rules_of(self.row)

    @property
    def content(self) -> SmsContent | MailContent:
        return content_of(self.row)

    @property
    def is_over(self) -> bool:
        return self.state in OVER and (self.run is None or self.run["ended_at"] is not None)

    def upcoming(self, at: dt.datetime, number: int = 5) -> Upcoming:
        """Its next times while it is active."""
        if self.state not in (TaskState.ACTIVE, TaskState.NEEDS_HUMAN) or self.row["next_at"] is None:
            return Upcoming(())
        return upcoming(self.cadence, max(at, self.row["next_at"] - dt.timedelta(microseconds=1)), number)


class ScheduledTasks:
    """Every method is scoped to the caller's account; another account's ids are "not found"."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._feed = LiveFeed(Subject("scheduled task", self._look, is_over=lambda view: view.is_over))

    async def create(self, caller: Caller, asked: NewTask, *, run_now: bool = False) -> Created:
        """Make a task. `run_now`: it has no time, it runs once, now. Raises `Refusal` with the field that is wrong."""
        require(caller, Right.SEND)
        at = now()
        asked = await self._named(caller, asked)
        checked = at
        if run_now:
            second = at.replace(microsecond=0)
            asked, checked = replace(asked, cadence=Cadence(Repeat.ONCE, at=second)), at - dt.timedelta(seconds=1)
        check_new(asked, checked)
        async with self._base.db.raw() as connection:
            if asked.idempotency_key and (earlier := await self._earlier(connection, caller, asked)):
                return earlier
            if await scheduled_tasks.open_tasks(connection, caller.account_id) >= MAX_TASKS:
                raise Refusal("too_many_tasks", limit=MAX_TASKS)
            await self._check_content(connection, caller, asked, at)
            made = (at, actor(caller))
            first = None if run_now else next_time(asked.cadence, at)
            task = await scheduled_tasks.create(connection, caller.account_id, asked, first, made)
            if task is None:  # the same key, at the same moment: a form that was sent by a double click
                earlier = await self._earlier(connection, caller, asked)
                if earlier is None:
                    raise Refusal("idempotency_reused", field="Idempotency-Key")
                return earlier
            await self._note(connection, caller, "create", task)
            row = await self._locked(connection, caller, task)
            run = await scheduled_runs.enlist(connection, row, at, at, by=actor(caller)) if run_now else None
        if run is not None:
            await self._base.clockwork.start(workflow_id(Kind.SCHEDULED_TASK, run))
        return Created(task, row["number"])

    async def check(self, caller: Caller, asked: NewTask, task: UUID | None = None) -> Checked:
        """The next five times of what `create` would make, or `edit` of `task`; raises what it would refuse. Nothing
        is made."""
        require(caller, Right.SEND)
        asked = await self._named(caller, asked)
        async with self._base.db.raw() as connection:
            row = await scheduled_tasks.find(connection, caller.account_id, task) if task else None
            check_new(asked, None if await _is_under_way(connection, row, asked) else now())
            kind = await self._check_content(connection, caller, asked, now())
        found, hours = upcoming(asked.cadence, now()), self._base.policy.sms_marketing_hours
        sends_at = (next_open(kind, each, hours) for each in found.times) if kind is SmsKind.MARKETING else ()
        return Checked(found.times, found.left_out, tuple(sends_at))

    async def _named(self, caller: Caller, asked: NewTask) -> NewTask:
        """An SMS user's own key stands for its name."""
        content = asked.content
        if not isinstance(content, SmsContent) or content.sms_user or caller.sms_user_id is None:
            return asked
        async with self._base.db.raw() as connection:
            name = await connection.fetchval("SELECT name FROM sms_user WHERE id = $1", caller.sms_user_id)
        return replace(asked, content=replace(content, sms_user=name or ""))

    async def _check_content(
        self, connection: Connection, caller: Caller, asked: NewTask, at: dt.datetime
    ) -> SmsKind | None:
        """Raises the refusal of what it names; the kind of an SMS."""
        content = asked.content
        if isinstance(content, MailContent):
            campaign = campaign_of(asked.name, content, None)
            check_campaign(campaign, at)
            await campaign_names.names_in(connection, caller, campaign)
            return None
        request = SmsRequest(content.sms_user, content.template, (), content.label, content.tag)
        identity = await sms_accepting.identify(connection, caller, request, caller.account_id, at)
        kind = check_identity(identity, caller, request).kind
        if await contacts.find_list(connection, caller.account_id, content.contact_list) is None:
            raise Refusal("contact_list_unknown", field="contact_list", name=content.contact_list[:60])
        return kind

    async def _earlier(self, connection: Connection, caller: Caller, asked: NewTask) -> Created | None:
        key = asked.idempotency_key or ""
        known = await scheduled_tasks.find_by_key(connection, caller.account_id, key)
        if known is None:
            return None
        row = await scheduled_tasks.find(connection, caller.account_id, known)
        if row is None or not _is_repeated(row, asked):
            raise Refusal("idempotency_reused", field="Idempotency-Key")
        return Created(known, row["number"], repeated=True)

    async def get(self, caller: Caller, task: UUID) -> TaskView:
        """One task as it stands now; raises `Refusal("task_not_found")`."""
        async with self._base.db.raw() as connection:
            return await self._view(connection, caller.account_id, task)

    async def get_by_number(self, caller: Caller, number: int) -> TaskView:
        """The same by SendCloud's task id."""
        async with self._base.db.raw() as connection:
            task = await scheduled_tasks.find_by_number(connection, caller.account_id, number)
            if task is None:
                raise Refusal("task_not_found")
            return await self._view(connection, caller.account_id, task)

    async def _view(self, connection: Connection, account: UUID, task: UUID) -> TaskView:
        row = await scheduled_tasks.find(connection, account, task)
        if row is None:
            raise Refusal("task_not_found")
        runs = await scheduled_tasks.last_runs(connection, [task])
        return TaskView(dict(row), dict(runs[task]) if task in runs else None)

    async def page(self, caller: Caller, after: UUID | None, limit: int) -> list[TaskView]:
        """The account's tasks, newest first, older than `after`."""
        async with self._base.db.raw() as connection:
            rows = await scheduled_tasks.page(connection, caller.account_id, after, limit)
            runs = await scheduled_tasks.last_runs(connection, [row["id"] for row in rows])
        return [TaskView(dict(row), dict(runs[row["id"]]) if row["id"] in runs else None) for row in rows]

    async def runs(self, caller: Caller, task: UUID, after: UUID | None, limit: int) -> list[Values]:
        """Its runs, newest first, recorded before `after`."""
        async with self._base.db.raw() as connection:
            await self._view(connection, caller.account_id, task)
            return [dict(row) for row in await scheduled_runs.page(connection, caller.account_id, task, after, limit)]

    async def run(self, caller: Caller, task: UUID, run: UUID) -> Values:
        """One run."""
        async with self._base.db.raw() as connection:
            return dict(await scheduled_runs.find(connection, caller.account_id, task, run))

    async def watch(self, caller: Caller, task: UUID, seconds: float = STREAM_SECONDS) -> AsyncIterator[TaskView]:
        """The task now and at most every second while it changes; ends with it, or after `seconds`."""
        async for found in self._feed.follow((caller.account_id, task), seconds):
            yield found

    async def _look(self, watched: frozenset[Watched]) -> dict[Watched, TaskView]:
        async with self._base.db.raw() as connection:
            return {(account, task): await self._view(connection, account, task) for account, task in watched}

    async def edit(self, caller: Caller, task: UUID, asked: NewTask, version: int) -> TaskView:
        """Change what it sends and when, from the next time on; `version` is the one that was read.

        A run that has begun to send goes on with what it began with.
        """
        require(caller, Right.SEND)
        at = now()
        asked = await self._named(caller, asked)
        async with self._base.db.raw() as connection:
            row = await self._locked(connection, caller, task)
            require_allowed(TaskCommand.EDIT, row["state"])
            if row["version"] != version:
                raise Refusal("task_changed", field="version", current=row["version"])
            if row["channel"] != asked.channel:
                raise Refusal("task_channel", field="channel")
            check_new(asked, None if await _is_under_way(connection, row, asked) else at)
            await self._check_content(connection, caller, asked, at)
            first = row["next_at"] if asked.cadence == cadence_of(row) else next_time(asked.cadence, at)
            await scheduled_tasks.edit(connection, row, asked, first, at)
            if row["state"] == TaskState.NEEDS_HUMAN and row["reason"] == "task_missed":
                await scheduled_tasks.move(connection, task, TaskState.ACTIVE)
            await self._note(connection, caller, TaskCommand.EDIT.value, task)
            return await self._view(connection, caller.account_id, task)

    async def pause(self, caller: Caller, task: UUID, reason: str = "") -> TaskView:
        """Nothing begins at its times, and an open run accepts nothing more, until it is resumed."""
        require(caller, Right.SEND)
        if len(reason.strip()) > MAX_REASON or not reason.strip().isprintable():
            raise Refusal("task_reason", field="reason", limit=MAX_REASON)
        async with self._base.db.raw() as connection:
            row = await self._locked(connection, caller, task)
            require_allowed(TaskCommand.PAUSE, row["state"])
            await scheduled_tasks.move(connection, task, TaskState.PAUSED, reason.strip())
            return await self._done(connection, caller, TaskCommand.PAUSE, task)

    async def resume(self, caller: Caller, task: UUID) -> TaskView:
        """Go on with the times to come, and with a run that was in the way of something: whoever resumes has mended it.

        Times that passed meanwhile are not made up for.
        """
        require(caller, Right.SEND)
        at = now()
        async with self._base.db.raw() as connection:
            row = await self._locked(connection, caller, task)
            require_allowed(TaskCommand.RESUME, row["state"])
            opened = await scheduled_runs.open_runs(connection, task)
            first = next_time(cadence_of(row), at)
            if first is None and not opened:
                raise Refusal("schedule_past", field="at")
            if row["state"] == TaskState.PAUSED:
                await scheduled_tasks.set_next(connection, task, first)
            await scheduled_tasks.move(connection, task, TaskState.ACTIVE)
            for run in opened:
                if run["state"] == RunState.BLOCKED:
                    await scheduled_runs.decide(connection, row, run, Decision.SEND, (at, actor(caller)))
            return await self._done(connection, caller, TaskCommand.RESUME, task)

    async def cancel(self, caller: Caller, task: UUID) -> TaskView:
        """For good: no further time, and what is not accepted yet of an open run is not sent."""
        require(caller, Right.SEND)
        async with self._base.db.raw() as connection:
            row = await self._locked(connection, caller, task)
            require_allowed(TaskCommand.CANCEL, row["state"])
            await scheduled_tasks.move(connection, task, TaskState.CANCELLED)
            await scheduled_tasks.set_next(connection, task, None)
            await scheduled_runs.cancel_open(connection, row, (now(), actor(caller)))
            return await self._done(connection, caller, TaskCommand.CANCEL, task)

    async def run_now(self, caller: Caller, task: UUID) -> TaskView:
        """A run beside its times. Refused while another one is open."""
        require(caller, Right.SEND)
        at = now()
        async with self._base.db.raw() as connection:
            row = await self._locked(connection, caller, task)
            require_allowed(TaskCommand.RUN, row["state"])
            if await scheduled_runs.open_runs(connection, task):
                raise Refusal("task_running")
            if row["state"] == TaskState.NEEDS_HUMAN:
                await scheduled_tasks.move(connection, task, TaskState.ACTIVE, with_schedule=False)
            run = await scheduled_runs.enlist(connection, row, at, at, by=actor(caller))
            view = await self._done(connection, caller, TaskCommand.RUN, task)
        if run is not None:
            await self._base.clockwork.start(workflow_id(Kind.SCHEDULED_TASK, run))
        return view

    async def decide(self, caller: Caller, task: UUID, run: UUID, decision: Decision) -> TaskView:
        """Send or skip a late run; go on with a blocked one, or stop one. Of two who decide, one is refused."""
        require(caller, Right.SEND)
        async with self._base.db.raw() as connection:
            row = await self._locked(connection, caller, task)
            await scheduled_runs.find(connection, caller.account_id, task, run)
            pair = await scheduled_runs.lock(connection, run)
            if pair is None:
                raise Refusal("run_not_found")
            await scheduled_runs.decide(connection, row, pair[1], decision, (now(), actor(caller)))
            about = f"scheduled-run/{run}"
            action = f"scheduled_run.{decision.value}"
            await audit_log.note_on(connection, action, about, caller.account_id, actor(caller))
            return await self._view(connection, caller.account_id, task)

    async def _locked(self, connection: Connection, caller: Caller, task: UUID) -> Any:
        row = await scheduled_tasks.lock(connection, task, caller.account_id)
        if row is None:
            raise Refusal("task_not_found")
        return row

    async def _done(self, connection: Connection, caller: Caller, command: TaskCommand, task: UUID) -> TaskView:
        await self._note(connection, caller, command.value, task)
        await scheduled_runs.nudge_open(connection, task)
        return await self._view(connection, caller.account_id, task)

    async def _note(self, connection: Connection, caller: Caller, what: str, task: UUID) -> None:
        about = f"scheduled-task/{task}"
        await audit_log.note_on(connection, f"scheduled_task.{what}", about, caller.account_id, actor(caller))


async def _is_under_way(connection: Connection, row: Row | None, asked: NewTask) -> bool:
    """Whether an edit leaves the times as they are while a run is open: nobody has to give another time, at which
    everybody would be texted again, to mend what blocks the run."""
    if row is None or asked.cadence != cadence_of(row):
        return False
    return bool(await scheduled_runs.open_runs(connection, row["id"]))


def _is_repeated(row: Row, asked: NewTask) -> bool:
    """Whether this was asked for when the task was made; of one that was edited since only the name is compared."""
    if row["name"] != asked.name.strip() or row["channel"] != asked.channel:
        return False
    made = (content_of(row), cadence_of(row), rules_of(row))
    return row["version"] > 1 or made == (asked.content, asked.cadence, asked.rules)
