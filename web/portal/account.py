"""账户设置: who I am, my password, my sessions."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from web.pages import Caller, Signed, again, render, see, served, translator

router = APIRouter(prefix="/portal/account")
Text = Annotated[str, Form()]
PAGE = "portal/account.html"
PATH = "/portal/account"


async def _known(request: Request, caller: Caller) -> dict[str, Any]:
    return {
        "sessions": await served(request).sessions.listed(caller),
        "current": caller.session_id,
        "number": await served(request).phone_codes.of_member(caller),
    }


@router.get("")
async def show(request: Request, caller: Signed) -> Response:
    return render(request, PAGE, **await _known(request, caller))


@router.post("/password")
async def change_password(
    request: Request, caller: Signed, current: Text = "", new: Text = "", repeated: Text = ""
) -> Response:
    """The other sessions end, this one stays."""
    _ = translator(request)
    try:
        if new != repeated:
            raise Refusal("passwords_differ", field="repeated")
        await served(request).passwords.change(caller, current, new)
    except Refusal as refusal:
        return again(request, PAGE, refusal, {}, address=PATH, **await _known(request, caller))
    return see(PATH, request, _("密码已修改，其他登录均已退出。"))


@router.post("/language")
async def set_language(request: Request, caller: Signed, language: Text = "") -> Response:
    _ = translator(request)
    try:
        await served(request).accounts.set_language(caller, language)
    except Refusal as refusal:
        return again(request, PAGE, refusal, {}, address=PATH, **await _known(request, caller))
    return see(PATH, request, _("已保存。"))


@router.post("/sessions/revoke-others")
async def revoke_others(request: Request, caller: Signed) -> Response:
    _ = translator(request)
    ended = await served(request).sessions.revoke_others(caller)
    return see(PATH, request, _("已退出其他 {count} 个登录。", count=ended))


@router.post("/sessions/{session_id}/revoke")
async def revoke(request: Request, caller: Signed, session_id: UUID) -> Response:
    _ = translator(request)
    await served(request).sessions.revoke(caller, session_id)
    return see(PATH, request, _("该登录已退出。"))
