"""Webhook endpoints over REST (`/v1/webhooks`). Requests to them are signed after Standard Webhooks, version 1."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served
from api.problems import Problem
from domain.errors import Refusal
from domain.webhooks import EndpointState, Event, event_id
from services.webhooks import Change, EndpointStatus, Revealed
from store.webhooks import WebhookAttempt

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

_ID = "0192f3a4-5b6c-7d8e-9f01-23456789abcd"
_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDfGhqzXzVGjI="
_PROBLEM: dict[str, Any] = {"model": Problem}
_MEMBER: dict[int | str, dict[str, Any]] = {401: _PROBLEM, 403: _PROBLEM}
_ONE: dict[int | str, dict[str, Any]] = {**_MEMBER, 404: _PROBLEM}


class WebhookIn(BaseModel):
    """Where events go and which."""

    url: str = Field(examples=["https://example.com/hooks/songda"])
    events: list[str] = Field(
        description=f"Any of: {', '.join(Event)}.", examples=[["deliver", "invalid", "soft_bounce"]]
    )


class WebhookPatch(BaseModel):
    """What to change; what is left out stays. `enabled` after a failure tries everything that waits at once."""

    url: str | None = Field(None, examples=["https://example.com/hooks/new"])
    events: list[str] | None = Field(None, examples=[["deliver"]])
    state: EndpointState | None = Field(None, examples=["disabled"])


class WebhookOut(BaseModel):
    """An endpoint and how its deliveries go."""

    id: UUID = Field(examples=[_ID])
    url: str = Field(examples=["https://example.com/hooks/songda"])
    events: list[str] = Field(examples=[["deliver", "invalid"]])
    state: str = Field(examples=["enabled"])
    disabled_by: str | None = Field(
        None, description="`customer`, `gone` (it answered 410) or `failing` (for five days).", examples=["failing"]
    )
    created_at: dt.datetime = Field(examples=["2026-11-23T06:00:00Z"])
    pending: int = Field(description="Events that wait to be acknowledged.", examples=[3])
    failures: int = Field(description="Failed rounds in a row.", examples=[2])
    failing_since: dt.datetime | None = Field(None, examples=["2026-11-23T06:00:00Z"])
    next_attempt_at: dt.datetime | None = Field(None, examples=["2026-11-23T06:05:00Z"])
    last_error: str | None = Field(
        None, description="Class of the last failure: `timeout`, `connect`, `http_500` …", examples=["http_500"]
    )
    last_delivered_at: dt.datetime | None = Field(None, examples=["2026-11-23T05:59:00Z"])
    old_secret_signs_until: dt.datetime | None = Field(None, examples=["2026-11-24T06:00:00Z"])
    workflow_id: str = Field(description="Names the process to support.", examples=[f"webhook/{_ID}"])


class WebhookWithSecret(WebhookOut):
    """The secret is shown in this answer only."""

    secret: str = Field(examples=[_SECRET])


class WebhookPage(BaseModel):
    items: list[WebhookOut]
    next_cursor: str | None = Field(None, examples=[_ID])


class PingOut(BaseModel):
    """The test event is on its way; its outcome is in the delivery log."""

    webhook_id: str = Field(description="The header `webhook-id` of the request.", examples=["evt_42"])


class AttemptOut(BaseModel):
    """One request to the endpoint."""

    id: int = Field(examples=[981])
    webhook_id: str = Field(description="The same at every try of one event.", examples=["evt_42"])
    type: str = Field(examples=["deliver"])
    number: int = Field(description="Counts the events of this endpoint; shows gaps, not order.", examples=[17])
    at: dt.datetime = Field(examples=["2026-11-23T06:00:00Z"])
    acknowledged: bool = Field(examples=[False])
    status: int | None = Field(None, examples=[500])
    error: str | None = Field(None, examples=["http_500"])
    response: str = Field("", description="The first words of a failing answer.", examples=["database is down"])
    milliseconds: int = Field(examples=[35])


class AttemptPage(BaseModel):
    items: list[AttemptOut]
    next_cursor: str | None = Field(None, examples=["932"])


Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.", examples=["932"])]
WebhookId = Annotated[UUID, Path(examples=[_ID])]


@router.post("", summary="Add a webhook", status_code=201, responses={**_MEMBER, 409: _PROBLEM, 422: _PROBLEM})
async def create_webhook(body: WebhookIn, caller: MemberCaller, served: Served) -> WebhookWithSecret:
    """Add an endpoint. Keep the secret: it is not shown again."""
    return _revealed(await served.webhooks.create(caller, body.url, body.events))


@router.get("", summary="List webhooks", responses={**_MEMBER, 422: _PROBLEM})
async def list_webhooks(caller: MemberCaller, served: Served, cursor: Cursor = None, limit: Limit = 50) -> WebhookPage:
    """The account's endpoints, oldest first."""
    found = await served.webhooks.page(caller, _uuid(cursor), limit + 1)
    more = str(found[limit - 1].endpoint.id) if len(found) > limit else None
    return WebhookPage(items=[_out(status) for status in found[:limit]], next_cursor=more)


