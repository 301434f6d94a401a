"""What the process of a webhook endpoint does: deliver what is owed, tell the owner, clean up."""

import datetime as dt
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import UUID

from temporalio import activity

from activities.webhook_drain import Clock, Means, Pass
from domain.ids import Process, iso
from domain.notices import Notice
from domain.webhooks import DisabledBy, Drained, DrainOrder, EndpointState, Stage
from store import clockwork, notices
from store import webhook_queue as queue
from store.webhook_queue import Backlog, EndpointRow
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
        return await self._conclude(one, endpoint)

    @activity.defn(name="WebhookActivities.tell_owner")
    async def tell_owner(self, order: DrainOrder) -> None:
        """Mail the account's owner that we disabled the endpoint; once per disabling, however often this runs."""
        endpoint = await self._endpoint(order.process)
        if endpoint is None or endpoint.disabled_at is None or endpoint.owner_told_at or endpoint.deleted_at:
            return
        async with self._means.db.read() as session:
            owner = await owner_of(session, endpoint.account_id)
        if owner is not None:
            key = f"webhook-disabled/{endpoint.id}/{iso(endpoint.disabled_at)}"
            await notices.send_notice(
                self._means.db, Notice.WEBHOOK_DISABLED, owner.email, owner.language, self._words(endpoint), key
            )
        async with self._means.db.raw() as connection:
            await queue.stamp_told(connection, endpoint.id, order.at)

    def _words(self, endpoint: EndpointRow) -> dict[str, str]:
        return {
            "host": urlsplit(endpoint.url).hostname or "",
            "error": endpoint.last_error or "",
            "link": f"{self._means.policy.public_url}/portal/webhooks/{endpoint.id}",
        }

    @activity.defn(name="WebhookActivities.close")
    async def close(self, process: Process) -> None:
        """Forget what a deleted endpoint was owed, and stamp its process closed."""
        endpoint = UUID(process.subject)
        await self._forget_events(endpoint)
        async with self._means.db.raw() as connection:
            await queue.forget(connection, endpoint)
        async with self._means.db.begin() as session:
            await clockwork.stamp_closed(session, process.workflow_id)

    async def _forget_events(self, endpoint: UUID, now: dt.datetime | None = None) -> None:
        """A transaction for some at a time: what is forgotten stays forgotten, however long all of them take."""
        more = True
        while more:
            async with self._means.db.raw() as connection:
                more = await queue.forget_events(connection, endpoint, now)
            if activity.in_activity():
                activity.heartbeat()

    async def _endpoint(self, process: Process) -> EndpointRow | None:
        async with self._means.db.read() as session:
            await clockwork.require_epoch(session, process)
        async with self._means.db.raw() as connection:
            return await queue.endpoint_row(connection, UUID(process.subject))

    async def _resting(self, endpoint: EndpointRow, now: dt.datetime) -> Drained:
        """Disabled, or still backing off."""
        async with self._means.db.raw() as connection:
            left = await queue.backlog(connection, endpoint.id, now)
        return _stand(endpoint, left, now)

    async def _conclude(self, one: Pass, endpoint: EndpointRow) -> Drained:
        """Write the judgement; what is told to the workflow is what the rows say after it."""
        why, now = one.why_disable(), one.now()
        async with self._means.db.raw() as connection:
            await queue.judge(connection, endpoint, one.health())
            if why is not None:
                await queue.disable(connection, endpoint.id, why, now, one.last_error or "")
            await queue.prune(connection, endpoint.id, now)
            row = await queue.endpoint_row(connection, endpoint.id)
            left = await queue.backlog(connection, endpoint.id, now)
        await self._forget_events(endpoint.id, now)
        if row is None or row.deleted_at is not None:
            return Drained(Stage.DELETED, one.delivered, one.failed)
        return replace(_stand(row, left, now), delivered=one.delivered, failed=one.failed)


def _stand(endpoint: EndpointRow, left: Backlog, now: dt.datetime) -> Drained:
    """Where an endpoint is, and when to look at it again."""
    until = endpoint.next_attempt_at or left.next_at
    wait = None if until is None else max(0.0, (until - now).total_seconds())
    stage = Stage.BACKING_OFF if wait else Stage.DELIVERING if left.pending else Stage.IDLE
    stand = Drained(stage, 0, 0, left.pending, endpoint.failures, endpoint.last_error or "", wait)
    if endpoint.state != EndpointState.DISABLED:
        return stand
    by = DisabledBy(endpoint.disabled_by or DisabledBy.CUSTOMER)
    unheard = by is not DisabledBy.CUSTOMER and endpoint.owner_told_at is None
    return replace(stand, stage=Stage.DISABLED, wait_seconds=None, disabled_by=by.value, owner_waits=unheard)
