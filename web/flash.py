"""One message for the next page, carried by a sealed cookie."""

import json

from cryptography.fernet import InvalidToken
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from web import cookies
from web.sessions import served

COOKIE = "songda_flash"
SECONDS = 60
_BINDING = "flash"


def flash(request: Request, response: Response, text: str, tone: str = "success") -> None:
    """Show `text` (already translated) on top of the next page; `tone` is a Tabler colour."""
    sealed = served(request).foundation.vault.seal(json.dumps([tone, text]).encode(), _BINDING)
    cookies.keep(request, response, COOKIE, sealed.decode(), SECONDS)


def waiting(request: Request) -> tuple[str, str] | None:
    """(tone, text) of the message that waits for this browser."""
    value = cookies.given(request, COOKIE)
    if not value:
        return None
    try:
        tone, text = json.loads(served(request).foundation.vault.unseal(value.encode(), _BINDING))
    except (InvalidToken, ValueError):
        return None
    return str(tone), str(text)


def see(path: str, request: Request, text: str = "", tone: str = "success") -> RedirectResponse:
    """After a change: the page to look at next (303), with a message."""
    response = RedirectResponse(path, 303)
    if text:
        flash(request, response, text, tone)
    return response
