"""/portal/contact-lists (联系人列表): phone numbers with names and values, one by one and searched."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from domain.audience import text_of_variables, variables_of_text
from domain.contacts import MAX_DESCRIPTION, MAX_NAME, MAX_USER_NAME, NewContact, shown
from domain.errors import Refusal
from services.contacts import SAMPLE, ListChange
from web.pages import Caller, Signed, again, render, see, served, translator

router = APIRouter(prefix="/portal/contact-lists")

PAGE = 50
LISTS_PAGE = 20
FIELDS = ("name", "description")
OF_CONTACT = ("phone", "user_name", "variables", "known")
ListId = Annotated[UUID, Path(alias="contact_list_id")]
ContactId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Begins = Annotated[str, Query(alias="q", max_length=40)]
After = Annotated[int, Query(ge=0, le=2**63 - 1)]


@router.get("")
async def lists(request: Request, caller: Signed, after: UUID | None = None) -> Response:
    """Newest first, with the form to create one."""
    return render(request, "portal/contacts.html", **await _listed(request, caller, after))


@router.post("")
async def create(request: Request, caller: Signed) -> Response:
    """A new list; its page is next."""
    values = await _typed(request, FIELDS)
    try:
        row = await served(request).contacts.create(caller, values["name"], values["description"])
    except Refusal as refusal:
        return again(request, "portal/contacts.html", refusal, values, **await _listed(request, caller, None))
    return see(_place(row.id), request, translator(request)("已创建联系人列表，可以添加或导入联系人。"))


@router.get("/sample.csv")
async def sample(caller: Signed) -> Response:
    """A file as it is imported."""
    return Response(
        SAMPLE, media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="contacts.csv"'},
    )  # fmt: skip


@router.get("/{contact_list_id}")
async def one(request: Request, caller: Signed, list_id: ListId, q: Begins = "", after: After = 0) -> Response:
    """One list with its contacts."""
    return render(request, "portal/contacts_one.html", **await _one(request, caller, list_id, q, after))


@router.post("/{contact_list_id}")
async def change(request: Request, caller: Signed, list_id: ListId) -> Response:
    """Save name and description."""
    values = await _typed(request, FIELDS)
    try:
        wanted = ListChange(values["name"], values["description"])
        await served(request).contacts.change(caller, list_id, wanted)
    except Refusal as refusal:
        context = await _one(request, caller, list_id, "", 0)
        return again(request, "portal/contacts_one.html", refusal, **(context | {"values": values}))
    return see(_place(list_id), request, translator(request)("已保存。"))


@router.post("/{contact_list_id}/delete")
async def delete(request: Request, caller: Signed, list_id: ListId) -> Response:
    """With its contacts."""
    await served(request).contacts.delete(caller, list_id)
    return see("/portal/contact-lists", request, translator(request)("已删除联系人列表。"))


@router.get("/{contact_list_id}/contact")
async def new_contact(request: Request, caller: Signed, list_id: ListId) -> Response:
    """The form of a new one."""
    values = dict.fromkeys(OF_CONTACT, "")
    return render(request, "portal/contacts_form.html", values=values, **await _formed(request, caller, list_id))


@router.get("/{contact_list_id}/contacts/{contact_id}")
async def contact(request: Request, caller: Signed, list_id: ListId, contact_id: ContactId) -> Response:
    """The form of one that is there."""
    found = await served(request).contacts.contact(caller, list_id, contact_id)
    values = {
        "phone": shown(found.phone), "user_name": found.user_name,
        "variables": text_of_variables(found.variables), "known": "1",
    }  # fmt: skip
    return render(request, "portal/contacts_form.html", values=values, **await _formed(request, caller, list_id))


@router.post("/{contact_list_id}/contact")
async def put_contact(request: Request, caller: Signed, list_id: ListId) -> Response:
    """Add a contact, or write over name and values of the one that has this number."""
    values = await _typed(request, OF_CONTACT)
    context = await _formed(request, caller, list_id)
    try:
        given = NewContact(values["phone"], values["user_name"], variables_of_text(values["variables"]))
        await served(request).contacts.put_one(caller, list_id, given)
    except Refusal as refusal:
        return again(request, "portal/contacts_form.html", refusal, values, **context)
    return see(_place(list_id), request, translator(request)("已保存联系人。"))


@router.post("/{contact_list_id}/contacts/{contact_id}/remove")
async def remove_contact(request: Request, caller: Signed, list_id: ListId, contact_id: ContactId) -> Response:
    """Remove one."""
    await served(request).contacts.remove_one(caller, list_id, contact_id)
    return see(_place(list_id), request, translator(request)("已移除联系人。"))


@router.get("/{contact_list_id}/contacts.csv")
async def export(request: Request, caller: Signed, list_id: ListId) -> StreamingResponse:
    """All contacts for a spreadsheet."""
    return StreamingResponse(
        await served(request).contacts.export(caller, list_id), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="contact-list-{list_id}.csv"'},
    )  # fmt: skip


async def _typed(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    form = await request.form()
    return {name: value if isinstance(value := form.get(name), str) else "" for name in names}


def _place(list_id: UUID) -> str:
    return f"/portal/contact-lists/{list_id}"


async def _listed(request: Request, caller: Caller, after: UUID | None) -> dict[str, Any]:
    found = await served(request).contacts.page(caller, after, LISTS_PAGE + 1)
    rows = found[:LISTS_PAGE]
    return {"rows": rows, "after": after, "next": rows[-1].id if len(found) > LISTS_PAGE else None, **_LIMITS}


async def _formed(request: Request, caller: Caller, list_id: UUID) -> dict[str, Any]:
    return {"row": await served(request).contacts.get(caller, list_id), "MAX_USER_NAME": MAX_USER_NAME}


async def _one(request: Request, caller: Caller, list_id: UUID, prefix: str, after: int) -> dict[str, Any]:
    row = await served(request).contacts.get(caller, list_id)
    page = await served(request).contacts.contacts(caller, list_id, prefix, after, PAGE)
    values = {"name": row.name, "description": row.description}
    return {"row": row, "page": page, "q": prefix, "after": after, "values": values, "number": shown, **_LIMITS}


_LIMITS = {"MAX_NAME": MAX_NAME, "MAX_DESCRIPTION": MAX_DESCRIPTION}
