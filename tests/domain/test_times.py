"""Moments in sentences."""

import datetime as dt

from domain.times import told


def test_a_moment_in_a_sentence_is_of_the_clock_that_the_pages_show() -> None:
    assert told(dt.datetime(2027, 5, 29, 22, 7, 5, tzinfo=dt.UTC)) == "2027-05-30 06:07 (UTC+08:00)"
