"""What the process of one run of a scheduled task does: its place in the rows, whether it is late, sending, its end."""

import datetime as dt
import time
from uuid import UUID

from temporalio import activity

from activities import news
from activities.scheduled_sending import send_some
from domain.cadences import Repeat
from domain.channels import Channel
from domain.errors import Refusal
from domain.ids import Process
from domain.notices import Notice
from domain.policy import Policy
from domain.refusals import REFUSALS, explain
from domain.scheduled_tasks import (
    ASKED_FOR,
    OVER,
    REMIND_AFTER,
    Fire,
    Misfire,
    OrderResult,
    RunLook,
    RunOrderStep,
    RunState,
    RunStep,
    TaskState,
    Why,
    is_late,
)
from domain.sms_acceptance import SmsTerms
from domain.times import told
from store import audit_log, clockwork, scheduled_runs, scheduled_tasks, scheduled_turns
from store.accepting import ping_relay
from store.db import Connection, Database
from store.scheduled_tasks import Row, rules_of
from store.webhooks import owner_of

STRETCH = 8.0
"""Seconds after which one activity begins no further chunk."""
TURN_LOOK = dt.timedelta(minutes=10)
"""Between two looks whether an earlier run is over, should its nudge be lost."""


class ScheduledTaskActivities:
    """Every method raises `StaleEpoch` when the database was restored after the process began."""

    def __init__(self, db: Database, policy: Policy) -> None:
        self._db = db
        self._policy = policy

    @activity.defn(name="ScheduledTaskActivities.open")
    async def open(self, fire: Fire) -> RunLook:
        """The run that this workflow is for: recorded now for its planned time, or by the rows that started it."""
        await self._require_epoch(fire.process)
        subject = UUID(fire.process.subject)
        async with self._db.raw() as connection:
            found = await scheduled_runs.lock(connection, subject) if fire.planned is None else None
            task = found[0] if found else await scheduled_tasks.lock(connection, subject)
            if task is None:
                return RunLook()
            run = found[1]["id"] if found else await scheduled_turns.fired(connection, task, fire)
            if run is None:
                await scheduled_turns.finish(connection, await scheduled_tasks.lock(connection, task["id"]))
                return RunLook()
            pair = await scheduled_runs.lock(connection, run)
            return self._seen(*pair, fire.now) if pair else RunLook()

    @activity.defn(name="ScheduledTaskActivities.look")
    async def look(self, step: RunStep) -> RunLook:
        """Take its turn, find out whether it is late, give up waiting for an answer: whatever the rows ask for."""
        await self._require_epoch(step.process)
        async with self._db.raw() as connection:
            pair = await scheduled_runs.lock(connection, UUID(step.run))
            if pair is None:
                return RunLook()
            if await self._turn(connection, *pair, step.now):
                pair = await scheduled_runs.lock(connection, UUID(step.run)) or pair
        await self._tell(*pair, step.now)
        return self._seen(*pair, step.now)

    async def _turn(self, connection: Connection, task: Row, run: Row, now: dt.datetime) -> bool:
        """Whether the run's state was moved on."""
        state, move = RunState(run["state"]), scheduled_runs.move
        if state is RunState.ASKED and run["expires_at"] <= now:
            await move(connection, run["id"], RunState.SKIPPED, now, Why.UNANSWERED.value)
            return True
        if state is not RunState.WAITING or task["state"] == TaskState.PAUSED:
            return False
        if TaskState(task["state"]) in OVER:
            await move(connection, run["id"], RunState.SKIPPED, now, Why.DECIDED.value)
            return True
        first, *_ = await scheduled_runs.open_runs(connection, task["id"])
        if first["id"] != run["id"]:
            return False
        await self._begin(connection, task, run, now)
        return True

    async def _begin(self, connection: Connection, task: Row, run: Row, now: dt.datetime) -> None:
        rules = rules_of(task)
        if await scheduled_turns.is_missed(connection, task, run, now):
            await scheduled_runs.move(connection, run["id"], RunState.SKIPPED, now, Why.MISSED.value)
            if task["repeat"] == Repeat.ONCE:
                await scheduled_turns.need_another_time(connection, task, run["planned_at"])
        elif run["by_hand"] or not is_late(run["planned_at"], now, rules.late) or rules.misfire is Misfire.SEND:
            await scheduled_runs.move(connection, run["id"], RunState.SENDING, now)
        elif rules.misfire is Misfire.SKIP:
            await scheduled_runs.move(connection, run["id"], RunState.SKIPPED, now, Why.LATE.value)
        else:
            expires = now + ASKED_FOR / self._policy.time_scale
            await scheduled_runs.move(connection, run["id"], RunState.ASKED, now, expires=expires)

    @activity.defn(name="ScheduledTaskActivities.send")
    async def send(self, step: RunStep) -> RunLook:
        """Chunk after chunk for some seconds, each in one transaction with its checkpoint: killed at any moment, the
        next attempt sends no chunk twice and leaves none out."""
        await self._require_epoch(step.process)
        until = time.monotonic() + STRETCH
        while True:
            look, goes_on = await self._piece(step)
            activity.heartbeat(look.listed)
            if not goes_on or time.monotonic() >= until:
                return look

    async def _piece(self, step: RunStep) -> tuple[RunLook, bool]:
        """What the rows say after the next piece; whether there may be another one."""
        async with self._db.raw() as connection:
            pair = await scheduled_runs.lock(connection, UUID(step.run))
            if pair is None or pair[1]["state"] != RunState.SENDING or pair[0]["state"] == TaskState.PAUSED:
                return (self._seen(*pair, step.now) if pair else RunLook()), False
            task, run = pair
            now = max(step.now, dt.datetime.now(dt.UTC))
            try:
                async with connection.transaction():
                    await send_some(connection, task, run, now, SmsTerms.of(self._policy))
            except Refusal as refusal:
                await self._block(connection, task, run, refusal, now)
            pair = await scheduled_runs.lock(connection, run["id"]) or pair
        if pair[1]["accepted"] > run["accepted"]:
            await ping_relay(self._db)
        return self._seen(*pair, step.now), pair[1]["state"] == RunState.SENDING

    async def _block(
        self, connection: Connection, task: Row, run: Row, refusal: Refusal, now: dt.datetime
    ) -> None:  # fmt: skip
        await scheduled_runs.move(connection, run["id"], RunState.BLOCKED, now, refusal.code, refusal.params)
        params = refusal.params
        await scheduled_tasks.move(
            connection, task["id"], TaskState.NEEDS_HUMAN, refusal.code, params, with_schedule=False
        )

    @activity.defn(name="ScheduledTaskActivities.decide")
    async def decide(self, order: RunOrderStep) -> OrderResult:
        """What an operator decided in the Temporal UI: the same compare-and-set as behind the API."""
        await self._require_epoch(order.step.process)
        by = "temporal-ui"
        async with self._db.raw() as connection:
            pair = await scheduled_runs.lock(connection, UUID(order.step.run))
            if pair is None:
                return OrderResult(RunState.SKIPPED.value, "run_not_found")
            task, run = pair
            try:
                to = await scheduled_runs.decide(connection, task, run, order.decision, (order.step.now, by))
            except Refusal as refusal:
                if activity.info().attempt > 1:  # the attempt before may have done it, and its answer was lost
                    return OrderResult(run["state"])
                return OrderResult(run["state"], refusal.code, explain(refusal, "en")[1])
            about = f"scheduled-run/{run['id']}"
            await audit_log.note_on(connection, f"scheduled_run.{order.decision.value}", about, task["account_id"], by)
        return OrderResult(to.value)

    @activity.defn(name="ScheduledTaskActivities.close")
    async def close(self, step: RunStep) -> None:
        """Note that the process ended by itself; with its last run the task ends."""
        async with self._db.raw() as connection:
            await scheduled_turns.close(connection, UUID(step.run), step.workflow_id)

    async def _tell(self, task: Row, run: Row, now: dt.datetime) -> None:
        """Mail the owner what waits for a person: once when it begins to, once more halfway. Repeats are harmless."""
        if run["state"] == RunState.ASKED:
            again = now >= run["asked_at"] + REMIND_AFTER / self._policy.time_scale
            key = f"scheduled-run/{run['id']}/{'again' if again else 'asked'}"
            await self._mail(Notice.SCHEDULED_RUN_LATE, task, run, key)
        elif run["state"] == RunState.BLOCKED:
            key = f"scheduled-run/{run['id']}/{run['reason']}/{run['listed']}"
            await self._mail(Notice.SCHEDULED_RUN_BLOCKED, task, run, key)
        elif run["reason"] == Why.MISSED and task["reason"] == "task_missed":
            await self._mail(Notice.SCHEDULED_RUN_BLOCKED, task, run, f"scheduled-run/{run['id']}/missed")

    async def _mail(self, notice: Notice, task: Row, run: Row, key: str) -> None:
        async with self._db.read() as session:
            owner = await owner_of(session, task["account_id"])
        if owner is None:
            return
        told_by = (run, task) if task["state"] == TaskState.NEEDS_HUMAN else (run,)
        why = next((each for each in told_by if each["reason"] in REFUSALS), None)
        said = explain(Refusal(why["reason"], **why["reason_params"]), owner.language)[1] if why else ""
        variables = {
            "platform": self._policy.platform_name, "name": task["name"], "time": told(run["planned_at"]),
            "until": told(run["expires_at"]) if run["expires_at"] else "", "why": said,
            "link": f"{self._policy.public_url}/portal/scheduled-tasks/{task['id']}",
        }  # fmt: skip
        await news.tell(self._db, notice, owner.email, owner.language, variables, key)

    def _seen(self, task: Row, run: Row, now: dt.datetime) -> RunLook:
        """As the workflow sees it."""
        wakes = None
        if run["state"] == RunState.WAITING and task["state"] != TaskState.PAUSED:
            wakes = now + TURN_LOOK
        elif run["state"] == RunState.ASKED:
            reminds = run["asked_at"] + REMIND_AFTER / self._policy.time_scale
            wakes = reminds if now < reminds else run["expires_at"]
        return RunLook(
            str(run["id"]), RunState(run["state"]), Channel(task["channel"]), run["planned_at"],
            task["state"] == TaskState.PAUSED, wakes, run["reason"], run["listed"], run["accepted"], run["refused"],
        )  # fmt: skip

    async def _require_epoch(self, process: Process) -> None:
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
