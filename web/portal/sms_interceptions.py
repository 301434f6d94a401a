"""/portal/sms-interceptions: numbers that failed, whom they are blocked for; removing one's own, asking for others'."""

import contextlib
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from domain.errors import Refusal
from domain.sms_interceptions import MAX_NOTE
from store.columns import now
from store.sms_interceptions_read import Sought
from web.i18n import mark as _
from web.pages import Caller, Signed, again, render, see, served, translator
from web.portal.forms import ids_of, text_of
from web.portal.sms_words import CODES, SCOPES

router = APIRouter(prefix="/portal/sms-interceptions")

PAGE = 50
HERE = "/portal/sms-interceptions"
LIST = "portal/sms_interceptions.html"
STATES = {"blocking": _("拦截中"), "listed": _("未拦截")}
_BLOCKING = {"blocking": True, "listed": False}


@router.get("")
async def interceptions(
    request: Request, caller: Signed, q: str = "", scope: str = "", state: str = "", after: UUID | None = None
) -> Response:
    """Newest first; for a whole number also what blocks it for everybody, without saying whose record that is."""
    return render(request, LIST, **await _listed(request, caller, _sought(q, scope, state), after, state))


@router.post("/remove")
async def remove_some(request: Request, caller: Signed) -> Response:
    """Those that are ticked."""
    ids = ids_of(await request.form())
    say = translator(request)
    if not ids:
        return see(HERE, request, say(_("没有选择任何记录。")), "info")
    count = await served(request).sms_interceptions.remove(caller, ids)
    return see(HERE, request, say(_("已删除 {count} 条，可以再次向这些号码发送。"), count=count))


@router.post("/{sms_interception_id}/remove")
async def remove(request: Request, caller: Signed, sms_interception_id: UUID) -> Response:
    """It blocks nobody any more."""
    await served(request).sms_interceptions.remove(caller, [sms_interception_id])
    return see(HERE, request, translator(request)(_("已删除，可以再次向该号码发送。")))


@router.post("/ask")
async def ask(request: Request, caller: Signed) -> Response:
    """Support is asked to lift what is not the account's own."""
    form = await request.form()
    values = {"phone": text_of(form, "phone"), "note": text_of(form, "note")}
    try:
        await served(request).sms_interceptions.ask(caller, values["phone"], values["note"])
    except Refusal as refusal:
        shown = await _listed(request, caller, _sought(values["phone"], "", ""), None, "")
        return again(request, LIST, refusal, values, address=HERE, **shown)
    return see(HERE, request, translator(request)(_("申请已提交，客服处理后会发邮件通知您。")))


@router.get("/export.csv")
async def export(request: Request, caller: Signed, q: str = "", scope: str = "", state: str = "") -> StreamingResponse:
    """Those that the list shows, for a spreadsheet."""
    return StreamingResponse(
        served(request).sms_interceptions.export(caller, _sought(q, scope, state)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sms-interceptions.csv"'},
    )


def _sought(q: str, scope: str, state: str) -> Sought:
    return Sought(now(), q.strip()[:40], scope if scope in SCOPES else "", None, _BLOCKING.get(state))


async def _listed(request: Request, caller: Caller, sought: Sought, after: UUID | None, state: str) -> dict[str, Any]:
    desk = served(request).sms_interceptions
    found = await desk.page(caller, sought, after, PAGE + 1)
    asked = {"q": sought.phone, "scope": sought.scope, "state": state if state in _BLOCKING else ""}
    why = None
    if sought.phone:
        with contextlib.suppress(Refusal):  # a part of a number is none
            why = await desk.why(caller, sought.phone)
    return {
        "rows": found[:PAGE], "next": found[PAGE - 1].id if len(found) > PAGE else None, "after": after,
        "total": await desk.count(caller, sought), "query": {name: value for name, value in asked.items() if value},
        "sought": sought, "state": state, "why": why, "requests": await desk.requests(caller), "at": sought.at,
        "SCOPES": SCOPES, "STATES": STATES, "CODES": CODES, "note": MAX_NOTE,
    }  # fmt: skip
