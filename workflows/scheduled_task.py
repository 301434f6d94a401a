"""One run of a scheduled task: started by its Temporal Schedule at its time, or by rows (by hand, or made up for).

The row of the run holds how far it has come; this takes its turn, waits for people, and asks for chunk after chunk.
"""

import contextlib
from datetime import datetime

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

from activities.scheduled_tasks import ScheduledTaskActivities
from domain.ids import Process
from domain.scheduled_tasks import (
    DECIDABLE,
    Fire,
    OrderResult,
    RunLook,
    RunOrder,
    RunOrderStep,
    RunState,
    RunStep,
)
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES, OUTWARD

SCHEDULED_FOR = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""What a Schedule says of a workflow that it starts: the planned time, not when it came to it."""
VERSION = "version"
"""In the memo: of the task, when its Schedule was written."""
LONGEST_HISTORY = 2_000


@workflow.defn(name="ScheduledTask")
class ScheduledTask:
    """`scheduled-task/{task}-{time}` of a Schedule, `scheduled-task/{run}` of rows. Signal `nudge`: rows changed."""

    @workflow.init
    def __init__(self, process: Process) -> None:
        self._process = process
        self._seen = RunLook()
        self._nudges = 0
        self._looked_at = 0
        self._shown: tuple[RunState, bool, datetime | None] | None = None

    @workflow.signal(description="Look at the rows again")
    def nudge(self) -> None:
        self._nudges += 1

    @workflow.query(description="State, and contacts gone through, accepted and refused, at the last look")
    def progress(self) -> RunLook:
        return self._seen

    @workflow.update(description="send: send a late run, or go on with a blocked one. skip: send nothing (more) of it")
    async def decide(self, order: RunOrder) -> OrderResult:
        result = await workflow.execute_activity_method(
            ScheduledTaskActivities.decide,
            RunOrderStep(self._step(), order.decision),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary=f"{order.decision.value}, decided in the Temporal UI",
        )
        self._nudges += 1
        return result

    @decide.validator
    def _can_be_decided(self, order: RunOrder) -> None:
        if self._seen.state not in DECIDABLE[order.decision]:
            raise ApplicationError(
                f"The run is {self._seen.state.value}: it cannot be decided to {order.decision.value}."
            )

    @workflow.run
    async def run(self, process: Process) -> RunLook:
        self._seen = await self._open()
        if not self._seen.run:
            workflow.set_current_details("This time needs no run (any more): the task's row says why.")
            return self._seen
        while not self._seen.is_over:
            if workflow.info().is_continue_as_new_suggested() or self._is_long():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(process)
            await self._go_on()
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self._close()
        return self._seen

    async def _open(self) -> RunLook:
        planned = workflow.info().typed_search_attributes.get(SCHEDULED_FOR)
        version = workflow.memo_value(VERSION, 0, type_hint=int)
        fire = Fire(self._process, workflow.info().workflow_id, workflow.now(), planned, version)
        return await workflow.execute_activity_method(
            ScheduledTaskActivities.open,
            fire,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="the run of this time, once",
        )

    async def _go_on(self) -> None:
        """Look at the rows; then send, or wait for what may change them."""
        self._looked_at = self._nudges
        self._seen = await workflow.execute_activity_method(
            ScheduledTaskActivities.look,
            self._step(),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="its turn, its lateness, its answer",
        )
        self._show()
        if self._seen.is_over:
            return
        if self._seen.state is RunState.SENDING and not self._seen.paused:
            await self._send()
        else:
            await self._wait(self._seen.wakes_at)

    async def _send(self) -> None:
        self._seen = await workflow.execute_activity_method(
            ScheduledTaskActivities.send,
            self._step(),
            start_to_close_timeout=OUTWARD * 2,
            heartbeat_timeout=OUTWARD,
            retry_policy=OUTAGES,
            summary="chunk after chunk, for some seconds",
        )
        self._show()

    async def _wait(self, until: datetime | None) -> None:
        before = self._looked_at
        timeout = None if until is None else max(until - workflow.now(), BRIEF / 10)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._nudges != before, timeout=timeout, timeout_summary=_WAITS[self._seen.state]
            )

    async def _close(self) -> None:
        await workflow.execute_activity_method(
            ScheduledTaskActivities.close,
            self._step(),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="note the end",
        )
        self._show()

    def _step(self) -> RunStep:
        return RunStep(self._process, self._seen.run, workflow.info().workflow_id, workflow.now())

    def _is_long(self) -> bool:
        return workflow.info().get_current_history_length() > LONGEST_HISTORY

    def _show(self) -> None:
        """Search attributes only when they change: each time is an event."""
        seen = self._seen
        if (seen.state, seen.paused, seen.wakes_at) != self._shown:
            self._shown = (seen.state, seen.paused, seen.wakes_at)
            needs = seen.state in (RunState.ASKED, RunState.BLOCKED)
            due = seen.wakes_at if seen.state is RunState.ASKED else None
            stage = "paused" if seen.paused and not seen.is_over else seen.state.value
            visibility.show(stage, _details(seen), needs_human=needs, due_at=due, channel=seen.channel.value)
        workflow.set_current_details(_details(seen))


def _details(seen: RunLook) -> str:
    """Markdown for the Temporal UI."""
    planned = f"{seen.planned:%Y-%m-%d %H:%M} UTC" if seen.planned else "now"
    lines = [f"**{seen.state.value}**, planned for {planned}", "", _MEANING[seen.state]]
    if seen.paused and not seen.is_over:
        lines += ["", "The task is paused: nothing more is accepted until it is resumed."]
    if seen.reason:
        lines += ["", f"Reason: `{seen.reason}`"]
    if seen.listed:
        lines += ["", f"- {seen.listed} contacts gone through: {seen.accepted} accepted, {seen.refused} refused"]
    return "\n".join(lines)


_MEANING = {
    RunState.WAITING: "Waits until an earlier run of the task is over.",
    RunState.ASKED: "It is late. A person decides: update `decide` with `send` or `skip`. Unanswered it is skipped.",
    RunState.SENDING: "Contacts are accepted chunk by chunk; each chunk and its checkpoint are one transaction.",
    RunState.BLOCKED: "It cannot go on as things are. When that is mended: update `decide` with `send`.",
    RunState.DONE: "Everything was accepted; the engine sends it.",
    RunState.SKIPPED: "Nothing of it was sent.",
    RunState.CANCELLED: "What was not accepted yet is not sent.",
}
_WAITS = {
    RunState.WAITING: "an earlier run is open",
    RunState.ASKED: "late: a person decides",
    RunState.SENDING: "the task is paused",
    RunState.BLOCKED: "something is in its way",
}
