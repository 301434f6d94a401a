"""Due moments in working time: the calendar of 2026, nights, lunch, the year's end, and what must hold of any."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.times import SHANGHAI
from domain.working_time import Calendar, Day, Due, Source, is_published

HOURS = "09:00-12:00,13:30-18:00"
CALENDAR = Calendar.of(HOURS)
FOUR_HOURS = dt.timedelta(hours=4)
WHOLE_DAY = dt.timedelta(hours=7.5)
MAKE_UP_DAYS = ("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10")
"""Of the State Council's notice for 2026."""


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def due(start: str, allowance: dt.timedelta, calendar: Calendar = CALENDAR) -> str:
    return f"{calendar.due(at(start), allowance).at.astimezone(SHANGHAI):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-11-23T09:00", "11-23 14:30"),  # over lunch
        ("2026-11-23T08:00", "11-23 14:30"),  # before work
        ("2026-11-23T12:00", "11-23 17:30"),  # at lunch
        ("2026-11-23T12:29", "11-23 17:30"),
        ("2026-11-23T14:00", "11-23 18:00"),  # ends with the day, not on the next morning
        ("2026-11-23T14:01", "11-24 09:01"),
        ("2026-11-23T17:59", "11-24 14:29"),  # one minute before the end
        ("2026-11-23T18:00", "11-24 14:30"),
        ("2026-11-23T23:30", "11-24 14:30"),  # at night
        ("2026-11-24T02:00", "11-24 14:30"),
        ("2026-11-27T17:00", "11-30 12:00"),  # over a weekend, ends with the morning
        ("2026-11-28T12:00", "11-30 14:30"),  # on a Saturday
        ("2026-11-29T23:59", "11-30 14:30"),
    ],
)
def test_four_working_hours_in_an_ordinary_week(start: str, expected: str) -> None:
    assert due(start, FOUR_HOURS) == expected


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2025-12-31T17:00", "01-04 12:00"),  # New Year 1–3 January; Sunday the 4th is worked
        ("2026-01-01T10:00", "01-04 14:30"),
        ("2026-02-13T17:00", "02-14 12:00"),  # Saturday the 14th is worked
        ("2026-02-14T17:59", "02-24 14:29"),  # Spring Festival 15–23 February
        ("2026-02-27T17:00", "02-28 12:00"),  # Saturday the 28th is worked
        ("2026-02-28T17:00", "03-02 12:00"),
        ("2026-04-03T17:00", "04-07 12:00"),  # Tomb-Sweeping 4–6 April
        ("2026-04-30T17:59", "05-06 14:29"),  # Labour Day 1–5 May
        ("2026-05-08T17:00", "05-09 12:00"),  # Saturday the 9th is worked
        ("2026-06-18T17:00", "06-22 12:00"),  # Dragon Boat 19–21 June
        ("2026-09-18T17:00", "09-20 12:00"),  # Saturday is free, Sunday the 20th is worked
        ("2026-09-24T17:00", "09-28 12:00"),  # Mid-Autumn 25–27 September
        ("2026-09-30T17:59", "10-08 14:29"),  # National Day 1–7 October
        ("2026-10-09T17:00", "10-10 12:00"),  # Saturday the 10th is worked
        ("2026-10-10T17:00", "10-12 12:00"),
    ],
)
def test_holidays_and_make_up_days_of_2026(start: str, expected: str) -> None:
    assert due(start, FOUR_HOURS) == expected
    assert not CALENDAR.due(at(start), FOUR_HOURS).provisional


@pytest.mark.parametrize("day", MAKE_UP_DAYS)
def test_a_make_up_day_is_worked(day: str) -> None:
    assert dt.date.fromisoformat(day).isoweekday() > 5
    assert CALENDAR.day(dt.date.fromisoformat(day)) == Day(True, Source.LIBRARY)
    assert CALENDAR.worked(at(f"{day}T00:00"), at(f"{day}T23:59")) == WHOLE_DAY


