"""When scheduled tasks happen: by the zone's clock, over changes of clocks, within limits."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cadences import (
    Cadence,
    Repeat,
    check_cadence,
    happens_at,
    next_time,
    read_moment,
    shown_before,
    upcoming,
)
from domain.cron import read_cron
from domain.errors import Refusal

NOW = dt.datetime(2026, 12, 1, 1, 0, tzinfo=dt.UTC)  # Tuesday, 09:00 in Shanghai
NINE = dt.time(9, 0)
NEW_YORK = "America/New_York"


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def refused(cadence: Cadence, now: dt.datetime = NOW) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as error:
        check_cadence(cadence, now)
    return error.value.code, error.value.field


def test_by_the_clock_of_shanghai() -> None:
    daily = upcoming(Cadence(Repeat.DAILY, time=NINE), NOW, 2).times
    assert daily == (utc("2026-12-02T01:00"), utc("2026-12-03T01:00"))  # now itself has begun
    weekly = upcoming(Cadence(Repeat.WEEKLY, time=NINE, weekdays=(1, 7)), NOW, 3).times
    assert weekly == (utc("2026-12-06T01:00"), utc("2026-12-07T01:00"), utc("2026-12-13T01:00"))


def test_the_31st_is_in_seven_months_of_a_year() -> None:
    times = upcoming(Cadence(Repeat.MONTHLY, time=NINE, days=(31,)), NOW, 4).times
    assert [f"{each:%m-%d}" for each in times] == ["12-31", "01-31", "03-31", "05-31"]


def test_29_february_can_be_eight_years_away() -> None:
    leap = Cadence(Repeat.CRON, cron="0 9 29 2 *")
    assert next_time(leap, utc("2096-03-01T00:00")) == utc("2104-02-29T01:00")


def test_what_the_clock_leaves_out_does_not_happen_and_is_told() -> None:
    found = upcoming(Cadence(Repeat.DAILY, NEW_YORK, time=dt.time(2, 30)), utc("2027-03-13T00:00"), 2)
    assert found.times == (utc("2027-03-13T07:30"), utc("2027-03-15T06:30"))
    assert found.left_out == (dt.date(2027, 3, 14),)


def test_what_the_clock_shows_twice_happens_once() -> None:
    daily = Cadence(Repeat.DAILY, NEW_YORK, time=dt.time(1, 30))
    assert upcoming(daily, utc("2027-11-06T12:00"), 2).times == (utc("2027-11-07T05:30"), utc("2027-11-08T06:30"))
    assert shown_before(utc("2027-11-07T06:30"), NEW_YORK) == utc("2027-11-07T05:30")
    assert shown_before(utc("2027-11-07T05:30"), NEW_YORK) is None


def test_moments() -> None:
    assert read_moment("2026-12-02 10:00", "Asia/Shanghai", "at") == utc("2026-12-02T02:00")
    assert read_moment("2026-12-02T10:00+01:00", "Asia/Shanghai", "at") == utc("2026-12-02T09:00")
    assert read_moment("2026-12-02T09:00:30.999Z", "Asia/Shanghai", "at") == utc("2026-12-02T09:00:30")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("tomorrow", "schedule_time_malformed"),
        ("2026-02-30 10:00", "schedule_time_malformed"),
        ("0001-01-01T00:00:00+14:00", "schedule_time_malformed"),
        ("0001-01-01 00:00", "schedule_time_malformed"),
        ("9999-12-31T23:59:59-12:00", "schedule_time_malformed"),
        ("9999-12-31T23:59:59Z", "schedule_time_malformed"),
        ("2027-03-14 02:30", "schedule_time_missing"),
        ("2027-11-07 01:30", "schedule_time_twice"),
    ],
)
def test_no_moments(text: str, code: str) -> None:
    with pytest.raises(Refusal) as error:
        read_moment(text, NEW_YORK, "at")
    assert (error.value.code, error.value.field) == (code, "at")


def test_an_end_that_never_comes_is_none() -> None:
    for_ever = Cadence(Repeat.DAILY, time=NINE, ends_at=read_moment("9000-12-31T23:59:59Z", NEW_YORK, "ends_at"))
    check_cadence(for_ever, NOW)
    assert len(upcoming(for_ever, NOW).times) == 5


def test_of_a_time_that_comes_twice_both_can_be_said() -> None:
    with pytest.raises(Refusal) as error:
        read_moment("2027-11-07 01:30", NEW_YORK, "at")
    said = [read_moment(str(error.value.params[name]), NEW_YORK, "at") for name in ("first", "second")]
    assert said == [utc("2027-11-07T05:30"), utc("2027-11-07T06:30")]


@pytest.mark.parametrize(
    ("cadence", "expected"),
    [
        (Cadence(Repeat.ONCE, at=NOW), ("schedule_past", "at")),
        (Cadence(Repeat.ONCE, at=NOW + dt.timedelta(days=400)), ("schedule_too_far", "at")),
        (Cadence(Repeat.ONCE), ("required", "at")),
        (Cadence(Repeat.DAILY), ("required", "time")),
        (Cadence(Repeat.WEEKLY, time=NINE), ("required", "weekdays")),
        (Cadence(Repeat.MONTHLY, time=NINE, days=(0,)), ("schedule_days", "days")),
        (Cadence(Repeat.DAILY, "Mars/Olympus", time=NINE), ("schedule_zone", "time_zone")),
        (Cadence(Repeat.DAILY, time=NINE, ends_at=NOW - dt.timedelta(1)), ("schedule_past", "ends_at")),
        (
            Cadence(Repeat.DAILY, time=NINE, starts_at=NOW + dt.timedelta(9), ends_at=NOW + dt.timedelta(8)),
            ("schedule_ends_before", "ends_at"),
        ),
        (Cadence(Repeat.DAILY, time=NINE, ends_at=NOW + dt.timedelta(hours=1)), ("schedule_never", "ends_at")),
        (Cadence(Repeat.DAILY, time=NINE, starts_at=utc("9000-12-31T00:00")), ("schedule_too_far", "starts_at")),
        (Cadence(Repeat.CRON, cron="0 9 30 2 *"), ("schedule_never", "cron")),
        (Cadence(Repeat.CRON, cron="* * * * *"), ("cron_too_often", "cron")),
        (Cadence(Repeat.CRON, cron="0,30 9 * * *"), ("cron_too_often", "cron")),
        (Cadence(Repeat.CRON, cron="0 9 1 * 1"), ("cron_both_days", "cron")),
        (Cadence(Repeat.CRON, cron="0 9 * *"), ("cron_malformed", "cron")),
        (Cadence(Repeat.CRON, cron="0 24 * * *"), ("cron_malformed", "cron")),
        (Cadence(Repeat.CRON, cron="0 9 * * MON-"), ("cron_malformed", "cron")),
        (Cadence(Repeat.CRON, cron="0 */0 * * *"), ("cron_malformed", "cron")),
        (Cadence(Repeat.CRON, cron="0 9-5 * * *"), ("cron_malformed", "cron")),
    ],
)
def test_refused(cadence: Cadence, expected: tuple[str, str]) -> None:
    assert refused(cadence) == expected


def test_cron() -> None:
    fields = read_cron("5 8-18/5 * JAN,jul MON-fri")
    assert (fields.minute, fields.hours, fields.months, fields.weekdays) == (5, (8, 13, 18), (1, 7), (1, 2, 3, 4, 5))
    assert read_cron("0 9 * * 7").weekdays == (0,)
    assert read_cron("0 9 * * 5-7").weekdays == (0, 5, 6)
    assert read_cron("0 20/2 * * *").hours == (20, 22)


@given(st.text(max_size=40))
def test_no_text_breaks_cron(text: str) -> None:
    try:
        fields = read_cron(text)
    except Refusal as refusal:
        assert refusal.field == "cron"
    else:
        assert 0 <= fields.minute < 60 and fields.hours and fields.days and fields.months and fields.weekdays


ZONES = st.sampled_from(["Asia/Shanghai", NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
MOMENTS = st.integers(1_577_836_800, 1_956_528_000).map(lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC))


@given(ZONES, st.times(), MOMENTS)
def test_times_are_in_order_and_each_is_one(zone: str, time: dt.time, after: dt.datetime) -> None:
    cadence = Cadence(Repeat.DAILY, zone, time=time.replace(second=0, microsecond=0))
    times = upcoming(cadence, after, 6).times
    assert len(times) == 6 and list(times) == sorted(set(times)) and times[0] > after
    for each in times:
        assert happens_at(cadence, each) and not happens_at(cadence, each + dt.timedelta(seconds=1))
