"""What a review process asks of rows, whatever is reviewed: look, decide, tell the customer, close.

One `Desk` per kind of process knows its rows; the rest is the same for all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.errors import Refusal
from domain.ids import Kind, Process, workflow_id
from domain.notices import Notice
from domain.policy import Policy
from domain.reviews import (
    PREVIEW_VALID,
    DecisionResult,
    ReviewCase,
    ReviewLook,
    ReviewState,
    ReviewVerdict,
)
from store import clockwork, notices, onboarding
from store.db import Database, Session


@dataclass(frozen=True)
class Letter:
    """The mail that tells the customer of a decision; `path` is where they go on, below the public URL."""

    notice: Notice
    variables: dict[str, str]
    path: str


class Desk(Protocol):
    """What is particular to one kind of review."""

    async def case(self, session: Session, look: ReviewLook) -> ReviewCase | None:
        """What stands; promises a due time when the item waits and has none. None: the row is gone."""

    async def decide(self, session: Session, verdict: ReviewVerdict) -> DecisionResult:
        """One compare-and-set. Raises `Refusal` when there is nothing to decide on."""

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
        """Read the rows; while a decision is wanted, say how long a link to the content shall work."""
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, look.process)
            case = await self._desks[look.process.kind].case(session, look)
        if case is None:
            return ReviewCase(ReviewState.WITHDRAWN, 0)
        if case.state is not ReviewState.SUBMITTED:
            return case
        return replace(case, content_until=look.now + PREVIEW_VALID)

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
        """Mail the decision and its reason to the customer, once; False when there was nobody or nothing to tell."""
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
        await notices.send_notice(self._db, letter.notice, address, language, variables, process.workflow_id)
        return True

    @activity.defn(name="ReviewActivities.close")
    async def close(self, process: Process) -> None:
        """Note that the process ended by itself, and have the onboarding look at what it brought."""
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, process)
            await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, process.account))
            await clockwork.stamp_closed(session, process.workflow_id)
