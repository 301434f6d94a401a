"""Contact lists on `/smsapi` (reference §7.4): over `services.contacts`. Lists are named by their name.

The spellings are the documented ones: `contactlistId` of members has a small l.
"""

import json
from typing import Any

from starlette.responses import Response

from api.sendcloud.parameters import Parameters
from api.sendcloud.sms_envelope import SmsFailure, offending, success
from api.sendcloud.sms_signing import SmsCall, sms_route
from api.sendcloud.sms_words import DELETED, INSERTED, UPDATED, second, window
from domain.contacts import NewContact, shown
from services.contacts import ListChange
from store.contacts import ContactList, Person

NAMES = ("contactListName", "contactName")
"""Documented, and of the samples."""


async def list_lists(call: SmsCall) -> Response:
    """Newest first; a name chooses the one that is called so."""
    start, limit = window(call.given)
    total, rows = await call.served.contacts.numbered(call.caller, _said(call.given), start, limit)
    return success({"total": total, "count": len(rows), "contactLists": [_list(row) for row in rows]})


async def save_list(call: SmsCall) -> Response:
    """A new, empty list."""
    row = await call.served.contacts.create(call.caller, _name(call.given), call.given.text("description"))
    return success({"contact": _list(row)}, INSERTED)


async def update_list(call: SmsCall) -> Response:
    """Another name, another description; what is not given stays as it is."""
    row = await _wanted(call)
    change = ListChange(call.given.text("newContactListName") or None, call.given.get("description"))
    return success({"contact": _list(await call.served.contacts.change(call.caller, row.id, change))}, UPDATED)


async def delete_list(call: SmsCall) -> Response:
    """With its members."""
    await call.served.contacts.delete(call.caller, (await _wanted(call)).id)
    return success({}, DELETED)


async def list_members(call: SmsCall) -> Response:
    """In the order they were added; `phone` chooses the one of this number."""
    row, (start, limit) = await _wanted(call), window(call.given)
    phone = call.given.text("phone")
    total, found = await call.served.contacts.numbered_contacts(call.caller, row.id, phone, start, limit)
    members = [_member(row, each) for each in found]
    return success({"total": total, "count": len(members), "contactMemberList": members})


async def save_member(call: SmsCall) -> Response:
    """Add a member, or write over name and values of the one that has this number."""
    row, given = await _wanted(call), call.given
    new = NewContact(_phone(given), given.text("userName"), _variables(given))
    found, added = await call.served.contacts.put_one(call.caller, row.id, new)
    return success({"contactMember": _member(row, found)}, INSERTED if added else UPDATED)


async def delete_member(call: SmsCall) -> Response:
    """By number; several with commas in between."""
    row = await _wanted(call)
    phones = [each for part in _phone(call.given).split(",") if (each := part.strip())]
    if not await call.served.contacts.remove(call.caller, row.id, phones):
        raise SmsFailure(501, "列表中没有这个手机号")
    return success({}, DELETED)


def _said(given: Parameters) -> str:
    return next((said for name in NAMES if (said := given.text(name))), "")


def _name(given: Parameters) -> str:
    if not (said := _said(given)):
        raise SmsFailure(501, "contactListName不能为空")
    return said


async def _wanted(call: SmsCall) -> ContactList:
    return await call.served.contacts.named(call.caller, _name(call.given), NAMES[0])


def _phone(given: Parameters) -> str:
    if not (said := given.text("phone")):
        raise SmsFailure(411)
    return said


def _variables(given: Parameters) -> dict[str, str]:
    """JSON of an object of texts or numbers. Raises `SmsFailure` 441."""
    text = given.text("vars")
    try:
        said = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        raise offending(441, "vars", text) from None
    if not isinstance(said, dict | None):
        raise offending(441, "vars", text)
    values = said or {}
    if not all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in values.values()):
        raise offending(441, "vars", text)
    return {name: str(value) for name, value in values.items()}


def _list(row: ContactList) -> dict[str, Any]:
    return {
        "contactListId": row.number, "contactListName": row.name, "description": row.description,
        "memberCount": row.members, "createTime": second(row.created_at), "updateTime": second(row.updated_at),
    }  # fmt: skip


def _member(row: ContactList, each: Person) -> dict[str, Any]:
    return {
        "id": each.id, "contactlistId": row.number, "phone": shown(each.phone), "userName": each.user_name,
        "vars": each.variables, "createTime": second(each.created_at),
    }  # fmt: skip


ROUTES = [
    sms_route("smsContactList/list", list_lists),
    sms_route("smsContactList/save", save_list),
    sms_route("smsContactList/update", update_list),
    sms_route("smsContactList/delete", delete_list),
    sms_route("smsContactListMember/list", list_members),
    sms_route("smsContactListMember/saveOrUpdate", save_member),
    sms_route("smsContactListMember/delete", delete_member),
]
