"""Due instants in working time: Monday to Friday, 09:00–18:00 Asia/Shanghai."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.times import SHANGHAI
from domain.working_time import TEMPLATE_REVIEW, due


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-11-23T10:00", "2026-11-23T14:00"),
        ("2026-11-23T14:00", "2026-11-23T18:00"),
        ("2026-11-23T15:00", "2026-11-24T10:00"),
        ("2026-11-23T03:00", "2026-11-23T13:00"),
        ("2026-11-23T18:00", "2026-11-24T13:00"),
        ("2026-11-27T17:00", "2026-11-30T12:00"),
        ("2026-11-28T12:00", "2026-11-30T13:00"),
        ("2026-11-29T23:59", "2026-11-30T13:00"),
    ],
)
def test_four_working_hours(start: str, expected: str) -> None:
    assert due(at(start), TEMPLATE_REVIEW) == at(expected)


def test_many_days() -> None:
    assert due(at("2026-11-23T09:00"), dt.timedelta(hours=45)) == at("2026-11-27T18:00")


@given(
    start=st.integers(1577836800, 1893456000).map(lambda second: dt.datetime.fromtimestamp(second, dt.UTC)),
    minutes=st.integers(1, 5000),
    more=st.integers(0, 500),
)
def test_due_is_later_inside_working_time_and_monotonic(start: dt.datetime, minutes: int, more: int) -> None:
    moment = due(start, dt.timedelta(minutes=minutes))
    local = moment.astimezone(SHANGHAI)
    assert moment - start >= dt.timedelta(minutes=minutes)
    assert local.isoweekday() <= 5 and dt.time(9) < local.time() <= dt.time(18)
    assert due(start, dt.timedelta(minutes=minutes + more)) >= moment
