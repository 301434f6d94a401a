"""Every HTTP route of the application, so that tests can be generated and a new one cannot be forgotten."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from api.app import create_app
from settings import Settings
from tests.accounts_world import SECRET
from tests.route_cases import OPEN

OF_A_RECORD = ("/detail", "/edit", "/inline-edit", "/inline-edit/row", "/row-action", "/action")
"""Routes of starlette-admin that name a record in their query: `?pk=`, or `?pks=` for several."""


class Door(StrEnum):
    """Who a route is for."""

    VISITOR = "visitor"
    MEMBER = "member"
    OPERATOR = "operator"


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
        return not self.path.startswith(("/v1", "/callbacks", "/openapi.json", "/docs", "/healthz"))

    @property
    def door(self) -> Door:
        if self.key in OPEN or not self.path.startswith(("/v1/", "/portal/", "/console/")):
            return Door.VISITOR
        return Door.OPERATOR if self.path.startswith("/console/") else Door.MEMBER

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
    """Every HTTP route below, however deep it is included or mounted; files of mounts are none of ours."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield from (Call(method, prefix + route.path) for method in sorted(route.methods or ()))
        elif hasattr(route, "original_router"):
            yield from walk(route.original_router.routes, prefix + route.include_context.prefix)
        elif isinstance(route, Mount):
            yield from walk(route.routes, prefix + route.path)
        elif isinstance(route, Route) and prefix:
            yield from _admin_calls(route, prefix)


def _admin_calls(route: Route, prefix: str) -> Iterator[Call]:
    """A route of starlette-admin: once for each of its views, and with a record where it wants one."""
    path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
    admin = getattr(route.endpoint, "__self__", None)
    keys = [view.key for view in getattr(admin, "_model_views", [])] if "{key}" in path else [""]
    for key in keys:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield Call(method, prefix + path.replace("{key}", key) + _record(path, prefix, key), admin=True)


def _record(path: str, prefix: str, key: str) -> str:
    name = f"{prefix.rpartition('/')[2]}_{key}".replace("-", "_")
    if not path.endswith(OF_A_RECORD):
        return ""
    return f"?pks={{{name}}}" if path.endswith("/action") else f"?pk={{{name}}}"


def api_routes(routes: Any) -> Iterator[APIRoute]:
    """The routes of `/v1` themselves."""
    for route in routes:
        if isinstance(route, APIRoute) and route.path.startswith("/v1"):
            yield route
        elif hasattr(route, "original_router"):
            yield from api_routes(route.original_router.routes)


def application() -> FastAPI:
    """The whole application; nothing behind it is reached for."""
    return create_app(Settings.model_validate({"secret_key": SECRET, "public_url": "http://songda.test"}))


@lru_cache(maxsize=1)
def calls() -> tuple[Call, ...]:
    """All of them."""
    return tuple(walk(application().routes))
