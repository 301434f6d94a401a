"""Signatures on `/smsapi` (reference §7.4): over `services.sms_signatures`. What is saved goes to review at once: there
is no call of its own for that."""

from typing import Any

from starlette.responses import Response

from api.sendcloud.sms_envelope import SmsFailure, offending, success
from api.sendcloud.sms_signing import SmsCall, sms_route
from api.sendcloud.sms_words import MARKETS, SIGN_TYPES, VERIFY, chosen, number_of, second
from domain.errors import Refusal
from domain.reviews import ReviewState
from domain.sms import Market
from domain.sms_signatures import MAX_SIGNATURES, SignatureDraft, SignatureSource
from services.sms_signatures import CHANGEABLE
from store.sms_signatures import SmsSignature, Wanted

FOUND, SAVED, CHANGED = "获取短信签名成功", "短信签名保存成功", "短信签名更新成功"


async def get(call: SmsCall) -> Response:
    """One signature."""
    return success({"smsSignVo": _values(await _sign(call))}, FOUND)


async def index(call: SmsCall) -> Response:
    """All of the account, newest first."""
    found = await call.served.sms_signatures.page(call.caller, Wanted(), MAX_SIGNATURES + 1)
    values = [_values(each) for each in found if not each.is_builtin]
    return success({"total": len(values), "count": len(values), "voList": values}, FOUND)


async def save(call: SmsCall) -> Response:
    """A signature, to review; one that was saved before and is under no review goes there again."""
    draft = _draft(call, None)
    service = call.served.sms_signatures
    waiting = await _waiting(call, draft)
    row = waiting or await service.create(call.caller, draft)
    try:
        row = await service.submit(call.caller, str(row.id))
    except Refusal:
        if waiting is None:  # nothing of a refused call stays; what the customer wrote before does
            await service.delete(call.caller, str(row.id))
        raise
    return success({"smsSignVo": _values(row)}, SAVED)


async def update(call: SmsCall) -> Response:
    """Another text or market for one that is not approved, to review again."""
    row = await _sign(call)
    service = call.served.sms_signatures
    before = SignatureDraft(row.text, Market(row.market), SignatureSource(row.source), row.note)
    await service.change(call.caller, str(row.id), _draft(call, row))
    try:
        row = await service.submit(call.caller, str(row.id))
    except Refusal:  # nothing of a refused call stays
        await service.change(call.caller, str(row.id), before)
        raise
    return success({"smsSignVo": _values(row)}, CHANGED)


async def _waiting(call: SmsCall, draft: SignatureDraft) -> SmsSignature | None:
    """The account's signature of this text that can be submitted as it is."""
    try:
        found = await call.served.sms_signatures.by_text(call.caller, draft.text, draft.market)
    except Refusal as refusal:
        if refusal.code != "not_found":
            raise
        return None
    return found if found.state in CHANGEABLE else None


def _draft(call: SmsCall, old: SmsSignature | None) -> SignatureDraft:
    """What the call says, over what there was."""
    text = call.given.text("signName") or (old.text if old else "")
    if not text:
        raise SmsFailure(501, "signName不能为空")
    if old is not None and not call.given.text("signType"):
        market = Market(old.market)
    else:
        market = chosen(call.given, "signType", SIGN_TYPES, "0")
    source = SignatureSource(old.source) if old else SignatureSource.COMPANY
    return SignatureDraft(text, market, source, old.note if old else "")


async def _sign(call: SmsCall) -> SmsSignature:
    """By `id`. Raises `SmsFailure` 501. The platform's own are no signatures of this API."""
    said = call.given.text("id")
    number = number_of(said)
    try:
        row = await call.served.sms_signatures.get(call.caller, str(number)) if number is not None else None
    except Refusal as refusal:
        if refusal.code != "not_found":
            raise
        row = None
    if row is None or row.is_builtin:
        raise offending(501, "id", said)
    return row


def _values(row: SmsSignature) -> dict[str, Any]:
    return {
        "id": row.number,
        "signName": row.text,
        "signTypeDesc": MARKETS[Market(row.market)],
        "verifyStatus": VERIFY[ReviewState(row.state)],
        "createTime": second(row.created_at),
        "updateTime": second(row.decided_at or row.submitted_at or row.created_at),
    }


ROUTES = [
    sms_route("sign/get", get),
    sms_route("sign/list", index),
    sms_route("sign/save", save),
    sms_route("sign/update", update),
    sms_route("sign/updatesms", update),
]
