"""Signing in and out, and the forgotten password."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from domain.errors import Refusal
from services.sessions import Unconfirmed
from web import cookies
from web.csrf import VISIT_COOKIE
from web.pages import again, render, see, served, translator
from web.public.register import CHECK_MAIL, keep_handle
from web.sessions import drop_session, keep_session, local_path, session_token
from web.visitors import Visiting

router = APIRouter()
Text = Annotated[str, Form()]


@router.get("/login")
async def form(request: Request, next: str = "") -> Response:  # noqa: A002 - the name in the address
    return render(request, "public/login.html", next=local_path(next))


@router.post("/login")
async def sign_in(
    request: Request,
    visitor: Visiting,
    email: Text = "",
    password: Text = "",
    next: Text = "",  # noqa: A002
) -> Response:
    """A new session each time; the one that the browser had ends."""
    try:
        made = await served(request).sessions.sign_in(email, password, visitor, session_token(request))
    except Refusal as refusal:
        onward = local_path(next)
        here = f"/login?{urlencode({'next': onward})}"
        return again(request, "public/login.html", refusal, {"email": email}, next=onward, address=here)
    if isinstance(made, Unconfirmed):
        return keep_handle(request, RedirectResponse(CHECK_MAIL, 303), made.handle)
    response = RedirectResponse(local_path(next), 303)
    keep_session(request, response, made.token)
    cookies.drop(request, response, VISIT_COOKIE)
    return response


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    _ = translator(request)
    await served(request).sessions.sign_out(session_token(request))
    response = see("/login", request, _("您已退出登录。"), "info")
    drop_session(request, response)
    return response


@router.get("/forgot")
async def forgot(request: Request) -> Response:
    return render(request, "public/forgot.html", sent=False)


@router.post("/forgot")
async def ask_reset(request: Request, visitor: Visiting, email: Text = "") -> Response:
    """The same answer for every address."""
    try:
        await served(request).passwords.ask_reset(email, visitor)
    except Refusal as refusal:
        return again(request, "public/forgot.html", refusal, {"email": email}, sent=False)
    return render(request, "public/forgot.html", sent=True)


@router.get("/reset")
async def reset_page(request: Request, token: str = "") -> Response:
    possible = await served(request).passwords.reset_possible(token)
    return render(request, "public/reset.html", 200 if possible else 410, token=token, possible=possible)


@router.post("/reset")
async def reset(
    request: Request, visitor: Visiting, token: Text = "", password: Text = "", repeated: Text = ""
) -> Response:
    _ = translator(request)
    try:
        if password != repeated:
            raise Refusal("passwords_differ", field="repeated")
        await served(request).passwords.reset(token, password, visitor)
    except Refusal as refusal:
        possible = refusal.code != "link_invalid"
        here = f"/reset?{urlencode({'token': token})}"
        return again(request, "public/reset.html", refusal, {}, token=token, possible=possible, address=here)
    response = see("/login", request, _("新密码已生效，请登录。"))
    drop_session(request, response)
    return response
