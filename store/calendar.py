"""Days on which the platform's own calendar differs from the published one."""

import datetime as dt

from sqlalchemy import Date
from sqlmodel import Field, SQLModel

from store.columns import moment, now


class CalendarDay(SQLModel, table=True):
    """An operator's word on one day; it beats the library."""

    __tablename__ = "calendar_day"
    day: dt.date = Field(sa_type=Date, primary_key=True)
    works: bool
    note: str = ""
    changed_by: str = ""
    changed_at: dt.datetime = moment(default_factory=now)
