"""The HTTP side of the sandbox: a JSON API and pages on one port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from sandbox.parts import Parts
from sandbox.rendering import page_templates
from sandbox.routes import dns, edit_pages, handsets, hooks, mailbox, pages, pay_desk, pay_pages, providers

_HERE = Path(__file__).parent
# Mails may show pictures (and so be "opened") from this machine only; the one script is our own file.
_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: http://127.0.0.1:* http://localhost:*; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)


def create_app(parts: Parts) -> FastAPI:
    """The app over running parts; interactive API pages are off, as they load files from elsewhere."""
    app = FastAPI(
        title="Songda sandbox",
        description="A small pretend Internet for one machine. See sandbox/README.md.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    app.state.templates = page_templates(_HERE / "templates")
    for routes in (dns, mailbox, providers, hooks, pay_desk, handsets, pages, edit_pages, pay_pages):
        app.include_router(routes.router)
    app.include_router(handsets.ui)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    app.add_api_route("/healthz", _healthy, tags=["health"])
    app.middleware("http")(_guard)
    return app


async def _healthy() -> dict[str, bool]:
    """Answers once everything listens."""
    return {"ready": True}


async def _guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Other sites open in the same browser may not change anything here, nor may mails run script."""
    origin = request.headers.get("origin")
    catching = request.url.path.startswith("/hooks/") and request.method == "POST"
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign and not catching and request.method not in ("GET", "HEAD"):
        return JSONResponse({"detail": "Origin: changes come from the sandbox's own pages only"}, 403)
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response
