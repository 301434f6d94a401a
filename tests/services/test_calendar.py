"""The working calendar as operators see and change it."""

import datetime as dt

import pytest
from sqlmodel import col, select

from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.refusals import explain
from domain.times import business_day
from domain.working_time import Calendar, Source, is_published
from services.calendar import MAX_NOTE, WorkCalendar
from store import calendar as rows
from store.audit_log import AuditEntry
from store.columns import now
from store.db import Database
from tests.template_world import foundation

ADMIN = Operator(new_id(), "olga", frozenset({OperatorRole.ADMIN}))
REVIEWER = Operator(new_id(), "rui", frozenset({OperatorRole.REVIEWER}))
MAKE_UP = dt.date(2026, 10, 10)


@pytest.fixture
async def desk(db: Database) -> WorkCalendar:
    return WorkCalendar(await foundation(db))


async def entries(db: Database) -> list[tuple[str, str, str]]:
    async with db.read() as session:
        found = await session.exec(select(AuditEntry).order_by(col(AuditEntry.id)))
        return [(each.actor, each.action, each.subject) for each in found]


async def test_coming_days_say_who_says_so(desk: WorkCalendar) -> None:
    days = await desk.coming(ADMIN, dt.date(2026, 12, 30), 4)
    assert [(each.day.day, each.works, each.source.value) for each in days] == [
        (30, True, "library"), (31, True, "library"), (1, False, "guess"), (2, False, "guess"),
    ]  # fmt: skip
    assert (await desk.coming(ADMIN))[0].day == business_day(now())
    assert len(await desk.coming(ADMIN, count=0)) == 1 and len(await desk.coming(ADMIN, count=9999)) == 800


async def test_an_operators_word_beats_the_library_and_is_audited(db: Database, desk: WorkCalendar) -> None:
    await desk.set_day(ADMIN, MAKE_UP, False, "  moved the office ")
    (day,) = await desk.coming(ADMIN, MAKE_UP, 1)
    assert (day.works, day.source, day.published) == (False, Source.OVERRIDE, True)
    assert (day.note, day.changed_by) == ("moved the office", "operator/olga")
    await desk.set_day(ADMIN, MAKE_UP, True)
    assert [each.works for each in await desk.set_days(ADMIN)] == [True]
    await desk.remove_day(ADMIN, MAKE_UP)
    (day,) = await desk.coming(ADMIN, MAKE_UP, 1)
    assert (day.works, day.source, day.published) == (True, Source.LIBRARY, None)
    assert await desk.set_days(ADMIN) == []
    assert await entries(db) == [
        ("operator/olga", action, f"calendar-day/{MAKE_UP}")
        for action in ("calendar.rests", "calendar.works", "calendar.unset")
    ]


async def test_the_store_gives_the_calendar_that_reviews_use(db: Database, desk: WorkCalendar) -> None:
    await desk.set_day(ADMIN, MAKE_UP, False)
    for since, works in ((dt.datetime(2026, 10, 9, 15, tzinfo=dt.UTC), False), (None, False)):
        async with db.read() as session:
            known = await rows.calendar(session, "09:00-18:00", since)
        assert known.day(MAKE_UP).works is works
    async with db.read() as session:
        later = await rows.calendar(session, "09:00-18:00", dt.datetime(2026, 10, 10, 16, tzinfo=dt.UTC))
    assert later == Calendar.of("09:00-18:00"), "it is 11 October in Shanghai: earlier words are not needed"


async def test_a_year_is_confirmed_and_doubted(db: Database, desk: WorkCalendar) -> None:
    """Of the first year that the library does not know; it grows by one each November."""
    today = business_day(now()).year
    year = next(year for year in range(today, today + 3) if not is_published(year))
    first = dt.date(year, 1, 1)
    assert (await desk.coming(ADMIN, first, 1))[0].source is Source.GUESS
    await desk.confirm_year(ADMIN, year)
    await desk.confirm_year(ADMIN, year)
    assert await desk.confirmed_years(ADMIN) == [year]
    assert (await desk.coming(ADMIN, first, 1))[0].source is Source.CONFIRMED
    await desk.doubt_year(ADMIN, year)
    assert await desk.confirmed_years(ADMIN) == []
    acts = [(action, subject) for _, action, subject in await entries(db)]
    assert acts == [(f"calendar.{act}", f"calendar-year/{year}") for act in ("confirm", "confirm", "doubt")]
    for act in (
        desk.doubt_year(ADMIN, year), desk.confirm_year(ADMIN, today + 3), desk.confirm_year(ADMIN, 2026),
        desk.confirm_year(ADMIN, 2**40), desk.doubt_year(ADMIN, 2**40), desk.doubt_year(ADMIN, -1),
    ):  # fmt: skip
        with pytest.raises(Refusal, match="calendar_year_needs_no_word"):
            await act


async def test_only_the_duty_may_see_and_change(db: Database, desk: WorkCalendar) -> None:
    for act in (
        desk.coming(REVIEWER), desk.set_days(REVIEWER), desk.set_day(REVIEWER, MAKE_UP, False),
        desk.remove_day(REVIEWER, MAKE_UP), desk.confirmed_years(REVIEWER), desk.confirm_year(REVIEWER, 2027),
        desk.doubt_year(REVIEWER, 2027),
    ):  # fmt: skip
        with pytest.raises(Refusal, match="duty_forbidden"):
            await act
    assert await entries(db) == []


@pytest.mark.parametrize(
    ("day", "note", "code", "field"),
    [
        (dt.date(2001, 1, 1), "", "calendar_day_out_of_reach", "day"),
        (dt.date(9999, 12, 31), "", "calendar_day_out_of_reach", "day"),
        (MAKE_UP, "x" * (MAX_NOTE + 1), "text_too_long", "note"),
    ],
)
async def test_what_cannot_be_set(
    db: Database, desk: WorkCalendar, day: dt.date, note: str, code: str, field: str
) -> None:
    with pytest.raises(Refusal, match=code) as refused:
        await desk.set_day(ADMIN, day, True, note)
    assert refused.value.field == field
    for language in ("zh", "en"):
        _, detail, step = explain(refused.value, language)
        assert detail and step and "{" not in detail + step
    assert await desk.set_days(ADMIN) == [] and await entries(db) == []


async def test_a_day_that_was_never_set_cannot_be_removed(db: Database, desk: WorkCalendar) -> None:
    with pytest.raises(Refusal, match="calendar_day_not_set"):
        await desk.remove_day(ADMIN, MAKE_UP)
    assert await entries(db) == []


async def test_a_gap_ahead_is_named_until_it_is_filled(desk: WorkCalendar) -> None:
    """Whatever year it is when this runs: the coming days are filled, all but one."""
    today = business_day(now())
    for n in range(61):
        await desk.set_day(ADMIN, today + dt.timedelta(days=n), True)
    assert await desk.unknown_day() is None
    last = today + dt.timedelta(days=60)
    await desk.remove_day(ADMIN, last)
    expected = last if Calendar.of("09:00-18:00").day(last).source is Source.GUESS else None
    assert await desk.unknown_day() == expected
