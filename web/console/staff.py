"""/console/staff: the operators themselves, for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.operators import GivenOut, Operator
from web import shown_once
from web.console.pages import again, render, see, served, show_again, translator, unless_about_the_page
from web.console.sessions import SignedOperator

router = APIRouter(prefix="/console/staff")
PAGE = "console/staff.html"
PLACE = "/console/staff"
Text = Annotated[str, Form()]
Roles = Annotated[list[str], Form()]


@router.get("")
async def listed(request: Request, operator: SignedOperator) -> Response:
    """Everybody; and, once, the first password of somebody who was added."""
    people = await served(request).staff.listed(operator)
    given = shown_once.carried(request, PLACE).split()
    page = render(request, PAGE, people=people, given=given)
    return shown_once.shown(request, page, PLACE) if given else page


@router.post("")
async def add(request: Request, operator: SignedOperator, name: Text = "", role: Roles = []) -> Response:  # noqa: B006
    """Somebody new."""
    staff = served(request).staff
    try:
        given = await staff.add(operator, name.strip(), role)
    except Refusal as refusal:
        people = await staff.listed(operator)
        return again(request, PAGE, refusal, {"name": name, "role": role}, people=people, given=[])
    return _handed_out(request, given)


@router.post("/{subject}/roles")
async def set_roles(request: Request, operator: SignedOperator, subject: UUID, role: Roles = []) -> Response:  # noqa: B006
    """What they may do, from their next click on."""
    _ = translator(request)
    try:
        await served(request).staff.set_roles(operator, subject, role)
    except Refusal as refusal:
        return _refused(request, operator, refusal)
    return see(PLACE, request, _("角色已更新。"))


@router.post("/{subject}/disable")
async def disable(request: Request, operator: SignedOperator, subject: UUID) -> Response:
    """For good."""
    _ = translator(request)
    try:
        await served(request).staff.disable(operator, subject)
    except Refusal as refusal:
        return _refused(request, operator, refusal)
    return see(PLACE, request, _("操作员已停用，其登录已全部结束。"))


@router.post("/{subject}/reset")
async def reset(request: Request, operator: SignedOperator, subject: UUID) -> Response:
    """A new first password, and the authenticator anew."""
    try:
        given = await served(request).staff.reset(operator, subject)
    except Refusal as refusal:
        return _refused(request, operator, refusal)
    return _handed_out(request, given)


def _refused(request: Request, operator: Operator, refusal: Refusal) -> Response:
    unless_about_the_page(refusal)
    shown: Response = show_again(request, PLACE, refusal)
    return shown


def _handed_out(request: Request, given: GivenOut) -> Response:
    _ = translator(request)
    response = see(PLACE, request, _("请把下面的初始密码安全地交给本人，它只显示这一次。"))
    shown_once.carry(request, response, PLACE, f"{given.name} {given.password}")
    return response
