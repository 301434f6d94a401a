"""Every HTTP route of the application, so that tests can be generated and a new one cannot be forgotten."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.routing import Mount, Route
from starlette_admin.base import BaseAdmin

from api.app import create_app
from settings import Settings
from tests.accounts_world import SECRET
from tests.route_cases import FILES, OPEN
from web.security import is_page

OF_A_RECORD = ("/detail", "/edit", "/inline-edit", "/inline-edit/row", "/row-action", "/action")
"""Routes of starlette-admin that name a record in their query: `?pk=`, or `?pks=` for several."""


class Door(StrEnum):
    """Who a route is for."""

    VISITOR = "visitor"
    MEMBER = "member"
    OPERATOR = "operator"


INSIDE = {"/v1/": Door.MEMBER, "/portal/": Door.MEMBER, "/console/": Door.OPERATOR}
"""Below these, everything asks for a sign-in unless it is listed."""


@dataclass(frozen=True)
class Call:
    """`path` as in the route table, with `{names}`; of a starlette-admin view as `…/detail?pk={site_view}`."""

    method: str
    path: str
    admin: bool = False
    """A route of a starlette-admin application, which brings its own forms and their tokens."""

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def is_page(self) -> bool:
        return is_page(self.path)

    @property
    def door(self) -> Door:
        """Raises LookupError for a route that nobody said anything of."""
        if self.key in OPEN:
            return Door.VISITOR
        for inside, door in INSIDE.items():
            if self.path.startswith(inside):
                return door
        raise LookupError(f"Who is {self} for? Say in `OPEN` of tests/route_cases.py why it asks for no sign-in.")

    @property
    def place(self) -> str:
        """The first parts of the path: what belongs together."""
        return "/".join(self.path.split("?")[0].split("/")[: 4 if self.admin else 3])

    @property
    def names(self) -> list[str]:
        """The objects that the path names."""
        return re.findall(r"{(\w+)}", self.path)

    def filled(self, *values: str) -> str:
        """The path with these in place of its names."""
        parts = iter(values)
        return re.sub(r"{\w+}", lambda _: next(parts), self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def walk(routes: Any, prefix: str = "") -> Iterator[Call]:
    """Every HTTP route below, however deep it is included or mounted. Raises LookupError for what it cannot read."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield from (Call(method, prefix + route.path) for method in sorted(route.methods or ()))
        elif hasattr(route, "original_router"):
            yield from walk(route.original_router.routes, prefix + route.include_context.prefix)
        elif isinstance(route, Mount):
            yield from _mounted(route, prefix + route.path)
        elif isinstance(route, Route) and route.methods:
            yield from _plain(route, prefix)
        else:
            raise LookupError(
                f"{type(route).__name__} {prefix}{getattr(route, 'path', '')}: teach `walk` what it serves"
            )


def _mounted(route: Mount, path: str) -> Iterator[Call]:
    """Its routes. An application that shows none could serve anything, and files are served to everybody."""
    if isinstance(route.app, StaticFiles):
        if path not in FILES:
            raise LookupError(f"Whose files are below {path}? Say in `FILES` of tests/route_cases.py.")
    elif not route.routes:
        raise LookupError(f"{path} is mounted and shows no routes: give the application around it its `routes`")
    yield from walk(route.routes, path)


def _plain(route: Route, prefix: str) -> Iterator[Call]:
    """A route of Starlette; of starlette-admin: once for each of its views, and with a record where it wants one."""
    path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
    owner = getattr(route.endpoint, "__self__", None)
    admin = owner if isinstance(owner, BaseAdmin) else None
    keys = [str(view.key) for view in admin._model_views] if admin and "{key}" in path else [""]
    if not keys:
        raise LookupError(f"{prefix}{path} has no views")
    for key in keys:
        where = prefix + path.replace("{key}", key or "{key}") + (_record(path, prefix, key) if admin else "")
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield Call(method, where, admin=admin is not None)


def _record(path: str, prefix: str, key: str) -> str:
    name = f"{prefix.rpartition('/')[2]}_{key}".replace("-", "_")
    if not path.endswith(OF_A_RECORD):
        return ""
    return f"?pks={{{name}}}" if path.endswith("/action") else f"?pk={{{name}}}"


def api_routes(routes: Any, prefix: str = "") -> Iterator[APIRoute]:
    """The routes of `/v1` themselves; one that is included twice comes twice."""
    for route in routes:
        if isinstance(route, APIRoute) and (prefix + route.path).startswith("/v1"):
            yield route
        elif hasattr(route, "original_router"):
            yield from api_routes(route.original_router.routes, prefix + route.include_context.prefix)


def application() -> FastAPI:
    """The whole application; nothing behind it is reached for."""
    return create_app(Settings.model_validate({"secret_key": SECRET, "public_url": "http://songda.test"}))


@lru_cache(maxsize=1)
def calls() -> tuple[Call, ...]:
    """All of them."""
    return tuple(walk(application().routes))