def test_2026_has_248_working_days() -> None:
    """365 days, 52 × 2 at weekends, 19 of the holidays on weekdays, 6 made up for."""
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(365)]
    assert sum(CALENDAR.day(day).works for day in days) == 365 - 104 - 19 + 6
    assert CALENDAR.worked(at("2026-01-01T00:00"), at("2026-12-31T23:59")) == 248 * WHOLE_DAY


def test_a_working_day_of_allowance_over_several_days() -> None:
    assert due("2026-11-23T10:00", WHOLE_DAY) == "11-24 10:00"
    assert due("2026-11-23T09:00", WHOLE_DAY) == "11-23 18:00"
    assert due("2026-09-30T10:00", 3 * WHOLE_DAY) == "10-10 10:00"


@pytest.mark.parametrize(
    ("start", "expected", "provisional"),
    [
        ("2026-12-31T10:00", "12-31 15:30", False),
        ("2026-12-31T14:00", "12-31 18:00", False),  # the last minute that is known
        ("2026-12-31T14:01", "01-04 09:01", True),  # 1 January is a holiday by law; the rest of the notice is not out
        ("2026-12-31T17:59", "01-04 14:29", True),
        ("2027-02-05T10:00", "02-11 14:30", True),  # Spring Festival, as far as the law says
        ("2027-03-06T10:00", "03-08 14:30", True),  # a Saturday: nobody knows whether it is made up for
    ],
)
def test_beyond_the_last_known_year_a_guess_is_marked(start: str, expected: str, provisional: bool) -> None:
    assert due(start, FOUR_HOURS) == expected
    assert CALENDAR.due(at(start), FOUR_HOURS).provisional is provisional


def test_an_operators_word_beats_library_and_guess() -> None:
    word = Calendar.of(HOURS, {dt.date(2026, 11, 24): False, dt.date(2026, 11, 28): True})
    assert due("2026-11-23T17:00", FOUR_HOURS, word) == "11-25 12:00"
    assert due("2026-11-27T17:00", FOUR_HOURS, word) == "11-28 12:00"
    assert word.day(dt.date(2026, 11, 28)) == Day(True, Source.OVERRIDE)
    opened = Calendar.of(HOURS, {dt.date(2027, 1, 1): False, dt.date(2027, 1, 2): True})
    assert opened.due(at("2026-12-31T17:00"), FOUR_HOURS) == Due(at("2027-01-02T12:00").astimezone(dt.UTC))


def test_a_year_that_an_operator_confirmed_is_certain() -> None:
    whole = Calendar.of(HOURS, {dt.date(2027, 1, 3): True}, confirmed=[2027])
    assert whole.due(at("2026-12-31T17:00"), FOUR_HOURS) == Due(at("2027-01-03T12:00").astimezone(dt.UTC))
    assert whole.day(dt.date(2027, 1, 1)) == Day(False, Source.CONFIRMED)
    assert whole.unknown_day(dt.date(2026, 12, 31)) is None
    assert whole.unknown_day(dt.date(2027, 11, 2)) == dt.date(2028, 1, 1)
    assert (is_published(2026), is_published(2027)) == (True, False)


def test_hours_are_configurable() -> None:
    night = Calendar.of("00:00-02:00,22:00-24:00")
    assert due("2026-11-23T21:00", dt.timedelta(hours=3), night) == "11-24 01:00"
    assert due("2026-11-23T21:00", dt.timedelta(hours=2), night) == "11-24 00:00"
    assert due("2026-11-27T23:00", dt.timedelta(hours=2), night) == "11-30 01:00"


