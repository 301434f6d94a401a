"""Cursor pages: `?cursor=&limit=`; the cursor of the next page is the id of this page's last row."""

from collections.abc import Sequence
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Query
from pydantic import Field

_CURSOR = "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"
Cursor = Annotated[
    UUID | None,
    Query(description="`next_cursor` of the page before; absent for the first page.", examples=[_CURSOR]),
]
NextCursor = Annotated[
    UUID | None, Field(description="Give it as `cursor` to get the next page; null: that was all.", examples=[_CURSOR])
]
Limit = Annotated[int, Query(ge=1, le=200, description="Rows of one page.")]


class Row(Protocol):
    """Anything with an id that grows with time."""

    @property
    def id(self) -> UUID: ...


def next_cursor(rows: Sequence[Row], limit: int) -> UUID | None:
    """Where the next page begins, or None when this was the last (a full last page is followed by an empty one)."""
    return rows[-1].id if len(rows) == limit else None
