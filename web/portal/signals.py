"""/portal/sending-quality: what receivers say of the account's mails, what it means, and what to do."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse

from domain.lanes import lane_title
from domain.signals import BOUNDS, FEWEST, By, Level, Rate, Window
from domain.times import SHANGHAI
from services.signals import Line
from web.i18n import mark as _
from web.pages import Signed, language_of, render, served

router = APIRouter(prefix="/portal/sending-quality")
PAGE = "portal/sending_quality.html"
WINDOWS = {Window.DAY: _("最近 24 小时"), Window.WEEK: _("最近 7 天"), Window.MONTH: _("最近 30 天")}


@dataclass(frozen=True)
class Grade:
    """How a level is shown: word and Tabler colour, and what it means for the whole account."""

    word: str
    tone: str
    meaning: str


GRADES = {
    Level.GOOD: Grade(_("良好"), "success", _("各项指标都在收信方可以接受的范围内。")),
    Level.WATCH: Grade(_("需注意"), "warning", _("有指标接近或超过收信方的要求，请按下面的建议处理。")),
    Level.BAD: Grade(_("差"), "danger", _("有指标明显超过收信方的要求，邮件可能被拒收或进入垃圾箱，请尽快处理。")),
    Level.UNKNOWN: Grade(_("数量不足"), "secondary", _("邮件太少，还不能判断；满 100 封后给出结论。")),
}


@dataclass(frozen=True)
class Told:
    """A rate in words: what it is called, of what it is a part, and what to do when it is not good."""

    word: str
    of: str
    advice: str = ""


RATES = {
    Rate.DELIVERED: Told(
        _("送达率"), _("占有结果的邮件"), _("未送达的邮件较多：请看下面的退信、拒收和延迟各占多少，先处理最高的一项。")
    ),
    Rate.HARD: Told(
        _("硬退信率"), _("占有结果的邮件"),
        _("很多地址不存在或已停用。请删除退信的地址，停用来源不明的名单，并在注册时确认邮箱。"),
    ),
    Rate.REFUSED: Told(
        _("拒收率"), _("占有结果的邮件"),
        _("收信方因内容、发信方或策略拒收。请在“发送”中查看退信原文，检查发信域名的记录和邮件内容。"),
    ),
    Rate.DEFERRED: Told(
        _("延迟率"), _("占尝试次数"),
        _("收信方要求放慢。无需重新提交，系统会自动重试；请分批发送，先发给近期有互动的收件人。"),
    ),
    Rate.COMPLAINED: Told(
        _("投诉率"), _("占已送达的邮件"),
        _("收件人把邮件举报为垃圾邮件。请只发给明确订阅的人，让退订一目了然，并停止发给长期没有互动的人。"),
    ),
    Rate.UNSUBSCRIBED: Told(_("退订率"), _("占已送达的邮件")),
}  # fmt: skip
ORDER = (Rate.DELIVERED, Rate.HARD, Rate.REFUSED, Rate.DEFERRED, Rate.COMPLAINED, Rate.UNSUBSCRIBED)
FINE = frozenset({Rate.COMPLAINED, Rate.UNSUBSCRIBED})
"""Rates whose bounds are below one percent."""
TOP, HEIGHT, BREADTH, LABELS = 16, 120, 560, 7
"""Of the chart, in its own units: room above, the tallest bar, all of it, and how many times are written below."""


@dataclass(frozen=True)
class Bar:
    """One hour or day: its parts from the bottom up, as (class, y, height); `label` empty: none is written."""

    x: float
    width: float
    parts: tuple[tuple[str, float, float], ...]
    label: str


@router.get("")
async def quality(request: Request, caller: Signed, window: Window = Window.WEEK) -> HTMLResponse:
    """The whole page."""
    report = await served(request).signals.report(caller, window)
    lines = {by: titled(report.lines[by], by, language_of(request)) for by in (By.PROVIDER, By.DOMAIN)}
    times = report.lines[By.TIME]
    return render(
        request, PAGE, report=report, lines=lines, times=times, moments=moments(times, window),
        bars=chart(times, window), By=By, **words(),
    )  # fmt: skip


@router.get("/export.csv")
async def export(request: Request, caller: Signed, window: Window = Window.WEEK, by: By = By.PROVIDER) -> Response:
    """One of the tables as a file for spreadsheets."""
    return as_file(await served(request).signals.export(caller, window, by), by)


def as_file(data: bytes, by: By) -> Response:
    """A file to take along."""
    headers = {"Content-Disposition": f'attachment; filename="signals-{by}.csv"'}
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


def words() -> dict[str, Any]:
    """What the parts of both sites' pages need."""
    return {
        "WINDOWS": WINDOWS, "GRADES": GRADES, "RATES": RATES, "ORDER": ORDER, "BOUNDS": BOUNDS, "FEWEST": FEWEST,
        "Level": Level, "Rate": Rate, "percent": percent, "bound": bound,
        "CHART": (BREADTH, TOP + HEIGHT + 22, TOP + HEIGHT),
    }  # fmt: skip


def titled(lines: Sequence[Line], by: By, language: str) -> list[tuple[str, Line]]:
    """Lines with what people call them; empty for what is gone."""
    return [(lane_title(str(line.key), language) if by is By.PROVIDER else line.name, line) for line in lines]


def percent(share: float | None, rate: Rate) -> str:
    """As precise as its bounds are."""
    return "—" if share is None else f"{share * 100:.{2 if rate in FINE else 1}f}%"


def bound(rate: Rate, *, bad: bool) -> str:
    """Where a rate begins to be watched, or to be bad."""
    found = BOUNDS[rate].bad if bad else BOUNDS[rate].watch
    hundredths = 10_000 - found if rate is Rate.DELIVERED else found
    return f"{hundredths / 100:.{2 if rate in FINE else 0}f}%"


def moments(lines: Sequence[Line], window: Window) -> list[str]:
    """Hours of a window of 24 hours, else days; Shanghai's."""
    written: Mapping[bool, str] = {True: "%m-%d %H:00", False: "%Y-%m-%d"}
    return [_local(line.key).strftime(written[window is Window.DAY]) for line in lines]


def _local(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(SHANGHAI)


def chart(lines: Sequence[Line], window: Window) -> list[Bar]:
    """Bars in the chart's units; the busiest hour or day is as tall as the chart."""
    most = max((line.quality.counts.settled for line in lines), default=0) or 1
    step, every = BREADTH / max(1, len(lines)), -(-len(lines) // LABELS)
    bars = []
    for place, line in enumerate(lines):
        label = _local(line.key).strftime("%H:00" if window is Window.DAY else "%m-%d") if place % every == 0 else ""
        bars.append(Bar(round(step * place, 2), round(step, 2), _parts(line, HEIGHT / most), label))
    return bars


def _parts(line: Line, scale: float) -> tuple[tuple[str, float, float], ...]:
    counts, bottom, parts = line.quality.counts, float(TOP + HEIGHT), []
    for name, number in (
        ("delivered", counts.delivered), ("hard", counts.hard), ("refused", counts.refused + counts.expired)
    ):  # fmt: skip
        height = round(max(0, number) * scale, 2)
        bottom = round(bottom - height, 2)
        if height:
            parts.append((name, bottom, height))
    return tuple(parts)
