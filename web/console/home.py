"""/console/: what waits for operators."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from domain.operators import Duty
from domain.review_queues import DUTY_OF, Queue
from web.console.pages import render, served
from web.console.sessions import HOME, SignedOperator
from web.i18n import mark as _

router = APIRouter(prefix="/console")
QUEUE_NAMES = {
    Queue.TEMPLATES: _("模板审核"),
    Queue.CERTIFICATIONS: _("认证审核"),
    Queue.EXCEPTIONS: _("无网站认证"),
    Queue.SMS_TEMPLATES: _("短信模板审核"),
    Queue.SMS_SIGNATURES: _("短信签名审核"),
}


@router.get("")
async def bare() -> Response:
    """The address as people type it."""
    return RedirectResponse(HOME, 303)


@router.get("/")
async def home(request: Request, operator: SignedOperator) -> Response:
    """Queues with what is overdue, how reviews went, what else needs a person."""
    services = served(request)
    decides = any(operator.may(duty) for duty in DUTY_OF.values())
    reports = await services.review_report.queues(operator) if decides else []
    gateways = await services.sms_gateway_desk.listed(operator) if operator.may(Duty.LANES) else []
    return render(
        request, "console/home.html", numbers=await services.console_home.numbers(operator), Duty=Duty,
        reports=reports, QUEUE_NAMES=QUEUE_NAMES, unknown_day=await services.calendar.unknown_day(),
        gateways_down=[gateway.row.name for gateway in gateways if gateway.is_down],
    )  # fmt: skip
