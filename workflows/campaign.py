"""One campaign: freeze its lists, hold money and quota, send page after page, settle, report (design §4.3)."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ApplicationError

from activities.campaign_pages import CampaignPages
from activities.campaigns import CampaignActivities
from domain.campaigns import (
    OVER,
    CampaignLook,
    CampaignLookRequest,
    CampaignOrder,
    CampaignProgress,
    CampaignState,
    CampaignStep,
    Command,
    CommandResult,
    CommandStep,
    LaneWork,
    RunnerResult,
    RunnerShare,
)
from domain.ids import Process
from domain.queues import BULK
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES

LONG = timedelta(hours=6)
"""For an activity that beats while it works; its heartbeat tells when its worker is gone."""
STRETCH = timedelta(seconds=60)
BEAT = timedelta(seconds=15)
SOON = timedelta(seconds=1)
LONGEST_REST = 3_600.0
"""Seconds that a runner sleeps at most before it looks at its lane again; what changes meanwhile nudges."""
PRIORITY = 3
WORTH_A_RUNNER = 500
"""Messages that can be sent at once, for each runner beside a lane's first."""


@workflow.defn(name="Campaign")
class CampaignWorkflow:
    """`campaign/{id}`. Signal `nudge`: the row changed. Updates do what the API does."""

    @workflow.init
    def __init__(self, process: Process) -> None:
        self._process = process
        self._nudges = 0
        self._looked_at = 0
        self._seen = CampaignLook(CampaignState.SCHEDULED)
        self._runners = 0
        self._in_vain = 0
        self._ended: CampaignState | None = None
        self._shown: tuple[CampaignState, datetime | None] | None = None
        self._crews: dict[str, asyncio.Task[None]] = {}

    @workflow.signal(description="Look at the rows again")
    def nudge(self) -> None:
        self._nudges += 1

    @workflow.query(description="State, how far it has come at the last look, and runners at work")
    def progress(self) -> CampaignProgress:
        seen = self._seen
        return CampaignProgress(
            seen.state, seen.recipients, seen.settled, seen.revision, seen.rests_until, seen.problem, self._runners
        )

    @workflow.update(description="Send nothing more until it is resumed")
    async def pause(self, order: CampaignOrder) -> CommandResult:
        return await self._command(Command.PAUSE, order)

    @workflow.update(description="Go on after a pause, or try again after a problem")
    async def resume(self, order: CampaignOrder) -> CommandResult:
        return await self._command(Command.RESUME, order)

    @workflow.update(description="Drop everything that is unsent; what was sent stays sent")
    async def cancel(self, order: CampaignOrder) -> CommandResult:
        return await self._command(Command.CANCEL, order)

    @workflow.update(description="What is unsent gets an approved version of the template (none given: the newest)")
    async def revise(self, order: CampaignOrder) -> CommandResult:
        return await self._command(Command.REVISE, order)

    @pause.validator
    @resume.validator
    @cancel.validator
    @revise.validator
    def _is_open_and_names_a_version(self, order: CampaignOrder) -> None:
        if self._seen.state in OVER:
            raise ApplicationError(f"The campaign is {self._seen.state.value}: nothing can be asked of it any more.")
        if order.version is not None and order.version < 1:
            raise ApplicationError("version: the number of an approved template version, from 1 on, or none.")

    @workflow.run
    async def run(self, process: Process) -> CampaignState:
        while self._ended is None and (seen := await self._look(process)).state not in OVER:
            if self._is_long():
                await self._go_on_as_new(process)
            await self._step(process, seen)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return await self._end(process)

    async def _step(self, process: Process, seen: CampaignLook) -> None:
        """One thing, as the row's state asks for it; then the row is looked at again."""
        match seen.state:
            case CampaignState.SCHEDULED:
                await self._until(seen.start_at)
            case CampaignState.PREPARING:
                await self._prepare(process)
            case CampaignState.SENDING:
                await self._send(process, seen)
            case CampaignState.CANCELLING:
                await self._cancel(process)
                await self._finish(process)
            case _:
                await self._until(None)

    async def _prepare(self, process: Process) -> None:
        await workflow.execute_activity_method(
            CampaignActivities.prepare,
            CampaignStep(process, workflow.now()),
            start_to_close_timeout=LONG,
            heartbeat_timeout=timedelta(seconds=60),
            retry_policy=OUTAGES,
            summary="copy the lists' members; hold money and quota",
        )

    async def _send(self, process: Process, seen: CampaignLook) -> None:
        """A crew for every lane that has something left, until all are done or the row has changed."""
        self._dismiss()
        if seen.rests_until is not None and seen.lanes:
            await self._until(seen.rests_until)
            return
        for work in seen.lanes:
            if work.lane not in self._crews:
                self._crews[work.lane] = asyncio.create_task(self._crew(process, work))
        if not self._crews:
            await self._finish(process)
            return
        self._in_vain = 0
        before = self._looked_at
        await workflow.wait_condition(lambda: self._nudges != before or self._dismiss() or self._is_long())

    def _dismiss(self) -> bool:
        """Forget the crews that are done; whether none is left. Raises what ended one otherwise.

        A lane that gets something back after its crew is done (a dead worker's messages, say) has the row's nudge.
        """
        for lane in [lane for lane, crew in self._crews.items() if crew.done()]:
            self._crews.pop(lane).result()
        return not self._crews

    async def _crew(self, process: Process, work: LaneWork) -> None:
        """The first runner stays until the lane is empty; others are with it while much can be sent at once."""
        others: dict[int, asyncio.Task[bool]] = {}

        def recruit(ready: int, begun: Iterable[int]) -> None:
            for number in sorted({*range(1, min(work.runners, 1 + ready // WORTH_A_RUNNER)), *begun} - {0}):
                if number not in others or others[number].done():
                    others[number] = asyncio.create_task(self._help(RunnerShare(process, work.lane, number)))

        recruit(work.waiting, work.begun)
        await self._lead(RunnerShare(process, work.lane, 0), recruit, others)
        for other in list(others.values()):
            await other

    async def _lead(
        self, share: RunnerShare, recruit: Callable[[int, Iterable[int]], None], others: dict[int, asyncio.Task[bool]]
    ) -> None:
        """Stretch after stretch, until the lane is empty, the campaign stops, or another run is to go on."""
        quiet = 0
        while not self._is_long():
            result = await self._stretch(share)
            if result.stopped and not result.tried:  # clocks that differ must not make this a loop
                await self._wait(SOON)
            if result.over or result.stopped:
                return
            quiet = 0 if result.tried else quiet + 1
            if result.tried or not result.ready:  # else the lane takes nothing now, and one asking is enough
                recruit(result.ready, result.begun)
            busy = [other for other in others.values() if not other.done()]
            if result.waits_seconds is not None and not result.ready and busy:
                done, _ = await workflow.wait(busy, return_when=asyncio.FIRST_COMPLETED)
                worked = [each.result() for each in done]
                if any(worked):
                    quiet = 0
                    continue
            if result.waits_seconds is not None:
                longer = 2 ** min(quiet, 6) if result.ready or result.begun else 1
                quiet = 0 if await self._rest(result.waits_seconds * longer) else quiet

    async def _help(self, share: RunnerShare) -> bool:
        """Stretch after stretch while there is something to send at once; whether anything could be tried."""
        worked = False
        while not self._is_long():
            result = await self._stretch(share)
            worked = worked or result.tried > 0
            if result.stopped or not result.tried or not (result.ready or share.runner in result.begun):
                break
        return worked

    async def _stretch(self, share: RunnerShare) -> RunnerResult:
        self._runners += 1
        try:
            result = await workflow.execute_activity_method(
                CampaignPages.send,
                share,
                task_queue=BULK,
                start_to_close_timeout=STRETCH,
                heartbeat_timeout=BEAT,
                retry_policy=OUTAGES,
                priority=Priority(priority_key=PRIORITY, fairness_key=share.process.account),
                summary=f"{share.lane}: send what can be sent",
            )
        finally:
            self._runners -= 1
        if result.stopped:
            self._nudges += 1  # who sleeps must know, too
        return result

    async def _rest(self, seconds: float) -> bool:
        """Until the lane may take more, or the next round is due; True: a nudge ended it."""
        return await self._wait(timedelta(seconds=min(LONGEST_REST, max(seconds, 0.05))))

    async def _cancel(self, process: Process) -> None:
        await workflow.execute_activity_method(
            CampaignActivities.cancel,
            process,
            start_to_close_timeout=LONG,
            heartbeat_timeout=timedelta(seconds=60),
            retry_policy=OUTAGES,
            summary="drop what is unsent",
        )

    async def _finish(self, process: Process) -> None:
        """Try to end it; messages in a dialogue and money that is being settled take a moment."""
        self._ended = await workflow.execute_activity_method(
            CampaignActivities.finish,
            process,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="end it, if nothing is left",
        )
        if self._ended is not None:
            self._seen = replace(self._seen, state=self._ended)  # nothing can be asked of it any more
            return
        self._in_vain += 1
        await self._wait(SOON * min(10, self._in_vain))

    async def _end(self, process: Process) -> CampaignState:
        """The report; then the row says what became of it."""
        ended = await workflow.execute_activity_method(
            CampaignActivities.close,
            process,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="mail the report, note the end",
        )
        self._seen = replace(self._seen, state=ended, settled=self._seen.recipients, lanes=[])
        self._show()
        return ended

    async def _command(self, asked: Command, order: CampaignOrder) -> CommandResult:
        result = await workflow.execute_activity_method(
            CampaignActivities.command,
            CommandStep(self._process, asked, order.version),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary=f"{asked.value}, asked for in the Temporal UI",
        )
        self._nudges += 1
        return result

    async def _look(self, process: Process) -> CampaignLook:
        self._looked_at = self._nudges
        self._seen = await workflow.execute_activity_method(
            CampaignActivities.look,
            CampaignLookRequest(process, workflow.now()),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="read the campaign's rows",
        )
        self._show()
        return self._seen

    async def _until(self, moment: datetime | None) -> None:
        """Until then, or (None) until something happens."""
        await self._wait(None if moment is None else max(timedelta(), moment - workflow.now()), self._looked_at)

    async def _wait(self, time: timedelta | None, since: int | None = None) -> bool:
        """True when a nudge ended it. `since`: what had come before the rows were read; a nudge that came after
        that, but before their answer, may tell of what they did not yet show."""
        before = self._nudges if since is None else since
        try:
            await workflow.wait_condition(lambda: self._nudges != before or self._is_long(), timeout=time)
        except TimeoutError:
            return False
        return self._nudges != before

    def _is_long(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() or workflow.info().get_current_history_length() > 4_000

    async def _go_on_as_new(self, process: Process) -> None:
        """Once every runner has ended; rows hold where the campaign stands."""
        for crew in list(self._crews.values()):
            await crew
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(process)

    def _show(self) -> None:
        """Search attributes only when they change: each time is an event."""
        seen = self._seen
        due_at = seen.start_at if seen.state is CampaignState.SCHEDULED else seen.rests_until
        if (seen.state, due_at) != self._shown:
            self._shown = (seen.state, due_at)
            blocked = seen.state is CampaignState.BLOCKED
            visibility.show(seen.state.value, _details(seen), needs_human=blocked, due_at=due_at)
        workflow.set_current_details(_details(seen))


def _details(seen: CampaignLook) -> str:
    """Markdown for the Temporal UI."""
    lines = [f"**{seen.state.value}**", "", _MEANING[seen.state]]
    if seen.problem:
        lines += ["", f"Problem: `{seen.problem}`. When it is solved, send the update `resume`."]
    if seen.recipients:
        lines += ["", f"- {seen.settled} of {seen.recipients} messages are settled (as of the last look)"]
    if seen.lanes:
        named = ", ".join(f"`{work.lane}` × {work.runners}" for work in seen.lanes)
        lines += [f"- runners by lane: {named}"]
    if seen.rests_until:
        lines += [f"- outside its daily hours until {seen.rests_until:%Y-%m-%d %H:%M} UTC"]
    return "\n".join(lines)


_MEANING = {
    CampaignState.SCHEDULED: "Waits for its time.",
    CampaignState.PREPARING: "Its lists' members are being copied; then money and quota are held for all of them.",
    CampaignState.SENDING: "Each runner sends pages of one lane; a page that broke off is taken over by its next try.",
    CampaignState.PAUSED: "Paused. What is being spoken of ends; nothing new begins. Update `resume` goes on.",
    CampaignState.BLOCKED: "It cannot begin as things are.",
    CampaignState.CANCELLING: "What is unsent is being dropped, and its money released.",
    CampaignState.FINISHED: "Everything is settled; the report was mailed to the owner.",
    CampaignState.CANCELLED: "Cancelled. What was sent before stays sent, and charged.",
}
