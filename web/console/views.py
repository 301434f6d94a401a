"""The base of the console's lists: read, filter, sort, search, export; each asks its duty, none changes anything."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from sqlalchemy import String, cast, false, or_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette_admin.contrib.sqla import ModelView
from starlette_admin.export import CsvExporter, ExportContext, JsonExporter
from starlette_admin.fields import BaseField, NumberField, StringField
from starlette_admin.filters import FilterGroup

from domain.operators import Duty, Operator
from store.console_lists import Listed
from web.console.fields import lazy
from web.sessions import served

SLOWEST = 10
"""Seconds of one query."""


class Json(JsonExporter):
    """With the names of the columns; their headings are in two languages, and no keys for JSON."""

    async def generate(self, fields: list[BaseField], rows: list[dict[str, Any]]) -> bytes:
        output = [{field.name: row.get(field.name) for field in fields} for row in rows]
        return json.dumps(output, ensure_ascii=False, default=str).encode()


class ReadList(ModelView):
    """One list. `model` is a class of `store.console_lists`."""

    shows: ClassVar[type[Listed]]
    duty: ClassVar[Duty]
    name: ClassVar[str]
    """A message id."""
    intro: ClassVar[str] = ""
    """A message id: what one does with this list."""
    link: ClassVar[tuple[str, str] | None] = None
    """(path, message id) of the page where something new is made."""
    exporters = (CsvExporter(escape_formulas=True), Json())
    importers: Sequence[Any] = ()
    row_actions: Sequence[str] = ()
    actions: Sequence[str] = ("export",)
    page_size = 25
    page_size_options: Sequence[int] = (25, 50, 100)
    row_click_navigate = False
    list_template = "list_page.html"

    def __init__(self) -> None:
        self.intro_text, self.link_text = lazy(self.intro), lazy(self.link[1]) if self.link else ""
        super().__init__(self.shows, menu_label=lazy(self.name), display_name=lazy(self.name))

    def _setup_primary_key(self) -> None:
        self._pk_column: Any = self.shows.id
        self._pk_coerce: Any = str
        self.pk_field: BaseField = next(each for each in self.fields if each.name == "id")
        self.pk_attr = "id"

    def is_accessible(self, request: Request) -> bool:
        operator: Operator | None = getattr(request.state, "operator", None)
        return operator is not None and operator.may(self.duty)

    def can_create(self, request: Request) -> bool:
        return False

    def can_edit(self, request: Request) -> bool:
        return False

    def can_delete(self, request: Request) -> bool:
        return False

    def can_import(self, request: Request) -> bool:
        return False

    def get_search_query(self, request: Request, term: str) -> Any:
        """In every column of words; `%` and `_` are themselves."""
        words = [each for each in self.fields if isinstance(each, StringField) and not isinstance(each, NumberField)]
        columns = [cast(getattr(self.model, each.name), String) for each in words]
        return or_(false(), *(column.icontains(term, autoescape=True) for column in columns))

    async def after_export(self, request: Request, ctx: ExportContext) -> None:
        await served(request).console_home.note_export(request.state.operator, str(self.key))

    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:
        async with looking(request):
            return int(await super().count(request, q, filters))

    async def find_all(self, request: Request, *args: Any, **named: Any) -> Sequence[Any]:
        async with looking(request):
            found: Sequence[Any] = await super().find_all(request, *args, **named)
        return found

    async def find_by_pk(self, request: Request, pk: Any) -> Any:
        async with looking(request):
            return await super().find_by_pk(request, pk)

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[Any]:
        async with looking(request):
            found: Sequence[Any] = await super().find_by_pks(request, pks)
        return found


@asynccontextmanager
async def looking(request: Request) -> AsyncIterator[None]:
    """starlette-admin's queries take `request.state.session`: it is there for one of them, and can write nothing.

    So no connection is held before the operator is known, nor while a page is made or a client takes it in.
    """
    async with (
        served(request).foundation.db.look(SLOWEST) as session,
        AsyncSession(await session.connection()) as plain,  # SQLModel's own warns of `execute`, which is called here
    ):
        request.state.session = plain
        try:
            yield
        except DBAPIError as error:  # a number or a time that PostgreSQL does not have
            raise HTTPException(400) from error
        finally:
            del request.state.session
