"""Pages of the pay desk: the buyer's, and the list of orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from sandbox.parts import Parts, PartsOf
from sandbox.pay_desk import MANNERS, Manner
from sandbox.pay_keys import APP_ID, SELLER_ID
from sandbox.pay_orders import Denied, Status
from sandbox.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/ui/pay")
async def orders_page(request: Request, parts: PartsOf) -> HTMLResponse:
    """The newest orders, and what a merchant's settings need."""
    orders = await parts.pay_desk.orders()
    return page(
        request, "pay_orders.html", orders=orders, keys=parts.pay_desk.keys, config=parts.config,
        app_id=APP_ID, seller_id=SELLER_ID,
    )  # fmt: skip


@router.get("/alipay/pay/{number}")
async def pay_page(request: Request, number: str, parts: PartsOf) -> HTMLResponse:
    """What the buyer sees: the amount and the button; other manners below."""
    return await _order(request, parts, number, "")


@router.post("/alipay/pay/{number}")
async def do(request: Request, number: str, parts: PartsOf, manner: Annotated[Manner, Form()]) -> Response:
    """A button of that page."""
    try:
        await parts.pay_desk.act(number, manner)
    except Denied as denied:
        return await _order(request, parts, number, denied.text)
    return RedirectResponse(f"/alipay/pay/{number}", 303)


@router.post("/alipay/pay/{number}/close")
async def cancel(request: Request, number: str, parts: PartsOf) -> Response:
    """The buyer does not want it."""
    try:
        await parts.pay_desk.cancel(number)
    except Denied as denied:
        return await _order(request, parts, number, denied.text)
    return RedirectResponse(f"/alipay/pay/{number}", 303)


async def _order(request: Request, parts: Parts, number: str, problem: str) -> HTMLResponse:
    try:
        shown = await parts.pay_desk.show(number)
    except Denied as denied:
        return page(request, "pay_denied.html", 404, denied=denied)
    back = await parts.pay_desk.way_back(number)
    paid = shown["order"].status is Status.SUCCESS
    others = [(each, *words) for each, words in MANNERS.items() if each is not Manner.PAY]
    return page(
        request, "pay.html", 409 if problem else 200, problem=problem, back=back, paid=paid, others=others, **shown
    )
