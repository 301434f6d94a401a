"""账户设置 › 手机号码: one's own number, proved by a code."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from store.columns import now
from web.pages import Caller, Signed, again, render, see, served, translator
from web.visitors import Visiting

router = APIRouter(prefix="/portal/account/phone")
Text = Annotated[str, Form()]
PAGE = "portal/account_phone.html"
PATH = "/portal/account/phone"


async def _known(request: Request, caller: Caller) -> dict[str, Any]:
    desk = served(request).phone_codes
    step = await desk.of_member(caller)
    return {"step": step, "rule": await desk.offered(), "wait": step.wait_seconds(now())}


@router.get("")
async def show(request: Request, caller: Signed) -> Response:
    return render(request, PAGE, **await _known(request, caller))


@router.post("")
async def send(request: Request, caller: Signed, visitor: Visiting, phone: Text = "", proof: Text = "") -> Response:
    """The number that is confirmed stays until the code of the new one is typed."""
    _ = translator(request)
    try:
        await served(request).phone_codes.send_to_member(caller, phone, proof, visitor)
    except Refusal as refusal:
        return again(request, PAGE, refusal, {"phone": phone}, address=PATH, **await _known(request, caller))
    return see(PATH, request, _("验证码已发送，请查看手机短信。"))


@router.post("/confirm")
async def confirm(request: Request, caller: Signed, code: Text = "") -> Response:
    _ = translator(request)
    try:
        await served(request).phone_codes.confirm_of_member(caller, code)
    except Refusal as refusal:
        return again(request, PAGE, refusal, {}, address=PATH, **await _known(request, caller))
    return see(PATH, request, _("手机号码已验证。"))


@router.post("/remove")
async def remove(request: Request, caller: Signed) -> Response:
    _ = translator(request)
    await served(request).phone_codes.remove(caller)
    return see(PATH, request, _("手机号码已移除。"))
