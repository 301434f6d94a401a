"""/console/received/{payment}: money that arrived, what became of it, and the end of a refund that nobody makes."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.operators import Operator
from web.console.lists import MONEY_TONES, PAYMENT_STATES
from web.console.pages import again, render, see, served, translator, unless_about_the_page
from web.console.sessions import SignedOperator
from web.console.words import ATTENTION, BACK, action
from web.temporal_links import process_url

router = APIRouter(prefix="/console/received")
PAGE = "console/payment.html"
Text = Annotated[str, Form()]


@router.get("/{payment_id}")
async def payment(request: Request, operator: SignedOperator, payment_id: UUID) -> Response:
    """Whose it is, where it stands, what is on record."""
    return render(request, PAGE, **await _shown(request, operator, payment_id))


@router.post("/{payment_id}/refunded")
async def end_refund(request: Request, operator: SignedOperator, payment_id: UUID, reason: Text = "") -> Response:
    """It went back in another way than by the provider's interface."""
    say, here = translator(request), f"{router.prefix}/{payment_id}"
    try:
        await served(request).payment_desk.end_refund(operator, payment_id, reason)
    except Refusal as refusal:
        unless_about_the_page(refusal)
        shown = await _shown(request, operator, payment_id)
        return again(request, PAGE, refusal, {"reason": reason}, address=here, **shown)
    return see(here, request, say("已登记为退款完成，流程随后结束。"))


async def _shown(request: Request, operator: Operator, payment_id: UUID) -> dict[str, Any]:
    case = await served(request).payment_desk.payment(operator, payment_id)
    return {
        "case": case, "STATES": PAYMENT_STATES, "TONES": MONEY_TONES, "WHY": BACK, "ATTENTION": ATTENTION,
        "action": action, "process_url": process_url(served(request).foundation.policy, case.workflow_id),
    }  # fmt: skip
