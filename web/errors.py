"""Errors of browser routes are pages; those of machine routes stay what the API made of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from domain.errors import Refusal
from domain.refusals import explain
from store.db import DATABASE_TROUBLE, out_of_service
from web import pages
from web.console import pages as console
from web.i18n import language_of, translator
from web.i18n import mark as _
from web.security import complete, is_page


@dataclass(frozen=True)
class Site:
    """`who` is where its pages keep whoever is signed in, in the request's state."""

    home: str
    back: str
    frame: str
    render: Callable[..., Response]
    who: str = ""

    def holds(self, path: str) -> bool:
        return f"{path}/".startswith(self.home)


PUBLIC = Site("/", _("回到首页"), "base.html", pages.render)
PORTAL = Site("/portal/", _("回到总览"), "portal/base.html", pages.render, "profile")
CONSOLE = Site("/console/", _("回到控制台"), "console/base.html", console.render, "operator")


def site_of(path: str) -> Site:
    return next((site for site in (PORTAL, CONSOLE) if site.holds(path)), PUBLIC)


Handler = Callable[[Request, Exception], Awaitable[Response]]


async def refusal_page(request: Request, error: Exception) -> Response:
    """A refusal that no form caught."""
    if not isinstance(error, Refusal):
        raise error
    status, detail, step = explain(error, language_of(request))
    return error_page(request, status, detail, step)


async def invalid_page(request: Request, error: Exception) -> Response:
    """An address with a broken id or parameter leads nowhere."""
    return _nothing_here(request, 404 if request.method == "GET" else 422)


async def http_page(request: Request, error: Exception) -> Response:
    """404, 405 and the like; redirects pass."""
    if not isinstance(error, HTTPException):
        raise error
    location = (error.headers or {}).get("Location")
    if location and 300 <= error.status_code < 400:
        return RedirectResponse(location, error.status_code)
    return _nothing_here(request, error.status_code)


def _nothing_here(request: Request, status: int) -> Response:
    _ = translator(request)
    title = _("没有这个页面。") if status == 404 else _("这个请求无法处理。")
    return error_page(request, status, title, _("请检查地址，或返回上一页重新操作。"))


async def unavailable_page(request: Request, error: Exception) -> Response:
    """The database is out of service; any other trouble with it is a fault, and raised again."""
    if not out_of_service(error):
        raise error
    _ = translator(request)
    step = _("请过几秒再试。先看看刚才的操作是否已经生效。")
    return error_page(request, 503, _("系统暂时不可用。"), step)


async def fault_page(request: Request, error: Exception) -> Response:
    """A fault of ours; the traceback is in the log."""
    _ = translator(request)
    step = _("请稍后重试。如果问题依旧，请联系客服并说明时间和操作。")
    return error_page(request, 500, _("系统出现了问题。"), step)


def error_page(request: Request, status: int, title: str, step: str) -> Response:
    """In the frame of the site it happened in, when it is known who looks; its way back leads into that site."""
    site = site_of(request.url.path)
    known = site.who and getattr(request.state, site.who, None)
    asked = request.method in ("GET", "HEAD")
    return site.render(
        request, "error.html", status, title=title, step=step, site=site, frame=site.frame if known else PUBLIC.frame,
        locked=False, address="" if asked else site.home,
    )  # fmt: skip


PAGES: dict[type[Exception], Handler] = {
    Refusal: refusal_page,
    RequestValidationError: invalid_page,
    HTTPException: http_page,
    Exception: fault_page,
    **dict.fromkeys(DATABASE_TROUBLE, unavailable_page),
}


def install(app: FastAPI) -> None:
    """Answer browsers by pages, and leave the rest to the handlers that are there."""
    for kind, page in PAGES.items():
        app.add_exception_handler(kind, _divided(page, app.exception_handlers.get(kind)))


def _divided(page: Handler, other: Callable[..., Any] | None) -> Handler:
    async def handler(request: Request, error: Exception) -> Response:
        chosen = page if is_page(request.url.path) or other is None else other
        answer: Response = await chosen(request, error)  # every handler of ours is a coroutine
        complete(answer.headers, request.scope)  # the answer to a fault passes no middleware
        return answer

    return handler
