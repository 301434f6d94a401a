"""/console/retry-curves: when deferred mails are tried again, by what kept them and by kind of mail."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.operators import Duty, Operator
from domain.retry_curves import CurveClass, CurveKey, read_curve, tries
from domain.senders import SendKind
from domain.sending import Curve
from store.reply_rules import RetryCurve
from web.console.pages import again, render, see, served, show_again, translator, unless_about_the_page
from web.console.reply_rules import TRIES_SHOWN, clock
from web.console.sessions import SignedOperator
from web.i18n import mark as _
from web.portal.records.words import KINDS

router = APIRouter(prefix="/console/retry-curves")
PLACE, PAGE = "/console/retry-curves", "console/retry_curves.html"
Text = Annotated[str, Form()]
Version = Annotated[int, Form()]
CLASSES = {
    CurveClass.GREYLIST.value: _("对方要求稍后再试（灰名单）"),
    CurveClass.RATE_LIMITED.value: _("对方限制了接收频率"),
    CurveClass.FULL.value: _("收件邮箱已满"),
    CurveClass.CONN.value: _("无法连接，或对方暂时拒收"),
    CurveClass.BLOCK.value: _("暂时被拦截（内容、IP、域名、验证）"),
    CurveClass.OTHER.value: _("其他暂时失败"),
}


@router.get("")
async def listed(request: Request, operator: SignedOperator, curve: str = "") -> Response:
    """All of them; with `?curve=class/kind` the form that changes one."""
    shown = await _shown(request, operator, curve)
    return render(request, PAGE, values=_values(shown["chosen"]), **shown)


@router.post("/{curve_class}/{kind}")
async def set_curve(
    request: Request, operator: SignedOperator, curve_class: str, kind: str, waits: Text = "",
    give_up_after: Text = "", row_version: Version = -1,
) -> Response:  # fmt: skip
    """For what is deferred from now on."""
    try:
        key = _key(operator, curve_class, kind)
        await served(request).curve_desk.set_curve(
            operator, key, read_curve(waits, give_up_after, key.kind), row_version
        )
    except Refusal as refusal:
        unless_about_the_page(refusal)
        chosen = f"{curve_class}/{kind}"
        values = {"waits": waits, "give_up_after": give_up_after}
        shown = await _shown(request, operator, chosen)
        return again(request, PAGE, refusal, values, address=f"{PLACE}?curve={chosen}", **shown)
    return see(PLACE, request, translator(request)("重试间隔已保存，约两秒内生效。"))


@router.post("/{curve_class}/{kind}/restore")
async def restore(
    request: Request, operator: SignedOperator, curve_class: str, kind: str, row_version: Version = -1
) -> Response:
    """As it ships."""
    try:
        await served(request).curve_desk.restore(operator, _key(operator, curve_class, kind), row_version)
    except Refusal as refusal:
        unless_about_the_page(refusal)
        back: Response = show_again(request, PLACE, refusal)
        return back
    return see(PLACE, request, translator(request)("重试间隔已恢复。"))


def _key(operator: Operator, curve_class: str, kind: str) -> CurveKey:
    """Raises `duty_forbidden`, `not_found`."""
    operator.require(Duty.LANES)
    try:
        return CurveKey(CurveClass(curve_class), SendKind(kind))
    except ValueError as error:
        raise Refusal("not_found", what="retry_curve") from error


async def _shown(request: Request, operator: Operator, curve: str) -> dict[str, Any]:
    rows = await served(request).curve_desk.listed(operator)
    return {
        "rows": rows.values(), "CLASSES": CLASSES, "KINDS": KINDS, "clock": clock, "tries": _tries,
        "chosen": next((row for row in rows.values() if f"{row.curve_class}/{row.kind}" == curve), None),
    }  # fmt: skip


def _tries(row: RetryCurve) -> tuple[list[str], bool]:
    """When the tries after the first come, and whether there are more than are shown."""
    curve: Curve = row.curve
    found = [clock(after) for after in tries(curve, SendKind(row.kind))]
    return found[:TRIES_SHOWN], len(found) > TRIES_SHOWN


def _values(row: RetryCurve | None) -> dict[str, Any]:
    return {} if row is None else {"waits": ", ".join(map(str, row.waits)), "give_up_after": row.give_up_after}
