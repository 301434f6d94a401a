"""/console/customers/{account}: one customer, and the quota of a paying one; /console/letters/{id}: what they write."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from domain.errors import Refusal
from domain.operators import Duty, Operator
from web.console.lists import ACCOUNT_STATES
from web.console.pages import again, render, see, served, translator, unless_about_the_page
from web.console.sessions import SignedOperator
from web.console.words import STAGES
from web.temporal_links import process_url

router = APIRouter(prefix="/console")
CUSTOMER = "console/customer.html"
Text = Annotated[str, Form()]


@router.get("/customers/{account_id}")
async def customer(request: Request, operator: SignedOperator, account_id: UUID) -> Response:
    """Who they are, where they stand, what they may send."""
    return render(request, CUSTOMER, **await _customer(request, operator, account_id))


@router.post("/customers/{account_id}/quota")
async def grant(
    request: Request, operator: SignedOperator, account_id: UUID, quota: Text = "", reason: Text = ""
) -> Response:
    """Messages a day of a paying customer."""
    _, here = translator(request), f"/console/customers/{account_id}"
    try:
        number = int(quota) if quota.strip().isascii() and quota.strip().isdecimal() and len(quota) < 12 else 0
        await served(request).account_desk.grant_quota(operator, account_id, number, reason)
    except Refusal as refusal:
        return await _again(request, operator, account_id, refusal, {"quota": quota, "reason": reason})
    return see(here, request, _("额度已调整，几秒后生效。"))


@router.post("/customers/{account_id}/quick-registration")
async def open_account(
    request: Request, operator: SignedOperator, account_id: UUID, reason: Text = "", phone: Text = ""
) -> Response:
    """Neither mail nor code arrived, and they proved who they are."""
    _, here = translator(request), f"/console/customers/{account_id}"
    try:
        await served(request).registration_desk.open_account(operator, account_id, reason, phone)
    except Refusal as refusal:
        return await _again(request, operator, account_id, refusal, {"reason": reason, "phone": phone})
    return see(here, request, _("账户已开通。"))


@router.post("/customers/{account_id}/members/{member_id}/phone")
async def confirm_phone(
    request: Request, operator: SignedOperator, account_id: UUID, member_id: UUID, reason: Text = "", phone: Text = ""
) -> Response:
    """The code did not arrive, and the member proved whose number it is."""
    _, here = translator(request), f"/console/customers/{account_id}"
    try:
        await served(request).registration_desk.confirm_phone(operator, account_id, member_id, reason, phone)
    except Refusal as refusal:
        return await _again(request, operator, account_id, refusal, {"reason": reason})
    return see(here, request, _("手机号码已确认。"))


async def _again(
    request: Request, operator: Operator, account_id: UUID, refusal: Refusal, typed: dict[str, str]
) -> Response:
    unless_about_the_page(refusal)
    shown = await _customer(request, operator, account_id)
    return again(request, CUSTOMER, refusal, typed, address=f"/console/customers/{account_id}", **shown)


@router.get("/letters/{letter_id}")
async def letter(request: Request, operator: SignedOperator, letter_id: UUID) -> Response:
    """What somebody wrote on the public form."""
    return render(request, "console/letter.html", letter=await served(request).account_desk.letter(operator, letter_id))


@router.post("/letters/{letter_id}/handled")
async def settle(request: Request, operator: SignedOperator, letter_id: UUID) -> Response:
    """Answered."""
    _ = translator(request)
    await served(request).account_desk.settle_letter(operator, letter_id)
    return see(f"/console/letters/{letter_id}", request, _("已标记为处理完毕。"))


@router.get("/processes/{kind}/{subject}")
async def process(request: Request, operator: SignedOperator, kind: str, subject: str) -> Response:
    """On to the Temporal UI, where a process is seen and steered."""
    operator.require(Duty.ACCOUNTS)
    return RedirectResponse(process_url(served(request).foundation.policy, f"{kind}/{subject}"), 303)


async def _customer(request: Request, operator: Operator, account_id: UUID) -> dict[str, Any]:
    desk = served(request).account_desk
    return {
        "customer": await desk.customer(operator, account_id),
        "paying": await desk.is_paying(operator, account_id),
        "openings": await served(request).registration_desk.openings(operator, account_id),
        "ACCOUNT_STATES": ACCOUNT_STATES,
        "STAGES": STAGES,
    }
