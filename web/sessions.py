"""The browser's session: an opaque token in a cookie, looked up by its HMAC on every request."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain.accounts import SESSION_DAYS, Caller
from domain.errors import Refusal
from services.catalog import Services
from web import cookies

SIGNED_IN_HOME = "/portal/"
COOKIE = "songda_session"


def served(request: Request) -> Services:
    """The services that `api/app.py` built."""
    found: Services = request.app.state.services
    return found


def session_token(request: Request) -> str:
    """The browser's token, or an empty string. Not checked."""
    return cookies.given(request, COOKIE)


def keep_session(request: Request, response: Response, token: str) -> None:
    """Give the browser its (new) session."""
    cookies.keep(request, response, COOKIE, token, SESSION_DAYS * 86_400)


def drop_session(request: Request, response: Response) -> None:
    """Take the session from the browser."""
    cookies.drop(request, response, COOKIE)


def local_path(path: str, otherwise: str = SIGNED_IN_HOME) -> str:
    """`path` when it leads to this site and nowhere else, else `otherwise`."""
    odd = any(character < "!" or character == "\\" for character in path)
    return path if path.startswith("/") and not path.startswith("//") and not odd else otherwise


def sign_in_path(request: Request) -> str:
    """The login page, with the way back."""
    wanted = request.url.path if request.method == "GET" else SIGNED_IN_HOME
    if request.method == "GET" and request.url.query:
        wanted += f"?{request.url.query}"
    return f"/login?next={quote(wanted)}"


async def signed_in(request: Request) -> Caller:
    """The caller behind the session cookie; without one the browser is sent to the login page."""
    try:
        caller = await served(request).accounts.caller(session_token(request))
        if caller.member_id is None:
            raise Refusal("unauthenticated")
        request.state.profile = await served(request).accounts.profile(caller)
    except Refusal as refusal:
        raise HTTPException(303, headers={"Location": sign_in_path(request)}) from refusal
    return caller


Signed = Annotated[Caller, Depends(signed_in)]
