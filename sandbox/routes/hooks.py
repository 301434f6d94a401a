"""HTTP: catch webhooks, script the answers, read what came."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect

from sandbox.hooks import HookScript
from sandbox.parts import PartsOf

router = APIRouter(prefix="/hooks", tags=["hooks"])

_BODY_LIMIT = 5 * 1024 * 1024
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class HookScriptIn(BaseModel):
    """What the hook answers; after ``times`` requests it answers 200 again."""

    status: int = Field(default=200, ge=200, le=599)
    body: str = Field(default="", max_length=10_000)
    delay_seconds: float = Field(default=0, ge=0, le=600)
    times: int | None = Field(default=None, ge=1)


@router.post("/{name}")
async def catch(name: Name, request: Request, parts: PartsOf) -> Response:
    """Store the request, then answer as scripted (200 by default)."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_LIMIT:
                raise HTTPException(413, f"body: at most {_BODY_LIMIT} bytes are kept")
    except ClientDisconnect:
        return Response(status_code=400)
    headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in request.headers.raw]
    script = await parts.hooks.catch(name, request.url.query, headers, bytes(body))
    if script.delay_seconds:
        await asyncio.sleep(script.delay_seconds)
    return Response(script.body, status_code=script.status, media_type="text/plain")


@router.get("/{name}/requests")
async def list_requests(
    name: Name, parts: PartsOf, after: int = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """Caught requests with ids above ``after``, oldest first."""
    return {"requests": await parts.hooks.requests(name, after, limit)}


@router.delete("/{name}/requests")
async def delete_requests(name: Name, parts: PartsOf) -> dict[str, int]:
    """Forget what this hook caught."""
    return {"deleted": await parts.hooks.delete(name)}


@router.get("/{name}/script")
async def read_script(name: Name, parts: PartsOf) -> dict[str, Any]:
    """The script in force; ``times`` counts down."""
    return asdict(parts.hooks.script(name))


@router.put("/{name}/script")
async def replace_script(name: Name, body: HookScriptIn, parts: PartsOf) -> dict[str, Any]:
    """Answer by this script from now on."""
    await parts.hooks.set_script(name, HookScript(**body.model_dump()))
    return asdict(parts.hooks.script(name))
