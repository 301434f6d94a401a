"""/invitation: an invited person sets a password and is in."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from domain.errors import Refusal
from web import cookies
from web.csrf import VISIT_COOKIE
from web.pages import again, render, served
from web.sessions import SIGNED_IN_HOME, keep_session, session_token
from web.visitors import Visiting

router = APIRouter()
PAGE = "public/invitation.html"
Text = Annotated[str, Form()]


@router.get("/invitation")
async def form(request: Request, token: str = "") -> Response:
    """Only a form: mail scanners follow links, but press nothing."""
    found = await served(request).members.invitation(token)
    return render(request, PAGE, 200 if found else 410, token=token, invitation=found)


@router.post("/invitation")
async def accept(
    request: Request, visitor: Visiting, token: Text = "", password: Text = "", repeated: Text = ""
) -> Response:
    """Join and sign in; a session that the browser had ends."""
    try:
        if password != repeated:
            raise Refusal("passwords_differ", field="repeated")
        made = await served(request).members.accept(token, password, visitor, session_token(request))
    except Refusal as refusal:
        found = await served(request).members.invitation(token)
        here = f"/invitation?{urlencode({'token': token})}"
        return again(request, PAGE, refusal, {}, token=token, invitation=found, address=here)
    response = RedirectResponse(SIGNED_IN_HOME, 303)
    keep_session(request, response, made.token)
    cookies.drop(request, response, VISIT_COOKIE)
    return response
