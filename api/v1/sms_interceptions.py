"""`/v1/sms/interceptions`: numbers that failed, whom they are blocked for and how long."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.callers import MemberCaller, Served, SmsCaller
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from domain.sms_interceptions import MAX_AT_ONCE, MAX_NOTE
from domain.sms_results import ResultCode, SmsScope
from services.sms_interceptions import WhyBlocked
from store.columns import now
from store.sms_interceptions_read import Sought

_PROBLEM: dict[str, Any] = {"model": Problem}
router = APIRouter(prefix="/v1/sms/interceptions", tags=["sms"], responses={401: _PROBLEM, 422: _PROBLEM})

ID = "0192f0c1-2a4b-7c3d-8e9f-0a1b2c3d4e5f"
MOMENT = "2026-11-23T08:00:00Z"
PHONE = "+8613800138000"
Id = Annotated[UUID, Path(examples=[ID])]
_UNTIL = "Blocks until then; null: it is listed and blocks nobody."
_CODE = "SendCloud's result code: 500 empty number … 590 other."
_SCOPE = "`global`: it blocks everybody; `local`: your account."


class InterceptionOut(BaseModel):
    """What a message of yours met at a number."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID = Field(examples=[ID])
    phone: str = Field(description="E.164.", examples=[PHONE])
    scope: SmsScope = Field(description=_SCOPE)
    code: int = Field(description=_CODE, examples=[500])
    until: dt.datetime | None = Field(description=_UNTIL, examples=[MOMENT])
    times: int = Field(description="How often it failed so.", examples=[1])
    error: str = Field(description="What the carrier said last.", examples=["MK:0001"])
    message_id: int | None = Field(description="The last message that met it.", examples=[4711])
    created_at: dt.datetime = Field(examples=[MOMENT])
    updated_at: dt.datetime = Field(description="When it failed last.", examples=[MOMENT])


class InterceptionPage(BaseModel):
    items: list[InterceptionOut]
    next_cursor: NextCursor = None


class OtherOut(BaseModel):
    """What blocks a number for everybody, and was met by another's message; whose is not said."""

    model_config = ConfigDict(from_attributes=True)
    code: int = Field(description=_CODE, examples=[500])
    until: dt.datetime | None = Field(description=_UNTIL, examples=[MOMENT])


class WhyBlockedOut(BaseModel):
    """What is known of one number."""

    phone: str = Field(description="E.164.", examples=[PHONE])
    blocked: bool = Field(description="Whether messages of yours are held back just now.", examples=[True])
    own: list[InterceptionOut]
    other: OtherOut | None = Field(description="Only support can lift it: see `unblock-requests`.")
    request_open: bool = Field(description="Support is looking at a request of yours.", examples=[False])

    @classmethod
    def of(cls, why: WhyBlocked) -> "WhyBlockedOut":
        own = [InterceptionOut.model_validate(each) for each in why.own]
        other = None if why.other is None else OtherOut.model_validate(why.other)
        at = now()
        blocked = other is not None or any(each.until is not None and each.until > at for each in own)
        return cls(phone=why.phone, blocked=blocked, own=own, other=other, request_open=why.request_open)


class InterceptionsRemoveIn(BaseModel):
    """Records to remove."""

    model_config = ConfigDict(extra="forbid")
    ids: list[UUID] = Field(min_length=1, max_length=MAX_AT_ONCE, examples=[[ID]])


class InterceptionsRemoved(BaseModel):
    removed: int = Field(examples=[1])


class UnblockIn(BaseModel):
    """A number that is in service although it is blocked for everybody."""

    model_config = ConfigDict(extra="forbid")
    phone: str = Field(max_length=100, examples=["13800138000"])
    note: str = Field(max_length=MAX_NOTE, description="How you know.", examples=["We spoke to its owner today."])


