"""/portal/statement: the balance, what is held for sends under way, and every movement of the money."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from domain.ledger import JournalKind
from domain.money import show_unit, show_yuan
from services.ledger import shown_reference
from web.i18n import mark as _
from web.pages import Caller, Signed, render, served

router = APIRouter(prefix="/portal/statement")

PAGE = 50
HOLDS_SHOWN = 20
KINDS = {
    JournalKind.CHARGE: _("发送扣费"),
    JournalKind.ADJUSTMENT: _("结果更正后扣费"),
    JournalKind.RECHARGE: _("充值"),
}
"""What moves a customer's balance; a payment that goes back never was in it."""
CHANNELS = {"alipay": _("支付宝")}
Before = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


@router.get("")
async def statement(
    request: Request, caller: Signed, kind: JournalKind | None = None, after: Before = None
) -> Response:
    """Newest first; `kind` keeps one kind."""
    ledger = served(request).ledger
    found = await ledger.statement(caller, kind, after, PAGE + 1)
    context = await _money(request, caller) | {"KINDS": KINDS, "CHANNELS": CHANNELS, "kind": kind, "after": after}
    following = found[PAGE - 1].id if len(found) > PAGE else None
    return render(request, "portal/statement.html", lines=found[:PAGE], next=following, **context)


@router.get("/export.csv")
async def export(request: Request, caller: Signed, kind: JournalKind | None = None) -> Response:
    """All of it as a file for spreadsheets."""
    return StreamingResponse(
        await served(request).ledger.export(caller, kind), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="statement.csv"'},
    )  # fmt: skip


async def _money(request: Request, caller: Caller) -> dict[str, Any]:
    ledger = served(request).ledger
    holds = await ledger.holds(caller, HOLDS_SHOWN + 1)
    return {
        "balance": await ledger.balance(caller),
        "sms_unit": await served(request).sms_templates.unit_price(caller),
        "announced": (await ledger.prices(caller))[1:],
        "holds": holds[:HOLDS_SHOWN],
        "more_holds": len(holds) > HOLDS_SHOWN,
        "yuan": show_yuan,
        "unit": show_unit,
        "reference": shown_reference,
    }
