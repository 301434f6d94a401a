"""`/v1/contact-lists`: phone numbers with names and values, for scheduled SMS."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.callers import MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from domain.contacts import MAX_CHANGES, NewContact
from services.contacts import SAMPLE, ListChange

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 422)}
router = APIRouter(prefix="/v1/contact-lists", tags=["contact lists"], responses=REFUSED)

ID = "01935b2e-7c1a-7ddd-8000-3f5a9c0d1e2f"
MOMENT = "2026-12-01T08:00:00Z"
ListId = Annotated[UUID, Path(alias="contact_list_id", examples=[ID])]
ContactId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=[1])]
_PHONE = "13800138000"
_VARIABLES: dict[str, str] = {"code": "123456"}
CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"example": "phone,userName,code\r\n13800138000,李雷,123456\r\n"}}}
}


class NewContactList(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=1_000, description="1 to 48 characters, unique in the account.", examples=["Members"])
    description: str = Field(default="", max_length=10_000, description="At most 250 characters.", examples=["2026"])


class ContactListPatch(BaseModel):
    """Absent values stay as they are."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = Field(default=None, max_length=1_000, examples=["Members of 2026"])
    description: str | None = Field(default=None, max_length=10_000, examples=[""])


class ContactListOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID = Field(examples=[ID])
    number: int = Field(description="`contactListId` of `/smsapi`.", examples=[1001])
    name: str = Field(examples=["Members"])
    description: str = Field(examples=["2026"])
    members: int = Field(examples=[128_000])
    created_at: dt.datetime = Field(examples=[MOMENT])
    updated_at: dt.datetime = Field(description="Of the list or its contacts.", examples=[MOMENT])


class ContactListPage(BaseModel):
    items: list[ContactListOut]
    next_cursor: NextCursor = None


class ContactIn(BaseModel):
    """Name and values of a contact that is there already are replaced as a whole."""

    model_config = ConfigDict(extra="forbid")
    phone: str = Field(
        max_length=1_000, description="In any usual form; without + it is a number of mainland China.",
        examples=[_PHONE],
    )  # fmt: skip
    user_name: str = Field(default="", max_length=1_000, description="At most 32 characters.", examples=["李雷"])
    variables: dict[str, str] = Field(default={}, description="Values of at most 32 characters.", examples=[_VARIABLES])


class ContactsIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    contacts: list[ContactIn] = Field(description=f"1 to {MAX_CHANGES}.", max_length=MAX_CHANGES)


class ContactsChanged(BaseModel):
    added: int = Field(examples=[2])
    updated: int = Field(description="They were in the list already.", examples=[0])


class PhonesIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    phones: list[Annotated[str, Field(max_length=1_000)]] = Field(
        description=f"1 to {MAX_CHANGES}.", max_length=MAX_CHANGES, examples=[[_PHONE]]
    )


class ContactsRemoved(BaseModel):
    removed: int = Field(description="Those that were in the list.", examples=[1])


class ContactOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int = Field(examples=[1])
    phone: str = Field(description="E.164.", examples=["+8613800138000"])
    user_name: str = Field(examples=["李雷"])
    variables: dict[str, str] = Field(examples=[_VARIABLES])
    created_at: dt.datetime = Field(examples=[MOMENT])
    updated_at: dt.datetime = Field(
        description="When it was written last; by an import: when that import was made.", examples=[MOMENT]
    )


class ContactPage(BaseModel):
    items: list[ContactOut]
    next_after: int | None = Field(default=None, description="Give it as `after`; null: that was all.", examples=[50])


@router.post("", status_code=201, summary="Create a contact list")
async def create(body: NewContactList, served: Served, caller: MemberCaller, response: Response) -> ContactListOut:
    """An empty list. Its name is unique in the account."""
    row = await served.contacts.create(caller, body.name, body.description)
    response.headers["Location"] = f"/v1/contact-lists/{row.id}"
    return ContactListOut.model_validate(row)


@router.get("", summary="List contact lists")
async def index(served: Served, caller: MemberCaller, cursor: Cursor = None, limit: Limit = 50) -> ContactListPage:
    """Newest first."""
    rows = await served.contacts.page(caller, cursor, limit)
    return ContactListPage(
        items=[ContactListOut.model_validate(row) for row in rows], next_cursor=next_cursor(rows, limit)
    )


