"""/console/calendar: on which days reviewers work, where it differs from the published calendar."""

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.operators import Operator
from domain.working_time import Source
from web.console.pages import again, render, see, served, show_again, translator
from web.console.sessions import SignedOperator
from web.i18n import mark

router = APIRouter(prefix="/console/calendar")
PAGE = "console/calendar.html"
Text = Annotated[str, Form()]
SHOWN_DAYS = 42


@router.get("")
async def calendar(request: Request, operator: SignedOperator) -> Response:
    """The coming six weeks, and every day an operator said something of."""
    return render(request, PAGE, **await _shown(request, operator))


@router.post("")
async def set_day(
    request: Request, operator: SignedOperator, day: Text = "", works: Text = "", note: Text = ""
) -> Response:
    """Beats the published calendar, for promises from now on."""
    _ = translator(request)
    try:
        if works not in ("yes", "no"):
            raise Refusal("required", field="works")
        await served(request).calendar.set_day(operator, parse_day(day), works == "yes", note)
    except Refusal as refusal:
        if refusal.code == "duty_forbidden":
            raise
        values = {"day": day, "works": works, "note": note}
        return again(request, PAGE, refusal, values, **await _shown(request, operator))
    return see("/console/calendar", request, _("已保存，对之后承诺的时间生效。"))


@router.post("/years/{year}/confirm")
async def confirm_year(request: Request, operator: SignedOperator, year: int) -> Response:
    """The days that differ in this year were entered: nothing that rests on it is provisional any more."""
    _ = translator(request)
    try:
        await served(request).calendar.confirm_year(operator, year)
    except Refusal as refusal:
        return _unchanged(request, refusal)
    return see("/console/calendar", request, _("{year} 年已确认。", year=year))


@router.post("/years/{year}/doubt")
async def doubt_year(request: Request, operator: SignedOperator, year: int) -> Response:
    """Take that back."""
    _ = translator(request)
    try:
        await served(request).calendar.doubt_year(operator, year)
    except Refusal as refusal:
        return _unchanged(request, refusal)
    return see("/console/calendar", request, _("已撤销对 {year} 年的确认。", year=year))


@router.post("/{day}/remove")
async def remove(request: Request, operator: SignedOperator, day: dt.date) -> Response:
    """Back to the published calendar."""
    _ = translator(request)
    try:
        await served(request).calendar.remove_day(operator, day)
    except Refusal as refusal:
        return _unchanged(request, refusal)
    return see("/console/calendar", request, _("已恢复为公布的日历。"))


def _unchanged(request: Request, refusal: Refusal) -> Response:
    """The page again, with what is wrong."""
    if refusal.code == "duty_forbidden":
        raise refusal
    back: Response = show_again(request, "/console/calendar", refusal)
    return back


def parse_day(text: str) -> dt.date:
    """`2026-10-01`. Raises the refusal `required`."""
    try:
        return dt.date.fromisoformat(text.strip())
    except ValueError as error:
        raise Refusal("required", field="day") from error


async def _shown(request: Request, operator: Operator) -> dict[str, Any]:
    service = served(request).calendar
    return {
        "coming": await service.coming(operator, count=SHOWN_DAYS),
        "said": await service.set_days(operator),
        "unknown": await service.unknown_day(),
        "confirmed": await service.confirmed_years(operator),
        "SOURCES": SOURCES,
    }


SOURCES = {
    Source.OVERRIDE: mark("操作员"),
    Source.LIBRARY: mark("公布的日历"),
    Source.CONFIRMED: mark("操作员确认的年份"),
    Source.GUESS: mark("推测（未公布）"),
}
