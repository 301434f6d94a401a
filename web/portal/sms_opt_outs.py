"""/portal/sms-opt-outs: whom the account's marketing does not reach."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile
from starlette.responses import Response

from domain.errors import Refusal
from domain.recipients import MAX_FILE_BYTES, explain_code
from domain.sms_interceptions import MAX_AT_ONCE, MAX_IMPORTED
from domain.sms_opt_out import OptOutSource
from services.sms_opt_outs import OptedOut
from store.sms_opt_outs import Sought
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator
from web.portal.forms import ids_of, text_of
from web.portal.sms_words import SOURCES

router = APIRouter(prefix="/portal/sms-opt-outs")

PAGE = 50
PROBLEMS_SHOWN = 100
HERE = "/portal/sms-opt-outs"
LIST = "portal/sms_opt_outs.html"
ADDED = _("已添加 {added} 个号码，{known} 个原已在列。")


@router.get("")
async def opt_outs(
    request: Request, caller: Signed, q: str = "", source: str = "", after: UUID | None = None
) -> Response:
    """Newest first, with the forms to add some."""
    return render(request, LIST, **await _listed(request, caller, _sought(q, source), after))


@router.post("")
async def add(request: Request, caller: Signed) -> Response:
    """One number per line."""
    typed = text_of(await request.form(), "phones")
    lines = [line.strip() for line in typed.splitlines() if line.strip()]
    try:
        done = await served(request).sms_opt_outs.add(caller, lines)
    except Refusal as refusal:
        return await _again(request, caller, refusal, {"phones": typed}, lines)
    return see(HERE, request, translator(request)(ADDED, added=done.added, known=done.known))


async def _again(
    request: Request, caller: Caller, refusal: Refusal, values: dict[str, str], lines: list[str]
) -> Response:
    """The form with the message, which names the line that is wrong."""
    shown = await _listed(request, caller, Sought(), None)
    name, _bracket, place = (refusal.field or "").partition("[")
    if not place:
        return again(request, LIST, refusal, values, **shown)
    moved = Refusal(refusal.code, name, **refusal.params)
    message = translator(request)(_("“{line}”："), line=lines[int(place.rstrip("]"))][:80])
    message += refused(moved, language_of(request))[name]
    return render(request, LIST, 422, errors={name: message}, values=values, **shown)


@router.post("/import")
async def import_file(request: Request, caller: Signed) -> Response:
    """Enter what the file holds; the lines that are wrong are shown."""
    file = (await request.form()).get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refusal("import_no_file", field="file")
        done = await served(request).sms_opt_outs.import_file(caller, await file.read(MAX_FILE_BYTES + 1))
    except Refusal as refusal:
        shown = await _listed(request, caller, Sought(), None)
        return again(request, LIST, _at_file(refusal), {}, address=HERE, **shown)
    if done.problems:
        return render(request, LIST, **await _listed(request, caller, Sought(), None) | _told(request, done))
    return see(HERE, request, translator(request)(ADDED, added=done.added, known=done.known))


@router.post("/remove")
async def remove_some(request: Request, caller: Signed) -> Response:
    """Those that are ticked."""
    form = await request.form()
    ids = ids_of(form)
    say = translator(request)
    if not ids:
        return see(HERE, request, say(_("没有选择任何号码。")), "info")
    try:
        count = await served(request).sms_opt_outs.remove(caller, ids, bool(form.get("despite_reply")))
    except Refusal as refusal:
        if refusal.code != "sms_opted_out_by_owner":
            raise
        moved = Refusal(refusal.code, None, **refusal.params)
        return again(request, LIST, moved, {}, address=HERE, **await _listed(request, caller, Sought(), None))
    return see(HERE, request, say(_("已移除 {count} 个，营销短信可以再次发送给这些号码。"), count=count))


@router.post("/{sms_opt_out_id}/remove")
async def remove(request: Request, caller: Signed, sms_opt_out_id: UUID, despite_reply: bool = False) -> Response:
    """Marketing reaches it again."""
    await served(request).sms_opt_outs.remove(caller, [sms_opt_out_id], despite_reply)
    return see(HERE, request, translator(request)(_("已移除，营销短信可以再次发送给该号码。")))


@router.get("/export.csv")
async def export(request: Request, caller: Signed, q: str = "", source: str = "") -> StreamingResponse:
    """Those that the list shows, for a spreadsheet."""
    return StreamingResponse(
        served(request).sms_opt_outs.export(caller, _sought(q, source)), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sms-opt-outs.csv"'},
    )  # fmt: skip


def _at_file(refusal: Refusal) -> Refusal:
    """What is said of a line before the records is said of the file."""
    if not (refusal.field or "").startswith("line"):
        return refusal
    return Refusal(refusal.code, "file", **refusal.params)


def _told(request: Request, done: OptedOut) -> dict[str, Any]:
    language = language_of(request)
    lines = [
        (one.line, one.value, explain_code(one.code, language, one.params)) for one in done.problems[:PROBLEMS_SHOWN]
    ]
    return {"done": done, "lines": lines}


def _sought(q: str, source: str) -> Sought:
    return Sought(q.strip()[:40], source if source in list(OptOutSource) else "")


async def _listed(request: Request, caller: Caller, sought: Sought, after: UUID | None) -> dict[str, Any]:
    desk = served(request).sms_opt_outs
    found = await desk.page(caller, sought, after, PAGE + 1)
    asked = {"q": sought.phone, "source": sought.source}
    return {
        "rows": found[:PAGE], "next": found[PAGE - 1].id if len(found) > PAGE else None, "after": after,
        "total": await desk.count(caller, sought), "query": {name: value for name, value in asked.items() if value},
        "sought": sought, "SOURCES": SOURCES, "limit": MAX_AT_ONCE, "most": MAX_IMPORTED,
        "megabytes": MAX_FILE_BYTES // 2**20, "done": None, "lines": [],
    }  # fmt: skip
