"""Rates and their judgement: the bounds of the reference, both count and ratio, windows of Shanghai's days."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.signals import (
    BOUNDS,
    COUNTS,
    Counts,
    Level,
    Rate,
    Window,
    judge,
    period_of,
    periods,
    total,
)

NOW = dt.datetime(2026, 11, 30, 17, 20, tzinfo=dt.UTC)
"""01:20 of the next day in Shanghai."""


@pytest.mark.parametrize(
    ("complaints", "level"),
    [(0, Level.GOOD), (9, Level.GOOD), (10, Level.WATCH), (29, Level.WATCH), (30, Level.BAD)],
)
def test_complaints_by_the_rule_of_gmail(complaints: int, level: Level) -> None:
    quality = judge(Counts(delivered=10_000, complained=complaints))
    assert quality.measures[Rate.COMPLAINED].level is quality.level is level
    assert quality.measures[Rate.COMPLAINED].share == complaints / 10_000


@pytest.mark.parametrize(
    ("counts", "rate", "level"),
    [
        (Counts(delivered=951, hard=49), Rate.HARD, Level.GOOD),
        (Counts(delivered=950, hard=50), Rate.HARD, Level.WATCH),
        (Counts(delivered=900, hard=100), Rate.HARD, Level.BAD),
        (Counts(delivered=950, refused=50), Rate.REFUSED, Level.WATCH),
        (Counts(delivered=850, deferred=150), Rate.DEFERRED, Level.WATCH),
        (Counts(delivered=851, deferred=149), Rate.DEFERRED, Level.GOOD),
        (Counts(delivered=700, deferred=300), Rate.DEFERRED, Level.BAD),
        (Counts(delivered=951, expired=49), Rate.DELIVERED, Level.GOOD),
        (Counts(delivered=950, expired=50), Rate.DELIVERED, Level.WATCH),
        (Counts(delivered=900, hard=40, refused=40, expired=20), Rate.DELIVERED, Level.BAD),
        (Counts(delivered=500, unsubscribed=400), Rate.UNSUBSCRIBED, Level.UNKNOWN),
    ],
)
def test_bounds(counts: Counts, rate: Rate, level: Level) -> None:
    assert judge(counts).measures[rate].level is level


def test_few_mails_are_not_judged_and_few_events_are_no_fault() -> None:
    assert judge(Counts(delivered=99)).level is Level.UNKNOWN
    assert judge(Counts(delivered=100)).level is Level.GOOD
    assert judge(Counts(delivered=100, complained=2)).level is Level.GOOD, "2 % of complaints, but two"
    assert judge(Counts(delivered=100, complained=3)).level is Level.BAD
    assert judge(Counts(delivered=50, hard=50)).level is Level.BAD, "two rates are judged, the others not"


def test_a_window_of_late_complaints_and_corrections_has_no_rates_below_nothing() -> None:
    quality = judge(Counts(delivered=-3, hard=3, complained=5))
    assert (quality.counts.settled, quality.counts.tries) == (3, 3)
    assert quality.measures[Rate.COMPLAINED].share is None and quality.level is Level.UNKNOWN
    assert quality.measures[Rate.DELIVERED].part == 0
    assert judge(Counts()).measures[Rate.DELIVERED].share is None


def test_what_is_worst_comes_first() -> None:
    quality = judge(Counts(delivered=900, hard=60, refused=55, deferred=600, complained=30))
    assert quality.level is Level.BAD
    assert quality.worst == (Rate.COMPLAINED, Rate.DEFERRED, Rate.DELIVERED, Rate.HARD, Rate.REFUSED)
    fine, few, bad = judge(Counts(delivered=500)), judge(Counts(hard=9)), judge(Counts(delivered=500, complained=9))
    assert sorted([few, fine, quality, bad], key=lambda each: each.rank()) == [quality, bad, fine, few]


def test_the_last_24_hours_are_this_hour_and_those_before() -> None:
    found = periods(Window.DAY, NOW)
    assert len(found) == 24 and found[0] == NOW.replace(minute=0) - dt.timedelta(hours=23)
    assert found[-1] == NOW.replace(minute=0)
    assert {period_of(Window.DAY, hour) for hour in found} == set(found)


@pytest.mark.parametrize(("window", "days"), [(Window.WEEK, 7), (Window.MONTH, 30)])
def test_days_turn_in_shanghai(window: Window, days: int) -> None:
    found = periods(window, NOW)
    midnight = dt.datetime(2026, 11, 30, 16, tzinfo=dt.UTC)
    assert len(found) == days and found[-1] == midnight and found[0] == midnight - dt.timedelta(days=days - 1)
    assert period_of(window, midnight - dt.timedelta(hours=1)) == found[-2]
    assert period_of(window, midnight + dt.timedelta(hours=23)) == found[-1]


@given(st.lists(st.builds(Counts, *[st.integers(-50, 2000)] * len(COUNTS)), max_size=5))
def test_any_counts_can_be_judged(parts: list[Counts]) -> None:
    quality = judge(total(parts))
    for rate, measure in quality.measures.items():
        assert measure.part >= 0 and measure.whole >= 0
        if rate is not Rate.COMPLAINED and rate is not Rate.UNSUBSCRIBED and measure.share is not None:
            assert measure.share <= 1
        if measure.level in (Level.WATCH, Level.BAD):
            assert rate in BOUNDS and measure.whole >= 100
