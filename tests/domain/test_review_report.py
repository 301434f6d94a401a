"""The report of a queue: working time, nearest rank, broken promises."""

import datetime as dt

import pytest

from domain.review_queues import Queue
from domain.review_report import QueueReport, Reviewed, report
from domain.times import SHANGHAI
from domain.working_time import Calendar

CALENDAR = Calendar.of("09:00-12:00,13:30-18:00")


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


NOW = at("2026-11-24T10:00")
FRIDAY = at("2026-11-20T17:00")


def taken(minutes: int, promised: int = 240) -> Reviewed:
    due, decided = (CALENDAR.due(FRIDAY, dt.timedelta(minutes=length)).at for length in (promised, minutes))
    return Reviewed(FRIDAY, due, decided)


def reported(decided: list[Reviewed], waiting: list[Reviewed]) -> QueueReport:
    return report(Queue.TEMPLATES, decided, waiting, CALENDAR, NOW)


def minutes(time: dt.timedelta | None) -> float | None:
    return None if time is None else time.total_seconds() / 60


def test_an_idle_queue_has_no_figures() -> None:
    assert reported([], []) == QueueReport(Queue.TEMPLATES, 0, None, None, 0, 0, 0, 0, None, None)


@pytest.mark.parametrize(
    ("lengths", "median", "p95"),
    [([30], 30, 30), ([30, 90], 60, 90), ([10, 20, 600], 20, 600), (list(range(1, 21)), 10.5, 19),
     (list(range(1, 101)), 50.5, 95)],
)  # fmt: skip
def test_median_and_p95_are_in_working_time(lengths: list[int], median: float, p95: float) -> None:
    """All began on a Friday afternoon: a weekend is in between, and not counted."""
    made = reported([taken(length) for length in reversed(lengths)], [])
    assert (minutes(made.median), minutes(made.p95), made.decided) == (median, p95, len(lengths))


def test_what_is_decided_at_night_took_no_time() -> None:
    made = reported([Reviewed(at("2026-11-21T10:00"), None, at("2026-11-22T23:00"))], [])
    assert (made.median, made.breaches, made.unknown) == (dt.timedelta(), 0, 1)


def test_broken_promises_are_counted_and_a_kept_one_is_not() -> None:
    """Decided in the promised minute is in time."""
    assert reported([taken(240), taken(241), taken(10)], []).breaches == 1


def test_what_waits() -> None:
    late = Reviewed(FRIDAY, at("2026-11-23T12:00"))
    fresh = Reviewed(at("2026-11-24T09:30"), at("2026-11-24T14:30"))
    unpromised = Reviewed(at("2026-11-24T09:59"), None)
    made = reported([], [fresh, late, unpromised])
    assert (made.open, made.overdue, made.unknown, made.oldest_open) == (3, 1, 1, FRIDAY)
    assert minutes(made.oldest_open_waits) == 60 + 450 + 60
