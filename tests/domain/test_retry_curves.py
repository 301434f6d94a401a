"""When a message is tried again: by class and kind, until its curve gives it up."""

import datetime as dt

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import Refusal
from domain.retry_curves import SHIPPED, CurveClass, CurveKey, curve_of, minutes, read_curve, tries
from domain.senders import SendKind
from domain.sending import (
    TIME_TO_LIVE,
    Curve,
    MessageState,
    Outcome,
    OutcomeKind,
    Reason,
    Standing,
    life_of,
    settle,
)

NOW = dt.datetime(2026, 11, 30, 8, tzinfo=dt.UTC)
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
GREY = Outcome(OutcomeKind.DEFERRED, Reason.GREYLIST, 450)
SHORT = Curve((5 * MINUTE, 10 * MINUTE), 4 * HOUR)


def standing(attempts: int, age: dt.timedelta, curve: Curve = SHORT, life: dt.timedelta = 24 * HOUR) -> Standing:
    """Of a message that was accepted so long ago."""
    return Standing(attempts, NOW - age + life, may_resend=True, curve=curve, life=life)


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        (Reason.GREYLIST, CurveClass.GREYLIST),
        (Reason.RATE_LIMITED, CurveClass.RATE_LIMITED),
        (Reason.FULL, CurveClass.FULL),
        (Reason.CONN, CurveClass.CONN),
        (Reason.CONTENT, CurveClass.BLOCK),
        (Reason.DOMAIN, CurveClass.BLOCK),
        (Reason.TLS, CurveClass.OTHER),
        (Reason.UNCERTAIN, CurveClass.OTHER),
        ("nobody.knows", CurveClass.OTHER),
    ],
)
def test_a_reason_has_a_curve(reason: str, found: CurveClass) -> None:
    assert CurveClass.of(reason) is found


def test_every_class_and_kind_ships_with_a_curve_that_ends_within_its_life() -> None:
    assert SHIPPED.keys() == {CurveKey(each, kind) for each in CurveClass for kind in SendKind}
    for key, curve in SHIPPED.items():
        assert curve.give_up_after is not None and curve.give_up_after <= TIME_TO_LIVE[key.kind]
        assert len(list(tries(curve, key.kind))) >= 2


def test_greylisting_is_tried_again_soon_and_trigger_mail_is_given_up_early() -> None:
    for kind in SendKind:
        assert 5 * MINUTE <= SHIPPED[CurveKey(CurveClass.GREYLIST, kind)].waits[0] <= 15 * MINUTE
    assert all(SHIPPED[CurveKey(each, SendKind.TRIGGER)].give_up_after <= 4 * HOUR for each in CurveClass)  # type: ignore[operator]
    assert SHIPPED[CurveKey(CurveClass.RATE_LIMITED, SendKind.BATCH)].give_up_after == 72 * HOUR


def test_a_table_without_a_curve_has_the_one_that_ships() -> None:
    key = CurveKey(CurveClass.FULL, SendKind.BATCH)
    assert curve_of({}, "batch", "soft.full") == SHIPPED[key]
    assert curve_of({key: SHORT}, "batch", "soft.full") == SHORT


def test_waits_come_in_order_and_the_last_one_repeats() -> None:
    for attempts, wait in ((0, 5), (1, 10), (2, 10)):
        assert settle(GREY, standing(attempts, MINUTE), NOW, 1.0) == (MessageState.QUEUED, NOW + wait * MINUTE)
    assert settle(GREY, standing(0, MINUTE, life=HOUR), NOW, 60.0) == (MessageState.QUEUED, NOW + 5 * MINUTE / 60)


def test_it_is_given_up_when_the_next_try_would_come_too_late() -> None:
    assert settle(GREY, standing(3, 3 * HOUR + 49 * MINUTE), NOW, 1.0)[0] is MessageState.QUEUED
    assert settle(GREY, standing(3, 3 * HOUR + 50 * MINUTE), NOW, 1.0) == (MessageState.BOUNCED, None)


def test_the_clocks_of_a_sandbox_give_up_sooner() -> None:
    life = 24 * HOUR / 60
    assert settle(GREY, standing(3, 3 * MINUTE, life=life), NOW, 60.0)[0] is MessageState.QUEUED
    assert settle(GREY, standing(3, 4 * MINUTE, life=life), NOW, 60.0) == (MessageState.BOUNCED, None)