@router.get("/sample.csv", summary="A file as it is imported", responses=CSV, response_class=Response)
async def sample(caller: MemberCaller) -> Response:
    """Header and one line, in UTF-8 with BOM."""
    return Response(
        SAMPLE, media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="contacts.csv"'},
    )  # fmt: skip


@router.get("/{contact_list_id}", summary="One contact list")
async def show(list_id: ListId, served: Served, caller: MemberCaller) -> ContactListOut:
    """Its names, and how many contacts it has."""
    return ContactListOut.model_validate(await served.contacts.get(caller, list_id))


@router.patch("/{contact_list_id}", summary="Rename a contact list")
async def change(list_id: ListId, body: ContactListPatch, served: Served, caller: MemberCaller) -> ContactListOut:
    """Only what is named changes; imports and tasks that run go on."""
    row = await served.contacts.change(caller, list_id, ListChange(body.name, body.description))
    return ContactListOut.model_validate(row)


@router.delete("/{contact_list_id}", status_code=204, summary="Delete a contact list")
async def delete(list_id: ListId, served: Served, caller: MemberCaller) -> None:
    """With its contacts. A task that is reading it sends to nobody more."""
    await served.contacts.delete(caller, list_id)


@router.get("/{contact_list_id}/contacts", summary="List contacts")
async def list_contacts(
    list_id: ListId,
    served: Served,
    caller: MemberCaller,
    phone: Annotated[
        str, Query(max_length=40, description="How the number begins: `138`, or `+44`.", examples=["138"])
    ] = "",
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`next_after` of the page before.", examples=[0])] = 0,
    limit: Limit = 50,
) -> ContactPage:
    """In the order they were added."""
    page = await served.contacts.contacts(caller, list_id, phone, after, limit)
    return ContactPage(items=[ContactOut.model_validate(each) for each in page.contacts], next_after=page.next_after)


@router.post("/{contact_list_id}/contacts", summary="Add or change contacts")
async def put_contacts(list_id: ListId, body: ContactsIn, served: Served, caller: MemberCaller) -> ContactsChanged:
    """All of them, or, when one is refused, none. Files with millions of contacts are imported instead."""
    given = [NewContact(each.phone, each.user_name, each.variables) for each in body.contacts]
    changed = await served.contacts.put(caller, list_id, given)
    return ContactsChanged(added=changed.added, updated=changed.updated)


@router.post("/{contact_list_id}/contacts/remove", summary="Remove contacts by number")
async def remove_contacts(list_id: ListId, body: PhonesIn, served: Served, caller: MemberCaller) -> ContactsRemoved:
    """Those that are not in the list are passed over."""
    return ContactsRemoved(removed=await served.contacts.remove(caller, list_id, body.phones))


@router.get(
    "/{contact_list_id}/contacts.csv",
    summary="Contacts as CSV",
    responses={**REFUSED, **CSV},
    response_class=StreamingResponse,
)
async def export_contacts(list_id: ListId, served: Served, caller: MemberCaller) -> StreamingResponse:
    """All contacts for spreadsheets (UTF-8 with BOM; no value is taken for a formula), a column per variable."""
    return StreamingResponse(
        await served.contacts.export(caller, list_id), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="contact-list-{list_id}.csv"'},
    )  # fmt: skip


@router.get("/{contact_list_id}/contacts/{contact_id}", summary="One contact")
async def show_contact(list_id: ListId, contact_id: ContactId, served: Served, caller: MemberCaller) -> ContactOut:
    """With its values. Named by its id: numbers do not stand in paths, which logs may hold."""
    return ContactOut.model_validate(await served.contacts.contact(caller, list_id, contact_id))


@router.delete("/{contact_list_id}/contacts/{contact_id}", status_code=204, summary="Remove one contact")
async def remove_contact(list_id: ListId, contact_id: ContactId, served: Served, caller: MemberCaller) -> None:
    """What tasks have handed over already is sent all the same."""
    await served.contacts.remove_one(caller, list_id, contact_id)
