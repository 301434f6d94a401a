"""/portal/sms-users: who sends SMS, and the keys that sign for it."""

from collections.abc import Awaitable
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from domain.errors import Refusal
from services.sms_users import IssuedSmsKey, SmsUserView
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator
from web.shown_once import carried, carry, shown

router = APIRouter(prefix="/portal/sms-users")

PAGE = 20


@router.get("")
async def sms_users(request: Request, caller: Signed, after: UUID | None = None) -> Response:
    """Newest first, with the form to create one."""
    return render(request, "portal/sms_users.html", values={}, **await _listed(request, caller, after))


@router.post("")
async def create(request: Request, caller: Signed) -> Response:
    """Create, then show the key, this once."""
    name = str((await request.form()).get("name", ""))
    try:
        issued = await served(request).sms_users.create(caller, name)
    except Refusal as refusal:
        listed = await _listed(request, caller, None)
        return again(request, "portal/sms_users.html", refusal, {"name": name}, **listed)
    return _to_key(request, issued)


@router.get("/{sms_user_id}")
async def sms_user(request: Request, caller: Signed, sms_user_id: UUID) -> Response:
    """One SMS user."""
    view = await served(request).sms_users.get(caller, sms_user_id)
    base = served(request).foundation.policy.public_url
    return render(request, "portal/sms_users_one.html", view=view, base=base)


@router.post("/{sms_user_id}/change")
async def change(request: Request, caller: Signed, sms_user_id: UUID) -> Response:
    """Enable or disable."""
    enabled = (await request.form()).get("enabled") == "true"
    done = served(request).sms_users.enable(caller, sms_user_id, enabled)
    return await _do(request, sms_user_id, done, _("已保存。"))


@router.post("/{sms_user_id}/key")
async def reset_key(request: Request, caller: Signed, sms_user_id: UUID) -> Response:
    """A new key, shown this once."""
    at_once = bool((await request.form()).get("at_once"))
    try:
        issued = await served(request).sms_users.reset_key(caller, sms_user_id, at_once=at_once)
    except Refusal as refusal:
        return _said(request, sms_user_id, refusal)
    return _to_key(request, issued, "" if at_once else "?reset=1")


@router.get("/{sms_user_id}/key")
async def show_key(request: Request, caller: Signed, sms_user_id: UUID, reset: bool = False) -> Response:
    """The key that was just made, this once; later only where to reset it."""
    view = await served(request).sms_users.get(caller, sms_user_id)
    key = carried(request, request.url.path)
    if not key:
        said = translator(request)(_("SMS_KEY 只显示一次，已不能再查看；如果没有保存，请重置。"))
        return see(f"/portal/sms-users/{sms_user_id}", request, said, "info")
    page = render(request, "portal/sms_users_key.html", view=view, key=key, reset=reset)
    return shown(request, page, request.url.path)


def _to_key(request: Request, issued: IssuedSmsKey, query: str = "") -> Response:
    here = f"/portal/sms-users/{issued.user.row.id}/key"
    response = RedirectResponse(here + query, 303)
    carry(request, response, here, issued.key)
    return response


async def _do(request: Request, sms_user_id: UUID, action: Awaitable[SmsUserView], said: str) -> Response:
    try:
        await action
    except Refusal as refusal:
        return _said(request, sms_user_id, refusal)
    return see(f"/portal/sms-users/{sms_user_id}", request, translator(request)(said))


def _said(request: Request, sms_user_id: UUID, refusal: Refusal) -> Response:
    if refusal.code == "sms_user_not_found":
        raise refusal
    message = refused(refusal, language_of(request))[refusal.field or ""]
    return see(f"/portal/sms-users/{sms_user_id}", request, message, "danger")


async def _listed(request: Request, caller: Caller, after: UUID | None) -> dict[str, Any]:
    views = await served(request).sms_users.page(caller, after, PAGE + 1)
    following = views[PAGE - 1].row.id if len(views) > PAGE else None
    return {"views": views[:PAGE], "after": after, "next": following}
