"""When reminders go out, and when a person should look."""

import datetime as dt
from dataclasses import replace

import pytest

from domain.policy import Policy
from domain.reminders import LOOK_EVERY, SHORTEST_WAIT, Stay, due_reminder, needs_human, next_look

START = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
STAY = Stay(START)
POLICY = Policy("http://s", "Songda", "m.example", "b.example", "s.example", "t.example", "h@e.example", "http://t")
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("days", "sent", "number"),
    [(0, 0, None), (2.99, 0, None), (3, 0, 1), (3, 1, None), (6.9, 1, None), (7, 1, 2), (14, 2, 3), (99, 3, None)],
)
def test_reminders_after_3_7_and_14_days(days: float, sent: int, number: int | None) -> None:
    assert due_reminder(replace(STAY, sent=sent), START + days * DAY, POLICY) == number


def test_after_an_outage_one_mail_goes_out_not_three() -> None:
    assert due_reminder(STAY, START + 20 * DAY, POLICY) == 3


def test_nobody_is_reminded_of_what_is_closed_or_ours() -> None:
    assert due_reminder(replace(STAY, open_step=False), START + 5 * DAY, POLICY) is None
    assert due_reminder(replace(STAY, waits_for_customer=False), START + 5 * DAY, POLICY) is None


def test_a_person_looks_after_three_weeks_whoever_is_to_blame() -> None:
    assert not needs_human(STAY, START + 20.9 * DAY, POLICY)
    assert needs_human(replace(STAY, waits_for_customer=False), START + 21 * DAY, POLICY)
    assert not needs_human(replace(STAY, open_step=False), START + 99 * DAY, POLICY)


def test_nobody_looks_after_a_customer_who_is_content_with_the_free_quota() -> None:
    free = replace(STAY, optional=True)
    assert not needs_human(free, START + 99 * DAY, POLICY)
    assert due_reminder(free, START + 3 * DAY, POLICY) == 1


@pytest.mark.parametrize(
    ("days", "sent", "wait"),
    [(0, 0, 1.0), (2.5, 0, 0.5), (6.25, 1, 0.75), (13.5, 2, 0.5), (20.5, 3, 0.5), (40, 3, 1.0)],
)
def test_the_next_look_comes_when_something_is_due_and_daily(days: float, sent: int, wait: float) -> None:
    assert next_look(replace(STAY, sent=sent), START + days * DAY, POLICY) == wait * DAY


def test_a_sandbox_runs_faster_but_never_hot() -> None:
    quick = replace(POLICY, time_scale=86_400.0)
    assert due_reminder(STAY, START + dt.timedelta(seconds=3), quick) == 1
    assert next_look(STAY, START, replace(POLICY, time_scale=1e9)) == SHORTEST_WAIT
    assert next_look(replace(STAY, open_step=False), START, POLICY) == LOOK_EVERY
