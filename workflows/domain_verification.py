"""A sender domain, from the records that its owner publishes to the day it is deleted.

It looks at the DNS with growing waits until the needed records are there, then every day; a record that goes away is
seen twice before the domain breaks, and the domain heals by itself. The rows hold the facts and the time of the next
look; this holds the timer.
"""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio import workflow

from activities.domains import DomainActivities
from domain.domains import NEEDED, DomainProgress, DomainState, LookRequest, RecordState
from domain.ids import Process
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES, OUTWARD

Look = Callable[[DomainActivities, LookRequest], Awaitable[DomainProgress]]
Act = Callable[[DomainActivities, Process], Awaitable[None]]

LOOKS_PER_RUN = 300
"""Some ten events each: far below the limits of a history."""
_MARKS = {
    RecordState.OK: "✅",
    RecordState.MISSING: "❌ missing",
    RecordState.WRONG: "❌ wrong",
    RecordState.CLAIMED: "❌ another account's",
    RecordState.UNREACHABLE: "⚠️ name servers silent",
    RecordState.UNCHECKED: "… not looked at yet",
}


@workflow.defn(name="DomainVerification")
class DomainVerification:
    """`domain/{domain_id}`. Signal `nudge` ("check now") has it look at once."""

    def __init__(self) -> None:
        self._nudged = False
        self._progress = DomainProgress(DomainState.PENDING)

    @workflow.signal(description="Look at the DNS now")
    def nudge(self) -> None:
        self._nudged = True

    @workflow.query(description="State of the domain and of each record")
    def progress(self) -> DomainProgress:
        return self._progress

    @workflow.run
    async def run(self, process: Process) -> DomainState:
        await self._ask(DomainActivities.stand, LookRequest(process, workflow.now()), "read the domain's rows")
        looks = 0
        while self._progress.watched:
            if self._progress.unannounced:
                await self._act(DomainActivities.announce, process, f"mail the owner: {self._progress.state.value}")
            if self._spent(looks):
                workflow.continue_as_new(process)
            await self._wait()
            nudged, self._nudged = self._nudged, False
            await self._ask(DomainActivities.look, LookRequest(process, workflow.now(), nudged), "ask the DNS")
            looks += 1
        await self._act(DomainActivities.close, process, "note the end")
        return self._progress.state

    def _spent(self, looks: int) -> bool:
        """Whether this run should hand over to a fresh one; a nudge is answered first, or it would be lost."""
        return not self._nudged and (looks >= LOOKS_PER_RUN or workflow.info().is_continue_as_new_suggested())

    async def _wait(self) -> None:
        """Until the next look is due, or somebody asks for it."""
        due = self._progress.next_check_at or workflow.now()
        visibility.show(self._progress.state.value, _details(self._progress), due_at=due)
        wait = due - workflow.now()
        if wait <= timedelta(0):
            return
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._nudged, timeout=wait, timeout_summary="next look")

    async def _ask(self, method: Look, request: LookRequest, summary: str) -> None:
        self._progress = await workflow.execute_activity_method(
            method, request, start_to_close_timeout=OUTWARD, retry_policy=OUTAGES, summary=summary
        )

    async def _act(self, method: Act, process: Process, summary: str) -> None:
        await workflow.execute_activity_method(
            method, process, start_to_close_timeout=BRIEF, retry_policy=OUTAGES, summary=summary
        )


def _details(progress: DomainProgress) -> str:
    """Markdown: what stands, and each record with its state. Record names are public, not personal."""
    problem = f" (problem: {progress.problem.value})" if progress.problem else ""
    lines = [f"**State:** {progress.state.value}{problem}"]
    if progress.suspected:
        lines.append("A fault was seen once; the next look confirms or dismisses it.")
    lines += ["", "| record | needed | state |", "|---|---|---|"]
    for record in progress.records:
        needed = "yes" if record.purpose in NEEDED else "advice"
        lines.append(f"| {record.purpose.value} `{record.name}` | {needed} | {_MARKS[record.state]} |")
    lines += ["", f"{progress.checks} looks so far. Signal `nudge` has it look now."]
    return "\n".join(lines)
