"""The review process that every kind of review shares: a person decides, inside a promised time.

A subclass adds the workflow's name, its `kind` and its `run`, which calls `review`. Decisions come by the update
`decide` (from the Temporal UI) or, taken in the console, as a changed row and a nudge; the rows decide which of several
counts. Working time is reckoned by the activities: here are only the moments they named.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.reviews import ReviewActivities
from domain.ids import Kind, Process
from domain.reviews import (
    PARTS,
    DecisionResult,
    ReviewAlert,
    ReviewCase,
    ReviewDecision,
    ReviewLook,
    ReviewProgress,
    ReviewStage,
    ReviewState,
    ReviewVerdict,
    indiscretion,
    objection,
)
from domain.times import SHANGHAI
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES

ACTOR = "temporal-ui"
"""The Temporal UI knows no person, so whatever name an update claims, this is what the audit says."""
LINK_MARGIN = timedelta(days=1)
"""The first version's link ended, and was renewed when it had less than this left."""
LOOKS_PER_RUN = 300
ALERTS = "songda_review_alerts"
"""Counted by `kind` and `stage` (warning, overdue), beside Temporal's own metrics."""


class ReviewProcess:
    """State and handlers; see the module."""

    kind: ClassVar[Kind]
    channel: ClassVar[str] = "email"

    def __init__(self) -> None:
        self._process: Process | None = None
        self._case: ReviewCase | None = None
        self._stage = ReviewStage.OPENING
        self._told: set[ReviewStage] = set()
        self._woken = False

    @workflow.signal(description="Look at the rows again")
    def nudge(self) -> None:
        self._woken = True

    @workflow.query(description="Stage, state, due time")
    def progress(self) -> ReviewProgress:
        case = self._case
        if case is None:
            return ReviewProgress(self._stage, None, 0, None)
        return ReviewProgress(self._stage, case.state, case.version, case.due_at, case.due_provisional)

    @workflow.update(description='{"decision": "approve"} or {"decision": "reject", "reason": "…"}')
    async def decide(self, decision: ReviewDecision) -> DecisionResult:
        """Approve or reject; the answer says whether this decision counted."""
        await workflow.wait_condition(lambda: self._case is not None)
        made = replace(decision, actor=ACTOR)
        if self._process is None:
            raise ApplicationError("The review has not begun.", type="closed")
        verdict = ReviewVerdict(self._process, made, workflow.now())
        result: DecisionResult = await self._act(ReviewActivities.decide, verdict, "record the decision")
        self._woken = True
        return result

    @decide.validator
    def _decidable(self, decision: ReviewDecision) -> None:
        """What is refused here leaves no trace in the history."""
        if problem := objection(decision, self.kind) or indiscretion(decision):
            raise ApplicationError(problem, type="invalid")
        case = self._case
        if case is not None and case.state is not ReviewState.SUBMITTED:
            raise ApplicationError(f"This review is closed: {case.state.value}.", type="closed")
        if case is not None and decision.version not in (0, case.version):
            raise ApplicationError(
                f"You saw row version {decision.version}; {case.version} is current. Look again.", type="stale"
            )

    async def review(self, process: Process) -> ReviewState:
        """Wait until the item is decided or withdrawn, tell the customer, close."""
        self._process = process
        looks = 0
        case = await self._look(process)
        while case.state is ReviewState.SUBMITTED:
            self._show(case)
            await self._tell_lead(process, case)
            if looks >= LOOKS_PER_RUN and not self._woken and workflow.all_handlers_finished():
                workflow.continue_as_new(process)
            await self._wait(case)
            case = await self._look(process)
            looks += 1
        self._stage = ReviewStage(case.state.value)
        visibility.show(self._stage, _ended(case), channel=self.channel)
        if case.state is not ReviewState.WITHDRAWN:
            await self._act(ReviewActivities.announce, process, f"mail the customer: {case.state.value}")
        await self._act(ReviewActivities.close, process, "note the end")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return case.state

    async def _look(self, process: Process) -> ReviewCase:
        self._woken = False
        self._case = await self._act(ReviewActivities.look, ReviewLook(process, workflow.now()), "read the rows")
        return self._case

    async def _tell_lead(self, process: Process, case: ReviewCase) -> None:
        """Once per stage; the activity's key makes repeats harmless, also those of a continued run."""
        if self._stage is ReviewStage.WAITING or self._stage in self._told or case.content_until is not None:
            return
        alert = ReviewAlert(process, self._stage, workflow.now())
        waits = await self._act(ReviewActivities.alert, alert, f"mail the lead: {self._stage.value}")
        self._told.add(alert.stage)
        if waits:
            self._count(process, alert.stage)

    def _count(self, process: Process, stage: ReviewStage) -> None:
        labels = {"kind": process.kind.value, "stage": stage.value}
        workflow.metric_meter().create_counter(ALERTS, "Reviews whose time ran out").add(1, labels)

    async def _wait(self, case: ReviewCase) -> None:
        """Until something happened, or the next stage begins."""
        until, why = self._next_stage(case)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._woken,
                timeout=max(until - workflow.now(), timedelta(seconds=1)) if until else None,
                timeout_summary=why,
            )

    def _next_stage(self, case: ReviewCase) -> tuple[datetime | None, str]:
        if case.content_until is not None:
            return self._next_stage_of_old(case, case.content_until - LINK_MARGIN)
        if self._stage is ReviewStage.WAITING and case.warn_at is not None:
            return case.warn_at, "three quarters of the working time are used"
        return (None, "") if self._stage is ReviewStage.OVERDUE else (case.due_at, "decision is due")

    def _next_stage_of_old(self, case: ReviewCase, renewal: datetime) -> tuple[datetime, str]:
        """What the first version did with what it had recorded: its runs must replay.

        What is recorded says which version it was, so no patch marker is needed: a run that is open at the upgrade goes
        on with the new course at its next look.
        """
        if self._stage is ReviewStage.OVERDUE or case.due_at is None:
            return renewal, "renew the reviewer's link"
        return min(case.due_at, renewal), "decision is due"

    def _show(self, case: ReviewCase) -> None:
        self._stage = _stage(case, workflow.now())
        asked = _asked(case, self.kind, self._stage)
        visibility.show(self._stage, asked, needs_human=True, due_at=case.due_at, channel=self.channel)

    async def _act(self, method: Callable[[Any, Any], Awaitable[Any]], argument: object, summary: str) -> Any:
        return await workflow.execute_activity_method(
            method, argument, start_to_close_timeout=BRIEF, retry_policy=OUTAGES, summary=summary
        )


