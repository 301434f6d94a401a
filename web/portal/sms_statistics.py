"""/portal/sms-statistics: what became of SMS, by day and by template."""

import datetime as dt

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.sms_results import ResultCode
from domain.sms_statistics import by_day, total
from domain.spreadsheets import BOM, cell, csv_lines
from domain.times import business_day
from store.columns import now
from web.i18n import mark as _
from web.pages import Signed, again, render, served
from web.portal.sms_sends import KINDS

router = APIRouter(prefix="/portal/sms-statistics")

SHOWN_DAYS = 14
COLUMNS = ("day", "template", "name", "kind", "requested", "delivered", "not_processed", "not_delivered", "segments")
RESULTS = {
    ResultCode.PROCESSING: _("处理失败：其他原因"),
    ResultCode.BLOCKED_GLOBAL: _("处理失败：全局拦截列表"),
    ResultCode.BLOCKED_LOCAL: _("处理失败：局部拦截列表"),
    ResultCode.OPTED_OUT: _("处理失败：已退订"),
    ResultCode.KEYWORD: _("处理失败：关键词"),
    ResultCode.VARIABLES: _("处理失败：变量错误"),
    ResultCode.TOO_LONG: _("处理失败：内容过长"),
    ResultCode.EMPTY_NUMBER: _("空号"),
    ResultCode.SUSPENDED: _("停机"),
    ResultCode.BLACKLISTED: _("运营商黑名单"),
    ResultCode.BUSY: _("用户忙"),
    ResultCode.NO_ANSWER: _("无应答"),
    ResultCode.INTERCEPTED: _("被投诉或拦截"),
    ResultCode.HANDSET: _("手机终端问题"),
    ResultCode.OUT_OF_AREA: _("不在服务区"),
    ResultCode.SWITCHED_OFF: _("关机"),
    ResultCode.OTHER: _("其他"),
}


@router.get("")
async def statistics(request: Request, caller: Signed, first: str = "", last: str = "") -> Response:
    """The days that were asked for, else the last two weeks."""
    try:
        days = _days(first, last)
        found = await served(request).sms_reads.statistics(caller, *days)
    except Refusal as refusal:
        moved = Refusal(refusal.code, "first", **refusal.params)
        values = {"first": first, "last": last}
        return again(request, "portal/sms_statistics.html", moved, values, lines=[], days=[], whole=total([]))
    return render(
        request, "portal/sms_statistics.html", values={"first": days[0].isoformat(), "last": days[1].isoformat()},
        lines=found, days=by_day(found, *days)[::-1], whole=total(found), RESULTS=RESULTS,
        KINDS=KINDS,
    )  # fmt: skip


@router.get("/days.csv")
async def export(request: Request, caller: Signed, first: str = "", last: str = "") -> Response:
    """The same for a spreadsheet, by day and template."""
    found = await served(request).sms_reads.statistics(caller, *_days(first, last))
    rows = [[cell(getattr(line, name)) for name in COLUMNS] for line in found]
    return Response(
        BOM + csv_lines([COLUMNS, *rows]), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="sms-statistics.csv"'},
    )  # fmt: skip


def _days(first: str, last: str) -> tuple[dt.date, dt.date]:
    today = business_day(now())
    return _day(first, "first", today - dt.timedelta(days=SHOWN_DAYS - 1)), _day(last, "last", today)


def _day(text: str, field: str, otherwise: dt.date) -> dt.date:
    if not text:
        return otherwise
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise Refusal("invalid", field=field, reason="A day is written like 2026-11-23.") from error