def test_the_warning_comes_when_three_quarters_are_used() -> None:
    assert CALENDAR.warning(at("2026-11-23T09:00"), FOUR_HOURS) == at("2026-11-23T12:00")
    assert CALENDAR.warning(at("2026-11-23T17:59"), FOUR_HOURS) == at("2026-11-24T11:59")


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ("2026-11-23T09:00", "2026-11-23T18:00", 450),
        ("2026-11-23T11:30", "2026-11-23T14:00", 60),
        ("2026-11-27T17:00", "2026-11-30T10:00", 120),
        ("2026-11-28T08:00", "2026-11-29T20:00", 0),
        ("2026-11-24T10:00", "2026-11-23T10:00", 0),
        ("2026-09-30T17:00", "2026-10-10T10:00", 60 + 450 * 2 + 60),
    ],
)
def test_time_worked(start: str, end: str, minutes: int) -> None:
    assert CALENDAR.worked(at(start), at(end)) == dt.timedelta(minutes=minutes)


def test_a_gap_in_the_calendar_is_seen_sixty_days_ahead() -> None:
    assert CALENDAR.unknown_day(dt.date(2026, 11, 1)) is None
    assert CALENDAR.unknown_day(dt.date(2026, 11, 2)) == dt.date(2027, 1, 1)
    filled = {dt.date(2027, 1, 1) + dt.timedelta(days=n): True for n in range(60)}
    assert Calendar.of(HOURS, filled).unknown_day(dt.date(2026, 12, 31)) is None
    assert Calendar.of(HOURS, filled).unknown_day(dt.date(2027, 1, 1)) == dt.date(2027, 3, 2)


moments = st.integers(1_577_836_800, 1_924_992_000).map(lambda second: dt.datetime.fromtimestamp(second, dt.UTC))
allowances = st.integers(1, 3_000).map(lambda minutes: dt.timedelta(minutes=minutes))
calendars = st.builds(
    Calendar.of,
    st.sampled_from([HOURS, "00:00-24:00", "08:30-17:00", "06:00-06:10,23:50-24:00"]),
    st.dictionaries(st.integers(0, 4_000).map(lambda n: dt.date(2020, 1, 1) + dt.timedelta(days=n)), st.booleans()),
)


@given(calendar=calendars, start=moments, allowance=allowances, more=allowances)
def test_due_uses_exactly_the_allowance(
    calendar: Calendar, start: dt.datetime, allowance: dt.timedelta, more: dt.timedelta
) -> None:
    """Whatever the calendar: as much is worked until then, it ends in working time, and more takes longer."""
    end = calendar.due(start, allowance).at
    assert calendar.worked(start, end) == allowance
    assert calendar.worked(end - dt.timedelta(seconds=1), end) == dt.timedelta(seconds=1)
    assert calendar.due(start, allowance + more).at > end
    assert start < calendar.warning(start, allowance) < end


@given(calendar=calendars, start=moments, gaps=st.tuples(st.integers(0, 90_000), st.integers(0, 90_000)))
def test_time_worked_adds_up_and_never_exceeds_the_clock(
    calendar: Calendar, start: dt.datetime, gaps: tuple[int, int]
) -> None:
    middle = start + dt.timedelta(minutes=gaps[0])
    end = middle + dt.timedelta(minutes=gaps[1])
    assert calendar.worked(start, middle) + calendar.worked(middle, end) == calendar.worked(start, end)
    assert dt.timedelta() <= calendar.worked(start, end) <= end - start


@given(start=moments, later=st.integers(0, 90_000), allowance=allowances)
def test_who_comes_later_is_not_served_earlier(start: dt.datetime, later: int, allowance: dt.timedelta) -> None:
    first, second = (CALENDAR.due(moment, allowance) for moment in (start, start + dt.timedelta(minutes=later)))
    assert first.at <= second.at


@given(start=moments, allowance=allowances)
def test_provisional_says_whether_a_guess_counted(start: dt.datetime, allowance: dt.timedelta) -> None:
    answer = CALENDAR.due(start, allowance)
    assert answer.provisional is (answer.at.astimezone(SHANGHAI).year > 2026)
