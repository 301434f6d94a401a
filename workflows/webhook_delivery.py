"""One webhook endpoint: deliver what it is owed, for as long as it exists (design §3, §4.10)."""

import datetime as dt
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority

from activities.webhooks import WebhookActivities
from domain.ids import Process, iso
from domain.queues import HOOKS, PROBES
from domain.webhooks import DeliveryProgress, Drained, DrainOrder, Stage
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES

LOOK_AFTER = timedelta(days=1)
"""An idle endpoint is looked at so often even when nobody nudges, which also prunes its log."""
PASSES = 500
"""Passes of one run; then it continues as new, far before the limits of a history."""


@workflow.defn(name="WebhookDelivery")
class WebhookDeliveryWorkflow:
    """`webhook/{endpoint}`: woken by nudges, sleeps through back-off, ends when the endpoint is deleted."""

    def __init__(self) -> None:
        self._nudged = False
        self._delivered = 0
        self._failed = 0
        self._last = Drained(Stage.IDLE)
        self._shown: Drained | None = None
        self._next_look: dt.datetime | None = None

    @workflow.run
    async def run(self, process: Process) -> None:
        for _ in range(PASSES):
            await self._pass(process)
            if self._last.stage is Stage.DELETED:
                await self._close(process)
                return
            if workflow.info().is_continue_as_new_suggested():
                break
            await self._rest()
        workflow.continue_as_new(process)

    @workflow.signal(description="There may be something to deliver, or the endpoint was changed: look now")
    def nudge(self) -> None:
        self._nudged = True

    @workflow.query(description="What was delivered in this run, what waits, and when the next look is")
    def progress(self) -> DeliveryProgress:
        last = self._last
        return DeliveryProgress(
            last.stage, self._delivered, self._failed, last.pending, last.last_error, self._next_look
        )

    async def _pass(self, process: Process) -> None:
        self._nudged = False
        self._last = await workflow.execute_activity_method(
            WebhookActivities.drain,
            DrainOrder(process, workflow.now()),
            task_queue=PROBES if self._last.failures else HOOKS,
            priority=Priority(fairness_key=process.account),
            start_to_close_timeout=timedelta(seconds=90),
            heartbeat_timeout=timedelta(seconds=20),
            retry_policy=OUTAGES,
            summary="deliver pending events",
        )
        self._delivered += self._last.delivered
        self._failed += self._last.failed
        self._plan()
        self._show()
        if self._last.owner_waits:
            await workflow.execute_activity_method(
                WebhookActivities.tell_owner,
                DrainOrder(process, workflow.now()),
                start_to_close_timeout=BRIEF,
                retry_policy=OUTAGES,
                summary="mail the owner that the endpoint is disabled",
            )

    async def _rest(self) -> None:
        """Until a nudge, the end of the back-off, or tomorrow. A busy endpoint gets no rest."""
        wait = timedelta(seconds=self._last.wait_seconds) if self._last.wait_seconds is not None else LOOK_AFTER
        if wait <= timedelta(0):
            return
        try:
            await workflow.wait_condition(lambda: self._nudged, timeout=wait, timeout_summary=self._last.stage.value)
        except TimeoutError:
            return

    async def _close(self, process: Process) -> None:
        await workflow.execute_activity_method(
            WebhookActivities.close,
            process,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="forget what the deleted endpoint was owed",
        )

    def _plan(self) -> None:
        wait = self._last.wait_seconds
        self._next_look = None if wait is None else workflow.now() + timedelta(seconds=wait)

    def _show(self) -> None:
        """Keep the Temporal UI true; an unchanged stand is not written again."""
        last = self._last
        stand = Drained(last.stage, pending=last.pending, failures=last.failures, last_error=last.last_error)
        if stand == self._shown:
            return
        self._shown = stand
        due = self._next_look if last.stage is Stage.BACKING_OFF else None
        visibility.show(last.stage.value, self._details(due), due_at=due, channel="webhook")

    def _details(self, due: dt.datetime | None) -> str:
        last = self._last
        lines = [
            f"**{last.stage.value}**: {last.pending} events wait.",
            f"- delivered in this run: {self._delivered}, failed requests: {self._failed}",
            f"- failures in a row: {last.failures}, last error: {last.last_error or 'none'}",
        ]
        if due is not None:
            lines.append(f"- next try: {iso(due)}. The signal `nudge` looks again, but keeps the back-off;")
            lines.append("  the customer's “retry now” clears it.")
        if last.stage is Stage.DISABLED:
            lines.append(f"- disabled by: {last.disabled_by}. The customer enables it again in the portal.")
        return "\n".join(lines)
