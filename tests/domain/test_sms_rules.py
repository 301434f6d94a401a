"""When marketing is sent, how often one number is written to."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.sms import SmsKind
from domain.sms_frequency import LIMITS, Recent, digest, too_often
from domain.sms_hours import next_open
from domain.times import SHANGHAI

NOON = dt.datetime(2026, 12, 1, 12, 0, tzinfo=SHANGHAI)
moments = st.integers(0, 4 * 366 * 86_400).map(lambda seconds: NOON + dt.timedelta(seconds=seconds, microseconds=7))


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("07:59:59", "2026-12-01 08:00"), ("08:00:00", None), ("19:59:59", None), ("20:00:00", "2026-12-02 08:00"),
        ("23:59:59", "2026-12-02 08:00"), ("00:00:00", "2026-12-01 08:00"),
    ],
)  # fmt: skip
def test_marketing_has_hours(at: str, opens: str | None) -> None:
    now = dt.datetime.combine(NOON.date(), dt.time.fromisoformat(at), SHANGHAI)
    expected = now if opens is None else dt.datetime.fromisoformat(opens).replace(tzinfo=SHANGHAI)
    assert next_open(SmsKind.MARKETING, now) == expected
    assert next_open(SmsKind.CODE, now) == next_open(SmsKind.NOTICE, now) == now


@pytest.mark.parametrize(
    ("at", "opens"),
    [("23:59:59", None), ("00:00:00", None), ("01:59:59", None), ("02:00:00", "2026-12-01 20:00"), ("20:00:00", None)],
)
def test_hours_can_go_on_past_midnight(at: str, opens: str | None) -> None:
    now = dt.datetime.combine(NOON.date(), dt.time.fromisoformat(at), SHANGHAI)
    expected = now if opens is None else dt.datetime.fromisoformat(opens).replace(tzinfo=SHANGHAI)
    assert next_open(SmsKind.MARKETING, now, "00:00-02:00,20:00-24:00") == expected


HOURS = ["08:00-20:00", "00:00-24:00", "09:00-12:00,14:00-18:00", "00:00-02:00,20:00-24:00"]


@given(moments, st.sampled_from(HOURS))
def test_what_is_told_is_open_and_soon(now: dt.datetime, hours: str) -> None:
    opens = next_open(SmsKind.MARKETING, now, hours)
    assert now <= opens < now + dt.timedelta(days=1)
    assert next_open(SmsKind.MARKETING, opens, hours) == opens
    assert opens == now or opens.second == opens.microsecond == 0


@given(st.sampled_from(list(SmsKind)), st.lists(st.integers(1, 7200), min_size=1, max_size=80))
def test_no_window_ever_holds_more_than_its_limit(kind: SmsKind, waits: list[int]) -> None:
    recent, now, accepted = Recent(), NOON, []
    for place, wait in enumerate(waits):
        now += dt.timedelta(seconds=wait)
        content = digest(kind, f"text {place}")
        if too_often(kind, recent, content, now) is None:
            recent = Recent((*recent.at, now), content)
            accepted.append(now)
    for limit in LIMITS[kind]:
        for at in accepted:
            assert sum(at <= other < at + limit.within for other in accepted) <= limit.most


def test_a_digest_tells_texts_but_no_code() -> None:
    assert digest(SmsKind.CODE, "123456") == b""
    assert digest(SmsKind.NOTICE, "a") != digest(SmsKind.NOTICE, "b")
    one = Recent((NOON,), digest(SmsKind.NOTICE, "a"))
    again = too_often(SmsKind.NOTICE, one, digest(SmsKind.NOTICE, "a"), NOON)
    assert again is not None
    assert again.code == "sms_same_text"
