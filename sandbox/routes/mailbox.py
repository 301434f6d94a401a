"""HTTP: read, count and delete received mails."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Response

from sandbox.mailbox import Selection
from sandbox.message_view import detail
from sandbox.parts import Parts, PartsOf

router = APIRouter(prefix="/mailbox", tags=["mailbox"])


def selection(
    to: str = "",
    provider: str = "",
    message_id: str = "",
    after: int | None = None,
    before: int | None = None,
) -> Selection:
    """Which mails the query string means."""
    return Selection(to, provider, message_id, after, before)


Chosen = Annotated[Selection, Depends(selection)]


async def one(parts: Parts, number: int) -> dict[str, Any]:
    """A stored mail, or 404."""
    row = await parts.mailbox.get(number)
    if row is None:
        raise HTTPException(404, f"id: there is no message {number}; list them at /mailbox/messages")
    return row


@router.get("/messages")
async def list_messages(
    chosen: Chosen, parts: PartsOf, limit: Annotated[int, Query(ge=1, le=1000)] = 50
) -> dict[str, Any]:
    """Newest first; with ``after`` (an id) oldest first. ``to`` is an address or a part of one."""
    return {"messages": await parts.mailbox.messages(chosen, limit)}


@router.get("/messages/{number}")
async def read_message(number: int, parts: PartsOf) -> dict[str, Any]:
    """One mail: source, decoded headers and bodies, DKIM signatures."""
    return detail(await one(parts, number))


@router.get("/messages/{number}/raw")
async def read_source(number: int, parts: PartsOf) -> Response:
    """The bytes as they came after DATA."""
    name = {"Content-Disposition": f'attachment; filename="message-{number}.eml"'}
    return Response(bytes((await one(parts, number))["raw"]), media_type="message/rfc822", headers=name)


@router.get("/count")
async def count_messages(
    chosen: Chosen, parts: PartsOf, limit: Annotated[int, Query(ge=0, le=1_000_000)] = 1000
) -> dict[str, Any]:
    """Totals, and copies per recipient for at most ``limit`` recipients."""
    return asdict(await parts.mailbox.totals(chosen, limit))


@router.delete("/messages")
async def delete_messages(chosen: Chosen, parts: PartsOf) -> dict[str, int]:
    """Delete the chosen mails (all, without a filter)."""
    return {"deleted": await parts.mailbox.delete(chosen)}
