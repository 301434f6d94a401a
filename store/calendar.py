"""Days on which the platform's own calendar differs from the published one."""

import datetime as dt
from collections.abc import Mapping

from sqlalchemy import Date
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col, delete, select

from domain.times import business_day
from domain.working_time import Calendar
from store.columns import moment, now
from store.db import Session


class CalendarDay(SQLModel, table=True):
    """An operator's word on one day; it beats the library."""

    __tablename__ = "calendar_day"
    day: dt.date = Field(sa_type=Date, primary_key=True)
    works: bool
    note: str = ""
    changed_by: str = ""
    changed_at: dt.datetime = moment(default_factory=now)


class CalendarYear(SQLModel, table=True):
    """An operator's word that all days of a year that differ from Monday to Friday and the law were entered."""

    __tablename__ = "calendar_year"
    year: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    confirmed_by: str = ""
    confirmed_at: dt.datetime = moment(default_factory=now)


async def days(session: Session, first: dt.date, last: dt.date = dt.date.max) -> Mapping[dt.date, CalendarDay]:
    """What operators said of days from `first` to `last`."""
    query = select(CalendarDay).where(col(CalendarDay.day) >= first, col(CalendarDay.day) <= last)
    return {row.day: row for row in await session.exec(query)}


async def calendar(session: Session, hours: str, since: dt.datetime | None = None) -> Calendar:
    """The calendar for moments from `since` on. Raises `ValueError` for working hours that cannot be read."""
    known = await days(session, business_day(since) if since else dt.date.min)
    return Calendar.of(hours, {day: row.works for day, row in known.items()}, await years(session))


async def years(session: Session) -> list[int]:
    """The years that operators confirmed, in order."""
    return list(await session.exec(select(CalendarYear.year).order_by(col(CalendarYear.year))))


async def confirm_year(session: Session, row: CalendarYear) -> None:
    """Say so of this year, whoever said it before."""
    said = row.model_dump()
    await session.exec(insert(CalendarYear).values(**said).on_conflict_do_update(index_elements=["year"], set_=said))


async def doubt_year(session: Session, year: int) -> bool:
    """Take it back; False when nothing was said of the year."""
    gone = delete(CalendarYear).where(col(CalendarYear.year) == year).returning(col(CalendarYear.year))
    return (await session.exec(gone)).one_or_none() is not None


async def set_day(session: Session, row: CalendarDay) -> None:
    """Say so of this day, whatever was said before."""
    said = row.model_dump()
    await session.exec(insert(CalendarDay).values(**said).on_conflict_do_update(index_elements=["day"], set_=said))


async def unset_day(session: Session, day: dt.date) -> bool:
    """Leave the day to the library again; False when nothing was said of it."""
    gone = await session.exec(delete(CalendarDay).where(col(CalendarDay.day) == day).returning(col(CalendarDay.day)))
    return gone.one_or_none() is not None
