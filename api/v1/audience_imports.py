"""`/v1/…-lists/{…}/imports`: files of millions of members, read in the background, for both kinds of lists."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import UploadFile

from api.callers import MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem, language_of
from api.v1.audience import ID, MOMENT
from domain.audience import ImportFormat, ImportState
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.recipients import explain_code
from services.audience_import import ListImports, Upload
from services.catalog import Services
from store.audience_import import ListImport

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 413, 422)}
_routes = APIRouter(responses=REFUSED)
_of_one = APIRouter(responses=REFUSED)
"""Below one import."""


@dataclass(frozen=True)
class Target:
    """The list that a path names, and what reads files into its kind."""

    list_id: UUID
    imports: ListImports
    path: str
    """Of its imports."""


def router_of(
    lists: str, parameters: tuple[str, str], tag: str, imports: Callable[[Services], ListImports]
) -> APIRouter:
    """The routes below `{lists}/{…}/imports`; `parameters` are what its paths call the list and the import."""
    of_list, of_import = parameters

    async def name_target(
        request: Request, served: Served, list_id: Annotated[UUID, Path(alias=of_list, examples=[ID])]
    ) -> None:
        request.state.target = Target(list_id, imports(served), f"{lists}/{list_id}/imports")

    async def name_import(request: Request, import_id: Annotated[UUID, Path(alias=of_import, examples=[ID])]) -> None:
        request.state.import_id = import_id

    prefix = f"{lists}/{{{of_list}}}/imports"
    router = APIRouter(tags=[tag], responses=REFUSED, dependencies=[Depends(name_target)])
    router.include_router(_routes, prefix=prefix)
    router.include_router(_of_one, prefix=f"{prefix}/{{{of_import}}}", dependencies=[Depends(name_import)])
    return router


async def target_of(request: Request) -> Target | None:
    """Which the router has named; None: the path's id is none, which is refused once all is looked at."""
    return getattr(request.state, "target", None)


async def import_of(request: Request) -> UUID | None:
    """Likewise, of paths that name an import."""
    return getattr(request.state, "import_id", None)


Into = Annotated[Target, Depends(target_of)]
ImportId = Annotated[UUID, Depends(import_of)]

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "examples": ["members.csv"]}},
                }
            }
        },
    }
}
"""Said here because FastAPI would read the whole body before it asks who calls."""


_REFUSED_LINES = "line,address,code,reason\r\n3,nobody,address_no_at,An address needs an @.\r\n"
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"example": _REFUSED_LINES}}}}


