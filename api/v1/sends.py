"""`/v1/sends`: send a template to recipients, and read what became of each."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.status import HTTP_202_ACCEPTED

from api.callers import AnyCaller, Served
from api.paging import Cursor
from api.problems import FieldProblem, Problem, language_of, problem
from api.v1.sends_models import (
    SEND_ID,
    AcceptedOut,
    MessageDetail,
    MessageOut,
    MessagePage,
    Outcome,
    SendDetail,
    SendFileIn,
    SendIn,
    SendOut,
    SendPage,
)
from domain.recipients import MAX_FILE_BYTES, BadLines
from domain.refusals import explain
from services.sending import REJECTED_SHOWN

router = APIRouter(prefix="/v1", tags=["sends"])

_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "Not signed in, or a bad key."},
    402: {"model": Problem, "description": "The balance does not cover what goes beyond the free quota."},
    409: {"model": Problem, "description": "A step is missing, or the Idempotency-Key was used for another request."},
    413: {"model": Problem, "description": "The file is too large."},
    422: {"model": Problem, "description": "A field or a line is wrong; `errors` names lines."},
    429: {"model": Problem, "description": "The day's quota is used up."},
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {401: _REFUSALS[401], 404: {"model": Problem}}

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=255, examples=["order-20261123-0001"],
        description="A repeat of the same request within 24 hours gets the first answer.",
    ),
]  # fmt: skip
Limit = Annotated[int, Query(ge=1, le=500)]
SendId = Annotated[UUID, Path(examples=[SEND_ID])]
State = Annotated[Outcome | None, Query(alias="state", examples=["bounced"])]


@router.post("/sends", summary="Send a template to recipients", status_code=HTTP_202_ACCEPTED, responses=_REFUSALS)
async def create_send(
    served: Served, caller: AnyCaller, body: SendIn, request: Request, response: Response, key: Key = None
) -> AcceptedOut:
    """Send an approved template; each recipient gets a mail of their own. The answer is given once it is durable."""
    accepted = await served.sending.send(caller, body.to_request(key))
    answer = AcceptedOut.of(accepted, language_of(request))
    response.headers["Location"] = answer.url
    return answer


@router.post(
    "/sends/upload",
    summary="Send to the recipients of a CSV file",
    status_code=HTTP_202_ACCEPTED,
    responses=_REFUSALS,
    response_model=AcceptedOut,
)
async def create_send_from_file(
    served: Served, caller: AnyCaller, form: Annotated[SendFileIn, Form(media_type="multipart/form-data")],
    request: Request, response: Response, key: Key = None,
) -> AcceptedOut | Response:  # fmt: skip
    """The same with the recipients in a CSV file."""
    data = await form.file.read(MAX_FILE_BYTES + 1)
    try:
        accepted = await served.sending.send_file(caller, form.request((), key), data)
    except BadLines as refusal:
        return bad_lines(refusal, language_of(request))
    answer = AcceptedOut.of(accepted, language_of(request))
    response.headers["Location"] = answer.url
    return answer


def bad_lines(refusal: BadLines, language: str) -> Response:
    """The problem document, with the first lines that are wrong."""
    status, detail, step = explain(refusal, language)
    errors = []
    for one in refusal.problems[:REJECTED_SHOWN]:
        _, about, next_step = explain(one.refusal(), language)
        shown = f"{one.value}: {about}" if one.value else about
        errors.append(FieldProblem(field=f"lines[{one.line}]", code=one.code, detail=f"{shown} {next_step}"))
    return problem(refusal.code, status, detail, step, field=refusal.field, errors=errors, count=len(refusal.problems))


@router.get("/sends", summary="List sends", responses={401: _REFUSALS[401]})
async def list_sends(served: Served, caller: AnyCaller, cursor: Cursor = None, limit: Limit = 50) -> SendPage:
    """Sends of the account, newest first."""
    sends = await served.sending.sends(caller, cursor, limit + 1)
    more = len(sends) > limit
    return SendPage(
        items=[SendOut.of(send) for send in sends[:limit]], next_cursor=str(sends[limit - 1].id) if more else None
    )


@router.get("/sends/{send_id}", summary="One send and how far it is", responses=_NOT_FOUND)
async def get_send(served: Served, caller: AnyCaller, send_id: SendId, request: Request) -> SendDetail:
    """One send: messages by outcome, how far it is, and what recipients did."""
    view = await served.sending.view(caller, send_id)
    return SendDetail.of_view(view, await served.sending.engagement(caller, send_id), language_of(request))


@router.get("/sends/{send_id}/messages", summary="Messages of a send", responses=_NOT_FOUND)
async def list_messages(
    served: Served, caller: AnyCaller, send_id: SendId, outcome: State = None,
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0, limit: Limit = 100,
) -> MessagePage:  # fmt: skip
    """Messages of a send in the order of its recipients; `state` keeps one outcome."""
    found = await served.sending.messages(caller, send_id, (outcome, cursor, limit + 1))
    more = len(found) > limit
    return MessagePage(
        items=[MessageOut.of(message) for message in found[:limit]],
        next_cursor=str(found[limit].ordinal) if more else None,
    )


@router.get(
    "/sends/{send_id}/messages.csv",
    summary="Messages of a send as CSV",
    responses={**_NOT_FOUND, 200: {"content": {"text/csv": {"example": "address,outcome\r\na@qq.com,delivered\r\n"}}}},
    response_class=StreamingResponse,
)
async def export_messages(served: Served, caller: AnyCaller, send_id: SendId) -> StreamingResponse:
    """All messages of a send as CSV for spreadsheets (UTF-8 with BOM; no value is taken for a formula)."""
    return StreamingResponse(
        await served.sending.export(caller, send_id), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="send-{send_id}.csv"'},
    )  # fmt: skip


@router.get("/messages/{message_id}", summary="One message with its attempts", responses=_NOT_FOUND)
async def get_message(
    served: Served, caller: AnyCaller, message_id: Annotated[int, Path(ge=1, le=2**63 - 1, examples=[4711])]
) -> MessageDetail:
    """One message with every attempt: when, at which server, with which reply."""
    return MessageDetail.with_history(*await served.sending.message(caller, message_id))
