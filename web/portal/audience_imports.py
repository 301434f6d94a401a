"""/portal/address-lists/{list_id}/import: a file of members; and its import, live."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.datastructures import UploadFile
from starlette.responses import Response

from domain.audience import ImportState
from domain.errors import Refusal
from domain.recipients import explain_code
from services.audience_import import Upload
from store.audience_import import ListImport
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/address-lists/{list_id}")

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


@router.get("/import")
async def new_import(request: Request, caller: Signed, list_id: UUID) -> Response:
    """The form, and the imports so far."""
    return render(request, "portal/audience_import.html", **await _listed(request, caller, list_id))


@router.post("/import")
async def upload(request: Request, caller: Signed, list_id: UUID) -> Response:
    """Keep the file; the page of its import is next."""
    form = await request.form()
    file = form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refusal("import_no_file", field="file")
        row = await served(request).list_imports.upload(caller, list_id, Upload.of(file.filename, file.read))
    except Refusal as refusal:
        if refusal.code == "list_not_found":
            raise
        return again(request, "portal/audience_import.html", refusal, {}, **await _listed(request, caller, list_id))
    return see(_place(row), request, translator(request)("文件已上传，正在导入。"))


async def import_of(request: Request, caller: Signed, list_id: UUID, import_id: UUID) -> ListImport:
    """The import that a path names. A dependency, so that a stream refuses before it begins."""
    return await served(request).list_imports.get(caller, list_id, import_id)


Found = Annotated[ListImport, Depends(import_of)]


@router.get("/imports/{import_id}")
async def one(request: Request, caller: Signed, row: Found) -> Response:
    """One import, live."""
    return render(request, "portal/audience_import_one.html", **await _one(request, caller, row))


@router.get("/imports/{import_id}/live")
async def live(request: Request, caller: Signed, row: Found) -> Response:
    """The part of the page that changes; the script asks for it when an event says so."""
    return render(request, "portal/audience_import_live.html", **await _one(request, caller, row))


@router.get("/imports/{import_id}/events", response_class=EventSourceResponse)
async def events(request: Request, caller: Signed, row: Found) -> AsyncIterator[ServerSentEvent]:
    """An event `changed` now and whenever the import gets on, with its state; the stream ends when the import does."""
    imports = served(request).list_imports
    async for now in imports.follow(caller, row.list_id, row.id, FOLLOWED_SECONDS):
        yield ServerSentEvent(event="changed", id=str(now.line), retry=RECONNECT_MS, data=now.state)


@router.get("/imports/{import_id}/refused.csv")
async def refused_lines(request: Request, caller: Signed, row: Found) -> StreamingResponse:
    """Every line that was not imported, with its reason."""
    imports = served(request).list_imports
    return StreamingResponse(
        await imports.export_refused(caller, row.list_id, row.id, language_of(request)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="refused-{row.id}.csv"'},
    )


@router.post("/imports/{import_id}/cancel")
async def cancel(request: Request, caller: Signed, row: Found) -> Response:
    """Read no further."""
    try:
        await served(request).list_imports.cancel(caller, row.list_id, row.id)
    except Refusal as refusal:
        if refusal.code != "import_ended":
            raise
        return see(_place(row), request, refused(refusal, language_of(request))[""], "danger")
    return see(_place(row), request, translator(request)("已停止导入，之前导入的成员保留。"))


def _place(row: ListImport) -> str:
    return f"/portal/address-lists/{row.list_id}/imports/{row.id}"


async def _listed(request: Request, caller: Caller, list_id: UUID) -> dict[str, Any]:
    row = await served(request).audience.get(caller, list_id)
    imports = await served(request).list_imports.page(caller, list_id, None, IMPORTS_SHOWN)
    policy = served(request).foundation.policy
    return {"row": row, "imports": imports, "STATES": STATES, "limit": policy.list_import_max_mb}


async def _one(request: Request, caller: Caller, row: ListImport) -> dict[str, Any]:
    language = language_of(request)
    lines = await served(request).list_imports.refused(caller, row.list_id, row.id, 0, REFUSED_SHOWN)
    form = row.form or {}
    failure = refused(Refusal(row.failure, "", **row.failure_params), language)[""] if row.failure else ""
    return {
        "row": row,
        "of": await served(request).audience.get(caller, row.list_id),
        "percent": _percent(row),
        "failure": failure,
        "columns": [name for _column, name in form.get("variables", [])],
        "ignored": form.get("ignored", []),
        "lines": [(each.line, each.address, explain_code(each.code, language, each.params)) for each in lines],
        "STATES": STATES,
    }


def _percent(row: ListImport) -> int:
    """Never 100 before the end."""
    if row.state == ImportState.DONE:
        return 100
    return min(99, 100 * row.done_bytes // row.total_bytes) if row.total_bytes else 0
