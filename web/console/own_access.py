"""/console/me/password, /authenticator, /recovery-codes: an operator renews their own way in."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from services.own_access import Proof, Renewal
from web import shown_once
from web.console.login import RECOVERY, qr_of
from web.console.pages import again, render, see, served, translator
from web.console.sessions import SignedOperator

router = APIRouter(prefix="/console/me")
PLACE = "/console/me"
PASSWORD, AUTHENTICATOR, CODES = (f"console/own_{what}.html" for what in ("password", "authenticator", "codes"))
Text = Annotated[str, Form()]


@router.get("/password")
async def password_form(request: Request, operator: SignedOperator) -> Response:
    return render(request, PASSWORD)


@router.post("/password")
async def change_password(
    request: Request, operator: SignedOperator, current: Text = "", code: Text = "", new: Text = "", repeated: Text = ""
) -> Response:
    """Every other session ends."""
    _ = translator(request)
    try:
        if new != repeated:
            raise Refusal("passwords_differ", field="repeated")
        await served(request).own_access.change_password(operator, Proof(current, code), new)
    except Refusal as refusal:
        return again(request, PASSWORD, refusal, {})
    return see(PLACE, request, _("密码已修改，其他登录均已结束。"))


@router.get("/authenticator")
async def authenticator_form(request: Request, operator: SignedOperator) -> Response:
    """Another QR code each time; the present authenticator goes on until the new one is confirmed."""
    return render(request, AUTHENTICATOR, **_shown(served(request).own_access.renewal(operator)))


@router.post("/authenticator")
async def renew_authenticator(
    request: Request, operator: SignedOperator, ticket: Text = "", current: Text = "", code: Text = "",
    new_code: Text = "",
) -> Response:  # fmt: skip
    """Every other session ends."""
    _, own = translator(request), served(request).own_access
    try:
        await own.renew_authenticator(operator, Proof(current, code), ticket, new_code)
    except Refusal as refusal:
        return again(request, AUTHENTICATOR, refusal, {}, **_shown(own.same_renewal(operator, ticket)))
    return see(PLACE, request, _("新验证器已生效，其他登录均已结束。"))


@router.get("/recovery-codes")
async def codes_form(request: Request, operator: SignedOperator) -> Response:
    return render(request, CODES)


@router.post("/recovery-codes")
async def renew_codes(request: Request, operator: SignedOperator, current: Text = "", code: Text = "") -> Response:
    """On to the new ones, which are shown once; every other session ends."""
    try:
        codes = await served(request).own_access.renew_codes(operator, Proof(current, code))
    except Refusal as refusal:
        return again(request, CODES, refusal, {})
    response = see(RECOVERY, request)
    shown_once.carry(request, response, RECOVERY, " ".join(codes))
    return response


def _shown(renewal: Renewal) -> dict[str, Any]:
    return {"renewal": renewal, "qr": qr_of(renewal.enrolment)}