def _stage(case: ReviewCase, now: datetime) -> ReviewStage:
    if case.due_at is not None and case.due_at <= now:
        return ReviewStage.OVERDUE
    return ReviewStage.WARNING if case.warn_at is not None and case.warn_at <= now else ReviewStage.WAITING


def _asked(case: ReviewCase, kind: Kind, stage: ReviewStage) -> str:
    """Markdown for whoever decides."""
    lines = [
        f"## {case.title}: approve or reject?",
        "",
        *_way_in(case.link),
        *(f"- {fact}" for fact in case.facts),
        "",
        f"**Due:** {_minute(case.due_at)}{_remark(case, stage)}",
        "",
        "Or decide here, with the update `decide`:",
        "",
        *_block(f'{{"decision": "approve", "version": {case.version}}}'),
        *_block(f'{{"decision": "reject", "version": {case.version}, "reason": "…"{_parts_of(kind)}}}'),
        "",
        "The customer reads the reason: say what to change. Write no personal data and no long number into it.",
    ]
    return "\n".join(lines)


def _way_in(link: str) -> tuple[str, ...]:
    """Empty until the next look, where the first version looked last."""
    if not link:
        return ()
    return (f"**[Open the case in the console]({link})**: its content, and the decision with your name to it", "")


def _remark(case: ReviewCase, stage: ReviewStage) -> str:
    provisional = " (provisional: that year's calendar is not known)" if case.due_provisional else ""
    warnings = {ReviewStage.WARNING: " — **due soon**", ReviewStage.OVERDUE: " — **overdue**"}
    return provisional + warnings.get(stage, "")


def _block(json: str) -> tuple[str, ...]:
    return ("```json", json, "```")


def _parts_of(kind: Kind) -> str:
    """How to object to single parts, where that is possible."""
    parts = sorted(PARTS.get(kind, ()))
    return f', "parts": {{"{parts[0]}": "…"}}' if parts else ""


def _ended(case: ReviewCase) -> str:
    told = "" if case.state is ReviewState.WITHDRAWN else " The customer is told by mail."
    return f"{case.title}: **{case.state.value}**.{told}\n\nNothing is left to do here."


def _minute(moment: datetime | None) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M} (UTC+08:00)" if moment else "not set"
