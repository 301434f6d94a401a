"""`/v1/onboarding`: where the account is on the path, and what comes next; once or live."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from api.callers import AnyCaller, Served
from api.problems import Problem, language_of
from domain.onboarding import SmsStage, Stage, StepState
from domain.onboarding_findings import Missing
from domain.step_texts import HINTS, NAMES, in_language, missing_text
from services.onboarding import PathView, StepView

RECONNECT_MS = 2000
REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 404)}
_EVENT = 'event: path\nid: 3\nretry: 2000\ndata: {"stage": "template", "changed": 3}\n\n'
router = APIRouter(prefix="/v1/onboarding", tags=["onboarding"], responses=REFUSED)


class MissingOut(BaseModel):
    """What keeps the step from being finished."""

    code: Missing = Field(examples=["domain_waits_for_dns"])
    text: str = Field(examples=["The domain mail.shop.example is added; its SPF record is not visible yet."])


class StepOut(BaseModel):
    """One step; texts in the language of `Accept-Language` (zh or en)."""

    step: Stage | SmsStage = Field(examples=["domain"])
    name: str = Field(examples=["Sender domain"])
    state: StepState = Field(
        examples=["current"],
        description="`available`: not next in order, but can be taken already.",
    )
    missing: MissingOut | None = Field(None, description="For a step that can be taken now.")
    link: str | None = Field(None, examples=["http://127.0.0.1:8600/portal/domains"], description="Where to take it.")
    hints: list[str] = Field(
        [], examples=[["Add the domain, then publish the records on its page at your DNS provider."]]
    )


class OnboardingOut(BaseModel):
    """Both tracks, each in the order of its steps."""

    account_id: UUID = Field(examples=["01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"])
    stage: Stage = Field(examples=["domain"], description="The step of the e-mail track that comes next.")
    sms_stage: SmsStage = Field(examples=["sms_certify"], description="The same on the SMS track.")
    recorded_stage: Stage = Field(
        examples=["domain"], description="What the process wrote last; follows `stage` within about a second."
    )
    recorded_sms_stage: SmsStage = Field(examples=["sms_certify"], description="The same on the SMS track.")
    since: dt.datetime = Field(examples=["2026-11-23T08:00:00Z"], description="At `recorded_stage` since.")
    changed: int = Field(examples=[1], description="Grows with each move that the process made.")
    email: list[StepOut]
    sms: list[StepOut]
    workflow_id: str = Field(examples=["onboarding/01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"], description="For support.")


@router.get("", summary="The path of the account: steps, what is missing, what comes next")
async def show(request: Request, served: Served, caller: AnyCaller) -> OnboardingOut:
    """Each step with its state, what is missing, and where to take it."""
    return _out(await served.onboarding.show(caller), request, served)


@router.get(
    "/events", response_class=EventSourceResponse, summary="The same, live (server-sent events)",
    responses={200: {"content": {"text/event-stream": {"example": _EVENT}}}},
)  # fmt: skip
async def events(request: Request, served: Served, caller: AnyCaller) -> AsyncIterator[ServerSentEvent]:
    """The same as server-sent events named `path`: the state now, then each change within about a second.

    The stream ends after five minutes; reconnect for more.
    """
    async for path in served.onboarding.watch(caller):
        yield ServerSentEvent(event="path", id=str(path.changed), retry=RECONNECT_MS, data=_out(path, request, served))


def _out(path: PathView, request: Request, served: Served) -> OnboardingOut:
    language, home = language_of(request), served.foundation.policy.public_url
    return OnboardingOut(
        account_id=path.account_id,
        stage=path.stage,
        sms_stage=path.sms_stage,
        recorded_stage=path.recorded,
        recorded_sms_stage=path.recorded_sms,
        since=path.since,
        changed=path.changed,
        email=[_step(step, language, home) for step in path.email],
        sms=[_step(step, language, home) for step in path.sms],
        workflow_id=path.workflow_id,
    )


def _step(view: StepView, language: str, home: str) -> StepOut:
    missing = view.lack and MissingOut(code=view.lack.code, text=missing_text(view.lack, language))
    return StepOut(
        step=view.step,
        name=in_language(NAMES[view.step], language),
        state=view.state,
        missing=missing,
        link=home + view.place if view.place else None,
        hints=[in_language(hint, language) for hint in HINTS[view.step]],
    )
