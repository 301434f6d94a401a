"""What became of SMS, by day and template: every message is counted in exactly one column."""

import datetime as dt
from dataclasses import dataclass

import pytest

from domain.errors import Refusal
from domain.sms_results import ResultCode, SmsReason
from domain.sms_statistics import by_day, lines, moments, total

MONDAY, TUESDAY = dt.date(2026, 11, 23), dt.date(2026, 11, 24)


@dataclass(frozen=True)
class Counted:
    outcome: str
    reason: str = ""
    messages: int = 1
    segments: int = 1
    charged: int = 1
    day: dt.date = MONDAY
    template: int = 1001
    name: str = "shipped"
    kind: str = "notice"
    market: str = "domestic"


@pytest.mark.parametrize("reason", SmsReason)
def test_a_failure_is_of_one_side(reason: SmsReason) -> None:
    (line,) = lines([Counted("bounced", reason.value)])
    assert line.requested == line.not_processed + line.not_delivered == sum(line.reasons.values()) == 1


@pytest.mark.parametrize(
    ("counted", "column"),
    [
        (Counted("delivered"), "delivered"),
        (Counted("bounced", SmsReason.SWITCHED_OFF), "not_delivered"),
        (Counted("bounced", SmsReason.EXPIRED), "not_delivered"),
        (Counted("unknown", SmsReason.UNCERTAIN), "not_delivered"),
        (Counted("dropped", SmsReason.OPTED_OUT, segments=0), "not_processed"),
        (Counted("dropped", SmsReason.BLOCKED_GLOBAL, segments=0), "not_processed"),
        (Counted("bounced", SmsReason.NO_ROUTE, segments=0), "not_processed"),
    ],
)
def test_columns(counted: Counted, column: str) -> None:
    (line,) = lines([counted])
    columns = {name: getattr(line, name) for name in ("delivered", "not_processed", "not_delivered")}
    assert columns == dict.fromkeys(columns, 0) | {column: 1}
    assert line.segments == counted.segments


@pytest.mark.parametrize("outcome", ["queued", "deferred", "sent"])
def test_what_is_under_way_is_asked_for_and_nothing_else(outcome: str) -> None:
    (line,) = lines([Counted(outcome, messages=3)])
    assert (line.requested, line.delivered, line.not_processed, line.not_delivered) == (3, 0, 0, 0)


def test_lines_are_by_day_and_template_and_add_up() -> None:
    found = lines([
        Counted("delivered", messages=52, segments=60, day=TUESDAY), Counted("delivered", template=1002),
        Counted("bounced", SmsReason.EMPTY_NUMBER, messages=34, day=TUESDAY), Counted("delivered"),
    ])  # fmt: skip
    assert [(line.day, line.template, line.requested) for line in found] == [
        (MONDAY, 1001, 1), (MONDAY, 1002, 1), (TUESDAY, 1001, 86),
    ]  # fmt: skip
    assert found[2].ratio(found[2].delivered) == "60.47"
    whole = total(found)
    assert (whole.requested, whole.delivered, whole.not_delivered, whole.segments) == (88, 54, 34, 63)
    assert whole.reasons == {ResultCode.EMPTY_NUMBER: 34}
    assert total([]).ratio(0) == "0.00"


def test_days_without_sms_are_shown() -> None:
    days = by_day(lines([Counted("delivered", day=TUESDAY)]), MONDAY - dt.timedelta(days=1), TUESDAY)
    assert [(day.day, line.requested) for day, line in days] == [(22, 0), (23, 0), (24, 1)]


def test_days_are_those_of_shanghai_from_their_first_moment_to_the_last() -> None:
    since, until = moments(MONDAY, TUESDAY)
    assert (since.isoformat(), until.isoformat()) == ("2026-11-23T00:00:00+08:00", "2026-11-25T00:00:00+08:00")


@pytest.mark.parametrize(
    ("first", "last"),
    [(TUESDAY, MONDAY), (MONDAY, MONDAY + dt.timedelta(days=100)), (dt.date.min, dt.date.min),
     (dt.date.max, dt.date.max)],
)  # fmt: skip
def test_days_that_cannot_be_asked_about(first: dt.date, last: dt.date) -> None:
    with pytest.raises(Refusal, match="sms_statistics_range"):
        moments(first, last)
