"""Column kinds that every table shares."""

import datetime as dt
from typing import Any

from sqlalchemy import ColumnElement, DateTime, false, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, Text


def moment(**options: Any) -> Any:
    """A point in time, stored with its zone."""
    return Field(sa_type=DateTime(timezone=True), **options)


def json_object(**options: Any) -> Any:
    """JSONB."""
    return Field(sa_type=JSONB, **options)


def text_list(**options: Any) -> Any:
    """`text[]`."""
    return Field(sa_type=ARRAY(Text), **options)


def holds(column: Any, part: str) -> ColumnElement[bool]:
    """The text has this part somewhere. PostgreSQL's text has no NUL, and cannot be asked for one."""
    return false() if "\0" in part else func.strpos(column, part) > 0


def now() -> dt.datetime:
    """The clock of this process, in UTC, for rows that are created by it."""
    return dt.datetime.now(dt.UTC)
