"""Pages for recipients of customers' mails, who have no account here: no cookie, no script, no menu of ours."""

from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse

from web.i18n import language_of
from web.pages import environment, served

RETRY_SECONDS = "30"


def show(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """The page in the recipient's language (`?lang=`, else what the browser prefers, else Chinese)."""
    known = {
        "request": request,
        "language": language_of(request),
        "policy": served(request).foundation.policy,
        "address": "",
    }
    return HTMLResponse(environment().get_template(template).render(known | context), status)


def gone(request: Request) -> HTMLResponse:
    """The link is none of ours, or what it belonged to is gone."""
    return show(request, "recipient/gone.html", 404)


def later(request: Request) -> HTMLResponse:
    """The database cannot be asked."""
    page = show(request, "recipient/later.html", 503)
    page.headers["retry-after"] = RETRY_SECONDS
    return page
