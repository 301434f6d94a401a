"""/console/me: an operator's own sessions, and how they sign in."""

from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain.errors import Refusal
from web.console.pages import render, see, served, show_again, translator
from web.console.sessions import SignedOperator

router = APIRouter(prefix="/console/me")


@router.get("")
async def sessions(request: Request, operator: SignedOperator) -> Response:
    """Where I am signed in, and what I may do."""
    listed = await served(request).operators.sessions(operator)
    way_in = await served(request).own_access.show(operator)
    return render(request, "console/me.html", sessions=listed, way_in=way_in)


@router.post("/sessions/{session_id}/revoke")
async def revoke(request: Request, operator: SignedOperator, session_id: UUID) -> Response:
    """End one of them."""
    _ = translator(request)
    try:
        await served(request).operators.revoke(operator, session_id)
    except Refusal as refusal:
        return show_again(request, "/console/me", refusal)
    return see("/console/me", request, _("登录已结束。"))
