"""Webhook endpoints over REST (`/v1/webhooks`). Requests to them are signed after Standard Webhooks, version 1, or as
SendCloud signs its forms."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.callers import MemberCaller, Served
from api.problems import Problem
from domain.errors import Refusal
from domain.webhook_replays import Wanted
from domain.webhooks import EndpointState, Event, Format, event_id
from services.webhooks import Change, EndpointStatus, Revealed
from store.webhook_replay import WebhookReplay
from store.webhooks import LogFilter, WebhookAttempt

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
    format: Format = Format.STANDARD
    """`standard`: JSON, signed after Standard Webhooks. `sendcloud`: the form of SendCloud's WebHook."""


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
    format: str = Field(examples=["standard"])
    state: str = Field(examples=["enabled"])
    disabled_by: str | None = Field(
        None, description="`customer`, `gone` (it answered 410) or `failing` (for 72 hours).", examples=["failing"]
    )
    created_at: dt.datetime = Field(examples=["2026-11-23T06:00:00Z"])
    pending: int = Field(description="Events that wait to be acknowledged.", examples=[3])
    last_number: int = Field(description="The last number that an event was given.", examples=[120])
    acknowledged_up_to: int = Field(description="Every number up to here was acknowledged.", examples=[117])
    missing: int = Field(description="Numbers that were given and never acknowledged, so far.", examples=[2])
    given_up: int = Field(description="Of these, events that are tried no more; a replay sends them.", examples=[0])
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


class ReplayIn(BaseModel):
    """What to send again: a span, or a message, or a request; with both, what of it happened in the span."""

    since: AwareDatetime | None = Field(None, description="At most 30 days ago.", examples=["2026-11-23T06:00:00Z"])
    until: AwareDatetime | None = Field(None, description="Now, unless it is given.", examples=["2026-11-23T09:00:00Z"])
    events: list[str] | None = Field(
        None, description="What the webhook hears, unless kinds are named.", examples=[["deliver"]]
    )
    submission_id: UUID | None = Field(None, examples=[None])
    message_id: int | None = Field(None, ge=1, lt=2**63, examples=[None])


class ReplayOut(BaseModel):
    """How far a replay is. It counts what was put among the waiting events; the webhook's `pending` tells the rest."""

    id: UUID = Field(examples=[_ID])
    since: dt.datetime = Field(examples=["2026-11-23T06:00:00Z"])
    until: dt.datetime = Field(examples=["2026-11-23T09:00:00Z"])
    events: list[str] = Field(examples=[["deliver"]])
    submission_id: UUID | None = Field(None, examples=[None])
    message_id: int | None = Field(None, examples=[None])
    stage: str = Field(description="`repeating`, `rebuilding`, `done` or `stopped`.", examples=["repeating"])
    repeated: int = Field(description="Events that this endpoint was owed before.", examples=[1200])
    rebuilt: int = Field(description="Events that it was never owed.", examples=[0])
    created_at: dt.datetime = Field(examples=["2026-11-23T10:00:00Z"])
    finished_at: dt.datetime | None = Field(None, examples=["2026-11-23T10:00:09Z"])


class ReplayList(BaseModel):
    items: list[ReplayOut]


def log_filter(
    acknowledged: Annotated[bool | None, Query(description="Only these, or only the others.")] = None,
    event: Annotated[str, Query(max_length=20, description="Only this kind.", examples=["deliver"])] = "",
    message_id: Annotated[int | None, Query(ge=1, lt=2**63, description="Only of this message.", examples=[7])] = None,
) -> LogFilter:
    """Which requests of the log."""
    return LogFilter(acknowledged, event, message_id)


Log = Annotated[LogFilter, Depends(log_filter)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.", examples=["932"])]
WebhookId = Annotated[UUID, Path(examples=[_ID])]


@router.post("", summary="Add a webhook", status_code=201, responses={**_MEMBER, 409: _PROBLEM, 422: _PROBLEM})
async def create_webhook(body: WebhookIn, caller: MemberCaller, served: Served) -> WebhookWithSecret:
    """Add an endpoint. Keep the secret: it is not shown again. With the format `sendcloud` the URL has to answer GET
    and POST with 200 within three seconds before it is taken."""
    return _revealed(await served.webhooks.create(caller, body.url, body.events, body.format))


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
    """A new secret. For 24 hours requests carry two signatures, with the new and the old one; SendCloud's form has room
    for one, which is the new one's at once."""
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
    webhook_id: WebhookId, caller: MemberCaller, served: Served, only: Log, cursor: Cursor = None, limit: Limit = 50
) -> AttemptPage:
    """The delivery log, newest first; the latest 10,000 requests are kept."""
    found = await served.webhooks.attempts(caller, webhook_id, _number(cursor), limit + 1, only)
    more = str(found[limit - 1].id) if len(found) > limit else None
    return AttemptPage(items=[_attempt(row) for row in found[:limit]], next_cursor=more)


@router.post(
    "/{webhook_id}/replays", summary="Send events again", status_code=202,
    responses={**_ONE, 409: _PROBLEM, 422: _PROBLEM},
)  # fmt: skip
async def replay_webhook(webhook_id: WebhookId, body: ReplayIn, caller: MemberCaller, served: Served) -> ReplayOut:
    """Send again what happened in a span of time, or to one message or request. Events that this endpoint was owed keep
    their `webhook-id` and number; those that it was never owed (it was disabled, or not there) are made of what is on
    record, with new ones. Each carries the header `songda-replay: true`."""
    wanted = Wanted(body.since, body.until, tuple(body.events or ()), body.submission_id, body.message_id)
    return _replay(await served.webhooks.replay(caller, webhook_id, wanted))


@router.get("/{webhook_id}/replays", summary="Replays of a webhook", responses=_ONE)
async def list_webhook_replays(webhook_id: WebhookId, caller: MemberCaller, served: Served) -> ReplayList:
    """The latest twenty, newest first; one at most is under way."""
    return ReplayList(items=[_replay(row) for row in await served.webhooks.replays(caller, webhook_id)])


@router.delete("/{webhook_id}/replays", summary="Stop a replay", status_code=204, responses=_ONE)
async def stop_webhook_replay(webhook_id: WebhookId, caller: MemberCaller, served: Served) -> None:
    """Put no further events among those that wait. Harmless when no replay is under way."""
    await served.webhooks.stop_replay(caller, webhook_id)


def _replay(row: WebhookReplay) -> ReplayOut:
    return ReplayOut(**row.model_dump(include=set(ReplayOut.model_fields)))


def _out(status: EndpointStatus) -> WebhookOut:
    row = status.endpoint
    return WebhookOut(
        **row.model_dump(include=set(WebhookOut.model_fields)),
        pending=status.pending,
        acknowledged_up_to=status.acknowledged_up_to,
        missing=status.unsettled.missing,
        given_up=status.unsettled.given_up,
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
