"""Deliveries and lanes together: what is paused is not spoken to, and what a server asks for reaches its lane."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

from temporalio.testing import ActivityEnvironment

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.page_work import PageResult
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import Kind, Process
from domain.sending import Outcome, OutcomeKind, Reason
from domain.transport import Mail, MailHost, MailRoute
from store import pages
from store.db import Database
from tests.lanes_world import with_lanes
from tests.patience import until
from tests.sending_world import DELIVERED, VAULT, FakeServers, make_customer, submit

TOO_FAST = Outcome(OutcomeKind.DEFERRED, Reason.RATE_LIMITED, 550, text="Domain frequency limited", host="mx1.qq.com")


class AtQq(FakeServers):
    """Every domain is at Tencent."""

    async def mail_hosts(self, domain: str) -> MailRoute:
        return MailRoute(domain, (MailHost("mx1.qq.com", ("127.0.0.1",)),))


@contextlib.asynccontextmanager
async def worker(db: Database, servers: FakeServers) -> AsyncIterator[DeliveryActivities]:
    """A sender process with the lanes of the database."""
    await with_lanes(db)
    sender = SenderProcess(db, 8)
    lanes = Lanes(db, sender)
    tasks = [asyncio.create_task(sender.run()), asyncio.create_task(lanes.run())]
    try:
        await until(partial(_knows, lanes))
        wire = Wire(servers, servers, lanes, per_destination=4, time_scale=60)
        yield DeliveryActivities(db, sender, Renderer(db, VAULT, "bounce.test"), wire)
    finally:
        for task in reversed(tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _knows(lanes: Lanes) -> bool:
    return lanes.take("nowhere", express=True) == 0.0


async def deliver(db: Database, work: DeliveryActivities) -> PageResult:
    """One page of whatever is due."""
    await db.pool.execute("UPDATE due SET due_at = now()")
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection)
    assert claimed is not None
    page = Process(Kind.DELIVERY, str(claimed[0]), str(SYSTEM_ACCOUNT), 1)
    return await ActivityEnvironment().run(work.deliver_page, page)


async def test_a_paused_lane_is_not_spoken_to_and_nothing_is_lost(db: Database) -> None:
    customer, servers = await make_customer(db), AtQq()
    async with worker(db, servers) as work:
        await db.pool.execute("UPDATE lane SET paused_at = now() WHERE name = 'qq'")

        async def stopped() -> bool:
            return work.wire.lanes.take("qq", express=True) > 1

        await until(stopped)
        await submit(db, customer, ["a@one.test", "b@two.test"])
        assert await deliver(db, work) == PageResult(given_back=2)
        assert servers.seen == []
        assert await db.pool.fetchval("SELECT count(*) FROM due") == 2
        await db.pool.execute("UPDATE lane SET paused_at = NULL WHERE name = 'qq'")

        async def goes_on() -> bool:
            return work.wire.lanes.take("qq", express=True) == 0.0

        await until(goes_on)
        assert (await deliver(db, work)).delivered == 2


async def test_a_refusal_for_the_rate_reaches_the_lane(db: Database) -> None:
    def answer(mail: Mail) -> Outcome:
        return TOO_FAST if mail.recipient.startswith("fast") else DELIVERED

    customer = await make_customer(db)
    async with worker(db, AtQq(answer)) as work:
        await submit(db, customer, ["fast@one.test"])
        assert (await deliver(db, work)).deferred == 1

        async def slow() -> bool:
            return bool(await db.pool.fetchval("SELECT pace = 0.5 FROM lane WHERE name = 'qq'"))

        await until(slow)
        await submit(db, customer, ["fine@one.test"])
        assert (await deliver(db, work)).delivered == 1, "single mails go on"


async def test_connections_of_a_page_are_counted_and_given_back(db: Database) -> None:
    customer, gate = await make_customer(db), asyncio.Event()
    async with worker(db, AtQq(gate=gate)) as work:
        await submit(db, customer, ["a@one.test"])
        page = asyncio.create_task(deliver(db, work))

        async def open_one() -> bool:
            return bool(await db.pool.fetchval("SELECT express = 1 FROM lane_share WHERE lane = 'qq'"))

        await until(open_one)
        gate.set()
        assert (await page).delivered == 1
    assert await db.pool.fetchval("SELECT count(*) FROM lane_share") == 0
