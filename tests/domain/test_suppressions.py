"""How suppressed addresses are compared, for how long they are held back, and what is said of them first."""

import datetime as dt

import pytest

from domain.errors import Refusal
from domain.suppressions import DEAD, LONGEST, Held, Rule, dead_for, first_said, suppression_key

NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Li.Lei@qq.com", "li.lei@qq.com"),
        ("li@qq.com", "li@qq.com"),
        ("ÉMILE@example.org", "Émile@example.org"),  # as PostgreSQL's lower(… COLLATE "C") does
        ("李雷@example.org", "李雷@example.org"),
    ],
)
def test_ascii_letters_are_lowered_and_no_others(address: str, key: str) -> None:
    assert suppression_key(address) == key


def test_a_dead_address_is_held_back_twice_as_long_each_time() -> None:
    hours = [dead_for(n) / dt.timedelta(hours=1) for n in range(1, 13)]
    assert hours == [2, 4, 8, 16, 32, 64, 128, 256, 512, 720, 720, 720]
    assert dead_for(10_000) == dt.timedelta(days=30)


def test_a_complaint_is_said_before_all_and_the_accounts_own_before_the_platforms() -> None:
    ranked = [Held(reason) for reason in ("complaint", "unsubscribe", "manual", DEAD)]
    for place, one in enumerate(ranked):
        for other in ranked[place:]:
            assert first_said(one, other) == first_said(other, one) == one


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (Rule(until=NOW), "until"),
        (Rule(until=NOW + LONGEST + dt.timedelta(seconds=1)), "until"),
        (Rule(note="x" * 201), "note"),
        (Rule(note="two\nlines"), "note"),
    ],
)
def test_what_cannot_be_entered(rule: Rule, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        rule.check(NOW)
    assert refused.value.field == field


def test_what_can_be_entered() -> None:
    Rule(until=NOW + LONGEST, note="刚刚来电" * 50).check(NOW)
    Rule().check(NOW)
