"""Only our own pages may post: the browser's word on the origin, and a token bound to the visitor's cookie.

A signed-in browser's token is derived from its session; a visitor's from a random cookie. Nothing is stored.
"""

import base64
import hmac
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import FormData

from domain.errors import Refusal
from domain.secrets import new_token
from web import cookies
from web.console.sessions import operator_token
from web.sessions import served, session_token, signed_in

FIELD = "csrf_token"
HEADER = "x-csrf-token"
VISIT_COOKIE = "songda_visit"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def visit(request: Request) -> str:
    """The visitor's random value: from the cookie, or a new one that `render` will set."""
    known = getattr(request.state, "visit", None) or cookies.given(request, VISIT_COOKIE)
    if not known:
        known = new_token()
    request.state.visit = known
    return str(known)


def csrf_token(request: Request) -> str:
    """The token that forms of this browser carry."""
    session = operator_token(request) if request.url.path.startswith("/console") else session_token(request)
    bound = f"csrf/session/{session}" if session else f"csrf/visit/{visit(request)}"
    digest = served(request).foundation.vault.digest(bound)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def csrf_checked(request: Request) -> None:
    """Refuse a change that another site's page asked for. A dependency of every page router."""
    if request.method in _SAFE:
        return
    if not _same_origin(request):
        raise Refusal("foreign_form")
    if _is_upload(request):
        await signed_in(request)
    given = request.headers.get(HEADER) or _field(await request.form())
    if not hmac.compare_digest(given.encode(), csrf_token(request).encode()):
        raise Refusal("stale_form")


def _is_upload(request: Request) -> bool:
    """A file for the portal, which may be large: who has not signed in gets none of it read, not even for the token."""
    kind = request.headers.get("content-type", "")
    return kind.startswith("multipart/") and request.url.path.startswith("/portal/")


def _field(form: FormData) -> str:
    value = form.get(FIELD, "")
    return value if isinstance(value, str) else ""


def _same_origin(request: Request) -> bool:
    """By Sec-Fetch-Site where the browser sends it, else by Origin; a client with neither is no browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return True
    ours = {request.headers.get("host", ""), urlsplit(served(request).foundation.policy.public_url).netloc}
    return urlsplit(origin).netloc in ours - {""}


CsrfChecked = Annotated[None, Depends(csrf_checked)]
