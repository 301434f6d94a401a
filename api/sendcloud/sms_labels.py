"""Labels on `/smsapi` (reference §7.4): over `services.sms_labels`."""

from typing import Any

from starlette.responses import Response

from api.sendcloud.sms_envelope import SmsFailure, offending, success
from api.sendcloud.sms_signing import SmsCall, sms_route
from api.sendcloud.sms_words import DELETED, INSERTED, UPDATED, number_of, second, window
from store.sms_labels import SmsLabel


async def get(call: SmsCall) -> Response:
    """One label."""
    return _one(await call.served.sms_labels.get(call.caller, _number(call)))


async def index(call: SmsCall) -> Response:
    """Newest first; `labelName` chooses the one that is called so."""
    start, limit = window(call.given)
    total, rows = await call.served.sms_labels.page(call.caller, call.given.text("labelName"), start, limit)
    return success({"total": total, "count": len(rows), "voList": [_values(row) for row in rows]})


async def save(call: SmsCall) -> Response:
    """A new label."""
    return _one(await call.served.sms_labels.create(call.caller, _name(call)), INSERTED)


async def update(call: SmsCall) -> Response:
    """Another name; what was sent keeps the one it had."""
    return _one(await call.served.sms_labels.rename(call.caller, _number(call), _name(call)), UPDATED)


async def delete(call: SmsCall) -> Response:
    """What was sent keeps its name."""
    await call.served.sms_labels.delete(call.caller, _number(call))
    return success({}, DELETED)


def _number(call: SmsCall) -> int:
    found = number_of(said := call.given.text("labelId"))
    if found is None:
        raise offending(501, "labelId", said)
    return found


def _name(call: SmsCall) -> str:
    if not (said := call.given.text("labelName")):
        raise SmsFailure(501, "labelName不能为空")
    return said


def _one(row: SmsLabel, message: str = "") -> Response:
    """The label itself, and again as `vo`: the reference leaves open which of them it is."""
    values = _values(row)
    return success(values | {"vo": values}, message)


def _values(row: SmsLabel) -> dict[str, Any]:
    return {
        "labelId": row.id, "labelName": row.name, "createTime": second(row.created_at),
        "updateTime": second(row.updated_at),
    }  # fmt: skip


ROUTES = [
    sms_route("label/get", get),
    sms_route("label/list", index),
    sms_route("label/save", save),
    sms_route("label/update", update),
    sms_route("label/delete", delete),
]
