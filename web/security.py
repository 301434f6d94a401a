"""Headers that every page carries. A response that sets one of them itself keeps its own."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON_PREFIXES = (
    "/v1", "/apiv2", "/smsapi", "/webapi", "/callbacks", "/openapi.json", "/docs", "/healthz", "/metrics",
)  # fmt: skip
"""Paths that machines call: their errors are JSON, and page headers do not concern them."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "content-security-policy": _POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
PREVIEW_HEADERS = {
    "content-security-policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: https: http:; frame-ancestors 'self'"
    ),
    "x-frame-options": "SAMEORIGIN",
}
"""For a customer's HTML shown in `<iframe sandbox src=…>`: no script, no form, an origin of its own."""


def is_page(path: str) -> bool:
    """Whether browsers ask for this path (and then get errors as pages)."""
    return not any(path == prefix or path.startswith(prefix + "/") for prefix in JSON_PREFIXES)


class PageHeaders:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_page(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message), scope)
            await send(message)

        await self._app(scope, receive, with_headers)


def _keeping(path: str) -> str:
    """Our own scripts change together with the pages, so browsers ask each time whether theirs is current."""
    if path.startswith("/assets/"):
        return "public, max-age=3600"
    return "no-cache" if path.startswith("/static/") else "no-store"


def _complete(headers: MutableHeaders, scope: Scope) -> None:
    for name, value in PAGE_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", _keeping(scope["path"]))
    if scope["app"].state.services.foundation.policy.secure_cookies:
        headers.setdefault("strict-transport-security", "max-age=31536000")
