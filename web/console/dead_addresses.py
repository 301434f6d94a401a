"""/console/dead-addresses: addresses without a mailbox, looked up one by one and freed by hand."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.operators import MAX_REASON, Operator
from store.columns import now
from store.dead_addresses import MOST_COUNTED
from web.console.pages import again, render, see, served, translator, unless_about_the_page
from web.console.sessions import SignedOperator

router = APIRouter(prefix="/console/dead-addresses")
PAGE = "console/dead_addresses.html"
PLACE = "/console/dead-addresses"


@router.get("")
async def look_up(
    request: Request, operator: SignedOperator, address: str = Query(default="", max_length=1000)
) -> Response:
    """The counts; with `?address=` what is known of exactly that one."""
    shown = await _counted(request, operator)
    if not address.strip():
        return render(request, PAGE, **shown)
    try:
        shown["found"] = await served(request).dead_address_desk.find(operator, address)
    except Refusal as refusal:
        unless_about_the_page(refusal)
        return again(request, PAGE, refusal, {"address": address}, address=PLACE, **shown)
    return render(request, PAGE, values={"address": address}, **shown)


@router.post("/free")
async def free(
    request: Request, operator: SignedOperator, address: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Whoever writes to it next is tried."""
    desk = served(request).dead_address_desk
    try:
        await desk.free(operator, address, reason)
    except Refusal as refusal:
        unless_about_the_page(refusal)
        shown = await _counted(request, operator)
        if refusal.field == "reason":
            shown["found"] = await desk.find(operator, address)
        return again(request, PAGE, refusal, {"address": address, "reason": reason}, address=PLACE, **shown)
    return see(PLACE, request, translator(request)("已移出无效地址库，下一封邮件会再次尝试。"))


async def _counted(request: Request, operator: Operator) -> dict[str, Any]:
    counts = await served(request).dead_address_desk.counts(operator)
    return {"counts": counts, "most": MOST_COUNTED, "found": None, "at": now(), "longest": MAX_REASON}
