"""The working calendar, for operators: coming days and who says so, and their own word on single days.

A changed day counts for every time that is promised from then on. A promise that was given stays as the customer read
it; only reports, which say how long a review took, reckon with today's calendar.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import Refusal
from domain.operators import Duty, Operator
from domain.times import business_day
from domain.working_time import Calendar, Source, is_published
from services.foundation import Foundation
from store import audit_log
from store import calendar as rows
from store.calendar import CalendarDay, CalendarYear
from store.columns import now

MAX_NOTE = 200
"""Characters."""
MAX_SHOWN = 800
"""Days of one list."""
REACH = dt.timedelta(days=3 * 366)
"""From today, into the past and into the future."""


@dataclass(frozen=True)
class DayView:
    """One day; `published` is what would hold without an operator's word (None: the same as `works`)."""

    day: dt.date
    works: bool
    source: Source
    published: bool | None = None
    note: str = ""
    changed_by: str = ""


class WorkCalendar:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def coming(self, operator: Operator, first: dt.date | None = None, count: int = 90) -> list[DayView]:
        """`count` days from `first` (today in Shanghai), 1 to `MAX_SHOWN`."""
        operator.require(Duty.CALENDAR)
        begin = first or business_day(now())
        days = [begin + dt.timedelta(days=n) for n in range(max(1, min(count, MAX_SHOWN)))]
        async with self._base.db.read() as session:
            said = await rows.days(session, days[0], days[-1])
            published = Calendar((), confirmed=frozenset(await rows.years(session)))
        return [_view(day, said, published) for day in days]

    async def set_days(self, operator: Operator) -> list[DayView]:
        """Every day that an operator said something of, the latest first."""
        operator.require(Duty.CALENDAR)
        async with self._base.db.read() as session:
            said = await rows.days(session, dt.date.min)
        return [_view(day, said, Calendar(())) for day in sorted(said, reverse=True)]

    async def set_day(self, operator: Operator, day: dt.date, works: bool, note: str = "") -> None:
        """Say whether this day is worked; it beats the published calendar and what was said before."""
        operator.require(Duty.CALENDAR)
        today, words = business_day(now()), note.strip().replace("\0", "")
        if abs(day - today) > REACH:
            raise Refusal("calendar_day_out_of_reach", field="day", first=today - REACH, last=today + REACH)
        if len(words) > MAX_NOTE:
            raise Refusal("text_too_long", field="note", limit=MAX_NOTE)
        row = CalendarDay(day=day, works=works, note=words, changed_by=operator.actor)
        async with self._base.db.begin() as session:
            await rows.set_day(session, row)
            action = "calendar.works" if works else "calendar.rests"
            await audit_log.note(session, operator.actor, action, f"calendar-day/{day}")

    async def remove_day(self, operator: Operator, day: dt.date) -> None:
        """Leave the day to the published calendar again. Raises `Refusal` when nothing was said of it."""
        operator.require(Duty.CALENDAR)
        async with self._base.db.begin() as session:
            if not await rows.unset_day(session, day):
                raise Refusal("calendar_day_not_set", field="day")
            await audit_log.note(session, operator.actor, "calendar.unset", f"calendar-day/{day}")

    async def confirmed_years(self, operator: Operator) -> list[int]:
        """Years that operators declared to be entered whole."""
        operator.require(Duty.CALENDAR)
        async with self._base.db.read() as session:
            return await rows.years(session)

    async def confirm_year(self, operator: Operator, year: int) -> None:
        """All that differs in this year was entered: what is promised on it is no longer provisional."""
        operator.require(Duty.CALENDAR)
        today = business_day(now()).year
        if not today <= year <= today + 2 or is_published(year):
            raise Refusal("calendar_year_needs_no_word", field="year", year=year)
        async with self._base.db.begin() as session:
            await rows.confirm_year(session, CalendarYear(year=year, confirmed_by=operator.actor))
            await audit_log.note(session, operator.actor, "calendar.confirm", f"calendar-year/{year}")

    async def doubt_year(self, operator: Operator, year: int) -> None:
        """Take that back."""
        operator.require(Duty.CALENDAR)
        async with self._base.db.begin() as session:
            if not dt.MINYEAR <= year <= dt.MAXYEAR or not await rows.doubt_year(session, year):
                raise Refusal("calendar_year_needs_no_word", field="year", year=year)
            await audit_log.note(session, operator.actor, "calendar.doubt", f"calendar-year/{year}")

    async def unknown_day(self) -> dt.date | None:
        """The first of the coming 60 days that nobody knows, for a loud place on the console; None: all are known."""
        async with self._base.db.read() as session:
            known = await rows.calendar(session, self._base.policy.working_hours, now())
        return known.unknown_day(business_day(now()))


def _view(day: dt.date, said: Mapping[dt.date, CalendarDay], calendar: Calendar) -> DayView:
    published, row = calendar.day(day), said.get(day)
    if row is None:
        return DayView(day, published.works, published.source)
    return DayView(day, row.works, Source.OVERRIDE, published.works, row.note, row.changed_by)
