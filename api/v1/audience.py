"""`/v1/address-lists`: lists with an alias address, and their members."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.callers import MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from domain.audience import MAX_CHANGES
from services.audience import ListChange

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 422)}
router = APIRouter(prefix="/v1/address-lists", tags=["address lists"], responses=REFUSED)

ID = "01935b2e-7c1a-7ddd-8000-3f5a9c0d1e2f"
MOMENT = "2026-11-23T08:00:00Z"
ListId = Annotated[UUID, Path(examples=[ID])]
Address = Annotated[str, Path(max_length=1_000, examples=["li.lei@qq.com"])]
_ALIAS = "customers@maillist.mail.songda.example"
_VARIABLES: dict[str, str] = {"name": "李雷", "city": "武汉"}
CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"example": "email,name\r\nli.lei@qq.com,李雷\r\n"}}}
}


class NewList(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=1_000, description="1 to 48 characters.", examples=["Customers"])
    alias: str = Field(
        default="",
        max_length=1_000,
        description="The address that stands for the list, with or without its domain; empty: we make one.",
        examples=["customers"],
    )
    description: str = Field(default="", max_length=10_000, description="At most 250 characters.", examples=["2026"])


class ListPatch(BaseModel):
    """Absent values stay as they are."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = Field(default=None, max_length=1_000, examples=["Customers of 2026"])
    alias: str | None = Field(default=None, max_length=1_000, examples=["customers-2026"])
    description: str | None = Field(default=None, max_length=10_000, examples=[""])


class ListOut(BaseModel):
    id: UUID = Field(examples=[ID])
    alias: str = Field(description="Name it instead of addresses when sending.", examples=[_ALIAS])
    name: str = Field(examples=["Customers"])
    description: str = Field(examples=["2026"])
    members: int = Field(examples=[128_000])
    created_at: dt.datetime = Field(examples=[MOMENT])
    changed_at: dt.datetime = Field(description="Of the list or its members.", examples=[MOMENT])

    model_config = ConfigDict(from_attributes=True)


class ListPage(BaseModel):
    items: list[ListOut]
    next_cursor: NextCursor = None


class MemberIn(BaseModel):
    """Variables of a member that is there already are replaced as a whole."""

    model_config = ConfigDict(extra="forbid")
    address: str = Field(max_length=1_000, examples=["li.lei@qq.com"])
    variables: dict[str, str] = Field(default={}, examples=[_VARIABLES])


class MembersIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    members: list[MemberIn] = Field(description=f"1 to {MAX_CHANGES}.", max_length=MAX_CHANGES)


class MembersChanged(BaseModel):
    added: int = Field(examples=[2])
    updated: int = Field(description="They were in the list already.", examples=[0])


class AddressesIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    addresses: list[Annotated[str, Field(max_length=1_000)]] = Field(
        description=f"1 to {MAX_CHANGES}.", max_length=MAX_CHANGES, examples=[["li.lei@qq.com"]]
    )


class MembersRemoved(BaseModel):
    removed: int = Field(description="Those that were in the list.", examples=[1])


class VariablesIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    variables: dict[str, str] = Field(examples=[_VARIABLES])


class MemberOut(BaseModel):
    address: str = Field(examples=["li.lei@qq.com"])
    variables: dict[str, str] = Field(examples=[_VARIABLES])
    created_at: dt.datetime = Field(examples=[MOMENT])
    changed_at: dt.datetime = Field(
        description="When it was written last; by an import: when that import was made.", examples=[MOMENT]
    )

    model_config = ConfigDict(from_attributes=True)


class MemberPage(BaseModel):
    items: list[MemberOut]
    next_cursor: str | None = Field(
        default=None, description="Give it as `cursor` to get the next page; null: that was all.", examples=["YUB4LmNu"]
    )


@router.post("", status_code=201, summary="Create an address list")
async def create(body: NewList, served: Served, caller: MemberCaller, response: Response) -> ListOut:
    """An empty list. Its alias address is unique on the whole platform."""
    row = await served.audience.create(caller, body.name, body.alias, body.description)
    response.headers["Location"] = f"/v1/address-lists/{row.id}"
    return ListOut.model_validate(row)


