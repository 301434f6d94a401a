"""`/v1/sms-users`: who sends SMS, and the keys that sign for it."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from services.sms_users import IssuedSmsKey, SmsUserView

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 422)}
router = APIRouter(prefix="/v1/sms-users", tags=["SMS users"], responses=REFUSED)

_ID = "01935b2e-7c1a-7ccc-8000-3f5a9c0d1e2f"
_MOMENT = "2026-11-23T08:00:00Z"
SmsUserId = Annotated[UUID, Path(examples=[_ID])]


class NewSmsUser(BaseModel):
    name: str = Field(max_length=200, description="3 to 32 of a–z, 0–9 and _.", examples=["shop_sms"])


class SmsUserPatch(BaseModel):
    enabled: bool = Field(examples=[False])


class SmsKeyReset(BaseModel):
    at_once: bool = Field(default=False, description="End the old keys now instead of in 15 minutes.")


class SmsKeyOut(BaseModel):
    prefix: str = Field(examples=["smsk_Zk3qP"])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    expires_at: dt.datetime | None = Field(examples=[_MOMENT], description="Set for keys that were replaced.")


class SmsUserOut(BaseModel):
    id: UUID = Field(examples=[_ID])
    name: str = Field(examples=["shop_sms"])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    disabled_at: dt.datetime | None = Field(examples=[None])
    keys: list[SmsKeyOut]


class SmsUserWithKey(SmsUserOut):
    key: str = Field(
        description="Shown in this answer only. It signs `/smsapi` requests, and is a bearer token of `/v1/sms`.",
        examples=["smsk_Zk3qP1aXr0mC5nV8bT2yH7uJ4eW9sD6fG1lK0oQ3iRw"],
    )


class SmsUserPage(BaseModel):
    items: list[SmsUserOut]
    next_cursor: NextCursor = None


@router.post("", status_code=201, summary="Create an SMS user")
async def create(body: NewSmsUser, served: Served, caller: MemberCaller, response: Response) -> SmsUserWithKey:
    """After enterprise certification and payment: `step_missing` names what is missing. The key is shown this once."""
    issued = await served.sms_users.create(caller, body.name)
    response.headers["Location"] = f"/v1/sms-users/{issued.user.row.id}"
    return _issued(issued)


@router.get("", summary="List SMS users")
async def index(served: Served, caller: MemberCaller, cursor: Cursor = None, limit: Limit = 50) -> SmsUserPage:
    """Newest first, with the prefixes of their keys."""
    views = await served.sms_users.page(caller, cursor, limit)
    after = next_cursor([view.row for view in views], limit)
    return SmsUserPage(items=[SmsUserOut(**_common(view)) for view in views], next_cursor=after)


@router.get("/{sms_user_id}", summary="One SMS user")
async def show(sms_user_id: SmsUserId, served: Served, caller: MemberCaller) -> SmsUserOut:
    """With the prefixes of its keys."""
    return SmsUserOut(**_common(await served.sms_users.get(caller, sms_user_id)))


@router.patch("/{sms_user_id}", summary="Disable or enable an SMS user")
async def change(sms_user_id: SmsUserId, body: SmsUserPatch, served: Served, caller: MemberCaller) -> SmsUserOut:
    """A disabled one's keys and sends are refused; enabled again, the same keys work."""
    return SmsUserOut(**_common(await served.sms_users.enable(caller, sms_user_id, body.enabled)))


@router.post("/{sms_user_id}/key", status_code=201, summary="Reset the key")
async def reset_key(
    sms_user_id: SmsUserId, served: Served, caller: MemberCaller, body: SmsKeyReset | None = None
) -> SmsUserWithKey:
    """A new key. The old one works 15 minutes more, so that programs can be changed over."""
    at_once = body.at_once if body else False
    return _issued(await served.sms_users.reset_key(caller, sms_user_id, at_once=at_once))


def _common(view: SmsUserView) -> dict[str, Any]:
    return {
        **{name: getattr(view.row, name) for name in ("id", "name", "created_at", "disabled_at")},
        "keys": [SmsKeyOut(prefix=k.prefix, created_at=k.created_at, expires_at=k.expires_at) for k in view.keys],
    }


def _issued(issued: IssuedSmsKey) -> SmsUserWithKey:
    return SmsUserWithKey(**_common(issued.user), key=issued.key)
