"""The one base of all records: whose rows they are, decided in one place for lists, counts, details and exports."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, cast
from uuid import UUID

from sqlalchemy import func, or_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import Select
from sqlmodel import select
from sqlmodel.sql.expression import SelectOfScalar
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette_admin.contrib.sqla import ModelView
from starlette_admin.fields import BaseField, StringField
from starlette_admin.filters import FilterGroup
from starlette_admin.types import ListParams

from domain.accounts import Caller
from domain.errors import Refusal
from domain.members import Right, may, require
from domain.times import SHANGHAI
from store.db import Session
from store.records import Record
from web.pages import served
from web.portal.records.columns import Column, Word

COUNTED = 10_000
"""Rows that a list counts and leads through; who wants to look further names dates."""
LONGEST_SEARCH = 100
PG_BIGINT = 2**63
SLOWEST = 5
"""Seconds that a query of a page may take."""
CANCELLED = "57014"
"""PostgreSQL's `query_canceled`: the time was up."""


class AccountView(ModelView):
    """A list of rows of the caller's account that nothing here can change.

    A subclass names the record, its columns and words; it cannot widen what `_own` lets through.
    """

    record: ClassVar[type[Record]]
    name: ClassVar[str]
    """A message id, as are the labels of the columns."""
    sees: ClassVar[Right | None] = None
    """The right that looking at these rows needs."""
    personal: ClassVar[bool] = False
    """Rows of the calling member, not of the whole account."""
    seeks: ClassVar[tuple[str, ...]] = ()
    """Columns that the search looks into."""
    choice: ClassVar[str] = ""
    """A column of words that can be filtered by."""
    link: ClassVar[str] = ""
    """The page of the portal that a row belongs to, with columns in braces."""
    only_detail: ClassVar[tuple[str, ...]] = ()
    exporters: Sequence[Any] = []
    importers: Sequence[Any] = []
    actions: Sequence[str] = []
    row_actions: Sequence[str] = []
    sortable_fields: Sequence[Any] = []
    page_size = 50
    page_size_options: Sequence[int] = [50]

    def __init__(self) -> None:
        self.fields = list(type(self).fields)
        self.exclude_fields_from_list = list(self.only_detail)
        self.searchable_fields: Sequence[Any] = []
        super().__init__(self.record, display_name=self.name, menu_label=self.name)

    def _setup_primary_key(self) -> None:
        """`id` alone; starlette-admin would take every column that is a key in its own table."""
        self._pk_column: Any = self.record.id
        self._pk_coerce: Any = self.record.id.type.python_type
        self.pk_field: BaseField = StringField("id")
        self.pk_attr = "id"

    def column(self, name: str) -> InstrumentedAttribute[Any]:
        found: InstrumentedAttribute[Any] = getattr(self.record, name)
        return found

    def _own(self, request: Request, query: Select[Any]) -> Select[Any]:
        """What the caller may see; every query of every record passes here."""
        caller: Caller = request.state.caller
        query = query.where(self.record.account_id == caller.account_id)
        return query.where(self.column("member_id") == caller.member_id) if self.personal else query

    def get_list_query(self, request: Request) -> Select[Any]:
        return _wanted(self, request.query_params, self._own(request, select(self.record)))

    def get_detail_query(self, request: Request) -> Select[Any]:
        return self._own(request, select(self.record))

    def get_count_query(self, request: Request) -> Select[Any]:
        """At most `COUNTED` and one, so that a list of millions costs no more than its page."""
        query = _wanted(self, request.query_params, self._own(request, select(self.record.id)))
        return select(func.count()).select_from(query.limit(COUNTED + 1).subquery())

    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:
        async with looking(request) as session:
            return int((await session.exec(cast(SelectOfScalar[int], self.get_count_query(request)))).one())

    async def find_all(
        self, request: Request, skip: int = 0, limit: int = 100, q: str | None = None, sorts: Any = None,
        filters: FilterGroup | None = None,
    ) -> Sequence[Any]:  # fmt: skip
        """Newest first; the search and the filters are in `get_list_query` already."""
        query = newest_first(self, self.get_list_query(request)).offset(skip).limit(limit if limit > 0 else COUNTED)
        async with looking(request) as session:
            found: Sequence[Any] = (await session.exec(cast(SelectOfScalar[Any], query))).all()
        return found

    async def find_by_pk(self, request: Request, pk: Any) -> Any:
        """None also for what is no key at all."""
        key = self._key(str(pk))
        if key is None:
            return None
        query = self.get_detail_query(request).where(self.record.id == key)
        async with looking(request) as session:
            return (await session.exec(cast(SelectOfScalar[Any], query))).one_or_none()

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[Any]:
        found = [await self.find_by_pk(request, pk) for pk in pks]
        return [each for each in found if each is not None]

    def _key(self, text: str) -> UUID | int | None:
        try:
            key: UUID | int = self._pk_coerce(text)
        except ValueError:
            return None
        return key if isinstance(key, UUID) or 0 < key < PG_BIGINT else None

    async def serialize(
        self, obj: Any, request: Request, include_relationships: bool = True, include_select2: bool = False
    ) -> dict[str, Any]:
        """The columns' values; our templates show them."""
        return {each.name: getattr(obj, each.name) for each in self.columns} | {"id": obj.id}

    @property
    def columns(self) -> Sequence[Column]:
        return cast(Sequence[Column], self.fields)

    @property
    def choices(self) -> Word | None:
        """The column of words to filter by."""
        return next((each for each in self.columns if each.name == self.choice and isinstance(each, Word)), None)

    def open_to(self, caller: Caller) -> bool:
        return self.sees is None or may(caller, self.sees)

    def is_accessible(self, request: Request) -> bool:
        """Raises the refusal `role_forbids`, whose page says what to do."""
        if self.sees is not None:
            require(request.state.caller, self.sees)
        return True

    def can_create(self, request: Request) -> bool:
        return False

    def can_edit(self, request: Request) -> bool:
        return False

    def can_delete(self, request: Request) -> bool:
        return False

    def can_import(self, request: Request) -> bool:
        return False

    def can_export(self, request: Request) -> bool:
        return False  # by its own action, which loads everything; `records/export.py` streams

    def _parse_list_params(self, request: Request, query_params: QueryParams | None = None) -> ListParams:
        given = request.query_params.get("page", "")
        page = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else 1
        return ListParams(page=min(max(page, 1), COUNTED // self.page_size), page_size=self.page_size)

    def _active_filter_chips(self, request: Request, list_params: ListParams) -> tuple[str, list[Any]]:
        return "AND", []

    def _filter_builder_fields(self, request: Request) -> list[dict[str, Any]]:
        return []


@asynccontextmanager
async def looking(request: Request, seconds: int = SLOWEST) -> AsyncIterator[Session]:
    """A session for one query, that reads only and not for long. No connection is held while a client takes a page in.

    Raises the refusal `records_too_many` when the time is up.
    """
    try:
        async with served(request).foundation.db.look(seconds) as session:
            yield session
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == CANCELLED:
            raise Refusal("records_too_many") from error
        raise


def newest_first(view: AccountView, query: Select[Any]) -> Select[Any]:
    """The order of every list and file."""
    return query.order_by(view.record.at.desc(), view.record.id.desc())


def _wanted(view: AccountView, asked: QueryParams, query: Select[Any]) -> Select[Any]:
    """Only what the form above the list asks for: words, days (of Shanghai, both included), one state."""
    words = asked.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH]
    if words and view.seeks:
        query = query.where(or_(*(view.column(name).icontains(words, autoescape=True) for name in view.seeks)))
    since, until = day(asked.get("since", "")), day(asked.get("until", ""))
    if since:
        query = query.where(view.record.at >= _midnight(since))
    if until:
        query = query.where(view.record.at < _midnight(until + dt.timedelta(days=1)))
    chosen, choices = asked.get("state", ""), view.choices
    return query.where(view.column(view.choice) == chosen) if choices and chosen in choices.words else query


def day(text: str) -> dt.date | None:
    """`2026-11-23`; None for what is no day that has a next one."""
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return found if dt.date(2000, 1, 1) <= found <= dt.date(2200, 1, 1) else None


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(), SHANGHAI)
