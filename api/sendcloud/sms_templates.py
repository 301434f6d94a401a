"""Templates on `/smsapi` (reference §7.4): over `services.sms_templates`. `templateIdStr` is a template's number."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from api.sendcloud.parameters import Parameters
from api.sendcloud.sms_envelope import SmsFailure, offending, success
from api.sendcloud.sms_signing import Handler, SmsCall, sms_route
from api.sendcloud.sms_words import (
    DELETED,
    INSERTED,
    KIND_NUMBERS,
    KINDS,
    MARKETS,
    SUBMITTED,
    UPDATED,
    VERIFY,
    VERIFY_STATES,
    chosen,
    day,
    number_of,
)
from domain.errors import Refusal
from domain.reviews import ReviewState
from domain.sms import Market, SmsKind
from domain.sms_templates import MAX_TEMPLATES
from services.sms_templates import SmsTemplateDraft, SmsTemplateView
from store.sms_templates import SmsTemplate, SmsTemplateVersion, Wanted

POSITIONS = {"0": False, "1": True}
"""`signPositionStr`: whether the signature stands behind the text."""


async def get(call: SmsCall) -> Response:
    """One template: its latest version."""
    view = await _template(call)
    values = _values(view.row, view.version)
    created, updated = _days(view.row)
    return success(values | {"createTime": created, "updateTime": updated})


async def index(call: SmsCall) -> Response:
    """All of the account, newest first; `isVerifyStr` chooses by the latest version's review."""
    said = call.given.text("isVerifyStr")
    states = chosen(call.given, "isVerifyStr", VERIFY_STATES) if said else ()
    wanted = Wanted(states=tuple(state.value for state in states))
    found = [
        _values(row, version) | dict(zip(("templateCreateTime", "templateUpdateTime"), _days(row), strict=True))
        for row, version, _ in await call.served.sms_templates.page(call.caller, wanted, MAX_TEMPLATES)
    ]
    return success({"total": len(found), "list": found})


async def add(call: SmsCall) -> Response:
    """A draft."""
    given = call.given
    draft = SmsTemplateDraft(
        _required(given, "templateName"), chosen(given, "smsTypeStr", KIND_NUMBERS), await _sign(call),
        _required(given, "templateText"), chosen(given, "signPositionStr", POSITIONS, "0"),
    )  # fmt: skip
    view = await call.served.sms_templates.create(call.caller, draft)
    return success({"templateId": view.row.number}, INSERTED)


async def update(call: SmsCall) -> Response:
    """Into the open draft, else as the next version's; what is not given stays as it is."""
    given, view = call.given, await _template(call)
    old = view.version
    named = given.text("signId") or given.text("signName")
    draft = SmsTemplateDraft(
        given.text("templateName") or view.row.name,
        chosen(given, "smsTypeStr", KIND_NUMBERS) if given.text("smsTypeStr") else SmsKind(old.kind),
        await _sign(call) if named else str(old.signature_id),
        given.text("templateText") or old.content,
        chosen(given, "signPositionStr", POSITIONS) if given.text("signPositionStr") else old.signature_last,
    )
    await call.served.sms_templates.edit(call.caller, str(view.row.id), draft)
    return success({}, UPDATED)


async def submit(call: SmsCall) -> Response:
    """The open draft, to review."""
    view = await _template(call)
    await call.served.sms_templates.submit(call.caller, str(view.row.id))
    return success({}, SUBMITTED)


async def delete(call: SmsCall) -> Response:
    """What was accepted before is still sent."""
    view = await _template(call)
    await call.served.sms_templates.delete(call.caller, str(view.row.id))
    return success({}, DELETED)


async def _template(call: SmsCall) -> SmsTemplateView:
    """Raises `SmsFailure` 433 or 431. The platform's own are no templates of this API."""
    said = call.given.text("templateIdStr")
    if not said:
        raise SmsFailure(433)
    number = number_of(said)
    try:
        view = await call.served.sms_templates.get(call.caller, str(number)) if number is not None else None
    except Refusal as refusal:
        if refusal.code != "not_found":
            raise
        view = None
    if view is None or view.row.is_builtin:
        raise offending(431, "templateIdStr", said)
    return view


async def _sign(call: SmsCall) -> str:
    """The signature's UUID, by `signId`, which wins, or `signName`. Raises `SmsFailure` 501."""
    number, name = call.given.text("signId"), call.given.text("signName")
    if not number and not name:
        raise SmsFailure(501, "signName和signId不能同时为空")
    try:
        if number:
            found = await call.served.sms_signatures.get(call.caller, number if number_of(number) else "")
        else:
            found = await call.served.sms_signatures.by_text(call.caller, name)
    except Refusal as refusal:
        if refusal.code != "not_found":
            raise
        raise SmsFailure(
            501, f"短信签名不存在. 参数{'signId' if number else 'signName'}: {number or name}"[:200]
        ) from None
    return str(found.id)


def _required(given: Parameters, name: str) -> str:
    if not (said := given.text(name)):
        raise SmsFailure(501, f"{name}不能为空")
    return said


def _values(row: SmsTemplate, version: SmsTemplateVersion) -> dict[str, Any]:
    return {
        "templateId": row.number,
        "templateName": row.name,
        "msgType": MARKETS[Market(version.market)],
        "smsType": KINDS[SmsKind(version.kind)],
        "templateContent": version.content,
        "isVerify": VERIFY[ReviewState(version.state)],
    }


def _days(row: SmsTemplate) -> tuple[str, str]:
    return day(row.created_at), day(row.updated_at)


_CALLS: dict[str, Handler] = {
    "get": get, "list": index, "addsms": add, "updatesms": update, "submitsms": submit, "deletesms": delete,
}  # fmt: skip
ROUTES: list[Route] = [
    sms_route(f"{folder}{path}", handler) for folder in ("", "template/") for path, handler in _CALLS.items()
]
"""As documented (`/smsapi/addsms`), and below a folder, as all the other modules are."""
