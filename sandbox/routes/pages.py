"""Pages to read: the mailbox and one mail."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from sandbox.mailbox import Selection
from sandbox.manners import Action
from sandbox.message_view import detail
from sandbox.parts import Parts, PartsOf
from sandbox.rendering import page

router = APIRouter(include_in_schema=False)

_ROWS = 100
View = Literal["html", "text", "source", "headers", "dkim"]
ACTS = (
    (Action.COMPLAIN, "举报垃圾邮件", "Report as spam"),
    (Action.ANSWER, "回复", "Reply"),
    (Action.VACATION, "休假自动回复", "Out-of-office reply"),
    (Action.LATEBOUNCE, "退信", "Return it"),
)
"""What can be done about a mail on its page."""


@router.get("/")
async def mailbox(
    request: Request, parts: PartsOf, to: str = "", provider: str = "", before: int | None = None
) -> HTMLResponse:
    """Received mails, newest first, refreshed by a few lines of script."""
    values = await _rows(parts, Selection(to, provider, before=before))
    providers = [server.provider for server in parts.servers.by_name.values()]
    return page(request, "mailbox.html", to=to, provider=provider, before=before, providers=providers, **values)


@router.get("/ui/rows")
async def rows(request: Request, parts: PartsOf, to: str = "", provider: str = "") -> HTMLResponse:
    """Only the list, for the refresh."""
    values = await _rows(parts, Selection(to, provider))
    return page(request, "rows.html", to=to, provider=provider, **values)


async def _rows(parts: Parts, selection: Selection) -> dict[str, Any]:
    messages = await parts.mailbox.messages(selection, _ROWS + 1)
    return {"messages": messages[:_ROWS], "more": len(messages) > _ROWS}


@router.get("/ui/messages/{number}")
async def message(request: Request, number: int, parts: PartsOf, view: View | None = None) -> HTMLResponse:
    """One mail; without ``view`` the richest body it has."""
    row = await parts.mailbox.get(number)
    if row is None:
        return page(request, "missing.html", 404, what=f"邮件 Message {number}")
    shown = detail(row)
    chosen = view or ("html" if shown["html"] else "text")
    sent = await parts.postman.sent(number)
    return page(request, "message.html", message=shown, view=chosen, answers=sent, acts=ACTS)


@router.post("/ui/messages/{number}/answers")
async def answer(request: Request, number: int, parts: PartsOf, action: Annotated[str, Form()]) -> Response:
    """What the reader of a mail does about it, or their server: told to the sender at once."""
    row = await parts.mailbox.get(number)
    chosen = next((act for act, _, _ in ACTS if act == action), None)
    if row is None or chosen is None:
        return page(request, "missing.html", 404, what=f"邮件 Message {number}")
    server = parts.servers.by_name[row["provider"]]
    await server.answer(number, row["mail_from"], row["recipients"][0], bytes(row["raw"]), (chosen, 0.0))
    return RedirectResponse(f"/ui/messages/{number}#answers", status_code=303)


@router.get("/dns")
async def dns() -> RedirectResponse:
    """Where people look first."""
    return RedirectResponse("/ui/dns")


@router.get("/hooks")
async def hooks() -> RedirectResponse:
    """Where people look first."""
    return RedirectResponse("/ui/hooks")


@router.get("/hooks/{name}")
async def hook(name: str, request: Request, parts: PartsOf) -> Response:
    """A hook's address opened in a browser shows what it caught; a program that tries it is answered as scripted."""
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"/ui/hooks/{name}")
    script = parts.hooks.script(name)
    return Response(script.body, status_code=script.status, media_type="text/plain")
