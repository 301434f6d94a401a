"""Contact lists on `/smsapi` (reference §7.4): over `services.contacts`. Lists are named by their name.

The spellings are the documented ones: `contactlistId` of members has a small l.
"""

import json
from typing import Any

from starlette.responses import Response

from api.sendcloud.parameters import Parameters
from api.sendcloud.sms_envelope import SmsFailure, success
from api.sendcloud.sms_signing import SmsCall, sms_route
from api.sendcloud.sms_values import values_of
from api.sendcloud.sms_words import DELETED, FOUND, SAVED, UPDATED, second, window
from domain.contacts import NewContact, shown
from services.contacts import ListChange
from store.contacts import ContactList, Person, Sought

NAMES, NEW_NAMES = ("contactListName", "contactName"), ("newContactListName", "newContactName")
"""Documented, and of the samples."""
DELETED_WHOLE = "删除联系人列表和对应的成员成功"


async def list_lists(call: SmsCall) -> Response:
    """Newest first; a name chooses the one that is called so."""
    start, limit = window(call.given)
    total, rows = await call.served.contacts.numbered(call.caller, _said(call.given, NAMES), start, limit)
    return success({"total": total, "count": len(rows), "contactLists": [_list(row) for row in rows]}, FOUND)


async def save_list(call: SmsCall) -> Response:
    """A new, empty list."""
    row = await call.served.contacts.create(call.caller, _name(call.given), call.given.text("description"))
    return success({"contact": _list(row)}, SAVED)


async def update_list(call: SmsCall) -> Response:
    """Another name, another description; what is not given stays as it is."""
    row = await _wanted(call)
    change = ListChange(_said(call.given, NEW_NAMES) or None, call.given.get("description"))
    return success({"contact": _list(await call.served.contacts.change(call.caller, row.id, change))}, UPDATED)


async def delete_list(call: SmsCall) -> Response:
    """With its members."""
    await call.served.contacts.delete(call.caller, (await _wanted(call)).id)
    return success({}, DELETED_WHOLE)


async def list_members(call: SmsCall) -> Response:
    """In the order they were added; `phone` chooses the one of this number, `userName` those of this name."""
    row, given = await _wanted(call), call.given
    sought = Sought(given.text("phone"), given.text("userName"), *window(given))
    total, found = await call.served.contacts.numbered_contacts(call.caller, row.id, sought)
    members = [_member(row, each) for each in found]
    return success({"total": total, "count": len(members), "contactMemberList": members}, FOUND)


async def save_member(call: SmsCall) -> Response:
    """Add a member, or write over name and values of the one that has this number."""
    row, given = await _wanted(call), call.given
    new = NewContact(_phone(given), given.text("userName"), values_of(given.text("vars")))
    found, _ = await call.served.contacts.put_one(call.caller, row.id, new)
    return success({"contactMember": _member(row, found)}, SAVED)


async def delete_member(call: SmsCall) -> Response:
    """By number; several with commas in between."""
    row = await _wanted(call)
    phones = [each for part in _phone(call.given).split(",") if (each := part.strip())]
    if not await call.served.contacts.remove(call.caller, row.id, phones):
        raise SmsFailure(501, "列表中没有这个手机号")
    return success({}, DELETED)


def _said(given: Parameters, names: tuple[str, ...]) -> str:
    return next((said for name in names if (said := given.text(name))), "")


def _name(given: Parameters) -> str:
    if not (said := _said(given, NAMES)):
        raise SmsFailure(501, "contactListName不能为空")
    return said


async def _wanted(call: SmsCall) -> ContactList:
    return await call.served.contacts.named(call.caller, _name(call.given), NAMES[0])


def _phone(given: Parameters) -> str:
    if not (said := given.text("phone")):
        raise SmsFailure(411)
    return said


def _list(row: ContactList) -> dict[str, Any]:
    return {
        "contactListId": row.number, "contactListName": row.name, "description": row.description,
        "memberCount": row.members, "createTime": second(row.created_at), "updateTime": second(row.updated_at),
    }  # fmt: skip


def _member(row: ContactList, each: Person) -> dict[str, Any]:
    """`vars` is JSON in a text here, as SendCloud has it."""
    values = json.dumps(each.variables, ensure_ascii=False, separators=(",", ":"))
    return {
        "id": each.id, "contactlistId": row.number, "phone": shown(each.phone), "userName": each.user_name,
        "vars": values, "createTime": second(each.created_at),
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
