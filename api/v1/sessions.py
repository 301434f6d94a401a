"""`/v1/sessions`: signing in and out."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served
from api.problems import Problem
from api.v1.accounts import Email, Password
from api.v1.visitors import Visiting
from domain.errors import Refusal
from services.sessions import Unconfirmed
from store.accounts import LoginSession

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 422, 429)}
router = APIRouter(prefix="/v1/sessions", tags=["account"], responses=REFUSED)

_MOMENT = "2026-11-23T08:00:00Z"
_ID = "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"


class Credentials(BaseModel):
    email: Email
    password: Password


class NewSessionOut(BaseModel):
    """Send the token as `Authorization: Bearer st_…`; it is shown once."""

    token: str = Field(examples=["st_wK4zC1"])
    expires_at: dt.datetime = Field(examples=[_MOMENT])
    session_id: UUID = Field(examples=[_ID])
    account_id: UUID = Field(examples=[_ID])


class SessionOut(BaseModel):
    id: UUID = Field(examples=[_ID])
    client: str = Field(examples=["Firefox · Windows"])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    last_seen_at: dt.datetime = Field(examples=[_MOMENT])
    expires_at: dt.datetime = Field(examples=[_MOMENT])
    current: bool


class SessionList(BaseModel):
    items: list[SessionOut]


@router.post("", status_code=201, summary="Sign in")
async def sign_in(body: Credentials, served: Served, visitor: Visiting) -> NewSessionOut:
    """Ten tries in a quarter of an hour; a wrong address and a wrong password answer alike."""
    made = await served.sessions.sign_in(body.email, body.password, visitor)
    if isinstance(made, Unconfirmed):
        raise Refusal("email_not_confirmed")
    return NewSessionOut(
        token=made.token, expires_at=made.expires_at, session_id=made.session_id, account_id=made.caller.account_id
    )


@router.get("", summary="List the member's sessions")
async def index(served: Served, caller: MemberCaller) -> SessionList:
    """All that live, last used first."""
    rows = await served.sessions.listed(caller)
    return SessionList(items=[_shown(row, caller.session_id) for row in rows])


def _shown(row: LoginSession, current: UUID | None) -> SessionOut:
    return SessionOut(
        id=row.id, client=row.client, created_at=row.created_at, last_seen_at=row.last_seen_at,
        expires_at=row.expires_at, current=row.id == current,
    )  # fmt: skip


@router.delete("", status_code=204, summary="End every other session")
async def revoke_others(served: Served, caller: MemberCaller) -> None:
    """This one stays."""
    await served.sessions.revoke_others(caller)


@router.delete("/{session_id}", status_code=204, summary="End one session")
async def revoke(session_id: Annotated[UUID, Path(examples=[_ID])], served: Served, caller: MemberCaller) -> None:
    """The current one as well: that is signing out."""
    await served.sessions.revoke(caller, session_id)