@router.get("", summary="List address lists")
async def index(served: Served, caller: MemberCaller, cursor: Cursor = None, limit: Limit = 50) -> ListPage:
    """Newest first."""
    rows = await served.audience.page(caller, cursor, limit)
    return ListPage(items=[ListOut.model_validate(row) for row in rows], next_cursor=next_cursor(rows, limit))


@router.get("/{list_id}", summary="One address list")
async def show(list_id: ListId, served: Served, caller: MemberCaller) -> ListOut:
    """Its names, and how many members it has."""
    return ListOut.model_validate(await served.audience.get(caller, list_id))


@router.patch("/{list_id}", summary="Rename an address list")
async def change(list_id: ListId, body: ListPatch, served: Served, caller: MemberCaller) -> ListOut:
    """Only what is named changes; campaigns and imports that run go on."""
    row = await served.audience.change(caller, list_id, ListChange(body.name, body.alias, body.description))
    return ListOut.model_validate(row)


@router.delete("/{list_id}", status_code=204, summary="Delete an address list")
async def delete(list_id: ListId, served: Served, caller: MemberCaller) -> None:
    """With its members. Refused (`list_freezing`) for the seconds in which a campaign copies it."""
    await served.audience.delete(caller, list_id)


@router.get("/{list_id}/members", summary="List members")
async def list_members(
    list_id: ListId,
    served: Served,
    caller: MemberCaller,
    prefix: Annotated[
        str, Query(max_length=254, description="How the address begins; case counts.", examples=["li."])
    ] = "",
    cursor: Annotated[
        str | None, Query(max_length=1_000, description="`next_cursor` of the page before.", examples=["YUB4LmNu"])
    ] = None,
    limit: Limit = 50,
) -> MemberPage:
    """By the domain of the address, then by the address."""
    page = await served.audience.members(caller, list_id, prefix, cursor, limit)
    return MemberPage(items=[MemberOut.model_validate(each) for each in page.members], next_cursor=page.next_cursor)


@router.post("/{list_id}/members", summary="Add or change members")
async def put_members(list_id: ListId, body: MembersIn, served: Served, caller: MemberCaller) -> MembersChanged:
    """All of them, or, when one is refused, none. Files with millions of members are imported instead."""
    given = [(each.address, each.variables) for each in body.members]
    changed = await served.audience.put_members(caller, list_id, given)
    return MembersChanged(added=changed.added, updated=changed.updated)


@router.post("/{list_id}/members/remove", summary="Remove members")
async def remove_members(list_id: ListId, body: AddressesIn, served: Served, caller: MemberCaller) -> MembersRemoved:
    """Those that are not in the list are passed over."""
    return MembersRemoved(removed=await served.audience.remove_members(caller, list_id, body.addresses))


@router.get(
    "/{list_id}/members.csv", summary="Members as CSV", responses={**REFUSED, **CSV}, response_class=StreamingResponse
)
async def export_members(list_id: ListId, served: Served, caller: MemberCaller) -> StreamingResponse:
    """All members for spreadsheets (UTF-8 with BOM; no value is taken for a formula), a column per variable."""
    return StreamingResponse(
        await served.audience.export(caller, list_id), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="address-list-{list_id}.csv"'},
    )  # fmt: skip


@router.get("/{list_id}/members/{address}", summary="One member")
async def show_member(list_id: ListId, address: Address, served: Served, caller: MemberCaller) -> MemberOut:
    """With its variables."""
    return MemberOut.model_validate(await served.audience.member(caller, list_id, address))


@router.put("/{list_id}/members/{address}", summary="Add or change one member")
async def put_member(
    list_id: ListId, address: Address, body: VariablesIn, served: Served, caller: MemberCaller
) -> MemberOut:
    """The variables given are the member's only ones then."""
    return MemberOut.model_validate(await served.audience.put_member(caller, list_id, address, body.variables))


@router.delete("/{list_id}/members/{address}", status_code=204, summary="Remove one member")
async def remove_member(list_id: ListId, address: Address, served: Served, caller: MemberCaller) -> None:
    """What campaigns have copied already is sent all the same."""
    await served.audience.remove_member(caller, list_id, address)
