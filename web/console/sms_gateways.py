"""/console/sms-gateways and /console/sms-routes: carriers over SMPP, and which of them takes what."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.operators import Operator
from domain.sms import SmsKind
from domain.sms_carriers import Bind, GatewayState, IdForm
from domain.sms_gateways import TypedGateway, read_gateway, read_route
from domain.transport import Tls
from services.sms_gateways import GatewayView
from web.console.pages import acted, again, render, see, served, translator, unless_about_the_page
from web.console.sessions import SignedOperator
from web.i18n import mark as _

router = APIRouter()
PAGE, PLACE = "console/sms_gateways.html", "/console/sms-gateways"
ROUTES_PAGE, ROUTES_PLACE = "console/sms_routes.html", "/console/sms-routes"
Text = Annotated[str, Form()]
STATES = {
    GatewayState.ENABLED: (_("使用中"), "success"),
    GatewayState.PAUSED: (_("已暂停"), "danger"),
    GatewayState.REMOVED: (_("已移除"), "secondary"),
}
TLS = {Tls.NONE: _("不加密"), Tls.REQUIRED: _("必须加密，不验证证书"), Tls.VERIFIED: _("必须加密，并验证证书")}
BINDS = {Bind.TRANSCEIVER: _("收发合一（transceiver）"), Bind.PAIR: _("收发分开（transmitter + receiver）")}
ID_FORMS = {
    IdForm.AS_IS: _("与提交应答相同"),
    IdForm.HEX_TO_DECIMAL: _("应答为十六进制，回执为十进制"),
    IdForm.DECIMAL_TO_HEX: _("应答为十进制，回执为十六进制"),
}
KINDS = {SmsKind.CODE: _("验证码"), SmsKind.NOTICE: _("通知"), SmsKind.MARKETING: _("营销")}
ALL_KINDS = _("所有类型")


@router.get(PLACE)
async def listed(request: Request, operator: SignedOperator, number: int = 0) -> Response:
    """All of them; with `?number=` the form that changes one, else the form that adds one."""
    shown = await _shown(request, operator, number)
    return render(request, PAGE, values=_values(shown["chosen"]), **shown)


@router.post(PLACE)
async def add(request: Request, operator: SignedOperator) -> Response:
    """One more."""
    typed = await _typed(request)
    try:
        number = await served(request).sms_gateway_desk.add(operator, read_gateway(typed))
    except Refusal as refusal:
        return await _again(request, operator, 0, refusal, typed)
    return see(PLACE, request, translator(request)("已添加 {number} 号网关，约一秒内开始连接。", number=number))


@router.post(PLACE + "/{number}")
async def change(request: Request, operator: SignedOperator, number: int) -> Response:
    """Its binds begin anew."""
    typed = await _typed(request)
    seen = str((await request.form()).get("seen", ""))
    try:
        await served(request).sms_gateway_desk.change(operator, number, read_gateway(typed), seen)
    except Refusal as refusal:
        return await _again(request, operator, number, refusal, typed)
    return see(PLACE, request, translator(request)("网关已保存，约一秒内重新连接。"))


@router.post(PLACE + "/{number}/pause")
async def pause(request: Request, operator: SignedOperator, number: int, reason: Text = "") -> Response:
    """Its binds end in order."""
    act = served(request).sms_gateway_desk.pause(operator, number, reason)
    return await acted(request, f"{PLACE}?number={number}", act, "网关已暂停，约一秒内断开。")


@router.post(PLACE + "/{number}/resume")
async def resume(request: Request, operator: SignedOperator, number: int) -> Response:
    """It is bound to again."""
    return await acted(request, PLACE, served(request).sms_gateway_desk.resume(operator, number), "网关已恢复使用。")


@router.post(PLACE + "/{number}/remove")
async def remove(request: Request, operator: SignedOperator, number: int) -> Response:
    """For good, with its routes."""
    return await acted(request, PLACE, served(request).sms_gateway_desk.remove(operator, number), "网关已移除。")


@router.get(ROUTES_PLACE)
async def routes(
    request: Request, operator: SignedOperator, phone: str = "", of_kind: SmsKind = SmsKind.CODE
) -> Response:
    """In the order in which they are asked, and the form that adds one; with `?phone=` how a text to it would go."""
    shown = await _routes(request, operator)
    values = {"rank": "10", "phone": phone, "of_kind": of_kind.value}
    if not phone:
        return render(request, ROUTES_PAGE, values=values, **shown)
    try:
        ways = await served(request).sms_gateway_desk.ways(operator, phone, of_kind)
    except Refusal as refusal:
        unless_about_the_page(refusal)
        return again(request, ROUTES_PAGE, refusal, values, address=ROUTES_PLACE, **shown)
    return render(request, ROUTES_PAGE, values=values, **shown | {"ways": ways})


@router.post(ROUTES_PLACE)
async def add_route(
    request: Request, operator: SignedOperator, gateway: Text = "", country: Text = "", kind: Text = "",
    rank: Text = "", cost: Text = "",
) -> Response:  # fmt: skip
    """One more."""
    typed = {"gateway": gateway, "country": country, "kind": kind, "rank": rank, "cost": cost}
    try:
        await served(request).sms_gateway_desk.add_route(operator, read_route(**typed))
    except Refusal as refusal:
        unless_about_the_page(refusal)
        shown = await _routes(request, operator)
        return again(request, ROUTES_PAGE, refusal, typed, address=ROUTES_PLACE, **shown)
    return see(ROUTES_PLACE, request, translator(request)("路由已添加，约一秒内生效。"))


@router.post(ROUTES_PLACE + "/{route_id}/remove")
async def remove_route(request: Request, operator: SignedOperator, route_id: UUID) -> Response:
    """Messages that wait are asked about anew."""
    act = served(request).sms_gateway_desk.remove_route(operator, route_id)
    return await acted(request, ROUTES_PLACE, act, "路由已删除。")


async def _typed(request: Request) -> TypedGateway:
    form = await request.form()
    names = TypedGateway.__dataclass_fields__
    return TypedGateway(**{name: str(form[name]) for name in names if name in form})


async def _again(request: Request, operator: Operator, number: int, refusal: Refusal, typed: TypedGateway) -> Response:
    """The form once more: with what was typed but the password, and the message at its field."""
    unless_about_the_page(refusal)
    shown = await _shown(request, operator, number)
    values = {name: getattr(typed, name) for name in TypedGateway.__dataclass_fields__ if name != "password"}
    address = f"{PLACE}?number={number}" if number else PLACE
    return again(request, PAGE, refusal, values, address=address, **shown)


async def _shown(request: Request, operator: Operator, number: int) -> dict[str, Any]:
    desk = served(request).sms_gateway_desk
    views, unowned = await desk.listed(operator), await desk.unowned(operator)
    chosen = next((view for view in views if view.row.number == number), None)
    among: dict[str, dict[Any, str]] = {"tls": TLS, "bind": BINDS, "id_form": ID_FORMS}
    choices = {name: _choices(request, words) for name, words in among.items()}
    return {"views": views, "unowned": unowned, "chosen": chosen, "choices": choices, "STATES": STATES}


async def _routes(request: Request, operator: Operator) -> dict[str, Any]:
    desk = served(request).sms_gateway_desk
    views = await desk.listed(operator)
    gateways = [(view.row.number, view.row.name) for view in views]
    choices = {"kind": _choices(request, {"": ALL_KINDS, **KINDS}), "of_kind": _choices(request, KINDS)}
    rows = await desk.routes(operator)
    shown = {"rows": rows, "gateways": gateways, "choices": choices, "STATES": STATES, "KINDS": KINDS}
    return shown | {"ways": None}


def _choices(request: Request, words: dict[Any, str]) -> list[tuple[str, str]]:
    """(value, text) for a form's list."""
    translate = translator(request)
    return [(str(code), translate(text)) for code, text in words.items()]


def _values(view: GatewayView | None) -> dict[str, Any]:
    if view is None:
        return {name: each.default for name, each in TypedGateway.__dataclass_fields__.items()}
    names = [name for name in TypedGateway.__dataclass_fields__ if name != "password"]
    values = {name: getattr(view.row, name) for name in names}
    return {name: "" if value is None else str(value) for name, value in values.items()}
