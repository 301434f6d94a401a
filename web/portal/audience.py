"""/portal/address-lists: lists with an alias address, their members, one by one and searched."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from domain.audience import MAX_DESCRIPTION, MAX_NAME, alias_domain, text_of_variables, variables_of_text
from domain.errors import Refusal
from services.audience import ListChange, MemberPage
from store.audience import AddressList
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/address-lists")

PAGE = 50
LISTS_PAGE = 20
FIELDS = ("name", "alias", "description")
Prefix = Annotated[str, Query(alias="q", max_length=254)]
After = Annotated[str, Query(max_length=1_000)]


@router.get("")
async def lists(request: Request, caller: Signed, after: UUID | None = None) -> Response:
    """Newest first, with the form to create one."""
    return render(request, "portal/audience.html", **await _listed(request, caller, after))


@router.post("")
async def create(request: Request, caller: Signed) -> Response:
    """A new list; its page is next."""
    values = await _typed(request, FIELDS)
    try:
        row = await served(request).audience.create(caller, values["name"], values["alias"], values["description"])
    except Refusal as refusal:
        return again(request, "portal/audience.html", refusal, values, **await _listed(request, caller, None))
    return see(_place(row.id), request, translator(request)("已创建地址列表，可以添加或导入成员。"))


@router.get("/{list_id}")
async def one(request: Request, caller: Signed, list_id: UUID, q: Prefix = "", after: After = "") -> Response:
    """One list with its members."""
    return render(request, "portal/audience_one.html", **await _one(request, caller, list_id, q, after))


@router.post("/{list_id}")
async def change(request: Request, caller: Signed, list_id: UUID) -> Response:
    """Save name, alias address and description."""
    values = await _typed(request, FIELDS)
    try:
        wanted = ListChange(values["name"], values["alias"], values["description"])
        await served(request).audience.change(caller, list_id, wanted)
    except Refusal as refusal:
        context = await _one(request, caller, list_id, "", "")
        return again(request, "portal/audience_one.html", refusal, **(context | {"values": values}))
    return see(_place(list_id), request, translator(request)("已保存。"))


@router.post("/{list_id}/delete")
async def delete(request: Request, caller: Signed, list_id: UUID) -> Response:
    """With its members."""
    try:
        await served(request).audience.delete(caller, list_id)
    except Refusal as refusal:
        return _said(request, list_id, refusal)
    return see("/portal/address-lists", request, translator(request)("已删除地址列表。"))


@router.get("/{list_id}/member")
async def member(
    request: Request, caller: Signed, list_id: UUID, address: Annotated[str, Query(max_length=1_000)] = ""
) -> Response:
    """The form of one member: a new one, or the one of this address."""
    row = await served(request).audience.get(caller, list_id)
    values = {"address": address, "variables": ""}
    if address:
        found = await served(request).audience.member(caller, list_id, address)
        values = {"address": found.address, "variables": text_of_variables(found.variables)}
    return render(request, "portal/audience_member.html", row=row, values=values, known=bool(address))


@router.post("/{list_id}/member")
async def put_member(request: Request, caller: Signed, list_id: UUID) -> Response:
    """Add a member, or write over the variables of the one that is there."""
    values = await _typed(request, ("address", "variables", "known"))
    row = await served(request).audience.get(caller, list_id)
    try:
        variables = variables_of_text(values["variables"])
        await served(request).audience.put_member(caller, list_id, values["address"], variables)
    except Refusal as refusal:
        if (refusal.field or "").startswith("variables"):
            refusal.field = "variables"
        return again(
            request, "portal/audience_member.html", refusal, values, row=row, known=values["known"] == "1"
        )  # fmt: skip
    return see(_place(list_id), request, translator(request)("已保存成员。"))


@router.post("/{list_id}/member/remove")
async def remove_member(request: Request, caller: Signed, list_id: UUID) -> Response:
    """Remove one."""
    values = await _typed(request, ("address",))
    try:
        await served(request).audience.remove_member(caller, list_id, values["address"])
    except Refusal as refusal:
        return _said(request, list_id, refusal)
    return see(_place(list_id), request, translator(request)("已移除成员。"))


@router.get("/{list_id}/members.csv")
async def export(request: Request, caller: Signed, list_id: UUID) -> StreamingResponse:
    """All members for a spreadsheet."""
    return StreamingResponse(
        await served(request).audience.export(caller, list_id), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="address-list-{list_id}.csv"'},
    )  # fmt: skip


async def _typed(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    form = await request.form()
    return {name: value if isinstance(value := form.get(name), str) else "" for name in names}


def _said(request: Request, list_id: UUID, refusal: Refusal) -> Response:
    if refusal.code == "list_not_found":
        raise refusal
    return see(_place(list_id), request, refused(refusal, language_of(request))[refusal.field or ""], "danger")


def _place(list_id: UUID) -> str:
    return f"/portal/address-lists/{list_id}"


async def _listed(request: Request, caller: Caller, after: UUID | None) -> dict[str, Any]:
    found = await served(request).audience.page(caller, after, LISTS_PAGE + 1)
    rows = found[:LISTS_PAGE]
    return {"rows": rows, "after": after, "next": rows[-1].id if len(found) > LISTS_PAGE else None, **_about(request)}


async def _one(request: Request, caller: Caller, list_id: UUID, prefix: str, after: str) -> dict[str, Any]:
    audience = served(request).audience
    row: AddressList = await audience.get(caller, list_id)
    page: MemberPage = await audience.members(caller, list_id, prefix, after or None, PAGE)
    values = {"name": row.name, "alias": row.alias, "description": row.description}
    return {"row": row, "page": page, "q": prefix, "after": after, "values": values, **_about(request)}


def _about(request: Request) -> dict[str, Any]:
    policy = served(request).foundation.policy
    return {"alias_domain": alias_domain(policy), "MAX_NAME": MAX_NAME, "MAX_DESCRIPTION": MAX_DESCRIPTION}
