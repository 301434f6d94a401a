"""Where a customer is on the path, told once or live. The steps themselves are taken through the other services."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.onboarding import Missing, Stage, Step, StepState, email_states, missing_at, sms_states, walk
from domain.step_texts import PLACES
from services.foundation import Foundation
from services.onboarding_feed import OnboardingFeed
from store import onboarding as rows
from store.onboarding import Situation

STREAM_SECONDS = 300.0
"""A live stream ends after this, so that a session that was revoked does not go on listening; clients reconnect."""


@dataclass(frozen=True)
class StepView:
    """One step. `place` is its portal path, when it can be taken now or was taken."""

    step: Step
    state: StepState
    missing: Missing | None = None
    place: str | None = None


@dataclass(frozen=True)
class PathView:
    """Both tracks. `stage` is what the facts say; `recorded`, `since`, `changed` are what the process wrote last."""

    account_id: UUID
    stage: Stage
    recorded: Stage
    since: dt.datetime
    changed: int
    email: tuple[StepView, ...]
    sms: tuple[StepView, ...]

    @property
    def workflow_id(self) -> str:
        return workflow_id(Kind.ONBOARDING, self.account_id)


class OnboardingGuide:
    """What a caller may ask about the path."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._feed = OnboardingFeed(base.db)

    async def show(self, caller: Caller) -> PathView:
        """The path of the caller's account."""
        async with self._base.db.read() as session:
            found = await rows.situation(session, caller.account_id)
        if found is None:
            raise Refusal("not_found", what="onboarding")
        return view(found)

    async def watch(self, caller: Caller, seconds: float = STREAM_SECONDS) -> AsyncIterator[PathView]:
        """The path now and after each change that a reader would see; ends after `seconds`."""
        shown: PathView | None = None
        async for situation in self._feed.follow(caller.account_id, seconds):
            path = view(situation)
            if path != shown:
                shown = path
                yield path


def view(found: Situation) -> PathView:
    """What is shown follows the facts, also in the moment before the process has moved the row."""
    stage = walk(found.stage, found.findings.facts)[-1]
    email = tuple(_email_step(step, state, found) for step, state in email_states(stage, found.findings.facts).items())
    sms = tuple(StepView(step, state) for step, state in sms_states(found.findings.facts).items())
    return PathView(found.account_id, stage, found.stage, found.since, found.changed, email, sms)


def _email_step(step: Stage, state: StepState, found: Situation) -> StepView:
    missing = missing_at(step, found.findings) if state is StepState.CURRENT else None
    reachable = state in (StepState.DONE, StepState.CURRENT)
    return StepView(step, state, missing, PLACES.get(step) if reachable else None)
