"""What starlette-admin needs to live in our house: the services, language and headers.

Its templates carry inline scripts and styles. `Nonces` gives each its page's nonce when a template is compiled, and
takes the two inline handlers out (`static/admin.js` puts them back), so that no page allows inline code in general.
"""

import re
import secrets
from urllib.parse import unquote_to_bytes

from jinja2.ext import Extension
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_admin.i18n import set_locale

from web import cookies, flash
from web.i18n import COOKIE, LANGUAGES, language_of

POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
    "style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'none'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""`style-src-attr`: its list templates size some boxes in `style="…"`."""
HANDLERS = {
    'onclick="applyColumnVisibility()"': 'data-admin-columns="apply"',
    'onchange="window.location = this.value"': 'data-admin-go="value"',
}
_INLINE = re.compile(r"<(script|style)(?=[\s>])")


class Nonces(Extension):
    """Jinja: `<script` and `<style` of every template get the nonce of the page."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        for handler, mark in HANDLERS.items():
            source = source.replace(handler, mark)
        return _INLINE.sub(r'<\1 nonce="{{ request.state.csp_nonce }}"', source)


def _forgotten(request: Request) -> str:
    """The header by which the browser forgets the message that it has seen."""
    answer = Response()
    cookies.drop(request, answer, flash.COOKIE)
    return answer.headers["set-cookie"]


class Edge:
    """ASGI, inside the site: `parent` is the application that has the services."""

    def __init__(self, app: ASGIApp, parent: Starlette) -> None:
        self._app = app
        self._parent = parent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if b"\0" in unquote_to_bytes(scope.get("query_string", b"")):  # PostgreSQL's text has no such character
            await PlainTextResponse("Bad Request", 400)(scope, receive, send)
            return
        scope["app"].state.services = self._parent.state.services
        request, nonce = Request(scope), secrets.token_urlsafe(16)
        request.state.csp_nonce = nonce
        language = language_of(request)
        set_locale(language)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", POLICY.format(nonce=nonce))
                if request.query_params.get("lang") in LANGUAGES:
                    headers.append("set-cookie", f"{COOKIE}={language}; Max-Age=31536000; Path=/; SameSite=Lax")
                if getattr(request.state, "told", None):
                    headers.append("set-cookie", _forgotten(request))
            await send(message)

        await self._app(scope, receive, with_headers)
