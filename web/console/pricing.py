"""/console/prices/new: a price of mails or SMS from a time on, for everybody or for one customer."""

import datetime as dt
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.ledger import EMAIL
from domain.operators import Duty
from domain.times import SHANGHAI
from services.prices import NewPrice
from web.console.pages import again, render, see, served, translator
from web.console.sessions import SignedOperator

router = APIRouter(prefix="/console/prices")
PAGE = "console/price.html"
Text = Annotated[str, Form()]


@router.get("/new")
async def form(request: Request, operator: SignedOperator, account: str = "") -> Response:
    """An empty form; with a customer's id when it began there."""
    operator.require(Duty.MONEY)
    return render(request, PAGE, values={"account": account[:40]})


@router.post("/new")
async def set_price(
    request: Request, operator: SignedOperator, unit: Text = "", item: Text = EMAIL, country: Text = "",
    account: Text = "", begins: Text = "",
) -> Response:  # fmt: skip
    """Prices are only ever added."""
    _ = translator(request)
    typed = {"unit": unit, "item": item, "country": country, "account": account, "begins": begins}
    try:
        price = NewPrice(unit, parse_account(account), parse_moment(begins), item, country)
        await served(request).prices.set_price(operator, price)
    except Refusal as refusal:
        if refusal.code == "duty_forbidden":
            raise
        placed = Refusal(refusal.code, _PLACES.get(refusal.field or "", refusal.field), **refusal.params)
        return again(request, PAGE, placed, typed)
    return see("/console/", request, _("价格已设置，从生效时间起适用。"))


_PLACES = {"account_id": "account", "effective_from": "begins"}
"""The service's names of values, and the form's."""


def parse_account(text: str) -> UUID | None:
    """Blank: for everybody. Raises the refusal `not_found`."""
    try:
        return UUID(text.strip()) if text.strip() else None
    except ValueError as error:
        raise Refusal("not_found", field="account", what="account") from error


def parse_moment(text: str) -> dt.datetime | None:
    """`2026-12-01T00:00`, Asia/Shanghai; blank: at once. Raises the refusal `required`."""
    if not text.strip():
        return None
    try:
        return dt.datetime.fromisoformat(text.strip()).replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise Refusal("required", field="begins") from error
