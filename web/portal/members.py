"""/portal/members: who belongs to the account, invitations, roles, whose account it is."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.accounts import Role
from domain.errors import Refusal
from domain.members import MemberState
from services.members import MemberView
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/members")
Text = Annotated[str, Form()]
PAGE, PATH = "portal/members.html", "/portal/members"
STATES = {
    MemberState.ACTIVE: (_("已加入"), "success"),
    MemberState.INVITED: (_("已邀请，未接受"), "info"),
    MemberState.EXPIRED: (_("邀请已过期"), "warning"),
}
WHAT = {
    Role.OWNER: _("一切，并可转让所有权"),
    Role.ADMIN: _("一切，包括管理成员"),
    Role.DEVELOPER: _("域名、API_USER、WebHook、模板、发送"),
    Role.FINANCE: _("认证、充值、对账单"),
    Role.VIEWER: _("只查看"),
}
"""What each role may do, in the table below the form."""
GRANTED = (Role.ADMIN, Role.DEVELOPER, Role.FINANCE, Role.VIEWER)


async def _known(request: Request, caller: Caller) -> dict[str, Any]:
    _ = translator(request)
    return {
        "members": await served(request).members.listed(caller),
        "own": caller.member_id,
        "is_owner": caller.role is Role.OWNER,
        "STATES": STATES,
        "WHAT": WHAT,
        "GRANTED": GRANTED,
        "heirs": await _heirs(request, caller),
    }


async def _heirs(request: Request, caller: Caller) -> list[MemberView]:
    """To whom the ownership can go."""
    found = await served(request).members.listed(caller)
    return [each for each in found if each.state is MemberState.ACTIVE and each.role is not Role.OWNER]


@router.get("")
async def show(request: Request, caller: Signed) -> Response:
    return render(request, PAGE, values={"role": Role.DEVELOPER.value}, **await _known(request, caller))


@router.post("")
async def invite(request: Request, caller: Signed, email: Text = "", role: Text = "") -> Response:
    """Mail an invitation."""
    _ = translator(request)
    try:
        await served(request).members.invite(caller, email, role)
    except Refusal as refusal:
        return again(request, PAGE, refusal, {"email": email, "role": role}, **await _known(request, caller))
    return see(PATH, request, _("邀请已发出，7 天内有效。"))


@router.post("/{member_id}/resend")
async def resend(request: Request, caller: Signed, member_id: UUID) -> Response:
    _ = translator(request)
    try:
        await served(request).members.resend(caller, member_id)
    except Refusal as refusal:
        return _told(request, refusal)
    return see(PATH, request, _("邀请已重新发送，之前的链接不再有效。"))


@router.post("/{member_id}/role")
async def change_role(request: Request, caller: Signed, member_id: UUID, role: Text = "") -> Response:
    _ = translator(request)
    try:
        await served(request).members.change_role(caller, member_id, role)
    except Refusal as refusal:
        return _told(request, refusal)
    return see(PATH, request, _("角色已修改。"))


@router.post("/{member_id}/remove")
async def remove(request: Request, caller: Signed, member_id: UUID) -> Response:
    """Who removes oneself is signed out by the next page."""
    _ = translator(request)
    try:
        await served(request).members.remove(caller, member_id)
    except Refusal as refusal:
        return _told(request, refusal)
    return see(PATH, request, _("已移除。"))


@router.post("/owner")
async def hand_over(request: Request, caller: Signed, heir: Text = "", password: Text = "") -> Response:
    """Needs the password again."""
    _ = translator(request)
    try:
        await served(request).members.hand_over(caller, _member(heir), password)
    except Refusal as refusal:
        return again(request, PAGE, refusal, {"heir": heir}, address=PATH, **await _known(request, caller))
    return see(PATH, request, _("所有权已转让，您现在是管理员。"))


def _member(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Refusal("not_found", what="member") from None


def _told(request: Request, refusal: Refusal) -> Response:
    """Back to the list, which says what was wrong; another account's member is a page that is not there."""
    if refusal.code == "not_found":
        raise refusal
    return see(PATH, request, next(iter(refused(refusal, language_of(request)).values())), "danger")
