"""What the process of a webhook endpoint does: deliver what is owed, tell the owner, clean up."""

import datetime as dt
from urllib.parse import urlsplit
from uuid import UUID

from temporalio import activity

from activities.webhook_drain import Clock, Means, Pass
from domain.ids import Process, iso
from domain.notices import Notice
from domain.webhooks import Drained, DrainOrder, EndpointState, Stage
from store import clockwork, notices
from store import webhook_queue as queue
from store.db import Connection
from store.webhook_queue import EndpointRow
from store.webhooks import owner_of


class WebhookActivities:
    """Every method raises `StaleEpoch` when the database was restored after the process began."""

    def __init__(self, means: Means) -> None:
        self._means = means

    @activity.defn(name="WebhookActivities.drain")
    async def drain(self, order: DrainOrder) -> Drained:
        """One pass over the endpoint (see `Pass`), or where it stands when there is nothing to do for it."""
        endpoint = await self._endpoint(order.process)
        if endpoint is None or endpoint.deleted_at is not None:
            return Drained(Stage.DELETED)
        if endpoint.state == EndpointState.DISABLED:
            return await self._resting(endpoint, order.at)
        if endpoint.next_attempt_at is not None and endpoint.next_attempt_at > order.at:
            return await self._resting(endpoint, order.at)
        one = Pass(self._means, endpoint, Clock(order.at))
        await one.run()
        return await self._conclude(one, endpoint.id)

    @activity.defn(name="WebhookActivities.tell_owner")
    async def tell_owner(self, process: Process) -> None:
        """Mail the account's owner that the endpoint was disabled; once per disabling, however often this runs."""
        endpoint = await self._endpoint(process)
        if endpoint is None or endpoint.disabled_at is None or endpoint.deleted_at is not None:
            return
        async with self._means.db.read() as session:
            owner = await owner_of(session, endpoint.account_id)
        if owner is None:
            return
        policy = self._means.policy
        variables = {
            "platform": policy.platform_name,
            "host": urlsplit(endpoint.url).hostname or "",
            "error": endpoint.last_error or "",
            "link": f"{policy.public_url}/portal/webhooks/{endpoint.id}",
        }
        key = f"webhook-disabled/{endpoint.id}/{iso(endpoint.disabled_at)}"
        await notices.send_notice(
            self._means.db, Notice.WEBHOOK_DISABLED, owner.email, owner.language, variables, key
        )

    @activity.defn(name="WebhookActivities.close")
    async def close(self, process: Process) -> None:
        """Forget what a deleted endpoint was owed, and stamp its process closed."""
        async with self._means.db.raw() as connection:
            await queue.forget(connection, UUID(process.subject))
        async with self._means.db.begin() as session:
            await clockwork.stamp_closed(session, process.workflow_id)

    async def _endpoint(self, process: Process) -> EndpointRow | None:
        async with self._means.db.read() as session:
            await clockwork.require_epoch(session, process)
        async with self._means.db.raw() as connection:
            return await queue.endpoint_row(connection, UUID(process.subject))

    async def _resting(self, endpoint: EndpointRow, now: dt.datetime) -> Drained:
        """Disabled, or still backing off."""
        async with self._means.db.raw() as connection:
            left = await queue.backlog(connection, endpoint.id, now)
        disabled = endpoint.state == EndpointState.DISABLED
        until = None if disabled else endpoint.next_attempt_at
        return Drained(
            stage=Stage.DISABLED if disabled else Stage.BACKING_OFF,
            pending=left.pending,
            failures=endpoint.failures,
            last_error=endpoint.last_error or "",
            wait_seconds=None if until is None else (until - now).total_seconds(),
            disabled_by=(endpoint.disabled_by or "") if disabled else "",
        )

    async def _conclude(self, one: Pass, endpoint_id: UUID) -> Drained:
        """Write the judgement; what is told to the workflow is what the rows say after it."""
        why = one.why_disable()
        async with self._means.db.raw() as connection:
            await queue.judge(connection, endpoint_id, one.health())
            if why is not None:
                await queue.disable(connection, endpoint_id, why, one.now(), one.last_error or "")
            await queue.prune(connection, endpoint_id, one.now())
            return await self._summary(connection, one, endpoint_id)

    async def _summary(self, connection: Connection, one: Pass, endpoint_id: UUID) -> Drained:
        row = await queue.endpoint_row(connection, endpoint_id)
        if row is None or row.deleted_at is not None:
            return Drained(Stage.DELETED, one.delivered, one.failed)
        left = await queue.backlog(connection, endpoint_id, one.now())
        until = row.next_attempt_at or left.next_at
        disabled = row.state == EndpointState.DISABLED
        wait = None if until is None or disabled else max(0.0, (until - one.now()).total_seconds())
        stage = Stage.DELIVERING if left.pending and not wait else Stage.IDLE
        return Drained(
            stage=Stage.DISABLED if disabled else Stage.BACKING_OFF if wait else stage,
            delivered=one.delivered,
            failed=one.failed,
            pending=left.pending,
            failures=row.failures,
            last_error=row.last_error or "",
            wait_seconds=wait,
            disabled_by=(row.disabled_by or "") if disabled else "",
        )
