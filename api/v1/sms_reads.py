"""`/v1/sms`: what became of accepted SMS, and their statistics."""

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.callers import Served, SmsCaller
from api.paging import Cursor
from api.problems import Problem, language_of
from domain.recipients import explain_code
from domain.sending import Rejected
from domain.sms import Market, SmsKind
from domain.sms_results import code_of
from domain.sms_statistics import Line
from services.sms_reads import REJECTED_SHOWN, SmsSendView
from store.sms_reads import SmsMessage, SmsPartRow, SmsSend

router = APIRouter(prefix="/v1/sms", tags=["sms"])

SmsOutcome = Literal["delivered", "sent", "deferred", "queued", "bounced", "dropped", "unknown"]
SEND_ID = "0192f0c1-2a4b-7c3d-8e9f-0a1b2c3d4e5f"
_MOMENT = "2026-11-23T08:00:00Z"
_FAULTS: dict[int | str, dict[str, Any]] = {401: {"model": Problem, "description": "Not signed in, or a bad key."}}
_NOT_FOUND: dict[int | str, dict[str, Any]] = _FAULTS | {404: {"model": Problem}}
SendId = Annotated[UUID, Path(examples=[SEND_ID])]


class SmsSendOut(BaseModel):
    """One request, as far as its numbers cost the same."""

    id: UUID = Field(examples=[SEND_ID])
    sms_user: str = Field(examples=["shop_sms"])
    template: str = Field(description="Name of the template.", examples=["order_shipped"])
    template_number: int = Field(description="Its number: SendCloud's templateId.", examples=[1001])
    kind: SmsKind
    is_test: bool
    country: str = Field(description="ISO 3166, of all its numbers.", examples=["CN"])
    label: str = Field(examples=["autumn"])
    tag: str = Field(description="What the request gave.", examples=['{"order":"A-1001"}'])
    accepted_at: dt.datetime = Field(examples=[_MOMENT])
    expires_at: dt.datetime = Field(examples=[_MOMENT])
    recipients: int = Field(examples=[2])
    duplicates: int = Field(examples=[0])
    rejected: int = Field(examples=[0])
    unit_micro: int | None = Field(description="Micro-yuan of a segment; null: it costs nothing.", examples=[45_000])

    @classmethod
    def of(cls, send: SmsSend) -> "SmsSendOut":
        return cls(**{name: getattr(send, name) for name in SmsSendOut.model_fields})


class SmsSendPage(BaseModel):
    items: list[SmsSendOut]
    next_cursor: UUID | None = Field(description="Null: that was all.", examples=[SEND_ID])


class LeftOut(BaseModel):
    """A number that was left out; `line` is its place in the request, from 1."""

    line: int = Field(examples=[2])
    phone: str = Field(examples=["1380013800"])
    reason: str = Field(description="A stable code.", examples=["phone_invalid"])
    detail: str = Field(examples=["This is not a phone number, or no operator has such numbers."])

    @classmethod
    def of(cls, one: Rejected, language: str) -> "LeftOut":
        detail = explain_code(one.reason, language, one.params)
        return cls(line=one.line, phone=one.address, reason=one.reason, detail=detail)


class SmsSendDetail(SmsSendOut):
    """With its text, and how far it is."""

    text: str = Field(description="Signature and content; variables are open.", examples=["【送达】您的订单已发货。"])
    outcomes: dict[SmsOutcome, int] = Field(
        examples=[{"delivered": 1}], description="Messages; `sent` waits for the carrier's receipt."
    )
    finished: bool = Field(description="No message can change any more, but by a receipt that comes late.")
    rejections: list[LeftOut] = Field(description=f"The first {REJECTED_SHOWN} numbers that were left out.")

    @classmethod
    def of_view(cls, view: SmsSendView, language: str) -> "SmsSendDetail":
        about = SmsSendOut.of(view.send).model_dump()
        rejections = [LeftOut.of(one, language) for one in view.rejected]
        outcomes = {outcome: view.outcomes[outcome] for outcome in view.outcomes}
        return cls(**about, text=view.text, outcomes=outcomes, finished=view.waiting == 0, rejections=rejections)


class SmsMessageOut(BaseModel):
    """One number, and what became of its message."""

    id: int = Field(examples=[4711])
    send_id: UUID = Field(examples=[SEND_ID])
    phone: str = Field(description="E.164.", examples=["+8613800138000"])
    outcome: SmsOutcome
    reason: str = Field(description="Why it was not delivered; a stable code.", examples=["sms.switched_off"])
    status_code: int | None = Field(description="SendCloud's code of the reason.", examples=[580])
    segments: int = Field(examples=[1])
    submitted: int = Field(description="Segments that a carrier took.", examples=[1])
    attempts: int = Field(examples=[1])
    next_at: dt.datetime | None = Field(examples=[_MOMENT])
    attempted_at: dt.datetime | None = Field(examples=[_MOMENT])
    finished_at: dt.datetime | None = Field(examples=[_MOMENT])
    reply: str = Field(description="What the carrier said.", examples=["UNDELIV MK:0010"])
    possible_duplicate: bool

    @classmethod
    def of(cls, message: SmsMessage) -> "SmsMessageOut":
        fields = {name: getattr(message, name) for name in SmsMessageOut.model_fields if name != "status_code"}
        return cls(**fields, status_code=int(code_of(message.reason)) if message.reason else None)


class SmsMessagePage(BaseModel):
    items: list[SmsMessageOut]
    next_cursor: str | None = Field(description="Null: that was all.", examples=["100"])


