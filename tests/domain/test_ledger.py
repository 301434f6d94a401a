"""What is free, what is charged, whole fen and the rest, and which price holds when."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ledger import PriceRow, first_charged, in_fen, is_charged, price_at, price_steps
from domain.money import MICRO_PER_FEN
from domain.sending import MessageState

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("used", "count", "free", "charged_from"),
    [
        (3, 3, 10, 3),
        (10, 3, 10, 3),
        (11, 3, 10, 2),
        (13, 3, 10, 0),
        (50, 3, 10, 0),
        (5, 5, 0, 0),
        (12, 12, 10, 10),
    ],
)
def test_the_first_messages_of_a_day_are_free(used: int, count: int, free: int, charged_from: int) -> None:
    """`used` counts the request already."""
    assert first_charged(used, count, free) == charged_from


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(0, 60))
def test_a_day_gives_its_free_messages_and_no_more(counts: list[int], free: int) -> None:
    used = given_away = 0
    for count in counts:
        used += count
        given_away += first_charged(used, count, free)
    assert given_away == min(used, free)


@pytest.mark.parametrize(
    ("state", "reason", "code", "charged"),
    [
        (MessageState.DELIVERED, "", 250, True),
        (MessageState.BOUNCED, "hard.invalid_mailbox", 550, True),
        (MessageState.BOUNCED, "block.content", 554, True),
        (MessageState.BOUNCED, "hard.bad_domain", 0, False),
        (MessageState.BOUNCED, "expired", 451, False),
        (MessageState.BOUNCED, "expired", 0, False),
        (MessageState.DROPPED, "render_failed", 0, False),
        (MessageState.UNKNOWN, "uncertain", 0, False),
    ],
)
def test_charged_is_what_a_receiver_finally_answered(state: str, reason: str, code: int, charged: bool) -> None:
    assert is_charged(state, reason, code) is charged


@given(st.integers(0, MICRO_PER_FEN - 1), st.lists(st.integers(0, 10**9), max_size=20))
def test_whole_fen_and_the_rest_are_the_charges(carry: int, charges: list[int]) -> None:
    posted, rest = in_fen(carry, charges)
    assert sum(posted) * MICRO_PER_FEN + rest == carry + sum(charges)
    assert len(posted) == len(charges) and all(fen >= 0 for fen in posted) and 0 <= rest < MICRO_PER_FEN


def row(unit: int, days: int, *, own: bool = False) -> PriceRow:
    return PriceRow(unit, NOW + days * DAY, own)


@pytest.mark.parametrize(
    ("rows", "unit"),
    [
        ([], 7),
        ([row(1, 1)], 7),
        ([row(1, -2), row(2, -1), row(3, 1)], 2),
        ([row(2, -1), row(1, -2)], 2),
        ([row(1, -1), row(2, -1)], 2),
        ([row(5, -9, own=True), row(1, -1)], 5),
        ([row(5, 1, own=True), row(1, -1)], 1),
        ([row(1, 0)], 1),
    ],
)
def test_the_price_at_a_time(rows: list[PriceRow], unit: int) -> None:
    assert price_at(rows, NOW, 7) == unit


def test_steps_are_the_price_now_and_each_change_to_come() -> None:
    rows = [row(1, -1), row(2, 1), row(2, 2), row(9, 3, own=True), row(3, 4), row(8, 5, own=True)]
    assert price_steps(rows, NOW, 7) == [(None, 1), (NOW + DAY, 2), (NOW + 3 * DAY, 9), (NOW + 5 * DAY, 8)]
