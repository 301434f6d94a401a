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
from domain.onboarding import Missing, SmsStage, Stage, StepState
from domain.step_texts import HINTS, MISSING, NAMES, in_language
from services.onboarding import PathView, StepView

RECONNECT_MS = 2000
REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 404)}
_EVENT = 'event: path\nid: 3\nretry: 2000\ndata: {"stage": "template", "changed": 3}\n\n'
router = APIRouter(prefix="/v1/onboarding", tags=["onboarding"], responses=REFUSED)


class MissingOut(BaseModel):
    """What keeps the step from being finished."""

    code: Missing = Field(examples=["domain_waits_for_dns"])
    text: str = Field(examples=["The domain is added; not all needed DNS records are visible yet."])


class StepOut(BaseModel):
    """One step; texts in the language of `Accept-Language` (zh or en)."""

    step: Stage | SmsStage = Field(examples=["domain"])
    name: str = Field(examples=["Sender domain"])
    state: StepState = Field(examples=["current"], description="`not_open`: Songda does not offer it yet.")
    missing: MissingOut | None = Field(None, description="For the current step.")
    link: str | None = Field(None, examples=["http://127.0.0.1:8600/portal/domains"], description="Where to take it.")
    hints: list[str] = Field(
        [], examples=[["Add the domain, then publish the records on its page at your DNS provider."]]
    )


class OnboardingOut(BaseModel):
    """Both tracks, each in the order of its steps."""

    account_id: UUID = Field(examples=["01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"])
    stage: Stage = Field(examples=["domain"], description="The step of the e-mail track that comes next.")
    recorded_stage: Stage = Field(
        examples=["domain"], description="What the process wrote last; follows `stage` within about a second."
    )
    since: dt.datetime = Field(examples=["2026-11-23T08:00:00Z"])
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
        recorded_stage=path.recorded,
        since=path.since,
        changed=path.changed,
        email=[_step(step, language, home) for step in path.email],
        sms=[_step(step, language, home) for step in path.sms],
        workflow_id=path.workflow_id,
    )


def _step(view: StepView, language: str, home: str) -> StepOut:
    missing = view.missing and MissingOut(code=view.missing, text=in_language(MISSING[view.missing], language))
    return StepOut(
        step=view.step,
        name=in_language(NAMES[view.step], language),
        state=view.state,
        missing=missing,
        link=home + view.place if view.place else None,
        hints=[in_language(hint, language) for hint in HINTS[view.step]],
    )
