"""/console/sms-interceptions: requests to lift, what blocks a number for everybody, replies that answer nobody."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.operators import MAX_REASON, Operator
from domain.sms_interceptions import LONGEST_BLOCK
from web.console.pages import acted, again, render, see, served, translator, unless_about_the_page
from web.console.sessions import SignedOperator
from web.i18n import mark as _
from web.portal.sms_words import CODES

router = APIRouter(prefix="/console/sms-interceptions")
PAGE = "console/sms_interceptions.html"
PLACE = "/console/sms-interceptions"
SHOWN = 50
Text = Annotated[str, Form()]


@router.get("")
async def interceptions(
    request: Request, operator: SignedOperator, phone: Annotated[str, Query(max_length=40)] = "",
    after: UUID | None = None,
) -> Response:  # fmt: skip
    """Requests first; `phone` is a whole number."""
    try:
        shown = await _shown(request, operator, phone, after)
    except Refusal as refusal:
        unless_about_the_page(refusal)
        return again(request, PAGE, refusal, {"phone": phone}, address=PLACE, **await _shown(request, operator))
    return render(request, PAGE, values={"phone": phone}, **shown)


@router.post("/requests/{request_id}/lift")
async def lift_request(request: Request, operator: SignedOperator, request_id: UUID, reason: Text = "") -> Response:
    """The customer is mailed the reason."""
    act = served(request).sms_interception_desk.decide(operator, request_id, lift=True, reason=reason)
    return await acted(request, PLACE, act, _("已解除拦截，并邮件通知客户。"))


@router.post("/requests/{request_id}/refuse")
async def refuse_request(request: Request, operator: SignedOperator, request_id: UUID, reason: Text = "") -> Response:
    """The customer is mailed the reason."""
    act = served(request).sms_interception_desk.decide(operator, request_id, lift=False, reason=reason)
    return await acted(request, PLACE, act, _("未解除拦截，已邮件通知客户。"))


@router.post("/add")
async def add(
    request: Request, operator: SignedOperator, phone: Text = "", days: Text = "", reason: Text = ""
) -> Response:
    """Nobody writes to it for so many days."""
    typed = {"new_phone": phone, "days": days, "reason": reason}
    number = int(days) if days.isascii() and days.isdigit() and len(days) < 6 else 0
    try:
        await served(request).sms_interception_desk.add(operator, phone, number, reason)
    except Refusal as refusal:
        unless_about_the_page(refusal)
        moved = Refusal(refusal.code, "new_phone", **refusal.params) if refusal.field == "phone" else refusal
        return again(request, PAGE, moved, typed, address=PLACE, **await _shown(request, operator))
    return see(PLACE, request, translator(request)(_("已对所有用户拦截该号码。")))


@router.post("/{interception_id}/lift")
async def lift(request: Request, operator: SignedOperator, interception_id: UUID, reason: Text = "") -> Response:
    """No global record blocks its number from now on."""
    act = served(request).sms_interception_desk.lift(operator, interception_id, reason)
    return await acted(request, PLACE, act, _("已解除对该号码的全局拦截。"))


async def _shown(request: Request, operator: Operator, phone: str = "", after: UUID | None = None) -> dict[str, Any]:
    desk = served(request).sms_interception_desk
    found = await desk.listed(operator, phone, after, SHOWN + 1)
    return {
        "waiting_requests": await desk.open_requests(operator), "rows": found[:SHOWN], "CODES": CODES,
        "next": found[SHOWN - 1].id if len(found) > SHOWN else None, "after": after, "phone": phone,
        "replies": await served(request).sms_replies.unmatched(operator, None, SHOWN),
        "longest": MAX_REASON, "most_days": LONGEST_BLOCK.days,
    }  # fmt: skip
