"""Headers that every answer carries. A response that sets one of them itself keeps its own."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON_PREFIXES = (
    "/v1", "/apiv2", "/smsapi", "/webapi", "/callbacks", "/openapi.json", "/docs", "/healthz", "/metrics",
)  # fmt: skip
"""Paths that machines call: their errors are JSON."""

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
MACHINE_HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""Should a browser be led to JSON or to a file, it is shown as nothing else (OWASP REST Security Cheat Sheet)."""
HTTPS_ONLY = ("strict-transport-security", "max-age=31536000")
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


def machine_headers(secure: bool) -> dict[str, str]:
    """What every answer to a machine carries, for a path that passes by `AnswerHeaders`."""
    return MACHINE_HEADERS | {"cache-control": "no-store"} | (dict([HTTPS_ONLY]) if secure else {})


class AnswerHeaders:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        before = dict(scope)  # an application below puts itself there

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                complete(MutableHeaders(scope=message), before)
            await send(message)

        await self._app(scope, receive, with_headers)


def complete(headers: MutableHeaders, scope: Scope) -> None:
    """Add what is missing in the answer to the request of `scope`."""
    path: str = scope["path"]
    for name, value in (PAGE_HEADERS if is_page(path) else MACHINE_HEADERS).items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", _keeping(path))
    if scope["app"].state.services.foundation.policy.secure_cookies:
        headers.setdefault(*HTTPS_ONLY)
    if "location" in headers:
        headers["location"] = _here(headers["location"], Headers(scope=scope).get("host", ""))


def _keeping(path: str) -> str:
    """Our own scripts change together with the pages, so browsers ask each time whether theirs is current."""
    if path.startswith(("/assets/", "/docs/assets/", "/console/static/", "/portal/records/static/")):
        return "public, max-age=3600"
    return "no-cache" if path.startswith("/static/") else "no-store"


def _here(location: str, host: str) -> str:
    """A redirect to this host as a path: nobody's Host header leads away, and a proxy's HTTPS stays HTTPS."""
    parts = urlsplit(location)
    if not parts.netloc or parts.netloc != host:
        return location
    return parts._replace(scheme="", netloc="").geturl() or "/"
