"""What a caller can do with webhook endpoints: create, change, test, look into the delivery log."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from domain import webhooks as rules
from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.members import Right, require
from domain.webhooks import DisabledBy, EndpointState
from services.foundation import Foundation
from store import clockwork as clockwork_rows
from store import webhooks as rows
from store.audit_log import note
from store.columns import now
from store.db import Session
from store.webhooks import WebhookAttempt, WebhookEndpoint, WebhookEvent


@dataclass(frozen=True)
class EndpointStatus:
    """An endpoint and how many events wait for it."""

    endpoint: WebhookEndpoint
    pending: int

    @property
    def workflow_id(self) -> str:
        """Its process, for support (Temporal UI)."""
        return workflow_id(Kind.WEBHOOK, self.endpoint.id)

    @property
    def old_secret_signs_until(self) -> dt.datetime | None:
        """The end of a rotation that is under way."""
        until = self.endpoint.previous_until
        return until if until is not None and until > now() else None


@dataclass(frozen=True)
class Revealed:
    """A status with the secret, which is shown this once."""

    status: EndpointStatus
    secret: str


@dataclass(frozen=True)
class Change:
    """What to change; None keeps a value."""

    url: str | None = None
    events: list[str] | None = None
    state: EndpointState | None = None


class Webhooks:
    """Every method refuses with `not_found` for endpoints of other accounts."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def create(self, caller: Caller, url: str, events: list[str]) -> Revealed:
        """A new enabled endpoint and its process."""
        require(caller, Right.SETTINGS)
        address, chosen = rules.checked_url(url), rules.checked_events(events)
        secret, key = rules.new_secret(), new_id()
        endpoint = WebhookEndpoint(
            id=key, account_id=caller.account_id, url=address, events=chosen, secret=self._seal(key, secret)
        )
        async with self._base.db.begin() as session:
            if await rows.count_endpoints(session, caller.account_id) >= rules.MAX_ENDPOINTS:
                raise Refusal("too_many_webhooks", limit=rules.MAX_ENDPOINTS)
            await _require_new_url(session, endpoint)
            session.add(endpoint)
            await _note(session, caller, "webhook.created", endpoint)
            name = await clockwork_rows.enlist(session, Kind.WEBHOOK, key, caller.account_id)
        await self._base.clockwork.start(name)
        return Revealed(EndpointStatus(endpoint, 0), secret)

    async def page(self, caller: Caller, after: UUID | None, limit: int) -> list[EndpointStatus]:
        """The account's endpoints, oldest first."""
        async with self._base.db.read() as session:
            found = await rows.endpoints_of(session, caller.account_id, after, limit)
            pending = await rows.pending_counts(session, [endpoint.id for endpoint in found])
        return [EndpointStatus(endpoint, pending.get(endpoint.id, 0)) for endpoint in found]

    async def get(self, caller: Caller, key: UUID) -> EndpointStatus:
        async with self._base.db.read() as session:
            return await _status(session, await _own(session, caller, key))

    async def change(self, caller: Caller, key: UUID, change: Change) -> EndpointStatus:
        """A new URL or state forgets past failures, so what waits is tried at once."""
        require(caller, Right.SETTINGS)
        url = None if change.url is None else rules.checked_url(change.url)
        events = None if change.events is None else rules.checked_events(change.events)
        async with self._base.db.begin() as session:
            endpoint = await _own(session, caller, key, lock=True)
            if events is not None:
                endpoint.events = events
            if url not in (None, endpoint.url):
                endpoint.url = url or ""
                await _require_new_url(session, endpoint)
                await rows.clear_back_off(session, endpoint)
            await _switch(session, endpoint, change.state)
            await _note(session, caller, "webhook.changed", endpoint)
            return await _status(session, endpoint)

    async def rotate(self, caller: Caller, key: UUID) -> Revealed:
        """A new secret; the old one signs beside it for 24 hours."""
        require(caller, Right.SETTINGS)
        secret = rules.new_secret()
        async with self._base.db.begin() as session:
            endpoint = await _own(session, caller, key, lock=True)
            endpoint.previous_secret, endpoint.previous_until = endpoint.secret, now() + rules.OLD_SECRET_SIGNS
            endpoint.secret = self._seal(key, secret)
            await _note(session, caller, "webhook.secret_rotated", endpoint)
            return Revealed(await _status(session, endpoint), secret)

    async def delete(self, caller: Caller, key: UUID) -> None:
        """The process ends and forgets what was owed."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            endpoint = await _own(session, caller, key, lock=True)
            endpoint.deleted_at = now()
            await _note(session, caller, "webhook.deleted", endpoint)
            await _wake(session, endpoint)

    async def ping(self, caller: Caller, key: UUID) -> str:
        """Owe the endpoint a test event; returns its `webhook-id`."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            endpoint = await _enabled(session, caller, key)
            event = WebhookEvent(endpoint_id=key, account_id=caller.account_id, kind=rules.PING)
            event.data = {"webhook": str(key)}
            session.add(event)
            endpoint.next_attempt_at = None  # a test is tried now, also during a back-off
            await _wake(session, endpoint)
            await session.flush()
            return rules.event_id(event.id or 0)

    async def retry(self, caller: Caller, key: UUID) -> EndpointStatus:
        """Try everything that waits now."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            endpoint = await _enabled(session, caller, key)
            await rows.clear_back_off(session, endpoint)
            await _wake(session, endpoint)
            return await _status(session, endpoint)

    async def attempts(self, caller: Caller, key: UUID, before: int | None, limit: int) -> list[WebhookAttempt]:
        """The delivery log, newest first."""
        async with self._base.db.read() as session:
            await _own(session, caller, key)
            return await rows.attempts_of(session, key, before, limit)

    def _seal(self, key: UUID, secret: str) -> bytes:
        return self._base.vault.seal(secret.encode(), rules.binding(key))


async def _require_new_url(session: Session, endpoint: WebhookEndpoint) -> None:
    """Two endpoints with one URL would hear everything twice; a create whose answer was lost is repeated like that."""
    if await rows.url_taken(session, endpoint):
        raise Refusal("webhook_url_taken", field="url")


async def _own(session: Session, caller: Caller, key: UUID, *, lock: bool = False) -> WebhookEndpoint:
    endpoint = await rows.endpoint_of(session, caller.account_id, key, lock=lock)
    if endpoint is None:
        raise Refusal("not_found", what="webhook")
    return endpoint


async def _enabled(session: Session, caller: Caller, key: UUID) -> WebhookEndpoint:
    endpoint = await _own(session, caller, key, lock=True)
    if endpoint.state != EndpointState.ENABLED:
        raise Refusal("webhook_disabled")
    return endpoint


async def _switch(session: Session, endpoint: WebhookEndpoint, state: EndpointState | None) -> None:
    """Enable or disable; in either case the process looks again."""
    if state is not None and state != endpoint.state:
        enabled = state is EndpointState.ENABLED
        endpoint.state = state.value
        endpoint.disabled_by = None if enabled else DisabledBy.CUSTOMER.value
        endpoint.disabled_at = None if enabled else now()
        endpoint.owner_told_at = None
        await rows.clear_back_off(session, endpoint)
    await _wake(session, endpoint)


async def _status(session: Session, endpoint: WebhookEndpoint) -> EndpointStatus:
    pending = await rows.pending_counts(session, [endpoint.id])
    return EndpointStatus(endpoint, pending.get(endpoint.id, 0))


async def _wake(session: Session, endpoint: WebhookEndpoint) -> None:
    await clockwork_rows.want_nudge(session, workflow_id(Kind.WEBHOOK, endpoint.id))


async def _note(session: Session, caller: Caller, action: str, endpoint: WebhookEndpoint) -> None:
    actor = f"member/{caller.member_id}" if caller.member_id else f"api-user/{caller.api_user_id}"
    await note(session, actor, action, f"webhook/{endpoint.id}", caller.account_id)
