"""`/smsapi`: send, sendx, sendn, sendCode, sendVoice, timestamp/get (reference/sendcloud-api.md §7.2, §7.3).

Thin adapters over `services.sms_sending`. Of several numbers the good ones are written to and the others told (311).
"""

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.sendcloud.parameters import Parameters
from api.sendcloud.sms_envelope import MESSAGES, NONE, PART, REFUSALS, SmsFailure, failure_of, offending, success
from api.sendcloud.sms_signing import BASE, SmsCall, sms_route
from api.sendcloud.sms_values import named, read, value_of, values_of
from api.sendcloud.sms_words import label_of, request_id
from domain.errors import Refusal
from domain.refusals import explain
from domain.sendcloud_sms import sms_id
from domain.sending import Rejected
from domain.sms import MAX_NUMBERS, MAX_TAG, Market, SmsAccepted, SmsRecipient, SmsRequest
from domain.sms_acceptance import NobodyLeft
from store.columns import now

MOST_TOS = 200
"""Numbers with values of their own in one call."""
REQUEST_ID_LIVES = dt.timedelta(hours=1)
OF_THE_TEXT = (441, 460, 483)
"""Codes of what is wrong with values: when all numbers have it, the call is answered with it."""
_CODE = re.compile(r"[0-9A-Za-z]{4,8}", re.ASCII)
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


async def send(call: SmsCall) -> Response:
    """One text with the same values to numbers with `,` between them."""
    phones = _phones(call.given)
    template = _template(call.given)
    values = values_of(call.given.text("vars"))
    people = [SmsRecipient(phone, values, line) for line, phone in enumerate(phones, 1)]
    return await _accept(call, people, template)


async def sendx(call: SmsCall) -> Response:
    """One template to numbers with values of their own: `[{"phone": …, "vars": {…}}]`."""
    people = _people(call.given.text("tos"))
    return await _accept(call, people, _template(call.given))


async def send_code(call: SmsCall) -> Response:
    """A code under one of the account's signatures; the text around it is the platform's."""
    phones, code = _phones(call.given), _code(call.given.text("code"))
    number, name = call.given.text("signId"), call.given.text("signName")
    if not number and not name:
        raise SmsFailure(431, "signId和signName不能同时为空")
    if number and not _NUMBER.fullmatch(number):
        raise offending(431, "signId", number)
    try:
        template = await call.served.sms.code_template(call.caller, number, name)
    except Refusal as refusal:
        raise SmsFailure(431, "短信签名不存在或者未审核通过") from refusal
    people = [SmsRecipient(phone, {"code": code}, line) for line, phone in enumerate(phones, 1)]
    return await _accept(call, people, template)


async def send_voice(call: SmsCall) -> Response:
    """Not offered."""
    raise SmsFailure(601, "暂不支持语音验证码")


async def timestamp(request: Request) -> Response:
    """Our clock, in milliseconds; asked by whoever is about to sign, so it is not signed itself."""
    return success({"timestamp": int(now().timestamp() * 1000)})


ROUTES: Sequence[Route] = (
    sms_route("send", send),
    sms_route("sendx", sendx),
    sms_route("sendn", sendx),
    sms_route("sendCode", send_code),
    sms_route("sendVoice", send_voice),
    Route(f"{BASE}/timestamp/get", timestamp, methods=["GET", "POST"]),
)


async def _accept(call: SmsCall, people: Sequence[SmsRecipient], template: str) -> Response:
    asked = SmsRequest(
        call.sms_user, template, tuple(people), await label_of(call), _tag(call.given), _market(call.given),
        request_id(call), REQUEST_ID_LIVES, skip_invalid=True,
    )  # fmt: skip
    try:
        return _answer(await call.served.sms.send(call.caller, asked), people)
    except NobodyLeft as refusal:
        raise _none(refusal.rejected, people) from refusal
    except Refusal as refusal:
        if REFUSALS.get(refusal.code) == NONE:  # nothing may be sent to the only number
            raise _none([Rejected.of(people[0].line, people[0].phone, refusal)], people) from refusal
        raise failure_of(refusal) from refusal


