"""`/v1/suppressions`: whom the account does not write to in batch."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.callers import AnyCaller, MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from domain.suppressions import MAX_ADDED, SuppressionReason

_PROBLEM: dict[str, Any] = {"model": Problem}
router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"], responses={401: _PROBLEM, 422: _PROBLEM})

_ID = "01935b2e-7c1a-7ccc-8000-3f5a9c0d1e2f"
Sought = Annotated[str, Query(alias="q", max_length=254, description="A part of the address.", examples=["@qq.com"])]


class SuppressionOut(BaseModel):
    """An address that batch mails leave out."""

    id: UUID = Field(examples=[_ID])
    address: str = Field(description="In lower case.", examples=["li.lei@qq.com"])
    reason: SuppressionReason = Field(description="`unsubscribe`: its owner asked; `manual`: a member entered it.")
    message_id: int | None = Field(description="The mail whose link was used.", examples=[4711])
    created_at: dt.datetime = Field(examples=["2026-11-23T08:00:00Z"])

    model_config = ConfigDict(from_attributes=True)


class SuppressionPage(BaseModel):
    items: list[SuppressionOut]
    next_cursor: NextCursor = None


class SuppressionsIn(BaseModel):
    """Addresses to leave out from now on."""

    model_config = ConfigDict(extra="forbid")
    addresses: list[Annotated[str, Field(max_length=1000)]] = Field(
        min_length=1, max_length=MAX_ADDED, examples=[["li.lei@qq.com", "han@example.org"]]
    )


class SuppressionsAdded(BaseModel):
    added: int = Field(examples=[2])
    known: int = Field(description="There already, or named twice.", examples=[0])


@router.get("", summary="List suppressions")
async def list_suppressions(
    served: Served, caller: AnyCaller, sought: Sought = "", cursor: Cursor = None, limit: Limit = 50
) -> SuppressionPage:
    """Newest first. Batch mails (campaigns, API users of kind `batch`) leave these addresses out; others do not."""
    found = await served.suppressions.page(caller, sought, cursor, limit)
    items = [SuppressionOut.model_validate(each) for each in found]
    return SuppressionPage(items=items, next_cursor=next_cursor(found, limit))


@router.post("", summary="Add suppressions", status_code=201, responses={403: _PROBLEM})
async def add_suppressions(body: SuppressionsIn, served: Served, caller: MemberCaller) -> SuppressionsAdded:
    """All, or none when one of them is no address. What is there already stays as it is."""
    entered = await served.suppressions.add(caller, body.addresses)
    return SuppressionsAdded(added=entered.added, known=entered.known)


@router.delete(
    "/{suppression_id}", summary="Remove a suppression", status_code=204, responses={403: _PROBLEM, 404: _PROBLEM}
)
async def remove_suppression(
    suppression_id: Annotated[UUID, Path(examples=[_ID])], served: Served, caller: MemberCaller
) -> Response:
    """The address can be written to again: make sure that its owner wants that. It is on record who did it."""
    await served.suppressions.remove(caller, suppression_id)
    return Response(status_code=204)


@router.get(
    ".csv",
    summary="Suppressions as CSV",
    responses={200: {"content": {"text/csv": {"example": "address,reason\r\na@qq.com,unsubscribe\r\n"}}}},
    response_class=StreamingResponse,
)
async def export_suppressions(served: Served, caller: AnyCaller) -> StreamingResponse:
    """All of them as CSV for spreadsheets (UTF-8 with BOM; no value is taken for a formula)."""
    return StreamingResponse(
        served.suppressions.export(caller), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="suppressions.csv"'},
    )  # fmt: skip
