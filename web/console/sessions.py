"""The operator's session in the browser: an opaque token in a cookie of its own, for the console's paths alone."""

from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from domain.errors import Refusal
from domain.operators import LONGEST, TICKET_VALID, Operator
from web import cookies

HOME = "/console/"
LOGIN = "/console/login"
COOKIE = "songda_operator"
TICKET = "songda_ticket"
PATH = "/console"


def operator_token(request: HTTPConnection) -> str:
    """The browser's token, or an empty string. Not checked."""
    return cookies.given(request, COOKIE, PATH)


def keep_operator(request: Request, response: Response, token: str) -> None:
    """Give the browser its session, and take the ticket that led to it."""
    cookies.keep(request, response, COOKIE, token, int(LONGEST.total_seconds()), PATH)
    cookies.drop(request, response, TICKET, PATH)


def drop_operator(request: Request, response: Response) -> None:
    """Take the session from the browser."""
    cookies.drop(request, response, COOKIE, PATH)


def keep_ticket(request: Request, response: Response, ticket: str) -> None:
    """Between the password and the code."""
    cookies.keep(request, response, TICKET, ticket, int(TICKET_VALID.total_seconds()), PATH)


def ticket_of(request: Request) -> str:
    """The ticket of the first step, or an empty string."""
    return cookies.given(request, TICKET, PATH)


def console_path(wanted: str) -> str:
    """`wanted`'s path when it is one of the console's, else its home: what a login page may lead on to."""
    parts = urlsplit(wanted)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    odd = any(character < "!" or character == "\\" for character in path)
    return path if path.startswith("/console/") and not odd and not path.startswith(LOGIN) else HOME


async def signed_operator(request: Request) -> Operator:
    """Who is behind the cookie; without one the browser is sent to the login page."""
    try:
        operator = await request.app.state.services.operators.operator(operator_token(request))
    except Refusal as refusal:
        wanted = request.url.path if request.method == "GET" else HOME
        raise HTTPException(303, headers={"Location": f"{LOGIN}?next={quote(wanted)}"}) from refusal
    request.state.operator = operator
    known: Operator = operator
    return known


SignedOperator = Annotated[Operator, Depends(signed_operator)]
