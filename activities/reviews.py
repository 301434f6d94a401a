"""What a review process asks of rows, whatever is reviewed: look, decide, tell the lead and the customer, close.

One `Desk` per kind of process knows its rows; the rest is the same for all, the promised time above all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.news import tell
from domain.errors import Refusal
from domain.ids import Kind, Process, workflow_id
from domain.notices import Notice
from domain.policy import Policy
from domain.reviews import (
    DecisionResult,
    ReviewAlert,
    ReviewCase,
    ReviewLook,
    ReviewStage,
    ReviewState,
    ReviewVerdict,
    case_link,
)
from domain.times import SHANGHAI, business_day
from domain.working_time import Calendar, Due
from store import calendar, clockwork, onboarding
from store.db import Database, Session

ALERTS = {ReviewStage.WARNING: Notice.REVIEW_WARNING, ReviewStage.OVERDUE: Notice.REVIEW_OVERDUE}
LEAD_LANGUAGE = "zh"


@dataclass(frozen=True)
class Letter:
    """The mail that tells the customer of a decision; `path` is where they go on, below the public URL."""

    notice: Notice
    variables: dict[str, str]
    path: str


class Desk(Protocol):
    """What is particular to one kind of review."""

    async def case(self, session: Session, process: Process) -> ReviewCase | None:
        """What stands in the row, with `submitted_at`, `due_at`, `due_provisional`. None: the row is gone.

        What became of an approval later (revoked, expired) is no matter of the review: it stays approved here.
        """

    async def promise(self, session: Session, process: Process, due: Due) -> None:
        """Store the due time, unless one is stored: a promise is not changed. (Who submits stores one already.)"""

    async def decide(self, session: Session, verdict: ReviewVerdict) -> DecisionResult:
        """One compare-and-set (`domain.reviews.ruling`). Raises `Refusal` when there is nothing to decide on."""

    async def letter(self, session: Session, process: Process) -> Letter | None:
        """What to tell the customer now; None when there is nothing to tell."""


class ReviewActivities:
    """Every method raises `StaleEpoch` when the database was restored after the process began."""

    def __init__(self, db: Database, policy: Policy, desks: Mapping[Kind, Desk]) -> None:
        self._db = db
        self._policy = policy
        self._desks = desks

    @activity.defn(name="ReviewActivities.look")
    async def look(self, look: ReviewLook) -> ReviewCase:
        """Read the rows; what waits without a due time gets one. Tells the lead of a calendar that ends."""
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, look.process)
            case = await self._desks[look.process.kind].case(session, look.process)
            if case is None:
                return ReviewCase(ReviewState.WITHDRAWN, 0)
            if case.state is not ReviewState.SUBMITTED:
                return case
            since = min(case.submitted_at or look.now, look.now)
            known = await calendar.calendar(session, self._policy.working_hours, since)
            case = await self._timed(session, look, case, known)
        await self._tell_of_gap(known, look.now)
        return replace(case, link=case_link(self._policy, look.process))

    async def _timed(self, session: Session, look: ReviewLook, case: ReviewCase, known: Calendar) -> ReviewCase:
        """With the promised time and the moment to warn, which the calendar of today gives."""
        kind, start = look.process.kind, case.submitted_at or look.now
        allowance = self._policy.review_allowance(kind)
        due = Due(case.due_at, case.due_provisional) if case.due_at else known.due(start, allowance)
        if case.due_at is None:
            await self._desks[kind].promise(session, look.process, due)
        warn_at = min(known.warning(start, allowance), due.at)
        return replace(case, due_at=due.at, due_provisional=due.provisional, warn_at=warn_at)

    async def _tell_of_gap(self, known: Calendar, now: datetime) -> None:
        """Once per year that is not known: due times are guesses until somebody mends it."""
        day = known.unknown_day(business_day(now))
        if day is not None:
            variables = {"year": str(day.year), "link": f"{self._policy.public_url}/console/calendar"}
            await self._tell_lead(Notice.CALENDAR_MISSING, variables, f"calendar-missing/{day.year}")

    @activity.defn(name="ReviewActivities.alert")
    async def alert(self, alert: ReviewAlert) -> bool:
        """Tell the lead that time runs out or has run out, once each; False when nothing waits any more."""
        process = alert.process
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
            case = await self._desks[process.kind].case(session, process)
        if case is None or case.state is not ReviewState.SUBMITTED or case.due_at is None:
            return False
        variables = {
            "case": process.workflow_id,
            "due": f"{case.due_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
            "link": case_link(self._policy, process),
        }
        await self._tell_lead(ALERTS[alert.stage], variables, f"{process.workflow_id}/{alert.stage.value}")
        return True

    async def _tell_lead(self, notice: Notice, variables: dict[str, str], key: str) -> None:
        told = {"platform": self._policy.platform_name, **variables}
        await tell(self._db, notice, self._policy.lead_email, LEAD_LANGUAGE, told, key)

    @activity.defn(name="ReviewActivities.decide")
    async def decide(self, verdict: ReviewVerdict) -> DecisionResult:
        """Take the decision, unless another one came first."""
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, verdict.process)
            try:
                return await self._desks[verdict.process.kind].decide(session, verdict)
            except Refusal as refusal:
                raise ApplicationError(refusal.code, type=refusal.code, non_retryable=True) from None

    @activity.defn(name="ReviewActivities.announce")
    async def announce(self, process: Process) -> bool:
        """Mail the decision and its reason to the customer, once; False when nobody could be told, or nothing."""
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
            letter = await self._desks[process.kind].letter(session, process)
            reader = await onboarding.addressee(session, UUID(process.account))
        if letter is None or reader is None:
            return False
        address, name, language = reader
        variables = {
            **letter.variables,
            "name": name,
            "platform": self._policy.platform_name,
            "link": self._policy.public_url + letter.path,
        }
        return await tell(self._db, letter.notice, address, language, variables, process.workflow_id)

    @activity.defn(name="ReviewActivities.close")
    async def close(self, process: Process) -> None:
        """Note that the process ended by itself, and have the onboarding look at what it brought."""
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, process)
            await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, process.account))
            await clockwork.stamp_closed(session, process.workflow_id)
