"""Rendering of the console's own pages: as `web.pages`, with the operator and the console's menu."""

from collections.abc import Awaitable, Mapping
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from domain.errors import Refusal
from domain.operators import Operator
from web import pages
from web.console import menu
from web.pages import language_of, see, served, translator

__all__ = [
    "acted", "again", "language_of", "render", "see", "served", "show_again", "translator", "unless_about_the_page",
]  # fmt: skip


def render(request: Request, template: str, status_code: int = 200, **context: Any) -> HTMLResponse:
    """A page in the operator's language."""
    return pages.render(request, template, status_code, **(_around(request) | context))


def again(request: Request, template: str, refusal: Refusal, values: Mapping[str, Any], **context: Any) -> HTMLResponse:
    """The form once more: with what was typed, and the message at its field."""
    return pages.again(request, template, refusal, values, **(_around(request) | context))


def unless_about_the_page(refusal: Refusal) -> None:
    """Raises a refusal that no form can show at a field: nothing is there, or it is not theirs to do."""
    if refusal.code in ("not_found", "duty_forbidden"):
        raise refusal


def show_again(request: Request, path: str, refusal: Refusal) -> Any:
    """Back to a page without a form of its own, with the refusal on top."""
    text = " ".join(pages.refused(refusal, language_of(request)).values())
    return see(path, request, text, "danger")


async def acted(request: Request, path: str, act: Awaitable[object], done: str) -> Response:
    """Do what a button asks for, and show the page at `path` again: `done` on top, or why not."""
    try:
        await act
    except Refusal as refusal:
        unless_about_the_page(refusal)
        refused: Response = show_again(request, path, refusal)
        return refused
    shown: Response = see(path, request, translator(request)(done))
    return shown


def frame(request: Request) -> Markup:
    """Menu and head, for the pages that starlette-admin renders."""
    return Markup(pages.fragment(request, "console/frame.html", **_around(request)))  # noqa: S704 - escaped there


def _around(request: Request) -> dict[str, Any]:
    operator: Operator | None = getattr(request.state, "operator", None)
    return {
        "operator": operator, "console_menu": menu.menu_of(operator), "here": menu.current(request.url.path),
        "OPERATOR_ROLES": menu.ROLES,
    }  # fmt: skip
