"""/portal/onboarding: the path of a customer as a stepper that follows the rows, in the order of the user guide."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import HTMLResponse

from domain.onboarding import SmsStage, Stage, StepState
from domain.step_texts import HINTS, NAMES, in_language, missing_text
from services.onboarding import PathView, StepView
from web.i18n import mark as _
from web.pages import Signed, language_of, render, served

router = APIRouter(prefix="/portal")

RECONNECT_MS = 2000


@dataclass(frozen=True)
class Look:
    """How a state is shown: word, Tabler colour, Font Awesome icon."""

    word: str
    tone: str
    icon: str


LOOKS = {
    StepState.DONE: Look(_("已完成"), "success", "check"),
    StepState.CURRENT: Look(_("进行中"), "info", "arrow-right"),
    StepState.AVAILABLE: Look(_("可提前进行"), "azure", "play"),
    StepState.LOCKED: Look(_("待前面的步骤"), "secondary", "lock"),
}


@dataclass(frozen=True)
class Step:
    """One step in the reader's language."""

    key: str
    name: str
    state: str
    look: Look
    missing: str
    place: str | None
    hints: tuple[str, ...]


@router.get("/onboarding")
async def path(request: Request, caller: Signed) -> HTMLResponse:
    """The whole page."""
    shown = await served(request).onboarding.show(caller)
    return render(request, "portal/onboarding.html", **_context(shown, language_of(request)))


@router.get("/onboarding/steps")
async def steps(request: Request, caller: Signed) -> HTMLResponse:
    """The steps alone, which the page asks for when an event says that something changed."""
    shown = await served(request).onboarding.show(caller)
    return render(request, "portal/onboarding_steps.html", **_context(shown, language_of(request)))


@router.get("/onboarding/events", response_class=EventSourceResponse)
async def events(request: Request, caller: Signed) -> AsyncIterator[ServerSentEvent]:
    """An event `changed` now and after each change; its content is the steps above."""
    async for shown in served(request).onboarding.watch(caller):
        yield ServerSentEvent(event="changed", id=str(shown.changed), retry=RECONNECT_MS, data=shown.stage.value)


def _context(shown: PathView, language: str) -> dict[str, Any]:
    return {
        "path": shown,
        "email": _steps(shown.email, language),
        "sms": _steps(shown.sms, language),
        "finished": shown.stage is Stage.DONE,
        "sms_finished": shown.sms_stage is SmsStage.DONE,
    }


def _steps(views: Sequence[StepView], language: str) -> list[Step]:
    return [
        Step(
            key=view.step.value,
            name=in_language(NAMES[view.step], language),
            state=view.state.value,
            look=LOOKS[view.state],
            missing=missing_text(view.lack, language) if view.lack else "",
            place=view.place,
            hints=tuple(in_language(hint, language) for hint in HINTS[view.step]),
        )
        for view in views
    ]
