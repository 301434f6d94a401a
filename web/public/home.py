"""The front door."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from web.pages import render
from web.sessions import SIGNED_IN_HOME, session_token

router = APIRouter()


@router.get("/")
async def home(request: Request) -> Response:
    """Signed-in browsers go on to the portal."""
    if session_token(request):
        return RedirectResponse(SIGNED_IN_HOME, 303)
    return render(request, "public/home.html")


@router.get("/portal")
async def portal(request: Request) -> Response:
    return RedirectResponse(SIGNED_IN_HOME, 303)
