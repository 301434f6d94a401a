"""`songda report`: how the queues of reviews do against their promised times."""

import asyncio
import datetime as dt
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from commands.books import books, with_database
from commands.terminal import DataOption, leave, output
from domain.policy import Policy
from domain.times import SHANGHAI
from domain.working_hours import read_hours
from supervision.errors import CannotStart

if TYPE_CHECKING:
    from domain.review_report import QueueReport


def report(
    data: DataOption = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Decisions of so many days, up to now.")] = 30,
    hours: Annotated[
        str, typer.Option(envvar="SONGDA_WORKING_HOURS", metavar="HH:MM-HH:MM,…", help="Working hours, Shanghai.")
    ] = Policy.working_hours,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Per queue of reviews: decisions, their median and p95 in working time, broken promises, what waits."""
    from services.review_report import queue_reports

    try:
        read_hours(hours)
    except ValueError as problem:
        raise CannotStart(f"SONGDA_WORKING_HOURS: {problem}.") from None
    queues = asyncio.run(with_database(books(data), lambda db: queue_reports(db, hours, days)))
    if as_json:
        sys.stdout.write(json.dumps({"days": days, "queues": [plain(queue) for queue in queues]}) + "\n")
    else:
        output.print(table(queues, days))
    leave(0)


def plain(queue: "QueueReport") -> dict[str, Any]:
    """For programs: seconds of working time, RFC 3339."""
    return {
        "queue": queue.queue.value,
        "decided": queue.decided,
        "median_seconds": seconds(queue.median),
        "p95_seconds": seconds(queue.p95),
        "breaches": queue.breaches,
        "open": queue.open,
        "overdue": queue.overdue,
        "unknown": queue.unknown,
        "oldest_open": queue.oldest_open and queue.oldest_open.isoformat(timespec="seconds"),
        "oldest_open_seconds": seconds(queue.oldest_open_waits),
    }


def seconds(time: dt.timedelta | None) -> float | None:
    return None if time is None else time.total_seconds()


def table(queues: Sequence["QueueReport"], days: int) -> Table:
    """For people: a column per queue. It fits a terminal of 80 with nothing cut off."""
    drawn = Table(title_justify="left", padding=0)
    drawn.title = f"Reviews of the last {days} days, in working time"
    for name in ("", *(queue.queue.value.replace("_", "\n") for queue in queues)):
        drawn.add_column(name, no_wrap=True)
    for name, tell in LINES.items():
        drawn.add_row(name, *(tell(queue) for queue in queues))
    return drawn


def span(time: dt.timedelta | None) -> str:
    """`3 h 05 m`."""
    if time is None:
        return "–"
    minutes = round(time.total_seconds() / 60)
    return f"{minutes // 60} h {minutes % 60:02} m" if minutes >= 60 else f"{minutes} min"


def alarming(count: int) -> str:
    return f"[bold red]{count}[/]" if count else "0"


def oldest(queue: "QueueReport") -> str:
    if queue.oldest_open is None:
        return "–"
    return f"{queue.oldest_open.astimezone(SHANGHAI):%Y-%m-%d\n%H:%M},\n{span(queue.oldest_open_waits)}"


LINES: "dict[str, Callable[[QueueReport], str]]" = {
    "decided": lambda queue: str(queue.decided),
    "median": lambda queue: span(queue.median),
    "p95": lambda queue: span(queue.p95),
    "decided too late": lambda queue: alarming(queue.breaches),
    "open": lambda queue: str(queue.open),
    "open and overdue": lambda queue: alarming(queue.overdue),
    "due time unknown": lambda queue: alarming(queue.unknown),
    "oldest open, for": oldest,
}
