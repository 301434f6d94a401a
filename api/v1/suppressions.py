"""`/v1/suppressions`: whom the account does not write to, and why."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.callers import AnyCaller, MemberCaller, Served
from api.paging import Cursor, Limit, next_cursor
from api.problems import Problem, language_of
from api.v1.suppressions_models import (
    ID,
    ImportedOut,
    RemovedOut,
    RemoveIn,
    SuppressionFileIn,
    SuppressionOut,
    SuppressionPage,
    SuppressionsAdded,
    SuppressionsIn,
    WhyOut,
)
from domain.recipients import MAX_FILE_BYTES
from domain.suppressions import SuppressionReason, SuppressionScope
from store.suppressions import Sought

_PROBLEM: dict[str, Any] = {"model": Problem}
router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"], responses={401: _PROBLEM, 422: _PROBLEM})

Id = Annotated[UUID, Path(examples=[ID])]


def sought(
    q: Annotated[str, Query(max_length=254, description="A part of the address.", examples=["@qq.com"])] = "",
    reason: Annotated[SuppressionReason | None, Query(examples=["complaint"])] = None,
    scope: Annotated[SuppressionScope | None, Query(examples=["all"])] = None,
) -> Sought:
    """What the list is narrowed to."""
    return Sought(q.strip(), reason or "", scope or "")


Narrowed = Annotated[Sought, Depends(sought)]


@router.get("", summary="List suppressions")
async def list_suppressions(
    served: Served, caller: AnyCaller, narrowed: Narrowed, cursor: Cursor = None, limit: Limit = 50
) -> SuppressionPage:
    """Newest first, with those that have ended. Mails leave these addresses out, each entry within its scope."""
    found = await served.suppressions.page(caller, narrowed, cursor, limit)
    items = [SuppressionOut.model_validate(each) for each in found]
    return SuppressionPage(items=items, next_cursor=next_cursor(found, limit))


@router.post("", summary="Add suppressions", status_code=201, responses={403: _PROBLEM})
async def add_suppressions(body: SuppressionsIn, served: Served, caller: MemberCaller) -> SuppressionsAdded:
    """All, or none when one of them is no address. What was entered before keeps the wider scope and the later end."""
    entered = await served.suppressions.add(caller, body.addresses, body.rule())
    return SuppressionsAdded(added=entered.added, known=entered.known)


@router.post(
    "/import", summary="Add suppressions from a file", responses={403: _PROBLEM, 413: _PROBLEM}
)  # fmt: skip
async def import_suppressions(
    form: Annotated[SuppressionFileIn, Form(media_type="multipart/form-data")],
    served: Served, caller: MemberCaller, request: Request,
) -> ImportedOut:  # fmt: skip
    """A CSV file of at most 100,000 lines, as `/v1/suppressions.csv` exports it, or a bare list of addresses.

    Entered when this is answered. Lines that are wrong are named, and keep no other out.
    """
    data = await form.file.read(MAX_FILE_BYTES + 1)
    done = await served.suppressions.import_file(caller, data, form.rule())
    return ImportedOut.of(done, language_of(request))


@router.post("/remove", summary="Remove suppressions", responses=dict.fromkeys((403, 404, 409), _PROBLEM))
async def remove_suppressions(body: RemoveIn, served: Served, caller: MemberCaller) -> RemovedOut:
    """As one; entries that are gone already count for nothing."""
    return RemovedOut(removed=await served.suppressions.remove(caller, body.ids, body.despite_complaint))


@router.get("/lookup", summary="Why an address is not written to")
async def look_up(
    served: Served,
    caller: AnyCaller,
    address: Annotated[str, Query(max_length=1000, examples=["li.lei@qq.com"])],
) -> WhyOut:
    """Everything that holds mails of this account to one address back just now, also what holds for all accounts."""
    return WhyOut.of(await served.suppressions.why(caller, address))


@router.get("/{suppression_id}", summary="One suppression", responses={404: _PROBLEM})
async def show_suppression(suppression_id: Id, served: Served, caller: AnyCaller) -> SuppressionOut:
    """As the list shows it."""
    return SuppressionOut.model_validate(await served.suppressions.get(caller, suppression_id))


@router.delete(
    "/{suppression_id}", summary="Remove a suppression", status_code=204,
    responses=dict.fromkeys((403, 404, 409), _PROBLEM),
)  # fmt: skip
async def remove_suppression(
    suppression_id: Id,
    served: Served,
    caller: MemberCaller,
    despite_complaint: Annotated[bool, Query(description="Needed for a complaint.", examples=[True])] = False,
) -> Response:
    """It holds nothing back any more: make sure that its owner wants that. It is on record who did it."""
    await served.suppressions.remove(caller, [suppression_id], despite_complaint)
    return Response(status_code=204)


@router.get(
    ".csv",
    summary="Suppressions as CSV",
    responses={200: {"content": {"text/csv": {"example": "address,reason\r\na@qq.com,unsubscribe\r\n"}}}},
    response_class=StreamingResponse,
)
async def export_suppressions(served: Served, caller: AnyCaller, narrowed: Narrowed) -> StreamingResponse:
    """Those that the list shows, as CSV for spreadsheets (UTF-8 with BOM; no value is taken for a formula)."""
    return StreamingResponse(
        served.suppressions.export(caller, narrowed), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="suppressions.csv"'},
    )  # fmt: skip
