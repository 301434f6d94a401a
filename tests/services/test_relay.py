"""Relay, Delivery workflow and page together on a real Temporal server."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.channels import Channel, DueLine
from domain.queues import EXPRESS
from services import relay
from services.audit import audit
from services.clockwork import Clockwork
from services.relay import Relay
from store import pages
from store.accepting import ping_relay
from store.db import Database
from tests.patience import until
from tests.sending_world import VAULT, FakeServers, make_customer, submit
from worker import background, sandbox_runner
from workflows.delivery import DeliveryWorkflow


@dataclass
class Engine:
    servers: FakeServers
    client: Client


@contextlib.asynccontextmanager
async def engine(db: Database, client: Client) -> AsyncIterator[Engine]:
    servers, sender = FakeServers(), SenderProcess(db, 8)
    work = DeliveryActivities(
        db, sender, Renderer(db, VAULT, "b.test"), Wire(servers, servers, Lanes.without_limits(db, sender), 4, 60.0)
    )
    worker = Worker(
        client,
        task_queue=EXPRESS,
        workflows=[DeliveryWorkflow],
        activities=[work.deliver_page],
        workflow_runner=sandbox_runner(),
    )
    async with background(sender.run()), worker, background(Relay(db, client, lambda: True).run()):
        yield Engine(servers, client)


async def delivered(db: Database, count: int) -> bool:
    return bool(await db.pool.fetchval("SELECT count(*) = $1 FROM message WHERE state = 'delivered'", count))


async def settled(db: Database) -> bool:
    return bool(await db.pool.fetchval("SELECT NOT EXISTS (SELECT FROM page WHERE closed_at IS NULL)"))


async def test_a_request_is_delivered_and_leaves_clean_books(db: Database, dev_temporal: WorkflowEnvironment) -> None:
    customer = await make_customer(db)
    async with engine(db, dev_temporal.client) as running:
        await submit(db, customer, [f"p{n}@d{n}.test" for n in range(30)])
        await ping_relay(db)
        await until(lambda: delivered(db, 30), 20)
        await until(lambda: settled(db), 20)
    assert len(running.servers.seen) == 30
    report = await audit(db)
    assert report.clean, report.findings


async def test_a_call_wakes_the_relay_before_its_next_look(db: Database, dev_temporal: WorkflowEnvironment) -> None:
    customer = await make_customer(db)
    async with engine(db, dev_temporal.client):
        for n in range(3):
            await asyncio.sleep(0.3)  # idle again: the next look by itself would come a second later
            await submit(db, customer, [f"p{n}@a.test"])
            await ping_relay(db)
            begun = time.monotonic()
            await until(lambda n=n: delivered(db, n + 1), 20)  # type: ignore[misc]
            seconds = time.monotonic() - begun
    assert seconds < 0.9


async def test_a_call_for_mails_wakes_no_relay_of_sms(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails call hundreds of times a second, and each look is a transaction."""
    looked: set[DueLine] = set()

    async def claim(connection: object, *, turn: object, line: DueLine) -> None:
        looked.add(line)

    monkeypatch.setattr(pages, "claim_batch", claim)
    monkeypatch.setattr(relay, "POLL_SECONDS", 60.0)
    away = await Client.connect("127.0.0.1:1", lazy=True)
    async with contextlib.AsyncExitStack() as stack:
        for line in DueLine:
            await stack.enter_async_context(background(Relay(db, away, lambda: True, line=line).run()))
        for channel in (None, Channel.EMAIL, Channel.SMS):
            await asyncio.sleep(0.2)
            looked.clear()
            await ping_relay(db, channel)
            called = {line for line in DueLine if channel in (None, line.channel)}
            await until(lambda called=called: _all_of(called, looked), 20)  # type: ignore[misc]
            await asyncio.sleep(0.1)
            assert looked == called


async def _all_of(called: set[DueLine], looked: set[DueLine]) -> bool:
    return called <= looked


async def test_a_page_whose_start_was_lost_is_started_by_reconcile(
    db: Database, dev_temporal: WorkflowEnvironment
) -> None:
    customer = await make_customer(db)
    await submit(db, customer, ["p@a.test"])
    async with db.raw() as connection:
        await pages.claim_batch(connection)  # as if the relay died right after its commit
    async with engine(db, dev_temporal.client), background(Clockwork(db, dev_temporal.client).run()):
        await until(lambda: delivered(db, 1), 20)
        await until(lambda: settled(db), 20)
    assert (await audit(db)).clean


async def test_requests_are_kept_while_temporal_is_away(db: Database) -> None:
    away = await Client.connect("127.0.0.1:1", lazy=True)
    await submit(db, await make_customer(db), ["p@a.test"])
    async with background(Relay(db, away, lambda: True).run()):
        await until(lambda: _paged(db), 20)
    row = await db.pool.fetchrow("SELECT started_at FROM clockwork WHERE kind = 'delivery'")
    assert row is not None and row["started_at"] is None


async def _paged(db: Database) -> bool:
    return bool(await db.pool.fetchval("SELECT EXISTS (SELECT FROM page)"))


async def test_the_relay_claims_nothing_when_there_is_no_room(db: Database) -> None:
    away = await Client.connect("127.0.0.1:1", lazy=True)
    await submit(db, await make_customer(db), ["p@a.test"])
    async with background(Relay(db, away, lambda: False).run()):
        await asyncio.sleep(0.4)
    assert await db.pool.fetchval("SELECT count(*) FROM due") == 1
