"""/console/reports: what receivers' servers and mailbox providers sent back, and what it changed."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from domain.corrections import Effect
from domain.reports import ReportKind
from services.inbound import LETTER
from store.reports_read import Wanted
from web.console.pages import render, served, translator
from web.console.sessions import SignedOperator
from web.i18n import mark as _
from web.portal.sends import REASONS

router = APIRouter(prefix="/console/reports")
PAGE = 50
KINDS = {
    ReportKind.BOUNCE.value: _("退信"),
    ReportKind.DELAY.value: _("延迟通知"),
    ReportKind.DELIVERED.value: _("送达回执"),
    ReportKind.COMPLAINT.value: _("投诉"),
    ReportKind.AUTO_REPLY.value: _("自动回复"),
    ReportKind.REPLY.value: _("回复"),
    LETTER: _("写给管理员的信"),
}
EFFECTS = {
    Effect.WAITING: _("等待投递结果"),
    Effect.CORRECTED: _("已更正结果"),
    Effect.COMPLAINED: _("已加入拦截列表"),
    Effect.NOTED: _("仅记录"),
    Effect.NO_MESSAGE: _("没有对应的邮件"),
    Effect.LETTER: _("待阅读"),
}
TONES = {Effect.WAITING: "info", Effect.CORRECTED: "danger", Effect.COMPLAINED: "danger", Effect.LETTER: "warning"}
Number = Annotated[int | None, Query(ge=1, le=2**63 - 1)]


@router.get("")
async def listed(
    request: Request, operator: SignedOperator, kind: str = "", message: str = "", after: Number = None,
    letter: Number = None,
) -> Response:  # fmt: skip
    """Newest first; `kind` and `message` narrow it, `letter` shows one to the postmaster."""
    desk, sought = served(request).report_desk, message.strip()
    number = int(sought) if sought.isascii() and sought.isdecimal() and len(sought) < 19 else None
    errors = {}
    if sought and number is None:
        errors["message"] = translator(request)("邮件编号是一个数字，见“发送详情”或 /v1/messages。")
    chosen = kind if kind in KINDS else None
    found = [] if errors else await desk.page(operator, Wanted(chosen, number, after), PAGE + 1)
    return render(
        request, "console/reports.html", 422 if errors else 200, lines=found[:PAGE], kind=chosen or "",
        values={"message": sought}, errors=errors, counts=await desk.counts(operator), after=after,
        next=found[PAGE - 1].id if len(found) > PAGE else None, KINDS=KINDS, EFFECTS=EFFECTS, TONES=TONES,
        REASONS=REASONS, opened=await desk.letter(operator, letter) if letter else None,
    )  # fmt: skip
