"""A record as a CSV file: read and sent in pieces, so that memory stays flat however long it is."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from sqlalchemy import tuple_
from sqlmodel.sql.expression import SelectOfScalar
from starlette.requests import Request

from domain.spreadsheets import BOM, csv_lines
from web.pages import translator
from web.portal.records.base import AccountView, looking, newest_first

BATCH = 1000
SLOWEST = 30
"""Seconds of one batch: a search that finds little reads more than a page does."""


async def pieces(view: AccountView, request: Request) -> AsyncIterator[bytes]:
    """UTF-8 with BOM, for spreadsheets. Each batch is a short read of its own: a slow client holds no transaction."""
    say = translator(request)
    yield BOM + csv_lines([[say(column.label) for column in view.columns]])
    last: tuple[object, object] | None = None
    while True:
        query = newest_first(view, view.get_list_query(request)).limit(BATCH)
        if last is not None:
            query = query.where(tuple_(view.record.at, view.record.id) < last)
        async with looking(request, SLOWEST) as session:
            rows: Sequence[Any] = (await session.exec(cast(SelectOfScalar[Any], query))).all()
        if not rows:
            return
        yield csv_lines([column.written(getattr(row, column.name), say) for column in view.columns] for row in rows)
        last = rows[-1].at, rows[-1].id