class ImportOut(BaseModel):
    """Every line below the header is `added`, `updated`, `repeated` or `refused`, or blank."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID = Field(examples=[ID])
    list_id: UUID = Field(examples=[ID])
    filename: str = Field(examples=["members.csv"])
    format: ImportFormat
    state: ImportState
    held: bool = Field(description="Waits for a campaign that is copying the list, which takes seconds.")
    size: int = Field(description="Bytes of the file.", examples=[48_066_692])
    lines: int = Field(description="Lines read so far.", examples=[500_001])
    total_lines: int | None = Field(description="Null until the file was looked through.", examples=[1_000_001])
    added: int = Field(examples=[498_000])
    updated: int = Field(description="Members that were in the list before.", examples=[1_500])
    repeated: int = Field(description="Addresses that the file names again; its last line counts.", examples=[400])
    refused: int = Field(description="Lines that cannot be members.", examples=[100])
    columns: list[str] = Field(description="The variables.", examples=[["email", "name", "city"]])
    ignored_columns: list[str] = Field(description="Headers that cannot name a variable.", examples=[[]])
    encoding: str | None = Field(examples=["utf-8"])
    failure: str | None = Field(description="A code: why the file as a whole was not read.", examples=[None])
    failure_detail: str | None = Field(description="The same in words, with what to do.", examples=[None])
    created_at: dt.datetime = Field(examples=[MOMENT])
    finished_at: dt.datetime | None = Field(examples=[MOMENT])
    workflow_id: str = Field(description="Its process, for support.", examples=[f"list-import/{ID}"])


class ImportPage(BaseModel):
    items: list[ImportOut]
    next_cursor: NextCursor = None


class RefusedOut(BaseModel):
    line: int = Field(examples=[3])
    address: str = Field(
        description="What stood in the place of the address or number, cut short.", examples=["nobody"]
    )
    code: str = Field(examples=["address_no_at"])
    detail: str = Field(examples=["An address needs an @ between name and domain."])


class RefusedPage(BaseModel):
    items: list[RefusedOut]
    next_after: int | None = Field(default=None, description="Give it as `after`; null: that was all.", examples=[3])


@_routes.post("", status_code=202, summary="Import members from a file", openapi_extra=_FORM)
async def upload(request: Request, into: Into, caller: MemberCaller, response: Response) -> ImportOut:
    """A CSV or XLSX file in the form field `file`: a header, one column of addresses or phone numbers, variables.

    Members that are in the list already get the variables of the file. Read the import again to see how far it is.
    """
    async with request.form(max_files=1, max_fields=10) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Refusal("import_no_file", field="file")
        row = await into.imports.upload(caller, into.list_id, Upload.of(file.filename or "", file.read))
    response.headers["Location"] = f"{into.path}/{row.id}"
    return shown(row, language_of(request))


@_routes.get("", summary="List imports")
async def index(
    request: Request, into: Into, caller: MemberCaller, cursor: Cursor = None, limit: Limit = 50
) -> ImportPage:
    """Of this list, newest first."""
    rows = await into.imports.page(caller, into.list_id, cursor, limit)
    return ImportPage(items=[shown(row, language_of(request)) for row in rows], next_cursor=next_cursor(rows, limit))


@_of_one.get("", summary="One import and how far it is")
async def show(import_id: ImportId, request: Request, into: Into, caller: MemberCaller) -> ImportOut:
    """State and counts, as they are now."""
    return shown(await into.imports.get(caller, into.list_id, import_id), language_of(request))


@_of_one.post("/cancel", summary="Stop an import")
async def cancel(import_id: ImportId, request: Request, into: Into, caller: MemberCaller) -> ImportOut:
    """What was read before stays in the list."""
    return shown(await into.imports.cancel(caller, into.list_id, import_id), language_of(request))


@_of_one.get("/refused", summary="Lines that were not imported")
async def list_refused(
    import_id: ImportId,
    request: Request,
    into: Into,
    caller: MemberCaller,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Begin after this line.", examples=[0])] = 0,
    limit: Limit = 50,
) -> RefusedPage:
    """In the order of the file, each with its reason."""
    found = await into.imports.refused(caller, into.list_id, import_id, after, limit)
    language = language_of(request)
    items = [
        RefusedOut(
            line=each.line, address=each.address, code=each.code,
            detail=explain_code(each.code, language, each.params),
        )
        for each in found
    ]  # fmt: skip
    return RefusedPage(items=items, next_after=found[-1].line if len(found) == limit else None)


@_of_one.get(
    "/refused.csv",
    summary="Lines that were not imported, as CSV",
    responses={**REFUSED, **_CSV},
    response_class=StreamingResponse,
)
async def export_refused(import_id: ImportId, request: Request, into: Into, caller: MemberCaller) -> StreamingResponse:
    """Every such line for spreadsheets (UTF-8 with BOM): line, address, code, reason."""
    return StreamingResponse(
        await into.imports.export_refused(caller, into.list_id, import_id, language_of(request)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="refused-{import_id}.csv"'},
    )


def shown(row: ListImport, language: str) -> ImportOut:
    """A row as `/v1` shows it."""
    form = row.form or {}
    return ImportOut(
        **{name: getattr(row, name) for name in _SAME},
        lines=row.line,
        columns=[name for _, name in form.get("variables", [])],
        ignored_columns=list(form.get("ignored", [])),
        encoding=form.get("encoding"),
        failure_detail=explain_code(row.failure, language, row.failure_params) if row.failure else None,
        workflow_id=workflow_id(Kind.LIST_IMPORT, row.id),
    )


_SAME = (
    "id", "list_id", "filename", "format", "state", "held", "size", "total_lines", "added", "updated", "repeated",
    "refused", "failure", "created_at", "finished_at",
)  # fmt: skip


router = router_of("/v1/address-lists", ("list_id", "import_id"), "address lists", lambda served: served.list_imports)
