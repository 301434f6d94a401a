"""The route table itself: what it cannot read, or nobody said anything of, fails, so that no test skips it."""

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send

from tests.route_cases import FILES, OPEN
from tests.route_table import Door, application, calls, walk


async def answers(request: Request) -> Response:
    return Response()


async def closed_application(scope: Scope, receive: Receive, send: Send) -> None:
    """One that shows nothing of what it serves."""


def keys(*routes: BaseRoute) -> list[tuple[str, str]]:
    return [call.key for call in walk(routes)]


def test_routes_are_found_however_deep_and_of_either_kind() -> None:
    inner, app = APIRouter(prefix="/b"), FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    inner.add_api_route("/c", answers, methods=["DELETE"])
    outer = APIRouter(prefix="/a")
    outer.include_router(inner)
    app.include_router(outer)
    app.mount("/m", Starlette(routes=[Mount("/n", routes=[Route("/{x:int}", answers, methods=["POST"])])]))
    app.router.routes.append(Route("/plain/{key}", answers))
    assert keys(*app.routes) == [("DELETE", "/a/b/c"), ("POST", "/m/n/{x}"), ("GET", "/plain/{key}")]


@pytest.mark.parametrize(
    "route",
    [
        Mount("/hidden", app=closed_application),
        Mount("/empty", app=Router()),
        Mount("/papers", app=StaticFiles(directory="tests")),
        Host("admin.example", app=Router(routes=[Route("/", answers)])),
        WebSocketRoute("/socket", answers),
        Route("/any-method", Router()),
    ],
    ids=lambda route: getattr(route, "path", "host"),
)
def test_what_cannot_be_read_fails(route: BaseRoute) -> None:
    with pytest.raises(LookupError):
        keys(route)
    with pytest.raises(LookupError):
        keys(Mount("/below", routes=[route]))


@pytest.mark.parametrize("path", ["/v2/things", "/exports/{id}", "/portals/x", "/v1", "/callbacks/alipay/other"])
def test_a_route_that_nobody_spoke_of_fails(path: str) -> None:
    call = next(walk([Route(path, answers)]))
    with pytest.raises(LookupError, match="OPEN"):
        _ = call.door


def test_every_route_is_for_somebody_and_every_exception_is_there() -> None:
    assert {call.door for call in calls()} == set(Door)
    assert set(OPEN) <= {call.key for call in calls()}
    assert set(FILES) == set(_files(application().routes))


def _files(routes: list[BaseRoute], prefix: str = "") -> list[str]:
    mounts = [route for route in routes if isinstance(route, Mount)]
    below = [path for each in mounts for path in _files(each.routes, prefix + each.path)]
    return below + [prefix + each.path for each in mounts if isinstance(each.app, StaticFiles)]
