"""The review process that every kind of review shares: a person decides, inside a promised time.

A subclass adds the workflow's name and its `run`, which calls `review`. Decisions come by the update `decide` (from the
Temporal UI) or, taken in our own pages, as a changed row and a nudge; the rows decide which of several counts.
"""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from activities.reviews import ReviewActivities
from domain.ids import Process
from domain.reviews import (
    DecisionResult,
    ReviewCase,
    ReviewDecision,
    ReviewLook,
    ReviewProgress,
    ReviewStage,
    ReviewState,
    ReviewVerdict,
    objection,
)
from domain.times import SHANGHAI
from workflows import visibility
from workflows.review_link import review_link

ACTOR = "temporal-ui"
"""The Temporal UI knows no person, so whatever name an update claims, this is what the audit says."""
OUTAGES = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    maximum_interval=timedelta(minutes=1),
    non_retryable_error_types=["StaleEpoch"],
)
LINK_MARGIN = timedelta(days=1)
"""The reviewer's link is renewed when it has less than this left."""
LOOKS_PER_RUN = 300


class ReviewProcess:
    """State and handlers; see the module."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._case: ReviewCase | None = None
        self._stage = ReviewStage.OPENING
        self._woken = False

    @workflow.signal(description="Look at the rows again")
    def nudge(self) -> None:
        self._woken = True

    @workflow.query(description="Stage, state, due time")
    def progress(self) -> ReviewProgress:
        case = self._case
        if case is None:
            return ReviewProgress(self._stage, None, 0, None)
        return ReviewProgress(self._stage, case.state, case.version, case.due_at)

    @workflow.update(description='{"decision": "approve"} or {"decision": "reject", "reason": "…"}')
    async def decide(self, decision: ReviewDecision) -> DecisionResult:
        """Approve or reject; the answer says whether this decision counted."""
        await workflow.wait_condition(lambda: self._case is not None)
        made = ReviewDecision(decision.decision, decision.reason, ACTOR, decision.version)
        if self._process is None:
            raise ApplicationError("The review has not begun.", type="closed")
        verdict = ReviewVerdict(self._process, made, workflow.now())
        result: DecisionResult = await self._act(ReviewActivities.decide, verdict, "record the decision")
        self._woken = True
        return result

    @decide.validator
    def _decidable(self, decision: ReviewDecision) -> None:
        """What is refused here leaves no trace in the history."""
        if problem := objection(decision):
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
            if looks >= LOOKS_PER_RUN and not self._woken and workflow.all_handlers_finished():
                workflow.continue_as_new(process)
            await self._wait(case)
            case = await self._look(process)
            looks += 1
        self._stage = ReviewStage(case.state.value)
        visibility.show(self._stage, _ended(case))
        if case.state is not ReviewState.WITHDRAWN:
            await self._act(ReviewActivities.announce, process, f"mail the customer: {case.state.value}")
        await self._act(ReviewActivities.close, process, "note the end")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return case.state

    async def _look(self, process: Process) -> ReviewCase:
        self._woken = False
        self._case = await self._act(ReviewActivities.look, ReviewLook(process, workflow.now()), "read the rows")
        return self._case

    async def _wait(self, case: ReviewCase) -> None:
        """Until something happened, the time is up, or the reviewer's link needs renewal."""
        overdue = self._stage is ReviewStage.OVERDUE
        renewal = (case.content_until or workflow.now()) - LINK_MARGIN
        until = renewal if overdue or case.due_at is None else min(case.due_at, renewal)
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._woken,
                timeout=max(until - workflow.now(), timedelta(seconds=1)),
                timeout_summary="renew the reviewer's link" if overdue else "decision is due",
            )

    def _show(self, case: ReviewCase) -> None:
        late = case.due_at is not None and case.due_at <= workflow.now()
        self._stage = ReviewStage.OVERDUE if late else ReviewStage.WAITING
        details = _asked(case, self._link(case), late)
        visibility.show(self._stage, details, needs_human=True, due_at=case.due_at)

    def _link(self, case: ReviewCase) -> str:
        if self._process is None or case.content_until is None:
            return ""
        return review_link(self._process, case.content_until)

    async def _act(self, method: Callable[[Any, Any], Awaitable[Any]], argument: object, summary: str) -> Any:
        return await workflow.execute_activity_method(
            method, argument, start_to_close_timeout=timedelta(seconds=30), retry_policy=OUTAGES, summary=summary
        )


def _asked(case: ReviewCase, link: str, late: bool) -> str:
    """Markdown for whoever decides."""
    lines = [
        f"## {case.title}: approve or reject?",
        "",
        f"**[See the content]({link})** (the link works until {_minute(case.content_until)})",
        "",
        *(f"- {fact}" for fact in case.facts),
        "",
        f"**Due:** {_minute(case.due_at)}{' — **overdue**' if late else ''}",
        "",
        "Decide with the update `decide`:",
        "",
        "```json",
        '{"decision": "approve"}',
        "```",
        "```json",
        '{"decision": "reject", "reason": "…"}',
        "```",
        "",
        "The customer reads the reason: say what to change. Write no personal data into it.",
    ]
    return "\n".join(lines)


def _ended(case: ReviewCase) -> str:
    told = "" if case.state is ReviewState.WITHDRAWN else " The customer is told by mail."
    return f"{case.title}: **{case.state.value}**.{told}\n\nNothing is left to do here."


def _minute(moment: datetime | None) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M} (UTC+08:00)" if moment else "not set"
