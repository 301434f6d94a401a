"""Cursor pages: `?cursor=&limit=`; the cursor of the next page is the id of this page's last row."""

from collections.abc import Sequence
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Query

Cursor = Annotated[UUID | None, Query(description="`next_cursor` of the page before; absent for the first page.")]
Limit = Annotated[int, Query(ge=1, le=200, description="Rows of one page.")]


class Row(Protocol):
    """Anything with an id that grows with time."""

    @property
    def id(self) -> UUID: ...


def next_cursor(rows: Sequence[Row], limit: int) -> UUID | None:
    """Where the next page begins, or None when this was the last (a full last page is followed by an empty one)."""
    return rows[-1].id if len(rows) == limit else None
