"""/console/login: name and password, then a code; at the first time an own password and an authenticator."""

from typing import Annotated
from urllib.parse import urlencode

import segno
from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from domain.errors import Refusal
from domain.operators import Enrolment, OperatorSignIn
from services.operators import FirstSignIn
from web import cookies, shown_once
from web.console.pages import again, render, see, served, translator
from web.console.sessions import (
    HOME,
    LOGIN,
    TICKET,
    SignedOperator,
    console_path,
    drop_operator,
    keep_operator,
    keep_ticket,
    operator_token,
    ticket_of,
)
from web.csrf import VISIT_COOKIE
from web.visitors import Visiting

router = APIRouter(prefix="/console")
Text = Annotated[str, Form()]
ENROL = "/console/enrol"
RECOVERY = "/console/recovery-codes"


@router.get("/login")
async def form(request: Request, next: str = "") -> Response:  # noqa: A002 - the name in the address
    """The first step; whatever was begun before is forgotten."""
    page = render(request, "console/login.html", next=console_path(next))
    if ticket_of(request):
        drop_ticket(request, page)
    return page


@router.post("/login")
async def sign_in(
    request: Request,
    visitor: Visiting,
    name: Text = "",
    password: Text = "",
    code: Text = "",
    next: Text = "",  # noqa: A002
) -> Response:
    """The first step (name and password), the second (code), or, for programs, both at once."""
    onward, ticket = console_path(next), ticket_of(request)
    if name or password or not ticket:
        try:
            shown = await served(request).operators.present(name, password, visitor)
        except Refusal as refusal:
            return _login_again(request, refusal, onward, name)
        ticket = shown.token
        if not shown.enrolled or not code:
            page = _enrolling() if not shown.enrolled else render(request, "console/code.html", next=onward)
            keep_ticket(request, page, ticket)
            return page
    try:
        made = await served(request).operators.complete(ticket, code, visitor, operator_token(request))
    except Refusal as refusal:
        if refusal.code == "operator_ticket_over":
            return _login_again(request, refusal, onward)
        return again(request, "console/code.html", refusal, {}, next=onward)
    return _inside(request, made, onward)


@router.get("/enrol")
async def enrol_page(request: Request) -> Response:
    """QR code and secret; the same until the first code confirms them."""
    try:
        enrolment = await served(request).operators.enrolment(ticket_of(request))
    except Refusal as refusal:
        return _login_again(request, refusal, HOME)
    return render(request, "console/enrol.html", enrolment=enrolment, qr=qr_of(enrolment))


@router.post("/enrol")
async def enrol(
    request: Request, visitor: Visiting, password: Text = "", repeated: Text = "", code: Text = ""
) -> Response:
    """Signed in, and on to the recovery codes."""
    operators, ticket = served(request).operators, ticket_of(request)
    try:
        if password != repeated:
            raise Refusal("passwords_differ", field="repeated")
        made = await operators.enrol(ticket, FirstSignIn(password, code), visitor)
    except Refusal as refusal:
        if refusal.code == "operator_ticket_over":
            return _login_again(request, refusal, HOME)
        enrolment = await operators.enrolment(ticket)
        return again(request, "console/enrol.html", refusal, {}, enrolment=enrolment, qr=qr_of(enrolment))
    response = _inside(request, made, RECOVERY)
    shown_once.carry(request, response, RECOVERY, " ".join(made.recovery_codes))
    return response


@router.get("/recovery-codes")
async def recovery_codes(request: Request, operator: SignedOperator) -> Response:
    """Once."""
    codes = shown_once.carried(request, RECOVERY).split()
    return shown_once.shown(request, render(request, "console/recovery.html", codes=codes), RECOVERY)


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """Ends the session on the server, too."""
    _ = translator(request)
    await served(request).operators.sign_out(operator_token(request))
    response = see(LOGIN, request, _("您已退出登录。"), "info")
    drop_operator(request, response)
    return response


def drop_ticket(request: Request, response: Response) -> None:
    """Have the browser forget the first step."""
    cookies.drop(request, response, TICKET, "/console")


def qr_of(enrolment: Enrolment) -> str:
    """An SVG as a data URI: nothing is fetched, and the secret is in no address."""
    return segno.make(enrolment.uri, error="m").svg_data_uri(scale=5, border=2)


def _login_again(request: Request, refusal: Refusal, onward: str, name: str = "") -> Response:
    """The first step once more, wherever the browser is."""
    here = f"{LOGIN}?{urlencode({'next': onward})}"
    return again(request, "console/login.html", refusal, {"name": name}, next=onward, address=here)


def _enrolling() -> Response:
    return RedirectResponse(ENROL, 303)


def _inside(request: Request, made: OperatorSignIn, onward: str) -> Response:
    response = RedirectResponse(onward, 303)
    keep_operator(request, response, made.token)
    cookies.drop(request, response, VISIT_COOKIE)
    return response