class UnblockOut(BaseModel):
    """A request to support, and its answer."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID = Field(examples=[ID])
    phone: str = Field(examples=[PHONE])
    note: str = Field(examples=["We spoke to its owner today."])
    created_at: dt.datetime = Field(examples=[MOMENT])
    decided_at: dt.datetime | None = Field(description="Null: it waits.", examples=[None])
    lifted: bool = Field(examples=[False])
    reason: str = Field(description="Of the answer.", examples=[""])


class UnblockList(BaseModel):
    items: list[UnblockOut]


def sought(
    q: Annotated[str, Query(max_length=40, description="A part of the number.", examples=["1380013"])] = "",
    scope: Annotated[SmsScope | None, Query(examples=["local"])] = None,
    code: Annotated[ResultCode | None, Query(examples=[500])] = None,
    blocking: Annotated[bool | None, Query(description="Only what blocks just now, or only the rest.")] = None,
) -> Sought:
    """What the list is narrowed to."""
    return Sought(now(), q.strip(), scope or "", None if code is None else int(code), blocking)


Narrowed = Annotated[Sought, Depends(sought)]


@router.get("", summary="List SMS interceptions")
async def list_sms_interceptions(
    served: Served, caller: SmsCaller, narrowed: Narrowed, cursor: Cursor = None, limit: Limit = 50
) -> InterceptionPage:
    """What your messages met, newest first; what blocks nobody (any more) is listed, too."""
    found = await served.sms_interceptions.page(caller, narrowed, cursor, limit)
    items = [InterceptionOut.model_validate(each) for each in found]
    return InterceptionPage(items=items, next_cursor=next_cursor(found, limit))


@router.get("/lookup", summary="Why a number is blocked")
async def look_up_sms_interception(
    served: Served, caller: SmsCaller, phone: Annotated[str, Query(max_length=100, examples=["13800138000"])]
) -> WhyBlockedOut:
    """Your records of exactly this number, and whether another's blocks it for everybody."""
    return WhyBlockedOut.of(await served.sms_interceptions.why(caller, phone))


@router.post("/remove", summary="Remove SMS interceptions", responses=dict.fromkeys((403, 404), _PROBLEM))
async def remove_sms_interceptions(
    body: InterceptionsRemoveIn, served: Served, caller: MemberCaller
) -> InterceptionsRemoved:
    """Your records, as one; those that are gone already count for nothing."""
    return InterceptionsRemoved(removed=await served.sms_interceptions.remove(caller, body.ids))


@router.get("/unblock-requests", summary="Requests to lift interceptions")
async def list_sms_unblock_requests(served: Served, caller: SmsCaller) -> UnblockList:
    """The latest fifty, newest first."""
    found = await served.sms_interceptions.requests(caller)
    return UnblockList(items=[UnblockOut.model_validate(each) for each in found])


@router.post(
    "/unblock-requests", summary="Ask to lift an interception", status_code=201,
    responses=dict.fromkeys((403, 409), _PROBLEM),
)  # fmt: skip
async def ask_to_unblock_sms(body: UnblockIn, served: Served, caller: MemberCaller) -> UnblockOut:
    """For a number that is blocked for everybody by a record that is not yours. Support answers by mail."""
    return UnblockOut.model_validate(await served.sms_interceptions.ask(caller, body.phone, body.note))


@router.get("/unblock-requests/{sms_unblock_id}", summary="One such request", responses={404: _PROBLEM})
async def show_sms_unblock_request(sms_unblock_id: Id, served: Served, caller: SmsCaller) -> UnblockOut:
    """With support's answer, once there is one."""
    return UnblockOut.model_validate(await served.sms_interceptions.request(caller, sms_unblock_id))


@router.get("/{sms_interception_id}", summary="One SMS interception", responses={404: _PROBLEM})
async def show_sms_interception(sms_interception_id: Id, served: Served, caller: SmsCaller) -> InterceptionOut:
    """One of your own."""
    return InterceptionOut.model_validate(await served.sms_interceptions.get(caller, sms_interception_id))


@router.delete(
    "/{sms_interception_id}", summary="Remove an SMS interception", status_code=204,
    responses=dict.fromkeys((403, 404), _PROBLEM),
)  # fmt: skip
async def remove_sms_interception(sms_interception_id: Id, served: Served, caller: MemberCaller) -> Response:
    """It blocks nobody any more. It is on record who did it."""
    await served.sms_interceptions.remove(caller, [sms_interception_id])
    return Response(status_code=204)


@router.get(
    ".csv",
    summary="SMS interceptions as CSV",
    responses={200: {"content": {"text/csv": {"example": "phone,scope,code\r\n'+8613800138000,global,500\r\n"}}}},
    response_class=StreamingResponse,
)
async def export_sms_interceptions(served: Served, caller: SmsCaller, narrowed: Narrowed) -> StreamingResponse:
    """Those that the list shows, as CSV for spreadsheets (UTF-8 with BOM; no value is taken for a formula)."""
    return StreamingResponse(
        served.sms_interceptions.export(caller, narrowed), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sms-interceptions.csv"'},
    )  # fmt: skip
