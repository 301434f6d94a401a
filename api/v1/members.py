"""`/v1/members`, `/v1/invitations`: the people of an account and what each may do."""

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served
from api.problems import Problem
from api.v1.accounts import Email, Password
from api.v1.sessions import NewSessionOut
from api.v1.visitors import Visiting
from services.members import MemberView

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 410, 422, 429)}
router = APIRouter(prefix="/v1", tags=["account"], responses=REFUSED)

_MOMENT = "2026-11-23T08:00:00Z"
_ID = "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"
MemberId = Annotated[UUID, Path(examples=[_ID])]
Role = Literal["owner", "admin", "developer", "finance", "viewer"]
Granted = Literal["admin", "developer", "finance", "viewer"]


class MemberOut(BaseModel):
    id: UUID = Field(examples=[_ID])
    email: Email
    role: Role
    state: Literal["active", "invited", "expired"] = Field(
        description="`expired`: invited, but the link was not followed in time."
    )
    since: dt.datetime = Field(examples=[_MOMENT], description="When the member joined, or was invited.")
    invited_until: dt.datetime | None = Field(examples=[_MOMENT], description="End of the latest invitation.")
    last_seen_at: dt.datetime | None = Field(examples=[_MOMENT])


class MemberList(BaseModel):
    items: list[MemberOut]


class NewMember(BaseModel):
    email: Email
    role: Granted = Field(examples=["developer"])


class RoleChange(BaseModel):
    role: Granted = Field(examples=["finance"])


class HandOver(BaseModel):
    password: Password = Field(description="The caller's own.")


class Acceptance(BaseModel):
    token: str = Field(max_length=200, examples=["iv_Vb2nQ0"], description="From the link in the mail.")
    password: Password


@router.get("/members", summary="List members and open invitations")
async def index(served: Served, caller: MemberCaller) -> MemberList:
    """All of them, the first first; an account has at most 50."""
    return MemberList(items=[_shown(each) for each in await served.members.listed(caller)])


@router.post("/members", status_code=201, summary="Invite a member")
async def invite(body: NewMember, served: Served, caller: MemberCaller) -> MemberOut:
    """Mails a link that is valid for seven days and works once. Answers alike whether the address has an account."""
    return _shown(await served.members.invite(caller, body.email, body.role))


@router.post("/members/{member_id}/resend", summary="Send an invitation again")
async def resend(member_id: MemberId, served: Served, caller: MemberCaller) -> MemberOut:
    """Links that were mailed before stop working."""
    return _shown(await served.members.resend(caller, member_id))


@router.patch("/members/{member_id}", summary="Change a member's role")
async def change(member_id: MemberId, body: RoleChange, served: Served, caller: MemberCaller) -> MemberOut:
    """Holds from the member's next request on. The owner's role does not change."""
    return _shown(await served.members.change_role(caller, member_id, body.role))


@router.delete("/members/{member_id}", status_code=204, summary="Remove a member, or withdraw an invitation")
async def remove(member_id: MemberId, served: Served, caller: MemberCaller) -> None:
    """Ends the member's sessions. The owner cannot be removed."""
    await served.members.remove(caller, member_id)


@router.post("/members/{member_id}/ownership", summary="Hand the ownership over")
async def hand_over(member_id: MemberId, body: HandOver, served: Served, caller: MemberCaller) -> MemberOut:
    """For the owner, with the password again; the former owner becomes an administrator."""
    return _shown(await served.members.hand_over(caller, member_id, body.password))


@router.post("/invitations/accept", status_code=201, summary="Accept an invitation")
async def accept(body: Acceptance, served: Served, visitor: Visiting) -> NewSessionOut:
    """Sets the password and signs in; the link is used up."""
    made = await served.members.accept(body.token, body.password, visitor)
    return NewSessionOut(
        token=made.token, expires_at=made.expires_at, session_id=made.session_id, account_id=made.caller.account_id
    )


def _shown(each: MemberView) -> MemberOut:
    return MemberOut(
        id=each.id, email=each.email, role=each.role.value, state=each.state.value, since=each.since,
        invited_until=each.invited_until, last_seen_at=each.last_seen_at,
    )  # fmt: skip
