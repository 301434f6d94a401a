"""/t/u: the page behind “unsubscribe”, and one-click (RFC 8058).

No token against forged forms: no cookie or session stands behind these changes, only the token in the address, which
nobody else has; and a mail provider posts from its own servers. A GET or HEAD changes nothing, since scanners follow
every link of a mail.
"""

import structlog
from fastapi import APIRouter, Request
from starlette.datastructures import URL, FormData
from starlette.responses import RedirectResponse, Response

from domain.errors import Refusal
from store.db import DATABASE_TROUBLE
from web.pages import served
from web.public.recipients import gone, later, show

router = APIRouter(prefix="/t", include_in_schema=False)
log = structlog.get_logger(__name__)


@router.api_route("/u/{unsubscribe_token}", methods=["GET", "HEAD"])
async def page(request: Request, unsubscribe_token: str, again: bool = False) -> Response:
    """Asks, or says what is so; `again` after taking it back."""
    try:
        view = await served(request).unsubscribes.view(unsubscribe_token)
    except Refusal:
        return gone(request)
    except DATABASE_TROUBLE as error:
        return _later(request, error)
    return show(request, "recipient/unsubscribe.html", view=view, again=again)


@router.post("/u/{unsubscribe_token}")
async def change(request: Request, unsubscribe_token: str) -> Response:
    """`List-Unsubscribe=One-Click` is answered plainly; the page's own buttons lead back to the page."""
    form = await request.form()
    try:
        return await _changed(request, unsubscribe_token, form)
    except Refusal:
        return gone(request)
    except DATABASE_TROUBLE as error:
        return _later(request, error)


async def _changed(request: Request, token: str, form: FormData) -> Response:
    act = form.get("act")
    if form.get("List-Unsubscribe") == "One-Click":
        await served(request).unsubscribes.unsubscribe(token)
        return Response("unsubscribed\n", media_type="text/plain")  # RFC 8058 §3.1: no redirect
    if act == "unsubscribe":
        await served(request).unsubscribes.unsubscribe(token)
    elif act == "resubscribe":
        await served(request).unsubscribes.resubscribe(token)
    # Whatever else was posted asked for nothing, and finds the question.
    back = request.url.remove_query_params("again")
    if act == "resubscribe":
        back = back.include_query_params(again="true")
    return RedirectResponse(_path(back), 303)


def _path(url: URL) -> str:
    return f"{url.path}?{url.query}" if url.query else url.path


def _later(request: Request, error: BaseException) -> Response:
    log.warning("unsubscribe_waits", error=type(error).__name__)
    return later(request)
