"""/console/egress: the addresses that we send from."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.egress import EgressState, Reverse, read_entry
from domain.errors import Refusal
from domain.operators import Operator
from services.egress import EgressView
from web.console.pages import acted, again, render, see, served, translator, unless_about_the_page
from web.console.sessions import SignedOperator
from web.i18n import mark as _

router = APIRouter(prefix="/console/egress")
PAGE = "console/egress.html"
PLACE = "/console/egress"
Text = Annotated[str, Form()]
STATES = {
    EgressState.ACTIVE: (_("使用中"), "success"),
    EgressState.PAUSED: (_("已暂停"), "danger"),
    EgressState.REMOVED: (_("已移除"), "secondary"),
}
REVERSE = {
    Reverse.GOOD: (_("正反向解析一致"), "success"),
    Reverse.NO_NAME: (_("没有 PTR 记录"), "warning"),
    Reverse.OTHER_NAME: (_("PTR 与 EHLO 名称不同"), "warning"),
    Reverse.NOT_BACK: (_("EHLO 名称没有解析到该地址"), "warning"),
    Reverse.UNKNOWN: (_("DNS 未及时回答"), "secondary"),
}
"""Whether the names of an address agree, and the colour of that."""


@router.get("")
async def listed(request: Request, operator: SignedOperator, number: int = 0) -> Response:
    """All of them; with `?number=` the form that changes one, else the form that adds one."""
    shown = await _shown(request, operator, number)
    return render(request, PAGE, values=_values(shown["chosen"]), **shown)


@router.post("")
async def add(
    request: Request, operator: SignedOperator, source: Text = "", ehlo_name: Text = "", host: Text = "",
    public: Text = "", note: Text = "",
) -> Response:  # fmt: skip
    """One more."""
    typed = {"source": source, "ehlo_name": ehlo_name, "host": host, "public": public, "note": note}
    try:
        number = await served(request).egress_desk.add(operator, read_entry(**typed))
    except Refusal as refusal:
        return await _again(request, operator, 0, refusal, typed)
    return see(PLACE, request, translator(request)("已添加 {number} 号地址，约一秒内生效。", number=number))


@router.post("/{number}")
async def change(
    request: Request, operator: SignedOperator, number: int, source: Text = "", ehlo_name: Text = "",
    host: Text = "", public: Text = "", note: Text = "", row_version: Annotated[int, Form()] = -1,
) -> Response:  # fmt: skip
    """For all machines."""
    typed = {"source": source, "ehlo_name": ehlo_name, "host": host, "public": public, "note": note}
    try:
        await served(request).egress_desk.change(operator, number, read_entry(**typed), row_version)
    except Refusal as refusal:
        return await _again(request, operator, number, refusal, typed)
    return see(PLACE, request, translator(request)("已保存，约一秒内生效。"))


@router.post("/{number}/pause")
async def pause(request: Request, operator: SignedOperator, number: int) -> Response:
    """It begins no new connection."""
    return await acted(request, PLACE, served(request).egress_desk.pause(operator, number), "已暂停，约一秒内生效。")


@router.post("/{number}/resume")
async def resume(request: Request, operator: SignedOperator, number: int) -> Response:
    """It is used again."""
    return await acted(request, PLACE, served(request).egress_desk.resume(operator, number), "已恢复使用。")


@router.post("/{number}/remove")
async def remove(request: Request, operator: SignedOperator, number: int) -> Response:
    """For good: its number is not used again."""
    return await acted(request, PLACE, served(request).egress_desk.remove(operator, number), "已移除，约一秒内生效。")


async def _again(
    request: Request, operator: Operator, number: int, refusal: Refusal, typed: dict[str, str]
) -> Response:
    """The form once more: with what was typed, and the message at its field."""
    unless_about_the_page(refusal)
    shown = await _shown(request, operator, number)
    address = f"{PLACE}?number={number}" if number else PLACE
    return again(request, PAGE, refusal, typed, address=address, **shown)


async def _shown(request: Request, operator: Operator, number: int) -> dict[str, Any]:
    views = await served(request).egress_desk.listed(operator)
    chosen = next((view for view in views if view.row.number == number), None)
    return {"views": views, "chosen": chosen, "STATES": STATES, "REVERSE": REVERSE}


def _values(view: EgressView | None) -> dict[str, Any]:
    if view is None:
        return {}
    row = view.row
    return {"source": row.source, "ehlo_name": row.ehlo_name, "host": row.host, "public": row.public, "note": row.note}
