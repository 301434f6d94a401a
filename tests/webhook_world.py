"""One customer with webhook endpoints, for tests: rows as the features write them, and the activities over them."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from sqlmodel import col, select
from temporalio.client import Client
from temporalio.worker import Worker

from activities.webhook_drain import Means
from activities.webhooks import WebhookActivities
from domain import webhooks as rules
from domain.ids import Kind, Process, new_id
from domain.policy import Policy
from domain.queues import HOOKS, PROBES
from domain.webhooks import Drained, DrainOrder, Event, OwedEvent
from gateways.http import Guard, HttpPoster
from store.clockwork import Clockwork, enlist
from store.columns import now
from store.db import Database
from store.webhooks import WebhookAttempt, WebhookEndpoint, WebhookEvent, owe_events
from tests.path_rows import Customer
from tests.sending_world import VAULT

POLICY = Policy(
    "https://songda.example", "Songda", "mail.songda.example", "bounce.songda.example", "spf.songda.example",
    "track.songda.example", "support@songda.example", "http://127.0.0.1:8233",
)  # fmt: skip


@dataclass
class Hooks:
    """`offset` moves the clock of the passes, in place of waiting."""

    db: Database
    customer: Customer
    secret: str = field(default_factory=rules.new_secret)
    offset: dt.timedelta = dt.timedelta()
    seconds: float = 1.0
    """The limit of one request."""

    @property
    def activities(self) -> WebhookActivities:
        poster = HttpPoster(Guard(["127.0.0.0/8"]), seconds=self.seconds)
        return WebhookActivities(Means(self.db, VAULT, POLICY, poster))

    async def endpoint(self, url: str, *events: Event) -> Process:
        key = new_id()
        async with self.db.begin() as session:
            session.add(
                WebhookEndpoint(
                    id=key, account_id=self.customer.account, url=url,
                    secret=VAULT.seal(self.secret.encode(), rules.binding(key)),
                    events=[event.value for event in events or Event],
                )
            )  # fmt: skip
            await enlist(session, Kind.WEBHOOK, key, self.customer.account)
        return Process(Kind.WEBHOOK, str(key), str(self.customer.account), 1)

    async def owe(self, count: int = 1, kind: Event = Event.DELIVER) -> None:
        facts = [
            OwedEvent(self.customer.account, kind, n, now(), {"recipient": f"r{n}@x.example"}) for n in range(count)
        ]
        async with self.db.raw() as connection:
            await owe_events(connection, facts)

    async def drain(self, process: Process) -> Drained:
        return await self.activities.drain(DrainOrder(process, now() + self.offset))

    async def row(self, process: Process) -> WebhookEndpoint:
        async with self.db.read() as session:
            found = await session.get(WebhookEndpoint, UUID(process.subject))
        assert found is not None
        return found

    async def events(self, process: Process) -> list[WebhookEvent]:
        async with self.db.read() as session:
            query = select(WebhookEvent).where(WebhookEvent.endpoint_id == UUID(process.subject))
            return list(await session.exec(query.order_by(col(WebhookEvent.id))))

    async def attempts(self, process: Process) -> list[WebhookAttempt]:
        async with self.db.read() as session:
            query = select(WebhookAttempt).where(WebhookAttempt.endpoint_id == UUID(process.subject))
            return list(await session.exec(query.order_by(col(WebhookAttempt.id))))

    async def nudge_wanted(self, process: Process) -> bool:
        async with self.db.read() as session:
            row = await session.get(Clockwork, process.workflow_id)
        assert row is not None
        return row.nudge_wanted


async def hooks(db: Database) -> Hooks:
    """A new confirmed customer."""
    customer = await Customer(db).registers()
    await customer.confirms()
    return Hooks(db, customer)


@asynccontextmanager
async def drains(client: Client, does: WebhookActivities) -> AsyncIterator[None]:
    """Workers of both queues on which passes are made."""
    async with AsyncExitStack() as stack:
        for queue in (HOOKS, PROBES):
            await stack.enter_async_context(Worker(client, task_queue=queue, activities=[does.drain]))
        yield
