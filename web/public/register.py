"""Registration in the browser: form, “check your mail”, the link."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from domain.accounts import LINK_VALID_HOURS
from domain.errors import Refusal
from domain.phone_codes import PhoneRule
from services.registrations import Form as Application
from web import cookies
from web.pages import again, language_of, refused, render, see, served, translator
from web.sessions import SIGNED_IN_HOME
from web.visitors import Visiting

router = APIRouter()
HANDLE_COOKIE, HANDLE_PATH = "songda_registration", "/register"
CHECK_MAIL = "/register/check-mail"
PHONE = "/register/phone"
Text = Annotated[str, Form()]


@router.get("/register")
async def form(request: Request) -> Response:
    return render(
        request, "public/register.html", values={"language": language_of(request)}, rule=await _phone_rule(request)
    )


async def _phone_rule(request: Request) -> PhoneRule:
    """Whether the form asks for a mobile number."""
    return await served(request).phone_codes.offered()


@router.post("/register")
async def register(
    request: Request,
    visitor: Visiting,
    name: Text = "",
    email: Text = "",
    password: Text = "",
    language: Text = "zh",
    phone: Text = "",
) -> Response:
    """The same answer for every address and number."""
    typed, rule = Application(name, email, password, language, phone), await _phone_rule(request)
    try:
        made = await served(request).registrations.register(typed, visitor)
    except Refusal as refusal:
        values = {"name": name, "email": email, "language": language, "phone": phone}
        return again(request, "public/register.html", refusal, values, rule=rule)
    onward = PHONE if phone.strip() and rule is not PhoneRule.OFF else CHECK_MAIL
    return keep_handle(request, RedirectResponse(onward, 303), made.handle)


def keep_handle(request: Request, response: Response, handle: str) -> Response:
    """The browser keeps what lets it resend and correct, until the link would have expired."""
    cookies.keep(request, response, HANDLE_COOKIE, handle, LINK_VALID_HOURS * 3600, HANDLE_PATH)
    return response


def handle_of(request: Request) -> str:
    """What the browser kept; not checked."""
    return cookies.given(request, HANDLE_COOKIE, HANDLE_PATH)


@router.get(CHECK_MAIL)
async def check_mail(request: Request) -> Response:
    return await _check_mail(request)


async def _check_mail(request: Request, refusal: Refusal | None = None, typed: str = "") -> Response:
    """Where the mail went, what to do when it does not arrive, and what was wrong with the last try."""
    try:
        waiting = await served(request).registrations.waiting(handle_of(request))
        number = await served(request).phone_codes.of_registration(handle_of(request))
    except Refusal as over:
        return see("/login", request, next(iter(refused(over, language_of(request)).values())), "info")
    shown: dict[str, Any] = {"case": waiting, "number": number, "rule": await _phone_rule(request)}
    if refusal is None:
        return render(request, "public/check_mail.html", **shown)
    return again(request, "public/check_mail.html", refusal, {"email": typed}, address=CHECK_MAIL, **shown)


@router.post("/register/resend")
async def resend(request: Request) -> Response:
    _ = translator(request)
    try:
        await served(request).registrations.resend(handle_of(request))
    except Refusal as refusal:
        return await _check_mail(request, refusal)
    return see(CHECK_MAIL, request, _("确认邮件已重新发送。"))


@router.post("/register/address")
async def correct(request: Request, email: Text = "") -> Response:
    _ = translator(request)
    try:
        await served(request).registrations.correct(handle_of(request), email)
    except Refusal as refusal:
        return await _check_mail(request, refusal, email)
    return see(CHECK_MAIL, request, _("邮箱地址已更正，确认邮件已发送到新地址。"))


@router.get("/confirm")
async def confirm_page(request: Request, token: str = "") -> Response:
    """Only a button: mail scanners follow links, but press nothing."""
    return render(request, "public/confirm.html", token=token)


@router.post("/confirm")
async def confirm(request: Request, token: Text = "") -> Response:
    _ = translator(request)
    try:
        await served(request).registrations.confirm(token)
    except Refusal as refusal:
        kept = token if refusal.code == "phone_first" else ""
        return again(request, "public/confirm.html", refusal, {}, token=kept)
    response = see(f"/login?next={SIGNED_IN_HOME}", request, _("邮箱已确认，账户已开通。请登录。"))
    cookies.drop(request, response, HANDLE_COOKIE, HANDLE_PATH)
    return response
