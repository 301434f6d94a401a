"""/portal/test-send (测试发送): one mail to oneself, with an API user and a template of one's choice."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.secrets import new_token
from domain.senders import TEST_SENDS_PER_DAY
from domain.sending import Recipient, SendRequest
from domain.templates import Content, sample_values
from services.sending import Choices
from store.sends_read import Approved, Identity
from web.pages import Signed, again, render, see, served, translator

router = APIRouter(prefix="/portal/test-send")

PREFIX = "var_"
"""Of the fields that hold variables, so that none is mistaken for another field."""


@router.get("")
async def test_send(request: Request, caller: Signed, api_user: str = "", template: str = "") -> Response:
    """The form, with the variables of the chosen template."""
    choices = await served(request).sending.choices(caller)
    identity, chosen = _chosen(choices, api_user, template)
    values = {"from": _sender(identity), "form": new_token(), **_samples(chosen)}
    return render(request, "portal/test_send.html", values=values, **_options(choices, identity, chosen))


@router.post("")
async def send_test(request: Request, caller: Signed) -> Response:
    """Send it, and show how it goes."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    form.setdefault("form", new_token())
    choices = await served(request).sending.choices(caller)
    identity, chosen = _chosen(choices, form.get("api_user", ""), form.get("template", ""))
    try:
        accepted = await served(request).sending.send(caller, _request(form, choices, chosen))
    except Refusal as refusal:
        if refusal.code == "idempotency_reused":
            form["form"] = new_token()
        moved = Refusal(refusal.code, _place(refusal.field or ""), **refusal.params)
        return again(request, "portal/test_send.html", moved, form, **_options(choices, identity, chosen))
    _ = translator(request)
    return see(f"/portal/sends/{accepted.submission_id}", request, _("测试邮件已提交，结果会显示在本页。"))


def _request(form: dict[str, str], choices: Choices, chosen: Approved | None) -> SendRequest:
    for name in ("api_user", "template", "from"):
        if not form.get(name, "").strip():
            raise Refusal("required", field=name)
    if choices.own_address is None:
        raise Refusal("test_needs_confirmed", field="to")
    names = chosen.variables if chosen else ()
    variables = {name: form[PREFIX + name] for name in names if PREFIX + name in form}
    return SendRequest(
        form["api_user"], form["template"], form["from"].strip(), (Recipient(choices.own_address, variables, 1),),
        idempotency_key=f"form/{form.get('form', '')[:64]}",
    )  # fmt: skip


def _place(field: str) -> str:
    """The form's field for a field of the request."""
    if field.startswith("recipients"):
        return "" if field.endswith("variables") else "to"
    return "" if field == "Idempotency-Key" else field


def _chosen(choices: Choices, api_user: str, template: str) -> tuple[Identity | None, Approved | None]:
    """What was chosen; else the test API user, and a template of the same kind."""
    by_name = {user.name: user for user in choices.identities}
    tests = [user for user in choices.identities if user.is_test]
    identity = by_name.get(api_user) or next(iter(tests or choices.identities), None)
    templates = {one.invoke_name: one for one in choices.templates}
    fitting = [one for one in choices.templates if identity and one.kind == identity.kind]
    return identity, templates.get(template) or next(iter(fitting or choices.templates), None)


def _samples(chosen: Approved | None) -> dict[str, str]:
    """Every variable shows in the mail where it goes, unless one is written for it."""
    given = sample_values(Content(chosen.subject, chosen.html, chosen.text)) if chosen else {}
    return {PREFIX + name: value for name, value in given.items()}


def _sender(identity: Identity | None) -> str:
    return f"test@{identity.domains[0]}" if identity and identity.domains else ""


def _options(choices: Choices, identity: Identity | None, chosen: Approved | None) -> dict[str, Any]:
    return {
        "choices": choices,
        "identity": identity,
        "chosen": chosen,
        "prefix": PREFIX,
        "per_day": TEST_SENDS_PER_DAY,
    }