def _answer(accepted: SmsAccepted, people: Sequence[SmsRecipient]) -> Response:
    ids = [sms_id(one.submission_id, one.ordinal, one.phone) for one in accepted.messages]
    info: dict[str, Any] = {"successCount": len(ids), "smsIds": ids}
    taken = {one.line for one in accepted.messages}
    why = {one.line: one for one in accepted.rejected}
    items = [_item(one, why.get(one.line)) for one in people if one.line not in taken]
    if not items:
        return success(info)
    return success(info | {"failedCount": len(items), "items": items}, code=PART)


def _none(rejected: Sequence[Rejected], people: Sequence[SmsRecipient]) -> SmsFailure:
    codes = {REFUSALS.get(one.reason) for one in rejected}
    if len(codes) == 1 and (code := codes.pop()) in OF_THE_TEXT:
        return SmsFailure(code)
    why = {one.line: one for one in rejected}
    items = [_item(one, why.get(one.line)) for one in people]
    return SmsFailure(NONE, info={"successCount": 0, "failedCount": len(items), "smsIds": [], "items": items})


def _item(one: SmsRecipient, why: Rejected | None) -> dict[str, Any]:
    """A number that gets nothing; without a reason of its own it was there before."""
    return {"phone": one.phone, "vars": one.variables, "message": _message(why)}


def _message(why: Rejected | None) -> str:
    if why is None:
        return MESSAGES[413]
    code = REFUSALS.get(why.reason, NONE)
    return MESSAGES[code] if code != NONE else explain(Refusal(why.reason, "phone", **why.params), "zh")[1]


def _phones(given: Parameters) -> list[str]:
    said = given.text("phone").replace("，", ",")
    found = [phone for each in said.split(",") if (phone := each.strip())]
    if not found:
        raise SmsFailure(411)
    if len(found) > MAX_NUMBERS:
        raise SmsFailure(412, f"号码个数不能超过{MAX_NUMBERS}")
    return found


def _template(given: Parameters) -> str:
    said = given.text("templateId")
    if not said:
        raise SmsFailure(433)
    if not _NUMBER.fullmatch(said):
        raise offending(431, "templateId", said)
    return said


def _people(text: str) -> list[SmsRecipient]:
    if not text:
        raise SmsFailure(481)
    failure = offending(482, "tos", text)
    try:
        found = read(text)
    except ValueError:
        raise failure from None
    if not isinstance(found, list) or not found:
        raise failure
    if len(found) > MOST_TOS:
        raise SmsFailure(482, f"tos个数不能超过{MOST_TOS}")
    return [_person(one, line, failure) for line, one in enumerate(found, 1)]


def _person(one: object, line: int, failure: SmsFailure) -> SmsRecipient:
    if not isinstance(one, dict) or "vars" not in one:
        raise failure
    phone = named({"phone": one.get("phone")}, failure)["phone"]
    return SmsRecipient(phone, named(one["vars"], failure), line)


def _code(text: str) -> str:
    """`123456`, or `{"code": "123456"}` as the page shows it."""
    if text.startswith("{"):
        text = value_of(text, "code")
    if not _CODE.fullmatch(text):
        raise offending(441, "code", text)
    return text


def _market(given: Parameters) -> Market | None:
    """`msgType` 2: other countries. 0 is what SDKs send for whatever the template is for."""
    said = given.text("msgType")
    if said not in ("", "0", "2"):
        raise offending(601, "msgType", said)
    return Market.INTERNATIONAL if said == "2" else None


def _tag(given: Parameters) -> str:
    tag = given.text("tag")
    if len(tag) > MAX_TAG:
        raise SmsFailure(501, f"tag长度不能超过{MAX_TAG}")
    return tag
