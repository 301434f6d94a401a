"""`/v1/api-users`: sending identities, the domains they may send from, and their keys."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from api.callers import AnyCaller, MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from domain.domains import DomainState
from domain.senders import SendKind
from services.senders import ApiUserChange, ApiUserView, IssuedKey, NewApiUser

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 422)}
router = APIRouter(prefix="/v1/api-users", tags=["API users"], responses=REFUSED)

_ID = "01935b2e-7c1a-7bbb-8000-3f5a9c0d1e2f"
_DOMAIN_ID = "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"
_MOMENT = "2026-11-23T08:00:00Z"
_CLICKS = "Links of its mails lead through the platform, which counts them. Absent: true for `batch`."
_OPENS = "Its mails hold an invisible picture, which counts who opens them. Absent: true for `batch`."
ApiUserId = Annotated[UUID, Path(examples=[_ID])]
DomainId = Annotated[UUID, Path(examples=[_DOMAIN_ID])]


class NewApiUserIn(BaseModel):
    name: str = Field(max_length=200, description="3 to 32 of a–z, 0–9 and _.", examples=["shop_trigger"])
    kind: SendKind = Field(description="Templates must be of the same kind.")
    domain_ids: list[UUID] = Field(default=[], max_length=50, examples=[[_DOMAIN_ID]])
    resend_uncertain: bool = Field(
        default=True,
        description="A message whose delivery is uncertain is sent once more (true) or left `unknown` (false).",
    )
    track_clicks: bool | None = Field(default=None, description=_CLICKS, examples=[True])
    track_opens: bool | None = Field(default=None, description=_OPENS, examples=[True])


class ApiUserPatch(BaseModel):
    """Absent values stay as they are; changes hold for mails that are sent from then on."""

    resend_uncertain: bool | None = Field(default=None, examples=[False])
    enabled: bool | None = Field(default=None, examples=[False])
    track_clicks: bool | None = Field(default=None, examples=[False])
    track_opens: bool | None = Field(default=None, examples=[False])


class KeyReset(BaseModel):
    at_once: bool = Field(default=False, description="End the old keys now instead of in 15 minutes.")


class BoundDomain(BaseModel):
    id: UUID = Field(examples=[_DOMAIN_ID])
    name: str = Field(examples=["mail.example.com"])
    state: DomainState = Field(description="Sends are refused while it is not `usable`.")


class KeyOut(BaseModel):
    prefix: str = Field(examples=["sk_Zk3qP1a"])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    expires_at: dt.datetime | None = Field(examples=[_MOMENT], description="Set for keys that were replaced.")


class ApiUserOut(BaseModel):
    id: UUID = Field(examples=[_ID])
    name: str = Field(examples=["shop_trigger"])
    kind: SendKind
    is_test: bool
    resend_uncertain: bool
    track_clicks: bool
    track_opens: bool
    created_at: dt.datetime = Field(examples=[_MOMENT])
    disabled_at: dt.datetime | None = Field(examples=[None])
    domains: list[BoundDomain]
    keys: list[KeyOut]


class ApiUserWithKey(ApiUserOut):
    key: str = Field(
        description="Shown in this answer only; we keep a digest.",
        examples=["sk_Zk3qP1aXr0mC5nV8bT2yH7uJ4eW9sD6fG1lK0oQ3iRw"],
    )


class ApiUserPage(BaseModel):
    items: list[ApiUserOut]
    next_cursor: NextCursor = None


@router.post("", status_code=201, summary="Create an API user")
async def create(body: NewApiUserIn, served: Served, caller: MemberCaller, response: Response) -> ApiUserWithKey:
    """Bound to usable domains of the account only. The answer is the only place where the key is shown."""
    new = NewApiUser(
        body.name, body.kind, tuple(body.domain_ids), body.resend_uncertain, body.track_clicks, body.track_opens
    )
    issued = await served.senders.create(caller, new)
    response.headers["Location"] = f"/v1/api-users/{issued.user.row.id}"
    return _issued(issued)


@router.get("", summary="List API users")
async def index(served: Served, caller: AnyCaller, cursor: Cursor = None, limit: Limit = 50) -> ApiUserPage:
    """Newest first, with the prefixes of their keys."""
    views = await served.senders.page(caller, cursor, limit)
    after = next_cursor([view.row for view in views], limit)
    return ApiUserPage(items=[ApiUserOut(**_common(view)) for view in views], next_cursor=after)


@router.get("/{api_user_id}", summary="One API user")
async def show(api_user_id: ApiUserId, served: Served, caller: AnyCaller) -> ApiUserOut:
    """Its domains with their states, and the prefixes of its keys."""
    return ApiUserOut(**_common(await served.senders.get(caller, api_user_id)))


@router.patch("/{api_user_id}", summary="Change, disable or enable an API user")
async def change(api_user_id: ApiUserId, body: ApiUserPatch, served: Served, caller: MemberCaller) -> ApiUserOut:
    """A disabled API user's keys and sends are refused; enabled again, the same keys work."""
    wanted = ApiUserChange(body.resend_uncertain, body.enabled, body.track_clicks, body.track_opens)
    return ApiUserOut(**_common(await served.senders.change(caller, api_user_id, wanted)))


@router.put("/{api_user_id}/domains/{domain_id}", summary="Bind a domain")
async def bind(api_user_id: ApiUserId, domain_id: DomainId, served: Served, caller: MemberCaller) -> ApiUserOut:
    """Allow it to send from one more usable domain of the account; a repeat changes nothing."""
    return ApiUserOut(**_common(await served.senders.bind(caller, api_user_id, domain_id)))


@router.delete("/{api_user_id}/domains/{domain_id}", summary="Unbind a domain")
async def unbind(api_user_id: ApiUserId, domain_id: DomainId, served: Served, caller: MemberCaller) -> ApiUserOut:
    """It can send from that domain no more; what was accepted before is still sent."""
    return ApiUserOut(**_common(await served.senders.unbind(caller, api_user_id, domain_id)))


@router.post("/{api_user_id}/key", status_code=201, summary="Reset the key")
async def reset_key(
    api_user_id: ApiUserId, served: Served, caller: MemberCaller, body: KeyReset | None = None
) -> ApiUserWithKey:
    """A new key. The old one works 15 minutes more, so that programs can be changed over."""
    at_once = body.at_once if body else False
    return _issued(await served.senders.reset_key(caller, api_user_id, at_once=at_once))


def _common(view: ApiUserView) -> dict[str, Any]:
    names = (
        "id", "name", "kind", "is_test", "resend_uncertain", "track_clicks", "track_opens", "created_at", "disabled_at",
    )  # fmt: skip
    return {
        **{name: getattr(view.row, name) for name in names},
        "domains": [BoundDomain(id=d.id, name=d.name, state=DomainState(d.state)) for d in view.domains],
        "keys": [KeyOut(prefix=k.prefix, created_at=k.created_at, expires_at=k.expires_at) for k in view.keys],
    }


def _issued(issued: IssuedKey) -> ApiUserWithKey:
    return ApiUserWithKey(**_common(issued.user), key=issued.key)
