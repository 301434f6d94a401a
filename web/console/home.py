"""/console/: what waits for operators."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from domain.ids import Kind
from domain.operators import Duty
from web.console.pages import render, served
from web.console.sessions import HOME, SignedOperator
from web.i18n import mark as _

router = APIRouter(prefix="/console")
QUEUE_NAMES = {Kind.TEMPLATE_REVIEW: _("模板审核"), Kind.CERTIFICATION_REVIEW: _("认证审核")}


@router.get("")
async def bare() -> Response:
    """The address as people type it."""
    return RedirectResponse(HOME, 303)


@router.get("/")
async def home(request: Request, operator: SignedOperator) -> Response:
    """Queues with what is overdue, how reviews went, what else needs a person."""
    services = served(request)
    reports = await services.review_report.queues(operator) if operator.may(Duty.REVIEW) else []
    return render(
        request, "console/home.html", numbers=await services.console_home.numbers(operator), Duty=Duty,
        reports=reports, QUEUE_NAMES=QUEUE_NAMES, unknown_day=await services.calendar.unknown_day(),
    )  # fmt: skip
