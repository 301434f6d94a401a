"""A secret that the next page shows, once: it travels sealed, in a cookie for that page alone.

So the page can be reloaded and gone back to without making another secret, and shows it no second time.
"""

from cryptography.fernet import InvalidToken
from fastapi import Request
from starlette.responses import Response

from web import cookies
from web.sessions import served

COOKIE = "songda_shown_once"
SECONDS = 120


def carry(request: Request, response: Response, place: str, secret: str) -> None:
    """Give the browser `secret` for the page at the path `place`, where `response` sends it."""
    sealed = served(request).foundation.vault.seal(secret.encode(), f"show{place}")
    cookies.keep(request, response, COOKIE, sealed.decode(), SECONDS, place)


def carried(request: Request, place: str) -> str:
    """The secret for the page at `place`, or an empty string."""
    sealed = cookies.given(request, COOKIE, place)
    try:
        return served(request).foundation.vault.unseal(sealed.encode(), f"show{place}").decode()
    except InvalidToken:
        return ""


def shown(request: Request, response: Response, place: str) -> Response:
    """`response` shows the secret: nobody keeps it, and the cookie goes."""
    response.headers["cache-control"] = "no-store"
    cookies.drop(request, response, COOKIE, place)
    return response
