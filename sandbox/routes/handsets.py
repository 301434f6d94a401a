"""HTTP and pages: what handsets got, and what their owners write back."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from sandbox.parts import Parts, PartsOf
from sandbox.rendering import page
from sandbox.smsc import Behaviour
from sandbox.smsc_script import table

router = APIRouter(prefix="/handsets", tags=["handsets"])
ui = APIRouter(prefix="/ui/handsets", include_in_schema=False)

_ROWS = 300
Phone = Annotated[str, Path(pattern=r"^\+?[0-9]{5,15}$")]


class ReplyIn(BaseModel):
    """What a handset writes; to the carrier and number of the last text it got, unless they are named."""

    content: str = Field(min_length=1, max_length=1000)
    carrier: str = ""
    to: str = Field(default="", max_length=20)


class BehaviourIn(BaseModel):
    """Of all numbers at one carrier; what is left out stays as it is."""

    receipt_delay: float | None = Field(default=None, ge=0, le=3600)
    answer_delay: float | None = Field(default=None, ge=0, le=60)
    throttle: int | None = Field(default=None, ge=0)
    """0: no limit."""
    receipts: bool | None = None
    scripted: bool | None = None


@router.get("")
async def read_carriers(parts: PartsOf) -> dict[str, Any]:
    """Carriers with their counters, and what happens to which numbers."""
    return {
        "carriers": [_shown(parts, name) for name in parts.smscs.by_name],
        "numbers": [{"ends_with": digits, "what": what} for digits, what in table()],
    }


def _shown(parts: Parts, name: str) -> dict[str, Any]:
    smsc = parts.smscs.by_name[name]
    return {
        "name": name,
        "title": smsc.carrier.title,
        "address": f"{smsc.host}:{smsc.port}",
        "sessions": sorted(session.bind for session in smsc.sessions if session.bind),
        "waiting": smsc.waiting,
        "counts": dict(smsc.counts),
        "behaviour": asdict(smsc.behaviour),
    }


@router.put("/carriers/{name}")
async def change_carrier(name: str, behaviour: BehaviourIn, parts: PartsOf) -> dict[str, Any]:
    """Delays, throttling, receipts off, the table of numbers off; until the sandbox ends."""
    smsc = parts.smscs.by_name.get(name)
    if smsc is None:
        raise HTTPException(404, f"name: one of {', '.join(parts.smscs.by_name)}")
    smsc.behave(_changed(smsc.behaviour, behaviour))
    return _shown(parts, name)


def _changed(now: Behaviour, asked: BehaviourIn) -> Behaviour:
    given = {name: value for name, value in asked.model_dump().items() if value is not None}
    if given.get("throttle") == 0:
        given["throttle"] = None
    return replace(now, **given)


@router.post("/carriers/{name}/disconnect")
async def disconnect(name: str, parts: PartsOf) -> dict[str, int]:
    """Hang up on everybody who is bound."""
    smsc = parts.smscs.by_name.get(name)
    if smsc is None:
        raise HTTPException(404, f"name: one of {', '.join(parts.smscs.by_name)}")
    sessions = list(smsc.sessions)
    for session in sessions:
        session.cut()
    return {"disconnected": len(sessions)}


@router.get("/messages")
async def list_messages(
    parts: PartsOf, to: str = "", after: int | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
) -> dict[str, Any]:
    """Whole messages of the newest ``limit`` parts, newest first; with ``after`` (an id) oldest first."""
    return {"messages": await parts.handsets.messages(to, after, limit)}


@router.get("/count")
async def count(parts: PartsOf, limit: Annotated[int, Query(ge=0, le=100_000)] = 1000) -> dict[str, Any]:
    """Totals, and numbers that got the same text more than once."""
    return await parts.handsets.totals(limit)


@router.delete("/messages")
async def delete_messages(parts: PartsOf) -> dict[str, int]:
    """Forget all texts."""
    return {"deleted": await parts.handsets.delete()}


@router.post("/{phone}/replies")
async def reply(phone: Phone, asked: ReplyIn, parts: PartsOf) -> dict[str, str]:
    """The handset's owner writes to us."""
    return await _reply(parts, phone, asked)


async def _reply(parts: Parts, phone: str, asked: ReplyIn) -> dict[str, str]:
    written = f"+{phone.removeprefix('+')}"
    known = await parts.handsets.source_of(written)
    carrier, source = asked.carrier or (known[0] if known else ""), asked.to or (known[1] if known else "")
    if carrier not in parts.smscs.by_name or not source:
        raise HTTPException(404, "phone: it got no text yet; name `carrier` and `to`")
    parts.smscs.reply(carrier, written, source, asked.content)
    return {"carrier": carrier, "to": source}


@ui.get("")
async def handsets_page(request: Request, parts: PartsOf, to: str = "") -> HTMLResponse:
    """All texts, newest first."""
    messages = await parts.handsets.messages(to.strip(), None, _ROWS)
    carriers = [_shown(parts, name) for name in parts.smscs.by_name]
    return page(request, "handsets.html", messages=messages, to=to, carriers=carriers, numbers=table())


@ui.get("/rows")
async def rows(request: Request, parts: PartsOf, to: str = "") -> HTMLResponse:
    """Only the list, for the refresh."""
    return page(request, "handset_rows.html", messages=await parts.handsets.messages(to.strip(), None, _ROWS), to=to)


@ui.get("/{phone}")
async def handset_page(request: Request, phone: Phone, parts: PartsOf) -> HTMLResponse:
    """One handset: what came, what its owner wrote, oldest first."""
    written = f"+{phone.removeprefix('+')}"
    messages = (await parts.handsets.messages(written, None, _ROWS))[::-1]
    return page(request, "handset.html", phone=written, messages=messages)


@ui.post("/{phone}/replies")
async def reply_form(request: Request, phone: Phone, parts: PartsOf, content: Annotated[str, Form()] = "") -> Response:
    """A person answers with the handset."""
    if content.strip():
        try:
            await _reply(parts, phone, ReplyIn(content=content.strip()[:1000]))
        except HTTPException:
            return page(request, "missing.html", 404, what=f"手机 Handset {phone}")
    return RedirectResponse(f"/ui/handsets/{phone.removeprefix('+')}", status_code=303)
