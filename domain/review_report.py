"""How a queue of reviews did over a span of days: time taken in working time, and promises broken."""

import datetime as dt
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from domain.review_queues import Queue
from domain.working_time import Calendar


@dataclass(frozen=True)
class Reviewed:
    """One review; `decided_at` is None while it waits."""

    submitted_at: dt.datetime
    due_at: dt.datetime | None
    decided_at: dt.datetime | None = None


@dataclass(frozen=True)
class QueueReport:
    """`median` and `p95` (nearest rank) are working time from submission to decision; None when none was decided.

    `breaches` were decided after their due time, `overdue` wait beyond it. `unknown` were decided or wait without a due
    time: whether a promise was broken, nobody can say.
    """

    queue: Queue
    decided: int
    median: dt.timedelta | None
    p95: dt.timedelta | None
    breaches: int
    open: int
    overdue: int
    unknown: int
    oldest_open: dt.datetime | None
    oldest_open_waits: dt.timedelta | None
    """Working time since `oldest_open`."""


def report(
    queue: Queue, decided: Sequence[Reviewed], waiting: Sequence[Reviewed], calendar: Calendar, now: dt.datetime
) -> QueueReport:
    """Of what was decided in the span, and of what waits at `now`."""
    taken = sorted(calendar.worked(each.submitted_at, each.decided_at or now).total_seconds() for each in decided)
    oldest = min((each.submitted_at for each in waiting), default=None)
    return QueueReport(
        queue=queue,
        decided=len(decided),
        median=dt.timedelta(seconds=statistics.median(taken)) if taken else None,
        p95=dt.timedelta(seconds=taken[-(-len(taken) * 95 // 100) - 1]) if taken else None,
        breaches=sum(_late(each, each.decided_at or now) for each in decided),
        open=len(waiting),
        overdue=sum(_late(each, now) for each in waiting),
        unknown=sum(each.due_at is None for each in (*decided, *waiting)),
        oldest_open=oldest,
        oldest_open_waits=calendar.worked(oldest, now) if oldest else None,
    )


def _late(each: Reviewed, at: dt.datetime) -> bool:
    return each.due_at is not None and at > each.due_at
