"""The setting `working_hours`."""

import datetime as dt

import pytest

from domain.ids import Kind
from domain.working_hours import Period, day_length, read_hours
from settings import Settings


def hours(value: float) -> dt.timedelta:
    return dt.timedelta(hours=value)


def test_periods_are_read_in_order() -> None:
    assert read_hours("09:00-12:00,13:30-18:00") == (Period(hours(9), hours(12)), Period(hours(13.5), hours(18)))
    assert read_hours(" 00:00-24:00 ") == (Period(hours(0), hours(24)),)
    assert len(read_hours("08:00-12:00, 12:00-16:00")) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "look like 09:00-12:00,13:30-18:00, not nothing"),
        ("09:00-12:00,", "not nothing"),
        ("9-18", "not 9-18"),
        ("09:00–18:00", "look like"),
        ("18:00-09:00", "end after they begin"),
        ("09:00-09:00", "end after they begin"),
        ("09:60-10:00", "no such time"),
        ("09:00-24:01", "no such time"),
        ("13:00-18:00,09:00-12:00", "in order"),
        ("09:00-12:00,11:59-18:00", "may not overlap"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_hours(text)


@pytest.mark.parametrize(
    ("text", "minutes"), [("09:00-12:00,13:30-18:00", 450), ("08:00-12:00, 13:00-18:00", 540), ("00:00-24:00", 1_440)]
)
def test_a_certification_is_promised_within_one_day_of_these_hours(text: str, minutes: int) -> None:
    assert day_length(text) == dt.timedelta(minutes=minutes)
    settings = Settings.model_validate({"secret_key": "x" * 32, "working_hours": text})
    assert settings.policy().review_allowance(Kind.CERTIFICATION_REVIEW) == dt.timedelta(minutes=minutes)


def test_an_allowance_that_is_set_counts_whatever_the_hours() -> None:
    settings = Settings.model_validate(
        {"secret_key": "x" * 32, "working_hours": "08:00-12:00", "certification_review_minutes": 90}
    )
    assert settings.policy().review_allowance(Kind.CERTIFICATION_REVIEW) == dt.timedelta(minutes=90)
