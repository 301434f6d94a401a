"""The mobile number of who registers: ask for a code, type it."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from store.columns import now
from web.pages import again, language_of, refused, render, see, served, translator
from web.public.register import CHECK_MAIL, PHONE, handle_of
from web.visitors import Visiting

router = APIRouter()
Text = Annotated[str, Form()]
TEMPLATE = "public/register_phone.html"


@router.get(PHONE)
async def show(request: Request) -> Response:
    return await _page(request)


async def _page(request: Request, refusal: Refusal | None = None, typed: str | None = None) -> Response:
    """How far the number is, and what was wrong with the last try."""
    desk, handle = served(request), handle_of(request)
    try:
        step, case = await desk.phone_codes.of_registration(handle), await desk.registrations.waiting(handle)
    except Refusal as over:
        return see("/login", request, next(iter(refused(over, language_of(request)).values())), "info")
    rule = await desk.phone_codes.offered()
    if rule == "off":
        why = next(iter(refused(refusal, language_of(request)).values())) if refusal else ""
        return see(CHECK_MAIL, request, why, "info")
    shown: dict[str, Any] = {"step": step, "case": case, "rule": rule, "wait": step.wait_seconds(now())}
    if refusal is None:
        return render(request, TEMPLATE, **shown)
    return again(request, TEMPLATE, refusal, {} if typed is None else {"phone": typed}, address=PHONE, **shown)


@router.post(PHONE)
async def send(request: Request, visitor: Visiting, phone: Text = "", proof: Text = "") -> Response:
    """The same answer for every number."""
    _ = translator(request)
    try:
        await served(request).phone_codes.send(handle_of(request), phone, proof, visitor)
    except Refusal as refusal:
        return await _page(request, refusal, phone)
    return see(PHONE, request, _("验证码已发送，请查看手机短信。"))


@router.post(f"{PHONE}/confirm")
async def confirm(request: Request, code: Text = "") -> Response:
    _ = translator(request)
    try:
        await served(request).phone_codes.confirm(handle_of(request), code)
    except Refusal as refusal:
        return await _page(request, refusal)
    return see(PHONE, request, _("手机号码已验证。"))
