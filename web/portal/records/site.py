"""/portal/records: starlette-admin's lists of what belongs to the caller's account, in the portal's own frame.

starlette-admin reads the address, asks the views, and hands rows to a template; the templates are ours, so these pages
need neither its scripts nor any inline one, and the strict policy of all pages holds. Nothing can be written here: only
`GET` is served, of a few routes, on read-only transactions.
"""

from typing import Any, cast

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette_admin.base import BaseAdmin
from starlette_admin.routing import route

from web.pages import render, signed_in, translator
from web.portal.records.base import COUNTED, AccountView
from web.portal.records.export import pieces
from web.portal.records.views import VIEWS

BASE = "/portal/records"
SERVED = frozenset({"list", "detail", "export", "start", "bare"})
"""Routes that exist here. What else starlette-admin offers (create, edit, import, actions, look-ups) does not."""
TEMPLATES = {"list.html": "portal/records_list.html", "detail.html": "portal/records_one.html"}


class Records(BaseAdmin):
    """Mounted once per application; the views are its own."""

    def __init__(self) -> None:
        super().__init__(
            title="", base_url=BASE, route_name="records", templates_dir="", secret_key="-",
            timezone_config=None,
        )  # fmt: skip
        for view in VIEWS:
            self.add_view(view)

    def router(self) -> Router:
        """The routes that are served; the application around it handles errors and headers."""
        routes: list[BaseRoute] = [each for each in self.routes if isinstance(each, Route) and each.name in SERVED]
        return Router(sorted(routes, key=lambda each: getattr(each, "name", "") == "bare"))

    def _template_response(
        self, request: Request, name: str, context: dict[str, Any] | None = None, status_code: int = 200
    ) -> Response:
        """Our own template for what starlette-admin found."""
        found = dict(context or {})
        tabs = [each for each in self._own_views if each.open_to(request.state.caller)]
        asked = {name: request.query_params.get(name, "") for name in ("q", "since", "until", "state")}
        return render(
            request, TEMPLATES[name], status_code, tabs=tabs, base=BASE, asked=asked, counted=COUNTED,
            query=_kept(asked), say=translator(request), **found,
        )  # fmt: skip

    @route("/", methods=["GET"], name="start")
    async def _start(self, request: Request) -> Response:
        return RedirectResponse(f"{BASE}/{VIEWS[0].key}/list", 303)

    @route("/{key}", methods=["GET"], name="bare")
    async def _bare(self, request: Request) -> Response:
        view = self._view(request)
        return RedirectResponse(f"{BASE}/{view.key}/list", 303)

    @route("/{key}/export", methods=["GET"], name="export")
    async def _export(self, request: Request) -> Response:
        """The list as a file, with its search and filters."""
        view = self._view(request)
        headers = {"Content-Disposition": f'attachment; filename="{view.key}.csv"'}
        return StreamingResponse(pieces(view, request), media_type="text/csv; charset=utf-8", headers=headers)

    def _view(self, request: Request) -> AccountView:
        view = cast(AccountView, self._find_view_by_key(request.path_params["key"]))
        view.is_accessible(request)
        return view

    @property
    def _own_views(self) -> list[AccountView]:
        return cast(list[AccountView], self._model_views)


def _kept(asked: dict[str, str]) -> dict[str, str]:
    """What the next page and the file are to be asked with."""
    return {name: value for name, value in asked.items() if value}


class Door:
    """Before the records: a signed-in member, who only looks."""

    def __init__(self, inside: Router) -> None:
        self._inside: ASGIApp = inside
        self.routes = inside.routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        request.state.caller = await signed_in(request)
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        await self._inside(scope, receive, send)


def mount(app: FastAPI) -> Records:
    """Add the records to the application."""
    records = Records()
    app.mount(BASE, Door(records.router()), name="records")
    return records