@router.get("/{webhook_id}", summary="One webhook", responses=_ONE)
async def get_webhook(webhook_id: WebhookId, caller: MemberCaller, served: Served) -> WebhookOut:
    """One endpoint."""
    return _out(await served.webhooks.get(caller, webhook_id))


@router.patch("/{webhook_id}", summary="Change, disable or enable a webhook", responses={**_ONE, 422: _PROBLEM})
async def change_webhook(webhook_id: WebhookId, body: WebhookPatch, caller: MemberCaller, served: Served) -> WebhookOut:
    """Change the URL or the events, enable or disable."""
    change = Change(body.url, body.events, body.state)
    return _out(await served.webhooks.change(caller, webhook_id, change))


@router.delete("/{webhook_id}", summary="Delete a webhook", status_code=204, responses=_ONE)
async def delete_webhook(webhook_id: WebhookId, caller: MemberCaller, served: Served) -> None:
    """Remove the endpoint; events that wait for it are dropped."""
    await served.webhooks.delete(caller, webhook_id)


@router.post("/{webhook_id}/secret", summary="Replace the signing secret", responses=_ONE)
async def rotate_webhook_secret(webhook_id: WebhookId, caller: MemberCaller, served: Served) -> WebhookWithSecret:
    """A new secret. For 24 hours requests carry two signatures, with the new and the old one."""
    return _revealed(await served.webhooks.rotate(caller, webhook_id))


@router.post("/{webhook_id}/ping", summary="Send a test event", status_code=202, responses={**_ONE, 409: _PROBLEM})
async def ping_webhook(webhook_id: WebhookId, caller: MemberCaller, served: Served) -> PingOut:
    """Send a test event (`type` is `ping`)."""
    return PingOut(webhook_id=await served.webhooks.ping(caller, webhook_id))


@router.post(
    "/{webhook_id}/retry", summary="Try waiting events now", status_code=202, responses={**_ONE, 409: _PROBLEM}
)
async def retry_webhook(webhook_id: WebhookId, caller: MemberCaller, served: Served) -> WebhookOut:
    """Try everything that waits now, without regard to the back-off."""
    return _out(await served.webhooks.retry(caller, webhook_id))


@router.get("/{webhook_id}/attempts", summary="The delivery log of a webhook", responses={**_ONE, 422: _PROBLEM})
async def list_webhook_attempts(
    webhook_id: WebhookId, caller: MemberCaller, served: Served, cursor: Cursor = None, limit: Limit = 50
) -> AttemptPage:
    """The delivery log, newest first; the latest 1,000 requests are kept."""
    found = await served.webhooks.attempts(caller, webhook_id, _number(cursor), limit + 1)
    more = str(found[limit - 1].id) if len(found) > limit else None
    return AttemptPage(items=[_attempt(row) for row in found[:limit]], next_cursor=more)


def _out(status: EndpointStatus) -> WebhookOut:
    row = status.endpoint
    return WebhookOut(
        **row.model_dump(include=set(WebhookOut.model_fields)),
        pending=status.pending,
        workflow_id=status.workflow_id,
        old_secret_signs_until=status.old_secret_signs_until,
    )


def _revealed(revealed: Revealed) -> WebhookWithSecret:
    return WebhookWithSecret(**_out(revealed.status).model_dump(), secret=revealed.secret)


def _attempt(row: WebhookAttempt) -> AttemptOut:
    return AttemptOut(
        **row.model_dump(exclude={"event_id", "kind", "endpoint_id"}),
        webhook_id=event_id(row.event_id),
        type=row.kind,
        acknowledged=row.error is None,
    )


def _uuid(cursor: str | None) -> UUID | None:
    try:
        return None if cursor is None else UUID(cursor)
    except ValueError as error:
        raise _bad_cursor() from error


def _number(cursor: str | None) -> int | None:
    if cursor is None or (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        return None if cursor is None else int(cursor)
    raise _bad_cursor()


def _bad_cursor() -> Refusal:
    return Refusal("invalid", field="cursor", reason="Not a cursor of this list.")
