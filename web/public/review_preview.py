"""/review-preview/{token}: what a reviewer is asked to decide on, for whoever holds the link of the Temporal UI."""

import datetime as dt

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from domain.errors import Refusal
from domain.template_lint import Severity
from services.templates import TemplateView, preview_of, review_id
from web.pages import language_of, render, served
from web.security import PREVIEW_HEADERS

router = APIRouter(prefix="/review-preview")

PRIVATE = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex", "cache-control": "no-store"}
"""The address is the key: it must not travel on."""


@router.get("/{token}")
async def sheet(request: Request, token: str) -> Response:
    """Subject, rendered HTML, source, text, variables, findings, earlier versions."""
    view, account = await _known(request, token)
    language = language_of(request)
    findings = [
        ("danger" if each.severity is Severity.ERROR else "warning", each.text(language)) for each in view.findings
    ]
    page = render(
        request, "public/review_preview.html", view=view, account=account, token=token, findings=findings,
        shown=await preview_of(view.content, {}), workflow_id=review_id(view.version.id),
    )  # fmt: skip
    page.headers.update(PRIVATE)
    return page


@router.get("/{token}/body")
async def body(request: Request, token: str) -> Response:
    """The HTML for the frame, with samples for values."""
    view, _ = await _known(request, token)
    shown = await preview_of(view.content, {})
    return HTMLResponse(shown.html.encode(errors="replace"), headers=PREVIEW_HEADERS | PRIVATE)


async def _known(request: Request, token: str) -> tuple[TemplateView, str]:
    found = await served(request).templates.under_review(token, dt.datetime.now(dt.UTC))
    if found is None:
        raise Refusal("review_link_invalid")
    return found
