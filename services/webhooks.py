"""What a caller can do with webhook endpoints: create, change, test, look into the delivery log."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from domain import webhook_replays as replay_rules
from domain import webhooks as rules
from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.members import Right, require
from domain.webhook_replays import ReplayStage, Wanted
from domain.webhooks import DisabledBy, EndpointState, Format
from services.foundation import Foundation
from services.limits import Limit, Limits
from store import clockwork as clockwork_rows
from store import webhook_replay as replays
from store import webhooks as rows
from store.audit_log import note
from store.columns import now
from store.db import Session
from store.webhook_replay import WebhookReplay
from store.webhooks import SETTLED, LogFilter, Unsettled, WebhookAttempt, WebhookEndpoint, WebhookEvent

TESTS = Limit("webhook-tests", 30, dt.timedelta(hours=1))
"""URLs of an account that are asked, whosever they are."""


@dataclass(frozen=True)
class EndpointStatus:
    """An endpoint, how many events wait for it, and which of its numbers were acknowledged."""

    endpoint: WebhookEndpoint
    unsettled: Unsettled = SETTLED

    @property
    def pending(self) -> int:
        return self.unsettled.pending

    @property
    def acknowledged_up_to(self) -> int:
        """Every number up to here was acknowledged."""
        first = self.unsettled.first_missing
        return self.endpoint.last_number if first is None else first - 1

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

    def __init__(self, base: Foundation, limits: Limits) -> None:
        self._base = base
        self._limits = limits

    async def create(self, caller: Caller, url: str, events: list[str], form: Format = Format.STANDARD) -> Revealed:
        """A new enabled endpoint and its process. One in SendCloud's format is tried first, as SendCloud does."""
        require(caller, Right.SETTINGS)
        address, chosen = rules.checked_url(url), rules.checked_events(events)
        await self._try(caller, address, form)
        secret, key = rules.new_secret(form), new_id()
        endpoint = WebhookEndpoint(
            id=key, account_id=caller.account_id, url=address, events=chosen, format=form.value,
            secret=self._seal(key, secret),
        )  # fmt: skip
        async with self._base.db.begin() as session:
            if await rows.count_endpoints(session, caller.account_id) >= rules.MAX_ENDPOINTS:
                raise Refusal("too_many_webhooks", limit=rules.MAX_ENDPOINTS)
            await _require_new_url(session, endpoint)
            session.add(endpoint)
            await _note(session, caller, "webhook.created", endpoint)
            name = await clockwork_rows.enlist(session, Kind.WEBHOOK, key, caller.account_id)
        await self._base.clockwork.start(name)
        return Revealed(EndpointStatus(endpoint), secret)

    async def page(self, caller: Caller, after: UUID | None, limit: int) -> list[EndpointStatus]:
        """The account's endpoints, oldest first."""
        async with self._base.db.read() as session:
            found = await rows.endpoints_of(session, caller.account_id, after, limit)
            left = await rows.unsettled(session, [endpoint.id for endpoint in found])
        return [EndpointStatus(endpoint, left.get(endpoint.id, SETTLED)) for endpoint in found]

    async def get(self, caller: Caller, key: UUID) -> EndpointStatus:
        async with self._base.db.read() as session:
            return await _status(session, await _own(session, caller, key))

    async def change(self, caller: Caller, key: UUID, change: Change) -> EndpointStatus:
        """A new URL or state forgets past failures, so what waits is tried at once."""
        require(caller, Right.SETTINGS)
        url = None if change.url is None else rules.checked_url(change.url)
        events = None if change.events is None else rules.checked_events(change.events)
        if url is not None:
            await self._try_change(caller, key, url)
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
        """A new secret; the old one signs beside it for 24 hours, but where a request has room for one signature."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            endpoint = await _own(session, caller, key, lock=True)
            secret = rules.new_secret(Format(endpoint.format))
            if endpoint.format == Format.STANDARD:
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

    async def attempts(
        self, caller: Caller, key: UUID, before: int | None, limit: int, only: LogFilter | None = None
    ) -> list[WebhookAttempt]:
        """The delivery log, newest first."""
        async with self._base.db.read() as session:
            await _own(session, caller, key)
            return await rows.attempts_of(session, key, before, limit, only)

    async def replay(self, caller: Caller, key: UUID, wanted: Wanted) -> WebhookReplay:
        """Send again what happened in a span of time, or to one message or request; its own process does it."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            endpoint = await _enabled(session, caller, key)
            span = replay_rules.checked(wanted, endpoint.events, now())
            submission = await replays.submission_of(session, caller.account_id, wanted)
            if await replays.open_replay(session, key) is not None:
                raise Refusal("webhook_replay_running")
            replay = WebhookReplay(
                account_id=caller.account_id, endpoint_id=key, since=span.since, until=span.until, events=span.events,
                submission_id=submission, message_id=wanted.message,
            )  # fmt: skip
            session.add(replay)
            await _note(session, caller, "webhook.replayed", endpoint)
            await _wake(session, endpoint)
        return replay

    async def replays(self, caller: Caller, key: UUID, limit: int = 20) -> list[WebhookReplay]:
        """The latest replays, newest first."""
        async with self._base.db.read() as session:
            await _own(session, caller, key)
            return await replays.replays_of(session, key, limit)

    async def stop_replay(self, caller: Caller, key: UUID) -> None:
        """What was put among the waiting events stays there; nothing is added. Harmless when none is under way."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            await _own(session, caller, key, lock=True)
            replay = await replays.open_replay(session, key, lock=True)
            if replay is not None:
                replay.stage, replay.finished_at = ReplayStage.STOPPED.value, now()

    async def _try_change(self, caller: Caller, key: UUID, url: str) -> None:
        """Before anything is locked: a receiver may take seconds to answer."""
        async with self._base.db.read() as session:
            endpoint = await _own(session, caller, key)
        if url != endpoint.url:
            await self._try(caller, url, Format(endpoint.format))

    async def _try(self, caller: Caller, url: str, form: Format) -> None:
        """SendCloud's receivers answer GET and POST with 200 before they are used (reference §8.1)."""
        if form is not Format.SENDCLOUD or self._base.url_test is None:
            return
        await self._limits.take((TESTS, str(caller.account_id)))
        method, answer = await self._base.url_test(url)
        if answer.status != 200:
            result = answer.failure.value if answer.failure else f"HTTP {answer.status}"
            raise Refusal("webhook_test_failed", field="url", method=method, result=result)

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
    left = await rows.unsettled(session, [endpoint.id])
    return EndpointStatus(endpoint, left.get(endpoint.id, SETTLED))


async def _wake(session: Session, endpoint: WebhookEndpoint) -> None:
    await clockwork_rows.want_nudge(session, workflow_id(Kind.WEBHOOK, endpoint.id))


async def _note(session: Session, caller: Caller, action: str, endpoint: WebhookEndpoint) -> None:
    actor = f"member/{caller.member_id}" if caller.member_id else f"api-user/{caller.api_user_id}"
    await note(session, actor, action, f"webhook/{endpoint.id}", caller.account_id)
