"""/console/lanes: how fast each mailbox provider and SMS gateway is spoken to, and whether it is at all."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.lanes import SMS, lane_title, read_limits
from domain.operators import Operator
from services.lanes import LaneView
from web.console.pages import (
    acted,
    again,
    language_of,
    render,
    see,
    served,
    translator,
    unless_about_the_page,
)
from web.console.sessions import SignedOperator
from web.portal.lanes import LOOKS

router = APIRouter(prefix="/console/lanes")
PAGE = "console/lanes.html"
PLACE = "/console/lanes"
Text = Annotated[str, Form()]


@router.get("")
async def listed(request: Request, operator: SignedOperator, lane: str = "") -> Response:
    """All of them; with `?lane=` the forms that change one."""
    shown = await _shown(request, operator, lane)
    return render(request, PAGE, values=_values(shown["chosen"]), **shown)


@router.post("/{lane}/pause")
async def pause(request: Request, operator: SignedOperator, lane: str, reason: Text = "") -> Response:
    """Red for every customer, with the reason."""
    try:
        await served(request).lane_desk.pause(operator, lane, reason)
    except Refusal as refusal:
        return await _again(request, operator, lane, refusal, {"reason": reason})
    return see(PLACE, request, translator(request)("已暂停，约一秒内生效。"))


@router.post("/{lane}/resume")
async def resume(request: Request, operator: SignedOperator, lane: str) -> Response:
    """Whatever waits goes on."""
    return await acted(request, PLACE, served(request).lane_desk.resume(operator, lane), "已恢复发送。")


@router.post("/{lane}/full-speed")
async def full_speed(request: Request, operator: SignedOperator, lane: str) -> Response:
    """The provider is well again."""
    return await acted(request, PLACE, served(request).lane_desk.full_speed(operator, lane), "已恢复全速。")


@router.post("/{lane}/limits")
async def set_limits(
    request: Request, operator: SignedOperator, lane: str, rate: Text = "", burst: Text = "",
    connections: Text = "", per_site: Text = "", per_connection: Text = "",
    row_version: Annotated[int, Form()] = -1,
) -> Response:  # fmt: skip
    """For all workers together."""
    typed = {
        "rate": rate, "burst": burst, "connections": connections, "per_site": per_site,
        "per_connection": per_connection,
    }  # fmt: skip
    try:
        limits = read_limits(**typed)
        await served(request).lane_desk.set_limits(operator, lane, limits, row_version)
    except Refusal as refusal:
        return await _again(request, operator, lane, refusal, typed)
    return see(PLACE, request, translator(request)("限制已保存，约一秒内生效。"))


async def _again(request: Request, operator: Operator, lane: str, refusal: Refusal, typed: dict[str, str]) -> Response:
    """The forms once more: with what was typed, and the message at its field."""
    unless_about_the_page(refusal)
    shown = await _shown(request, operator, lane)
    values = _values(shown["chosen"]) | typed
    return again(request, PAGE, refusal, values, address=f"{PLACE}?lane={lane}", **shown)


async def _shown(request: Request, operator: Operator, lane: str) -> dict[str, Any]:
    views, gateways = await served(request).lane_desk.listed(operator), served(request).sms_gateway_desk
    language = language_of(request)
    carriers = {f"{SMS}-{view.row.number}": view.row.name for view in await gateways.listed(operator)}
    titles = {view.lane.name: lane_title(view.lane.name, language) for view in views}
    return {
        "views": views,
        "chosen": next((view for view in views if view.lane.name == lane), None),
        "titles": {name: " · ".join(filter(None, (titles[name], carriers.get(name)))) for name in titles},
        "LOOKS": LOOKS,
        "per_minute": per_minute,
    }


def _values(view: LaneView | None) -> dict[str, Any]:
    if view is None:
        return {}
    lane = view.lane
    blank = {
        "rate": per_minute(lane.rate_per_s), "connections": lane.connections, "per_site": lane.per_site,
        "per_connection": lane.per_connection,
    }  # fmt: skip
    return {"burst": lane.burst} | {name: "" if value is None else value for name, value in blank.items()}


def per_minute(rate: float | None) -> str | None:
    """Mails a minute; None: no limit."""
    return None if rate is None else f"{round(rate * 60, 4):.10g}"
