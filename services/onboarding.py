"""Where a customer is on the path, told once or live. The steps themselves are taken through the other services."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.onboarding import TAKEABLE, SmsStage, Stage, Step, StepState, email_states, sms_states
from domain.onboarding_findings import Lack, Missing, lack_at
from domain.step_texts import place_of
from services.foundation import Foundation
from services.live_feed import LiveFeed, Subject
from store import onboarding as rows
from store.onboarding import Situation

STREAM_SECONDS = 300.0
"""A live stream ends after this, so that a session that was revoked does not go on listening; clients reconnect."""


@dataclass(frozen=True)
class StepView:
    """One step. `place` is its portal path, when it can be taken now or was taken."""

    step: Step
    state: StepState
    lack: Lack | None = None
    place: str | None = None

    @property
    def missing(self) -> Missing | None:
        return self.lack.code if self.lack else None


@dataclass(frozen=True)
class PathView:
    """Both tracks. `stage` and `sms_stage` are what the facts say; `recorded…`, `since`, `changed` are what the process
    wrote last."""

    account_id: UUID
    stage: Stage
    sms_stage: SmsStage
    recorded: Stage
    recorded_sms: SmsStage
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
        self._feed = LiveFeed(Subject("onboarding", self._situations))

    async def show(self, caller: Caller) -> PathView:
        """The path of the caller's account."""
        async with self._base.db.read() as session:
            found = await rows.situation(session, caller.account_id)
        if found is None:
            raise Refusal("not_found", what="onboarding")
        return view(found)

    async def _situations(self, accounts: frozenset[UUID]) -> Mapping[UUID, Situation]:
        async with self._base.db.read() as session:
            return await rows.situations(session, list(accounts))

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
    facts = found.findings.facts
    standing = found.standing.after(facts)
    states = (email_states(standing.email, facts), sms_states(standing.sms, facts))
    email, sms = (tuple(_step(step, state, found) for step, state in track.items()) for track in states)
    return PathView(
        account_id=found.account_id,
        stage=standing.email,
        sms_stage=standing.sms,
        recorded=found.stage,
        recorded_sms=found.sms_stage,
        since=found.since,
        changed=found.changed,
        email=email,
        sms=sms,
    )


def _step(step: Step, state: StepState, found: Situation) -> StepView:
    if state not in TAKEABLE:
        return StepView(step, state)
    lack = None if state is StepState.DONE else lack_at(step, found.findings)
    return StepView(step, state, lack, place_of(step, lack))