def test_a_late_first_try_is_followed_by_one_more() -> None:
    """Its lane was closed, or all of us were down: the first greylisting must not end it."""
    assert settle(GREY, standing(0, 20 * HOUR), NOW, 1.0) == (MessageState.QUEUED, NOW + 5 * MINUTE)
    assert settle(GREY, standing(1, 20 * HOUR), NOW, 1.0) == (MessageState.BOUNCED, None)
    assert settle(GREY, standing(0, 24 * HOUR - MINUTE), NOW, 1.0) == (MessageState.BOUNCED, None), "its life is over"


def test_what_is_uncertain_and_given_up_stays_unknown() -> None:
    lost = Outcome(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN)
    assert settle(lost, standing(2, 5 * HOUR), NOW, 1.0) == (MessageState.UNKNOWN, None)


def test_a_pause_moves_the_end() -> None:
    """A campaign that stood still for ten hours: its `expires_at` was moved, and so is what is counted from it."""
    accepted = NOW - 12 * HOUR
    expires = accepted + TIME_TO_LIVE["batch"] + 10 * HOUR
    life = life_of("batch", accepted, expires, 1.0)
    paused = Standing(2, expires, may_resend=True, curve=SHORT, life=life)
    assert life == TIME_TO_LIVE["batch"]
    assert settle(GREY, paused, NOW, 1.0)[0] is MessageState.QUEUED


def test_a_campaign_that_lives_for_a_day_counts_from_its_start() -> None:
    accepted = NOW - 3 * HOUR
    life = life_of("batch", accepted, accepted + 24 * HOUR, 1.0)
    young = Standing(2, accepted + 24 * HOUR, may_resend=True, curve=SHORT, life=life)
    assert settle(GREY, young, NOW, 1.0)[0] is MessageState.QUEUED


def test_without_an_end_of_its_own_the_time_to_live_ends_it() -> None:
    assert settle(GREY, standing(9, 23 * HOUR, Curve((MINUTE,))), NOW, 1.0)[0] is MessageState.QUEUED


@pytest.mark.parametrize("typed", ["5, 15,30", "5 15 30", "5，15、30", " 5,\n15 , 30 "])
def test_a_curve_is_read_as_people_write_it(typed: str) -> None:
    curve = read_curve(typed, " 240 ", SendKind.TRIGGER)
    assert curve == Curve((5 * MINUTE, 15 * MINUTE, 30 * MINUTE), 4 * HOUR)
    assert minutes(curve) == ([5, 15, 30], 240)


@pytest.mark.parametrize(
    ("waits", "end", "code"),
    [
        ("", "60", "retry_waits_malformed"),
        ("5,0", "60", "retry_waits_malformed"),
        ("5,1441", "60", "retry_waits_malformed"),
        ("5,x", "60", "retry_waits_malformed"),
        ("1.5", "60", "retry_waits_malformed"),
        ("٥", "60", "retry_waits_malformed"),
        (",".join("1" * 21), "60", "retry_waits_malformed"),
        ("5", "", "retry_end_malformed"),
        ("5", "0", "retry_end_malformed"),
        ("5", "1441", "retry_end_malformed"),
    ],
)
def test_a_curve_that_cannot_be_used_is_refused(waits: str, end: str, code: str) -> None:
    with pytest.raises(Refusal, match=code):
        read_curve(waits, end, SendKind.TRIGGER)
    assert read_curve("5", "4320", SendKind.BATCH).give_up_after == 72 * HOUR


@example([1440], 1, SendKind.TRIGGER)
@given(st.lists(st.integers(1, 1440), min_size=1, max_size=20), st.integers(1, 4320), st.sampled_from(SendKind))
def test_the_plan_is_what_settling_does(waits: list[int], end: int, kind: SendKind) -> None:
    """The try-it box says when a message that gets the same answer each time is tried again."""
    curve = Curve(tuple(MINUTE * each for each in waits), MINUTE * end)
    life = TIME_TO_LIVE[kind]
    done: list[dt.timedelta] = []
    at, attempts = NOW, 0
    while len(done) < 200:
        state, again = settle(GREY, Standing(attempts, NOW + life, True, curve, life), at, 1.0)
        if again is None:
            assert state is MessageState.BOUNCED
            break
        done.append(again - NOW)
        at, attempts = again, attempts + 1
    assert list(tries(curve, kind)) == done
