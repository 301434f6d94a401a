"""/portal/suppressions: who unsubscribed, and whom the account leaves out by hand."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from domain.errors import Refusal
from domain.suppressions import MAX_ADDED, SuppressionReason
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/suppressions")

PAGE = 50
HERE = "/portal/suppressions"
REASONS = {SuppressionReason.UNSUBSCRIBE: _("收件人退订"), SuppressionReason.MANUAL: _("手工添加")}


@router.get("")
async def suppressions(request: Request, caller: Signed, q: str = "", after: UUID | None = None) -> Response:
    """Newest first, with the form to add some; `q` is a part of the address."""
    return render(request, "portal/suppressions.html", **await _listed(request, caller, q, after))


@router.post("")
async def add(request: Request, caller: Signed) -> Response:
    """One address per line."""
    text = str((await request.form()).get("addresses", ""))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        entered = await served(request).suppressions.add(caller, lines)
    except Refusal as refusal:
        return await _again(request, caller, refusal, text, lines)
    say = translator(request)
    return see(
        HERE, request, say(_("已添加 {added} 个地址，{known} 个原已在列。"), added=entered.added, known=entered.known)
    )


async def _again(request: Request, caller: Caller, refusal: Refusal, text: str, lines: list[str]) -> Response:
    """The form with the message, which names the line that is wrong."""
    place = (refusal.field or "").partition("[")[2].partition("]")[0]
    shown = await _listed(request, caller, "", None)
    moved = Refusal(refusal.code, "addresses", **refusal.params)
    if not place:
        return again(request, "portal/suppressions.html", moved, {"addresses": text}, **shown)
    message = translator(request)(_("“{line}”："), line=lines[int(place)][:80])
    message += refused(moved, language_of(request))["addresses"]
    return render(
        request, "portal/suppressions.html", 422, errors={"addresses": message}, values={"addresses": text}, **shown
    )


@router.post("/{suppression_id}/remove")
async def remove(request: Request, caller: Signed, suppression_id: UUID) -> Response:
    """The address can be written to again."""
    await served(request).suppressions.remove(caller, suppression_id)
    return see(HERE, request, translator(request)(_("已移除，可以再次向该地址群发。")))


@router.get("/export.csv")
async def export(request: Request, caller: Signed) -> StreamingResponse:
    """All of them for a spreadsheet."""
    return StreamingResponse(
        served(request).suppressions.export(caller), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="suppressions.csv"'},
    )  # fmt: skip


async def _listed(request: Request, caller: Caller, q: str, after: UUID | None) -> dict[str, Any]:
    found = await served(request).suppressions.page(caller, q[:254], after, PAGE + 1)
    following = found[PAGE - 1].id if len(found) > PAGE else None
    total = await served(request).suppressions.count(caller)
    return {
        "rows": found[:PAGE], "q": q, "after": after, "next": following, "total": total, "limit": MAX_ADDED,
        "REASONS": REASONS,
    }  # fmt: skip
