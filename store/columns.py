"""Column kinds that every table shares."""

import datetime as dt
from typing import Any

from sqlalchemy import DateTime
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


def now() -> dt.datetime:
    """The clock of this process, in UTC, for rows that are created by it."""
    return dt.datetime.now(dt.UTC)
