"""/portal/suppressions: whom the account does not write to, and why."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from domain.errors import Refusal
from domain.recipients import MAX_FILE_BYTES, explain_code
from domain.suppressions import (
    DEAD,
    MAX_ADDED,
    MAX_IMPORTED,
    MAX_NOTE,
    Rule,
    SuppressionReason,
    SuppressionScope,
)
from domain.times import SHANGHAI
from services.suppressions import Imported
from store.columns import now
from store.suppressions import Sought
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/suppressions")

PAGE = 50
PROBLEMS_SHOWN = 100
HERE = "/portal/suppressions"
LIST = "portal/suppressions.html"
FILE = "portal/suppressions_import.html"
REASONS = {
    SuppressionReason.COMPLAINT: _("收件人举报为垃圾邮件"),
    SuppressionReason.UNSUBSCRIBE: _("收件人退订"),
    SuppressionReason.MANUAL: _("手工添加"),
}
TONES = {SuppressionReason.COMPLAINT: "danger", SuppressionReason.UNSUBSCRIBE: "info"}
SCOPES = {SuppressionScope.BATCH: _("群发与批量邮件"), SuppressionScope.ALL: _("所有邮件")}
HELD = REASONS | {DEAD: _("邮箱不存在（对方服务器的答复）")}
"""Why one recipient was left out of a mail."""


@router.get("")
async def suppressions(
    request: Request, caller: Signed, q: str = "", reason: str = "", scope: str = "", after: UUID | None = None
) -> Response:
    """Newest first, with the form to add some; `q` is a part of the address."""
    return render(request, LIST, **await _listed(request, caller, _sought(q, reason, scope), after))


@router.post("")
async def add(request: Request, caller: Signed) -> Response:
    """One address per line."""
    form = await request.form()
    values = _values(form, "addresses", "scope", "until", "note")
    lines = [line.strip() for line in values["addresses"].splitlines() if line.strip()]
    try:
        entered = await served(request).suppressions.add(caller, lines, _rule(values))
    except Refusal as refusal:
        return await _again(request, caller, refusal, values, lines)
    say = translator(request)
    return see(
        HERE, request, say(_("已添加 {added} 个地址，{known} 个原已在列。"), added=entered.added, known=entered.known)
    )


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


@router.post("/remove")
async def remove_some(request: Request, caller: Signed) -> Response:
    """Those that are ticked."""
    form = await request.form()
    ids = [UUID(value) for value in form.getlist("ids") if isinstance(value, str) and _is_id(value)]
    if not ids:
        return see(HERE, request, translator(request)(_("没有选择任何地址。")), "info")
    despite = bool(form.get("despite_complaint"))
    try:
        count = await served(request).suppressions.remove(caller, ids, despite)
    except Refusal as refusal:
        if refusal.code != "suppression_complained":
            raise
        moved = Refusal(refusal.code, None, **refusal.params)
        return again(request, LIST, moved, {}, **await _listed(request, caller, Sought(), None))
    return see(HERE, request, translator(request)(_("已移除 {count} 条，可以再次向这些地址发信。"), count=count))


@router.post("/{suppression_id}/remove")
async def remove(request: Request, caller: Signed, suppression_id: UUID, despite_complaint: bool = False) -> Response:
    """It holds nothing back any more."""
    await served(request).suppressions.remove(caller, [suppression_id], despite_complaint)
    return see(HERE, request, translator(request)(_("已移除，可以再次向该地址发信。")))


@router.get("/export.csv")
async def export(request: Request, caller: Signed, q: str = "", reason: str = "", scope: str = "") -> StreamingResponse:
    """Those that the list shows, for a spreadsheet."""
    return StreamingResponse(
        served(request).suppressions.export(caller, _sought(q, reason, scope)), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="suppressions.csv"'},
    )  # fmt: skip


@router.get("/lookup")
async def lookup(request: Request, caller: Signed, address: str = Query(default="", max_length=1000)) -> Response:
    """Why one address is not written to."""
    shown: dict[str, Any] = {"why": None, "HELD": HELD, "SCOPES": SCOPES, "values": {"address": address}}
    if not address.strip():
        return render(request, "portal/suppressions_lookup.html", **shown)
    try:
        shown["why"] = await served(request).suppressions.why(caller, address)
    except Refusal as refusal:
        values = shown.pop("values")
        return again(request, "portal/suppressions_lookup.html", refusal, values, **shown)
    return render(request, "portal/suppressions_lookup.html", **shown)


@router.get("/import")
async def new_import(request: Request, caller: Signed) -> Response:
    """The form for a file."""
    return render(request, FILE, values={"scope": SuppressionScope.BATCH}, **_of_files())


@router.post("/import")
async def import_file(request: Request, caller: Signed) -> Response:
    """Enter what the file holds; the lines that are wrong are shown."""
    form = await request.form()
    values = _values(form, "scope", "until", "note")
    file = form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Refusal("import_no_file", field="file")
        data = await file.read(MAX_FILE_BYTES + 1)
        done = await served(request).suppressions.import_file(caller, data, _rule(values))
    except Refusal as refusal:
        return again(request, FILE, _at_file(refusal), values, **_of_files())
    if done.problems:
        return render(request, FILE, values=values, **_of_files() | _told(request, done))
    say = translator(request)
    return see(HERE, request, say(_("已添加 {added} 个地址，{known} 个原已在列。"), added=done.added, known=done.known))


def _at_file(refusal: Refusal) -> Refusal:
    """What is said of a line before the records is said of the file."""
    if not (refusal.field or "").startswith("line"):
        return refusal
    return Refusal(refusal.code, "file", **refusal.params)


def _told(request: Request, done: Imported) -> dict[str, Any]:
    language = language_of(request)
    lines = [
        (one.line, one.value, explain_code(one.code, language, one.params)) for one in done.problems[:PROBLEMS_SHOWN]
    ]
    return {"done": done, "lines": lines}


def _of_files() -> dict[str, Any]:
    return {
        "done": None, "SCOPES": SCOPES, "limit": MAX_IMPORTED, "megabytes": MAX_FILE_BYTES // 2**20, "note": MAX_NOTE,
    }  # fmt: skip


def _values(form: FormData, *names: str) -> dict[str, str]:
    return {name: value if isinstance(value := form.get(name), str) else "" for name in names}


def _rule(values: Mapping[str, str]) -> Rule:
    """What the form says. Raises `Refusal`."""
    try:
        scope = SuppressionScope(values["scope"] or SuppressionScope.BATCH)
    except ValueError:
        raise Refusal("invalid", field="scope", reason="batch, all") from None
    return Rule(scope, _until(values["until"]), values["note"].strip())


def _until(day: str) -> dt.datetime | None:
    """The end of a day in Asia/Shanghai."""
    if not day:
        return None
    try:
        return dt.datetime.combine(dt.date.fromisoformat(day) + dt.timedelta(days=1), dt.time(), SHANGHAI)
    except (ValueError, OverflowError):
        raise Refusal("suppression_until", field="until") from None


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _sought(q: str, reason: str, scope: str) -> Sought:
    return Sought(q.strip()[:254], *(text[:20].replace("\0", "") for text in (reason, scope)))


async def _listed(request: Request, caller: Caller, sought: Sought, after: UUID | None) -> dict[str, Any]:
    found = await served(request).suppressions.page(caller, sought, after, PAGE + 1)
    following = found[PAGE - 1].id if len(found) > PAGE else None
    total = await served(request).suppressions.count(caller, sought)
    query = {name: value for name, value in (("q", sought.text), ("reason", sought.reason), ("scope", sought.scope))
             if value}  # fmt: skip
    return {
        "rows": found[:PAGE], "sought": sought, "query": query, "after": after, "next": following, "total": total,
        "limit": MAX_ADDED, "note": MAX_NOTE, "REASONS": REASONS, "TONES": TONES, "SCOPES": SCOPES, "at": now(),
        "today": now().astimezone(SHANGHAI).date(),
    }  # fmt: skip
