"""/portal/recharges: an amount, a page to pay it on, and an order that follows itself until the money is there.

What the browser brings back from the payment provider is not read: the order's page shows the row, nothing else.
"""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from domain.billing import PRESETS_FEN, CloseReason, PaymentState, RechargeState, RefundReason
from domain.errors import Refusal
from domain.money import plain_yuan, show_yuan
from services.billing import RechargeView
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/recharges")

LIST_PAGE = 20
STATES = {
    RechargeState.OPEN: (_("待支付"), "warning"),
    RechargeState.CREDITED: (_("已到账"), "success"),
    RechargeState.CLOSED: (_("已关闭"), "secondary"),
}
PAYMENTS = {
    PaymentState.CREDITED: (_("已入账"), "success"),
    PaymentState.REFUND_WANTED: (_("退款中"), "warning"),
    PaymentState.REFUNDED: (_("已退款"), "secondary"),
}
REASONS = {
    CloseReason.TIMEOUT: _("超过支付时间，订单已关闭。"),
    CloseReason.MEMBER: _("订单已由您关闭。"),
}
WHY_BACK = {
    RefundReason.PAID_TWICE: _("同一订单重复支付"),
    RefundReason.ACCOUNT_GONE: _("账户已停用"),
}


@router.get("")
async def recharges(request: Request, caller: Signed, amount: str = "", after: UUID | None = None) -> Response:
    """The form (a preset may have filled it in) and the orders so far."""
    context = await _list(request, caller, after)
    return render(request, "portal/recharges.html", values={"amount": amount[:20]}, **context)


@router.post("")
async def open_recharge(request: Request, caller: Signed) -> Response:
    """An order; its page has the way to the payment provider."""
    amount = str((await request.form()).get("amount", ""))[:20]
    try:
        made = await served(request).billing.open(caller, amount)
    except Refusal as refusal:
        context = await _list(request, caller, None)
        return again(request, "portal/recharges.html", refusal, {"amount": amount}, **context)
    return see(f"/portal/recharges/{made.row.id}", request)


@router.get("/{recharge_id}")
async def recharge(request: Request, caller: Signed, recharge_id: UUID) -> Response:
    """One order, live."""
    return render(request, "portal/recharges_one.html", **await _one(request, caller, recharge_id))


@router.get("/{recharge_id}/live")
async def live(request: Request, caller: Signed, recharge_id: UUID) -> Response:
    """The part of the page that changes; the script asks for it every few seconds."""
    return render(request, "portal/recharges_live.html", **await _one(request, caller, recharge_id))


@router.get("/{recharge_id}/return")
async def returned(request: Request, caller: Signed, recharge_id: UUID) -> Response:
    """Where the provider sends the browser: to the row, without anything that the address carries."""
    await served(request).billing.get(caller, recharge_id)
    return RedirectResponse(f"/portal/recharges/{recharge_id}", 303)


@router.post("/{recharge_id}/close")
async def close(request: Request, caller: Signed, recharge_id: UUID) -> Response:
    """Have it closed, at the provider first."""
    here = f"/portal/recharges/{recharge_id}"
    try:
        await served(request).billing.close(caller, recharge_id)
    except Refusal as refusal:
        if refusal.code != "recharge_paid":
            raise
        return see(here, request, refused(refusal, language_of(request))[""], "danger")
    return see(here, request, translator(request)("正在关闭订单。"))


async def _list(request: Request, caller: Caller, after: UUID | None) -> dict[str, Any]:
    billing = served(request).billing
    found = await billing.page(caller, after, LIST_PAGE + 1)
    terms = billing.terms(caller)
    return {
        "rows": found[:LIST_PAGE],
        "after": after,
        "next": str(found[LIST_PAGE - 1].row.id) if len(found) > LIST_PAGE else "",
        "terms": terms,
        "presets": [fen for fen in PRESETS_FEN if terms.min_fen <= fen <= terms.max_fen],
        **_words(),
    }


async def _one(request: Request, caller: Caller, recharge_id: UUID) -> dict[str, Any]:
    view = await served(request).billing.get(caller, recharge_id)
    return {"view": view, "order": view.row, "moving": _is_moving(view), **_words()}


def _is_moving(view: RechargeView) -> bool:
    """Something is still to happen."""
    back = any(payment.state == PaymentState.REFUND_WANTED for payment in view.payments)
    return view.row.state == RechargeState.OPEN or back


def _words() -> dict[str, Any]:
    return {
        "STATES": STATES, "PAYMENTS": PAYMENTS, "REASONS": REASONS, "WHY_BACK": WHY_BACK,
        "yuan": show_yuan, "plain": plain_yuan,
    }  # fmt: skip
