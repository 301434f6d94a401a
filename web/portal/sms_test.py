"""/portal/sms-test (测试发送): one free SMS, of the platform's own text or of a template (seed 3.5 ①)."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.secrets import new_token
from domain.sms import SmsRecipient, SmsRequest
from web.pages import Caller, Signed, again, render, see, served, translator
from web.portal.sms_sends import field_of, options, values_of

router = APIRouter(prefix="/portal/sms-test")

QUICK, TEMPLATE = "quick", "template"


@router.get("")
async def sms_test(request: Request, caller: Signed, template: str = "", sms_user: str = "") -> Response:
    """Both forms: the quick one, and the one with a template."""
    values = {"sms_user": sms_user, "template": template, "form": new_token()}
    return render(request, "portal/sms_test.html", values=values, **await _options(request, caller, template))


@router.post("")
async def send_test(request: Request, caller: Signed) -> Response:
    """Send it, and show how it goes."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    form.setdefault("form", new_token())
    try:
        accepted = await served(request).sms.send(caller, _request(form))
    except Refusal as refusal:
        if refusal.code == "idempotency_reused":
            form["form"] = new_token()
        field = field_of(refusal.field or "")
        place = "quick_phone" if field == "phones" and form.get("way") != TEMPLATE else field
        shown = await _options(request, caller, form.get("template", ""))
        return again(request, "portal/sms_test.html", Refusal(refusal.code, place, **refusal.params), form, **shown)
    _ = translator(request)
    return see(f"/portal/sms-sends/{accepted.submissions[0]}", request, _("测试短信已提交，结果会显示在本页。"))


def _request(form: dict[str, str]) -> SmsRequest:
    """Raises `Refusal` for a field that is empty."""
    key = f"form/{form['form'][:64]}"
    if form.get("way") != TEMPLATE:
        phone = _needed(form, "quick_phone")
        return SmsRequest("", "", (SmsRecipient(phone, line=1),), idempotency_key=key, is_test=True)
    user, template, phone = (_needed(form, name) for name in ("sms_user", "template", "phones"))
    one = SmsRecipient(phone, values_of(form), 1)
    return SmsRequest(user, template, (one,), idempotency_key=key, is_test=True)


def _needed(form: dict[str, str], name: str) -> str:
    value = form.get(name, "").strip()
    if not value:
        raise Refusal("required", field=name)
    return value


async def _options(request: Request, caller: Caller, template: str) -> dict[str, Any]:
    left, per_day = await served(request).sms.tests_left(caller), served(request).foundation.policy.sms_tests_per_day
    return await options(request, caller, template) | {"left": left, "per_day": per_day}
