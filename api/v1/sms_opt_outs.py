"""`/v1/sms/opt-outs`: whom marketing does not reach."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.callers import MemberCaller, Served, SmsCaller
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem, language_of
from domain.recipients import MAX_FILE_BYTES, explain_code
from domain.sms_interceptions import MAX_AT_ONCE
from domain.sms_opt_out import OptOutSource
from services.sms_opt_outs import OptedOut
from store.sms_opt_outs import Sought

_PROBLEM: dict[str, Any] = {"model": Problem}
router = APIRouter(prefix="/v1/sms/opt-outs", tags=["sms"], responses={401: _PROBLEM, 422: _PROBLEM})

ID = "0192f0c1-2a4b-7c3d-8e9f-0a1b2c3d4e5f"
PROBLEMS_SHOWN = 100
Id = Annotated[UUID, Path(examples=[ID])]


class OptOutOut(BaseModel):
    """A number that gets no marketing of yours; codes and notices reach it."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID = Field(examples=[ID])
    phone: str = Field(description="E.164.", examples=["+8613800138000"])
    source: OptOutSource = Field(description="`reply`: its owner said so; `member`: entered by you.")
    word: str = Field(description="What its owner said, in lower case.", examples=["td"])
    reply_id: UUID | None = Field(examples=[ID])
    created_at: dt.datetime = Field(examples=["2026-11-23T08:00:00Z"])


class OptOutPage(BaseModel):
    items: list[OptOutOut]
    next_cursor: NextCursor = None


class OptOutsIn(BaseModel):
    """Numbers to leave out of marketing from now on."""

    model_config = ConfigDict(extra="forbid")
    phones: list[Annotated[str, Field(max_length=100)]] = Field(
        min_length=1, max_length=MAX_AT_ONCE, examples=[["13800138000", "+44 7400 123456"]]
    )


class OptOutFileIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    file: UploadFile = Field(
        description="CSV: a column of numbers, or a bare list.", examples=["phone\n13800138000\n+447400123456\n"]
    )


class OptOutsAdded(BaseModel):
    added: int = Field(examples=[2])
    known: int = Field(description="Listed already, or named twice.", examples=[0])


class NumberLine(BaseModel):
    line: int = Field(examples=[3])
    phone: str = Field(description="What stood in its place, cut short.", examples=["1380013"])
    code: str = Field(examples=["phone_invalid"])
    detail: str = Field(examples=["This is not a phone number."])


class OptOutsImported(OptOutsAdded):
    """What became of a file's lines."""

    refused: int = Field(description="Lines that are wrong, and were not entered.", examples=[1])
    problems: list[NumberLine] = Field(description=f"The first {PROBLEMS_SHOWN} of them.")

    @classmethod
    def of(cls, done: OptedOut, language: str) -> "OptOutsImported":
        shown = [
            NumberLine(
                line=one.line, phone=one.value, code=one.code, detail=explain_code(one.code, language, one.params)
            )
            for one in done.problems[:PROBLEMS_SHOWN]
        ]
        return cls(added=done.added, known=done.known, refused=len(done.problems), problems=shown)


class OptOutsRemoveIn(BaseModel):
    """Entries to delete."""

    model_config = ConfigDict(extra="forbid")
    ids: list[UUID] = Field(min_length=1, max_length=MAX_AT_ONCE, examples=[[ID]])
    despite_reply: bool = Field(default=False, description="Needed where the owner of a number opted out.")


class OptOutsRemoved(BaseModel):
    removed: int = Field(examples=[1])


def sought(
    q: Annotated[str, Query(max_length=40, description="A part of the number.", examples=["1380013"])] = "",
    source: Annotated[OptOutSource | None, Query(examples=["reply"])] = None,
) -> Sought:
    """What the list is narrowed to."""
    return Sought(q.strip(), source or "")


Narrowed = Annotated[Sought, Depends(sought)]


@router.get("", summary="List SMS opt-outs")
async def list_sms_opt_outs(
    served: Served, caller: SmsCaller, narrowed: Narrowed, cursor: Cursor = None, limit: Limit = 50
) -> OptOutPage:
    """Newest first. They count for marketing alone, at once, also for messages that wait."""
    found = await served.sms_opt_outs.page(caller, narrowed, cursor, limit)
    items = [OptOutOut.model_validate(each) for each in found]
    return OptOutPage(items=items, next_cursor=next_cursor(found, limit))


@router.post("", summary="Add SMS opt-outs", status_code=201, responses={403: _PROBLEM})
async def add_sms_opt_outs(body: OptOutsIn, served: Served, caller: MemberCaller) -> OptOutsAdded:
    """All, or none when one of them is no number."""
    done = await served.sms_opt_outs.add(caller, body.phones)
    return OptOutsAdded(added=done.added, known=done.known)


@router.post("/import", summary="Add SMS opt-outs from a file", responses={403: _PROBLEM, 413: _PROBLEM})
async def import_sms_opt_outs(
    form: Annotated[OptOutFileIn, Form(media_type="multipart/form-data")],
    served: Served, caller: MemberCaller, request: Request,
) -> OptOutsImported:  # fmt: skip
    """A CSV file of at most 100,000 lines, as `/v1/sms/opt-outs.csv` exports it, or a bare list of numbers. Lines that
    are wrong are named, and keep no other out."""
    data = await form.file.read(MAX_FILE_BYTES + 1)
    return OptOutsImported.of(await served.sms_opt_outs.import_file(caller, data), language_of(request))


@router.post("/remove", summary="Remove SMS opt-outs", responses=dict.fromkeys((403, 404, 409), _PROBLEM))
async def remove_sms_opt_outs(body: OptOutsRemoveIn, served: Served, caller: MemberCaller) -> OptOutsRemoved:
    """As one; entries that are gone already count for nothing."""
    return OptOutsRemoved(removed=await served.sms_opt_outs.remove(caller, body.ids, body.despite_reply))


@router.get("/{sms_opt_out_id}", summary="One SMS opt-out", responses={404: _PROBLEM})
async def show_sms_opt_out(sms_opt_out_id: Id, served: Served, caller: SmsCaller) -> OptOutOut:
    """As the list shows it."""
    return OptOutOut.model_validate(await served.sms_opt_outs.get(caller, sms_opt_out_id))


@router.delete(
    "/{sms_opt_out_id}", summary="Remove an SMS opt-out", status_code=204,
    responses=dict.fromkeys((403, 404, 409), _PROBLEM),
)  # fmt: skip
async def remove_sms_opt_out(
    sms_opt_out_id: Id,
    served: Served,
    caller: MemberCaller,
    despite_reply: Annotated[bool, Query(description="Needed where its owner opted out.", examples=[True])] = False,
) -> Response:
    """Marketing reaches the number again: make sure that its owner wants that. It is on record who did it."""
    await served.sms_opt_outs.remove(caller, [sms_opt_out_id], despite_reply)
    return Response(status_code=204)


@router.get(
    ".csv",
    summary="SMS opt-outs as CSV",
    responses={200: {"content": {"text/csv": {"example": "phone,source\r\n'+8613800138000,reply\r\n"}}}},
    response_class=StreamingResponse,
)
async def export_sms_opt_outs(served: Served, caller: SmsCaller, narrowed: Narrowed) -> StreamingResponse:
    """Those that the list shows, as CSV for spreadsheets (UTF-8 with BOM; no value is taken for a formula)."""
    return StreamingResponse(
        served.sms_opt_outs.export(caller, narrowed), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sms-opt-outs.csv"'},
    )  # fmt: skip