class PartOut(BaseModel):
    """A part that a carrier took, and its receipt."""

    part: int = Field(description="From 0.", examples=[0])
    submitted_at: dt.datetime = Field(examples=[_MOMENT])
    state: str = Field(description="Of its final receipt (SMPP 3.4); empty: none yet.", examples=["DELIVRD"])
    error: str = Field(description="The carrier's own code.", examples=[""])
    done_at: dt.datetime | None = Field(examples=[_MOMENT])

    @classmethod
    def of(cls, part: SmsPartRow) -> "PartOut":
        return cls(**{name: getattr(part, name) for name in PartOut.model_fields})


class SmsMessageDetail(SmsMessageOut):
    parts: list[PartOut]


class StatisticsLine(BaseModel):
    """Of one day (Asia/Shanghai) and template."""

    day: dt.date = Field(examples=["2026-11-23"])
    template_number: int = Field(examples=[1001])
    template: str = Field(examples=["order_shipped"])
    kind: SmsKind
    market: Market
    requested: int = Field(examples=[100])
    delivered: int = Field(examples=[97])
    not_processed: int = Field(description="Failed before a carrier had them.", examples=[1])
    not_delivered: int = Field(description="Failed at the carrier.", examples=[2])
    segments: int = Field(description="Taken by carriers.", examples=[99])
    charged: int = Field(description="Of them, those that are paid: tests are free.", examples=[98])
    status_codes: dict[int, int] = Field(description="Failures by SendCloud's code.", examples=[{"500": 2, "430": 1}])

    @classmethod
    def of(cls, line: Line) -> "StatisticsLine":
        return cls(
            day=line.day, template_number=line.template, template=line.name, kind=SmsKind(line.kind),
            market=Market(line.market), requested=line.requested, delivered=line.delivered,
            not_processed=line.not_processed, not_delivered=line.not_delivered, segments=line.segments,
            charged=line.charged, status_codes={int(code): count for code, count in line.reasons.items()},
        )  # fmt: skip


class Statistics(BaseModel):
    items: list[StatisticsLine]


@router.get("", summary="List SMS", responses=_FAULTS)
async def list_sms(
    served: Served, caller: SmsCaller, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> SmsSendPage:
    """Accepted requests of the account, newest first."""
    found = await served.sms_reads.sends(caller, cursor, limit + 1)
    after = found[limit - 1].id if len(found) > limit else None
    return SmsSendPage(items=[SmsSendOut.of(send) for send in found[:limit]], next_cursor=after)


@router.get("/statistics", summary="SMS by day and template", responses=_FAULTS | {422: {"model": Problem}})
async def statistics(
    served: Served, caller: SmsCaller,
    first: Annotated[dt.date, Query(alias="from", examples=["2026-11-01"])],
    last: Annotated[dt.date, Query(alias="to", description="Counts, too.", examples=["2026-11-23"])],
) -> Statistics:  # fmt: skip
    """What was accepted on these days of Asia/Shanghai, at most 100, and what became of it. Tests are counted."""
    found = await served.sms_reads.statistics(caller, first, last)
    return Statistics(items=[StatisticsLine.of(line) for line in found])


@router.get("/messages/{sms_message_id}", summary="One SMS with its receipts", responses=_NOT_FOUND)
async def get_message(
    served: Served, caller: SmsCaller, sms_message_id: Annotated[int, Path(ge=1, le=2**63 - 1, examples=[4711])]
) -> SmsMessageDetail:
    """One message, and the receipt of each part that a carrier took."""
    message, parts = await served.sms_reads.message(caller, sms_message_id)
    return SmsMessageDetail(**SmsMessageOut.of(message).model_dump(), parts=[PartOut.of(part) for part in parts])


@router.get("/{sms_id}", summary="One request and how far it is", responses=_NOT_FOUND)
async def get_sms(served: Served, caller: SmsCaller, sms_id: SendId, request: Request) -> SmsSendDetail:
    """Messages by outcome, and the numbers that were left out."""
    return SmsSendDetail.of_view(await served.sms_reads.view(caller, sms_id), language_of(request))


@router.get("/{sms_id}/messages", summary="Messages of a request", responses=_NOT_FOUND)
async def list_messages(
    served: Served, caller: SmsCaller, sms_id: SendId,
    outcome: Annotated[SmsOutcome | None, Query(alias="state", examples=["bounced"])] = None,
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0, limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> SmsMessagePage:  # fmt: skip
    """In the order of its numbers; `state` keeps one outcome."""
    found = await served.sms_reads.messages(caller, sms_id, (outcome, cursor, limit + 1))
    after = str(found[limit].ordinal) if len(found) > limit else None
    return SmsMessagePage(items=[SmsMessageOut.of(message) for message in found[:limit]], next_cursor=after)


@router.get(
    "/{sms_id}/messages.csv",
    summary="Messages of a request as CSV",
    responses={**_NOT_FOUND, 200: {"content": {"text/csv": {"example": "phone,outcome\r\n+86138…,delivered\r\n"}}}},
    response_class=StreamingResponse,
)
async def export_messages(served: Served, caller: SmsCaller, sms_id: SendId) -> StreamingResponse:
    """All messages of a request as CSV for spreadsheets (UTF-8 with BOM; no value is taken for a formula)."""
    return StreamingResponse(
        await served.sms_reads.export(caller, sms_id), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="sms-{sms_id}.csv"'},
    )  # fmt: skip
