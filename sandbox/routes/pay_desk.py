"""HTTP: the pretend Alipay's gateway, and what tests and the demo do at its pay desk."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from sandbox.parts import PartsOf
from sandbox.pay_desk import PAGE_PAY, Fault, Manner, Spoilt
from sandbox.pay_keys import APP_ID, SELLER_ID
from sandbox.pay_orders import Denied, yuan
from sandbox.rendering import page

router = APIRouter(prefix="/alipay", tags=["pay desk"])


class MannerIn(BaseModel):
    """What the buyer does with the order."""

    manner: Manner = Manner.PAY


class FaultIn(BaseModel):
    """How the gateway fails; ``fault`` null ends it."""

    fault: Fault | None = Fault.ERROR
    times: int | None = Field(default=None, ge=1, description="requests it lasts; null: until told otherwise")


@router.api_route("/gateway.do", methods=["GET", "POST"])
async def gateway(request: Request, parts: PartsOf) -> Response:
    """Alipay's one address: a browser is sent on to the order's page, a server gets signed JSON."""
    form = await request.form() if request.method == "POST" else {}
    params = {**request.query_params, **{name: str(value) for name, value in form.items()}}
    if params.get("method") == PAGE_PAY:
        return await _to_page(request, parts, params)
    try:
        return Response(await parts.pay_desk.answer(params), media_type="application/json; charset=utf-8")
    except Spoilt:
        return Response("Bad Gateway", 502)


async def _to_page(request: Request, parts: PartsOf, params: dict[str, str]) -> Response:
    try:
        order = await parts.pay_desk.open(params)
    except Denied as denied:
        return page(request, "pay_denied.html", 400, denied=denied)
    return RedirectResponse(f"/alipay/pay/{order.out_trade_no}", 303)


@router.get("/settings")
async def settings(request: Request, parts: PartsOf) -> dict[str, str]:
    """What a merchant needs: its application, its own private key, the pay desk's public key."""
    return {
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "gateway_url": str(request.base_url) + "alipay/gateway.do",
        "private_key": parts.pay_desk.keys.app_private,
        "public_key": parts.pay_desk.keys.desk_public,
    }


@router.get("/orders")
async def list_orders(parts: PartsOf) -> dict[str, Any]:
    """The newest orders."""
    return {"orders": [asdict(order) for order in await parts.pay_desk.orders()]}


@router.get("/orders/{number}")
async def one_order(number: str, parts: PartsOf) -> dict[str, Any]:
    """An order, what paid it, what was given back, and how its notifications went."""
    try:
        found = await parts.pay_desk.show(number)
    except Denied as denied:
        raise _refused(denied) from None
    order = found["order"]
    return {
        **asdict(order),
        "total_amount": yuan(order.amount),
        **{name: found[name] for name in found if name != "order"},
    }


@router.post("/orders/{number}/pay")
async def pay(number: str, body: MannerIn, parts: PartsOf) -> dict[str, str]:
    """Pay, or misbehave; the order must have been opened by its pay URL (follow it first)."""
    try:
        order = await parts.pay_desk.act(number, body.manner)
    except Denied as denied:
        raise _refused(denied) from None
    return {"out_trade_no": number, "status": order.status.value}


@router.post("/orders/{number}/close")
async def close(number: str, parts: PartsOf) -> dict[str, str]:
    """Close it as its buyer."""
    try:
        await parts.pay_desk.cancel(number)
    except Denied as denied:
        raise _refused(denied) from None
    return {"out_trade_no": number}


@router.post("/orders/{number}/notify")
async def notify(number: str, parts: PartsOf) -> dict[str, int]:
    """Notify again of every payment of an order."""
    try:
        return {"notices": await parts.pay_desk.notify_again(number)}
    except Denied as denied:
        raise _refused(denied) from None


@router.put("/faults")
async def set_fault(body: FaultIn, parts: PartsOf) -> dict[str, Any]:
    """Make the gateway fail."""
    parts.pay_desk.script(body.fault, body.times)
    return body.model_dump()


def _refused(denied: Denied) -> HTTPException:
    status = 404 if denied.sub_code == "ACQ.TRADE_NOT_EXIST" else 409
    return HTTPException(status, f"{denied.sub_code}: {denied.text}")
