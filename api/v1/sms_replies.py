"""`/v1/sms/replies`: what handsets answered."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.callers import Served, SmsCaller
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from store.sms_replies import Sought

_PROBLEM: dict[str, Any] = {"model": Problem}
router = APIRouter(prefix="/v1/sms/replies", tags=["sms"], responses={401: _PROBLEM, 422: _PROBLEM})

ID = "0192f0c1-2a4b-7c3d-8e9f-0a1b2c3d4e5f"


class SmsReplyOut(BaseModel):
    """A short message of a handset that you texted within the last seven days (an opt-out: 90)."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID = Field(examples=[ID])
    phone: str = Field(description="E.164, of the handset.", examples=["+8613800138000"])
    content: str = Field(examples=["TD"])
    is_opt_out: bool = Field(description="It says stop: marketing of yours reaches this number no more.")
    message_id: int | None = Field(description="Your last message to it, which it answers.", examples=[4711])
    at: dt.datetime = Field(examples=["2026-11-23T08:00:00Z"])


class SmsReplyPage(BaseModel):
    items: list[SmsReplyOut]
    next_cursor: NextCursor = None


def sought(
    phone: Annotated[str, Query(max_length=40, description="A part of the number.", examples=["1380013"])] = "",
    content: Annotated[str, Query(max_length=100, description="A part of the text.", examples=["好"])] = "",
    opt_out: Annotated[bool | None, Query(description="Only those that say stop, or only the others.")] = None,
) -> Sought:
    """What the list is narrowed to."""
    return Sought(phone.strip(), content.strip(), opt_out)


Narrowed = Annotated[Sought, Depends(sought)]


@router.get("", summary="List replies to SMS")
async def list_sms_replies(
    served: Served, caller: SmsCaller, narrowed: Narrowed, cursor: Cursor = None, limit: Limit = 50
) -> SmsReplyPage:
    """Newest first."""
    found = await served.sms_replies.page(caller, narrowed, cursor, limit)
    items = [SmsReplyOut.model_validate(each) for each in found]
    return SmsReplyPage(items=items, next_cursor=next_cursor(found, limit))


@router.get("/{sms_reply_id}", summary="One reply to an SMS", responses={404: _PROBLEM})
async def show_sms_reply(
    sms_reply_id: Annotated[UUID, Path(examples=[ID])], served: Served, caller: SmsCaller
) -> SmsReplyOut:
    """As the list shows it."""
    return SmsReplyOut.model_validate(await served.sms_replies.get(caller, sms_reply_id))


@router.get(
    ".csv",
    summary="Replies to SMS as CSV",
    responses={200: {"content": {"text/csv": {"example": "at,phone,content\r\n"}}}},
    response_class=StreamingResponse,
)
async def export_sms_replies(served: Served, caller: SmsCaller, narrowed: Narrowed) -> StreamingResponse:
    """Those that the list shows, as CSV for spreadsheets (UTF-8 with BOM; no value is taken for a formula)."""
    return StreamingResponse(
        served.sms_replies.export(caller, narrowed), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sms-replies.csv"'},
    )  # fmt: skip
