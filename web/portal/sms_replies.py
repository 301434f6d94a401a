"""/portal/sms-replies: what handsets answered."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from services.sms_replies import MATCHED_FOR, OPT_OUT_MATCHED_FOR
from store.sms_replies import Sought
from web.pages import Signed, render, served

router = APIRouter(prefix="/portal/sms-replies")

PAGE = 50
_ONLY = {"yes": True, "no": False}


@router.get("")
async def replies(
    request: Request, caller: Signed, q: str = "", words: str = "", opt_out: str = "", after: UUID | None = None
) -> Response:
    """Newest first; `q` is a part of the number, `words` of the text."""
    sought, desk = _sought(q, words, opt_out), served(request).sms_replies
    found = await desk.page(caller, sought, after, PAGE + 1)
    asked = {"q": sought.phone, "words": sought.content, "opt_out": opt_out if opt_out in _ONLY else ""}
    return render(
        request, "portal/sms_replies.html", rows=found[:PAGE], sought=sought, after=after, opt_out=opt_out,
        next=found[PAGE - 1].id if len(found) > PAGE else None, total=await desk.count(caller, sought),
        query={name: value for name, value in asked.items() if value}, days=MATCHED_FOR.days,
        late=OPT_OUT_MATCHED_FOR.days, sends=await desk.answered(caller, found[:PAGE]),
    )  # fmt: skip


@router.get("/export.csv")
async def export(
    request: Request, caller: Signed, q: str = "", words: str = "", opt_out: str = ""
) -> StreamingResponse:
    """Those that the list shows, for a spreadsheet."""
    return StreamingResponse(
        served(request).sms_replies.export(caller, _sought(q, words, opt_out)), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sms-replies.csv"'},
    )  # fmt: skip


def _sought(q: str, words: str, opt_out: str) -> Sought:
    return Sought(q.strip()[:40], words.strip()[:100], _ONLY.get(opt_out))
