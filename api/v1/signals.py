"""`/v1/signals`: what receivers said of the account's mails, as rates that are judged."""

import datetime as dt
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.callers import AnyCaller, Served
from api.problems import Problem, language_of
from domain.ids import iso
from domain.lanes import lane_title
from domain.signals import By, Counts, Level, Quality, Rate, Window
from services.signals import EXPORT_COLUMNS, Line, Report

_PROBLEM: dict[str, Any] = {"model": Problem}
router = APIRouter(prefix="/v1", tags=["signals"], responses={401: _PROBLEM, 403: _PROBLEM, 422: _PROBLEM})

_LINE = "qq,,good,980,40,9,3,0,1,2,0.987903,0.009073,0.003024,0.038760,0.001020,0.002041"
_CSV = f"{','.join(EXPORT_COLUMNS)}\r\n{_LINE}\r\n"
_LEVEL = (
    "`good`; `watch`: near or above what receivers accept; `bad`: they will refuse, or do already; "
    "`unknown`: too few mails to say (fewer than 100), or nobody publishes a bound."
)
ThisWindow = Annotated[Window, Query(description="Days are Shanghai's, the running one included.", examples=["7d"])]
OwnBy: TypeAlias = Literal[By.PROVIDER, By.DOMAIN, By.TIME]
"""`services.signals.OWN`."""
ThisBy = Annotated[
    OwnBy,
    Query(
        description="`provider` (who was spoken to), `domain` (sender domain) or `time` (hours of 24h, else days).",
        examples=["provider"],
    ),
]


class CountsOut(BaseModel):
    """Counted when receivers said it; a correction is counted where the first answer was."""

    delivered: int = Field(examples=[980])
    deferred: int = Field(description="Tries that were put off; not messages.", examples=[40])
    hard: int = Field(description="No such mailbox or domain, or disabled.", examples=[9])
    refused: int = Field(description="For good, because of content, sender or policy.", examples=[3])
    expired: int = Field(description="Only ever put off, until their time to live ended.", examples=[0])
    complained: int = Field(description="Reported as spam, by when the report arrived.", examples=[1])
    unsubscribed: int = Field(examples=[2])

    @classmethod
    def of(cls, counts: Counts) -> "CountsOut":
        return cls.model_validate(counts, from_attributes=True)


class RateOut(BaseModel):
    value: float | None = Field(description="0 to 1; null: of nothing.", examples=[0.00907])
    level: Level = Field(description=_LEVEL, examples=["good"])


class QualityOut(BaseModel):
    """`level` is the worst of the rates. Of settled messages: `delivered`, `hard`, `refused`; of tries: `deferred`;
    of delivered messages: `complained`, `unsubscribed`."""

    level: Level = Field(description=_LEVEL, examples=["good"])
    counts: CountsOut
    rates: dict[Rate, RateOut] = Field(examples=[{"hard": {"value": 0.00907, "level": "good"}}])

    @classmethod
    def values(cls, quality: Quality) -> dict[str, Any]:
        rates = {
            rate: RateOut(value=None if each.share is None else round(each.share, 6), level=each.level)
            for rate, each in quality.measures.items()
        }
        return {"level": quality.level, "counts": CountsOut.of(quality.counts), "rates": rates}


class SignalLineOut(QualityOut):
    key: str = Field(description="A provider's short name, a sender domain's id, or an instant.", examples=["qq"])
    title: str = Field(description="In the language of `Accept-Language` (zh or en).", examples=["QQ Mail"])

    @classmethod
    def of(cls, line: Line, by: By, language: str) -> "SignalLineOut":
        key = iso(line.key) if isinstance(line.key, dt.datetime) else str(line.key)
        title = lane_title(key, language) if by is By.PROVIDER else line.name or key
        return cls(key=key, title=title, **cls.values(line.quality))


class SignalsOut(QualityOut):
    """The whole window, and its parts in `items`: the worst first; times in their order, each of the window."""

    window: Window = Field(examples=["7d"])
    since: dt.datetime = Field(examples=["2026-11-24T00:00:00+08:00"])
    by: By = Field(examples=["provider"])
    items: list[SignalLineOut]

    @classmethod
    def of_report(cls, report: Report, by: By, language: str) -> "SignalsOut":
        items = [SignalLineOut.of(line, by, language) for line in report.lines[by]]
        return cls(window=report.window, since=report.since, by=by, items=items, **cls.values(report.quality))


@router.get("/signals", summary="Sending quality")
async def signals(
    request: Request, served: Served, caller: AnyCaller, window: ThisWindow = Window.WEEK, by: ThisBy = By.PROVIDER
) -> SignalsOut:
    """What receivers said of the whole account's mails: delivered, put off, refused, complained.

    Good is: fewer than 0.10 % complaints (never 0.30 %), fewer than 5 % hard bounces, fewer than 15 % deferrals.
    A rate is worse than good only with three events or more. New within seconds; at most 2000 items.
    """
    report = await served.signals.report(caller, window, [by])
    return SignalsOut.of_report(report, by, language_of(request))


@router.get(
    "/signals.csv",
    summary="Export sending quality",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"example": _CSV}}}},
)
async def signals_csv(
    served: Served, caller: AnyCaller, window: ThisWindow = Window.WEEK, by: ThisBy = By.PROVIDER
) -> Response:
    """The same lines as CSV in UTF-8 with a byte order mark."""
    return Response(
        await served.signals.export(caller, window, by), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="signals-{by}.csv"'},
    )  # fmt: skip
