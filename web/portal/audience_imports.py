"""/portal/…-lists/{…}/import: a file of members; and its import, live, for both kinds of lists."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.datastructures import UploadFile
from starlette.responses import Response

from domain.audience import ImportState
from domain.errors import Refusal
from domain.recipients import explain_code
from services.audience_import import ListImports, Upload
from services.catalog import Services
from store.audience import AddressList
from store.audience_import import ListImport
from store.contacts import ContactList
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator

_routes = APIRouter()
_of_one = APIRouter()
"""Below one import."""

IMPORTS_SHOWN = 20
REFUSED_SHOWN = 50
FOLLOWED_SECONDS = 600.0
RECONNECT_MS = 2000
STATES = {
    ImportState.UPLOADING: (_("上传中"), "secondary"),
    ImportState.WAITING: (_("等待导入"), "secondary"),
    ImportState.PREPARING: (_("正在检查文件"), "info"),
    ImportState.RUNNING: (_("导入中"), "info"),
    ImportState.DONE: (_("已完成"), "success"),
    ImportState.FAILED: (_("无法导入"), "danger"),
    ImportState.CANCELLED: (_("已停止"), "warning"),
}


@dataclass(frozen=True)
class Kind:
    """Where lists of a kind are, what paths call them and their imports, and whose words the pages use."""

    lists: str
    of_list: str
    of_import: str
    words: str


@dataclass(frozen=True)
class Target:
    """The list that a path names, and what reads files into its kind."""

    kind: Kind
    list_id: UUID
    imports: ListImports
    row: Callable[[Caller], Awaitable[AddressList | ContactList]]

    @property
    def place(self) -> str:
        """The page of the list."""
        return f"{self.kind.lists}/{self.list_id}"


def router_of(
    kind: Kind,
    imports: Callable[[Services], ListImports],
    row: Callable[[Services, Caller, UUID], Awaitable[AddressList | ContactList]],
) -> APIRouter:
    """The pages below one list of this kind."""

    async def name_target(request: Request, list_id: Annotated[UUID, Path(alias=kind.of_list)]) -> None:
        own = served(request)
        request.state.target = Target(kind, list_id, imports(own), lambda caller: row(own, caller, list_id))

    async def name_import(request: Request, import_id: Annotated[UUID, Path(alias=kind.of_import)]) -> None:
        request.state.import_id = import_id

    prefix = f"{kind.lists}/{{{kind.of_list}}}"
    one = f"{prefix}/imports/{{{kind.of_import}}}"
    router = APIRouter(dependencies=[Depends(name_target)])
    router.include_router(_routes, prefix=prefix)
    router.include_router(_of_one, prefix=one, dependencies=[Depends(name_import)])
    return router


async def target_of(request: Request) -> Target:
    """Which the router has named."""
    found: Target = request.state.target
    return found


Into = Annotated[Target, Depends(target_of)]


@_routes.get("/import")
async def new_import(request: Request, caller: Signed, into: Into) -> Response:
    """The form, and the imports so far."""
    return render(request, "portal/audience_import.html", **await _listed(request, caller, into))


@_routes.post("/import")
async def upload(request: Request, caller: Signed, into: Into) -> Response:
    """Keep the file; the page of its import is next."""
    form = await request.form()
    file = form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refusal("import_no_file", field="file")
        row = await into.imports.upload(caller, into.list_id, Upload.of(file.filename, file.read))
    except Refusal as refusal:
        if refusal.code in ("list_not_found", "contact_list_not_found"):
            raise
        return again(request, "portal/audience_import.html", refusal, {}, **await _listed(request, caller, into))
    return see(_place(into, row), request, translator(request)("文件已上传，正在导入。"))


async def import_of(request: Request, caller: Signed, into: Into) -> ListImport:
    """The import that a path names. A dependency, so that a stream refuses before it begins."""
    return await into.imports.get(caller, into.list_id, request.state.import_id)


Found = Annotated[ListImport, Depends(import_of)]


@_of_one.get("")
async def one(request: Request, caller: Signed, into: Into, row: Found) -> Response:
    """One import, live."""
    return render(request, "portal/audience_import_one.html", **await _one(request, caller, into, row))


@_of_one.get("/live")
async def live(request: Request, caller: Signed, into: Into, row: Found) -> Response:
    """The part of the page that changes; the script asks for it when an event says so."""
    return render(request, "portal/audience_import_live.html", **await _one(request, caller, into, row))


@_of_one.get("/events", response_class=EventSourceResponse)
async def events(caller: Signed, into: Into, row: Found) -> AsyncIterator[ServerSentEvent]:
    """An event `changed` now and whenever the import gets on, with its state; the stream ends when the import does."""
    async for now in into.imports.follow(caller, row.list_id, row.id, FOLLOWED_SECONDS):
        yield ServerSentEvent(event="changed", id=str(now.line), retry=RECONNECT_MS, data=now.state)


@_of_one.get("/refused.csv")
async def refused_lines(request: Request, caller: Signed, into: Into, row: Found) -> StreamingResponse:
    """Every line that was not imported, with its reason."""
    return StreamingResponse(
        await into.imports.export_refused(caller, row.list_id, row.id, language_of(request)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="refused-{row.id}.csv"'},
    )


@_of_one.post("/cancel")
async def cancel(request: Request, caller: Signed, into: Into, row: Found) -> Response:
    """Read no further."""
    try:
        await into.imports.cancel(caller, row.list_id, row.id)
    except Refusal as refusal:
        if refusal.code != "import_ended":
            raise
        return see(_place(into, row), request, refused(refusal, language_of(request))[""], "danger")
    return see(_place(into, row), request, translator(request)("已停止导入，之前导入的成员保留。"))


def _place(into: Target, row: ListImport) -> str:
    return f"{into.place}/imports/{row.id}"


async def _listed(request: Request, caller: Caller, into: Target) -> dict[str, Any]:
    row = await into.row(caller)
    imports = await into.imports.page(caller, into.list_id, None, IMPORTS_SHOWN)
    limit = served(request).foundation.policy.list_import_max_mb
    return {"row": row, "imports": imports, "STATES": STATES, "limit": limit, **_about(into)}


def _about(into: Target) -> dict[str, Any]:
    return {"place": into.place, "contacts": into.kind.words == "contacts"}


async def _one(request: Request, caller: Caller, into: Target, row: ListImport) -> dict[str, Any]:
    language = language_of(request)
    lines = await into.imports.refused(caller, row.list_id, row.id, 0, REFUSED_SHOWN)
    form = row.form or {}
    failure = refused(Refusal(row.failure, "", **row.failure_params), language)[""] if row.failure else ""
    return {
        "row": row,
        "of": await into.row(caller),
        "percent": _percent(row),
        "failure": failure,
        "columns": [name for _column, name in form.get("variables", [])],
        "ignored": form.get("ignored", []),
        "lines": [(each.line, each.address, explain_code(each.code, language, each.params)) for each in lines],
        "STATES": STATES,
        **_about(into),
    }


def _percent(row: ListImport) -> int:
    """Never 100 before the end."""
    if row.state == ImportState.DONE:
        return 100
    return min(99, 100 * row.done_bytes // row.total_bytes) if row.total_bytes else 0


router = router_of(
    Kind("/portal/address-lists", "list_id", "import_id", "addresses"),
    lambda served: served.list_imports,
    lambda served, caller, list_id: served.audience.get(caller, list_id),
)
