"""What operators enter reaches the next connection, seen by the receiving server and recorded with the message."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from temporalio.testing import ActivityEnvironment

from activities.delivery import DeliveryActivities
from activities.egress import Egress, Place
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.page_work import PageResult
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.accounts import SYSTEM_ACCOUNT
from domain.destinations import Match, PolicyEntry, SmartHost
from domain.egress import EgressEntry
from domain.ids import Kind, Process, new_id
from domain.operators import Operator, OperatorRole
from domain.transport import MailHost, MailRoute, Router, Tls
from gateways.own_addresses import bind_problem
from gateways.smtp import SmtpOptions, SmtpTransport
from services.destinations import DestinationDesk
from services.egress import EgressDesk
from store import pages
from store.db import Database
from tests.patience import until
from tests.receiving_world import PATIENCE, Receiver
from tests.sending_world import VAULT, Customer, make_customer, submit
from tests.sends_doors import foundation

ROOT = Operator(new_id(), "root", frozenset({OperatorRole.ADMIN}))
HERE = Place("mail-1", "out.test")


@dataclass
class ToOne:
    """Every domain is at one server, treated by the rules that hold now."""

    egress: Egress
    port: int

    async def mail_hosts(self, domain: str) -> MailRoute:
        treatment = self.egress.destinations().of_servers(domain, [f"mx.{domain}"])
        return MailRoute(domain, (MailHost(f"mx.{domain}", ("127.0.0.1",), self.port),), tls=treatment.tls)


@pytest.fixture
async def egress(db: Database) -> Egress:
    made = Egress(db, VAULT, HERE, bind_problem)
    await made.look()
    return made


@pytest.fixture
async def desk(db: Database) -> EgressDesk:
    return EgressDesk(await foundation(db))


@pytest.fixture
async def rules(db: Database) -> DestinationDesk:
    return DestinationDesk(await foundation(db))


@contextlib.asynccontextmanager
async def worker(db: Database, egress: Egress, router: Router) -> AsyncIterator[DeliveryActivities]:
    """A sender process that speaks SMTP."""
    sender = SenderProcess(db, 8)
    running = asyncio.create_task(sender.run())
    try:
        await until(lambda: db.pool.fetchval("SELECT EXISTS (SELECT FROM sender)"))
        transport = SmtpTransport(SmtpOptions(1, HERE.ehlo_name, PATIENCE), sources=egress.sources)
        lanes = Lanes.without_limits(db, sender)
        wire = Wire(router, transport, lanes, per_destination=4, time_scale=1e6, may_speak=egress.may_speak)
        yield DeliveryActivities(db, sender, Renderer(db, VAULT, "bounce.test"), wire)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def deliver(db: Database, work: DeliveryActivities) -> PageResult:
    """One page of whatever is due."""
    await db.pool.execute("UPDATE due SET due_at = now()")
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection)
    assert claimed is not None
    return await ActivityEnvironment().run(
        work.deliver_page, Process(Kind.DELIVERY, str(claimed[0]), str(SYSTEM_ACCOUNT), 1)
    )


async def send(db: Database, customer: Customer, work: DeliveryActivities, to: str) -> PageResult:
    await submit(db, customer, [to])
    return await deliver(db, work)


async def test_without_rows_the_system_chooses(egress: Egress) -> None:
    [source] = egress.sources()
    assert (source.number, source.address, source.ehlo_name) == (0, "", "out.test")


async def test_an_address_is_used_from_the_next_look_on_and_recorded(
    db: Database, egress: Egress, desk: EgressDesk
) -> None:
    customer = await make_customer(db)
    async with Receiver().serving() as receiver, worker(db, egress, ToOne(egress, receiver.port)) as work:
        assert (await send(db, customer, work, "a@one.test")).delivered == 1
        number = await desk.add(ROOT, EgressEntry("127.0.0.2", "out2.songda.test"))
        await egress.look()
        assert (await send(db, customer, work, "b@one.test")).delivered == 1
        await desk.pause(ROOT, number)
        await egress.look()
        given_back = await send(db, customer, work, "c@one.test")
        assert given_back == PageResult(given_back=1), "there are some, but none that may speak: no try is lost"
        await desk.resume(ROOT, number)
        await egress.look()
        assert (await deliver(db, work)).delivered == 1
        await desk.remove(ROOT, number)
        await egress.look()
        assert (await send(db, customer, work, "d@one.test")).delivered == 1, "the system chooses again"
    assert [(visit.peer, visit.greeted_as) for visit in receiver.visits] == [
        ("127.0.0.1", ["out.test"]),
        ("127.0.0.2", ["out2.songda.test"]),
        ("127.0.0.2", ["out2.songda.test"]),
        ("127.0.0.1", ["out.test"]),
    ]
    assert await recorded(db) == {"a@one.test": 0, "b@one.test": number, "c@one.test": number, "d@one.test": 0}


async def recorded(db: Database) -> dict[str, int]:
    rows = await db.pool.fetch("SELECT address, egress FROM message WHERE state = 'delivered'")
    return {row["address"]: row["egress"] for row in rows}


async def test_what_was_refused_is_recorded_with_its_address(db: Database, egress: Egress, desk: EgressDesk) -> None:
    customer, number = await make_customer(db), await desk.add(ROOT, EgressEntry("127.0.0.2", "out2.songda.test"))
    await egress.look()
    busy = Receiver(replies={"greeting": "421 busy"})
    async with busy.serving() as receiver, worker(db, egress, ToOne(egress, receiver.port)) as work:
        assert (await send(db, customer, work, "a@one.test")).deferred == 1
    assert await db.pool.fetchval("SELECT egress FROM attempt") == number


async def test_only_what_this_machine_has_and_owns_is_used(db: Database, egress: Egress, desk: EgressDesk) -> None:
    mine = await desk.add(ROOT, EgressEntry("127.0.0.2", "out2.songda.test", host="mail-1"))
    theirs = await desk.add(ROOT, EgressEntry("127.0.0.3", "out3.songda.test", host="mail-2"))
    gone = await desk.add(ROOT, EgressEntry("192.0.2.77", "out4.songda.test"))
    await egress.look()
    assert [source.number for source in egress.sources()] == [mine]
    seen = {view.row.number: [(s.host, bool(s.problem)) for s in view.sights] for view in await desk.listed(ROOT)}
    assert seen == {mine: [("mail-1", False)], theirs: [], gone: [("mail-1", True)]}
    assert [view.usable for view in await desk.listed(ROOT)] == [True, False, False]


async def test_a_rule_decides_from_the_next_look_on(db: Database, egress: Egress, rules: DestinationDesk) -> None:
    """Required encryption that is not there defers, says why, and bounces when the time to live is over."""
    customer = await make_customer(db)
    async with Receiver().serving() as receiver, worker(db, egress, ToOne(egress, receiver.port)) as work:
        made = await rules.add(ROOT, PolicyEntry(Match.DOMAIN, "bank.test", Tls.REQUIRED))
        await egress.look()
        assert (await send(db, customer, work, "a@bank.test")).deferred == 1
        tried = await db.pool.fetchrow("SELECT kind, reason, enhanced FROM attempt")
        assert tuple(tried) == ("deferred", "policy.tls", "4.7.4")
        await rules.change(ROOT, made, PolicyEntry(Match.DOMAIN, "bank.test", Tls.OPPORTUNISTIC), 0)
        await egress.look()
        assert (await deliver(db, work)).delivered == 1
        await rules.change(ROOT, made, PolicyEntry(Match.DOMAIN, "bank.test", Tls.REQUIRED), 1)
        await egress.look()
        await submit(db, customer, ["late@bank.test"])
        await db.pool.execute("UPDATE submission SET expires_at = now() + interval '20 seconds'")
        work.wire = Wire(work.wire.router, work.wire.transport, work.wire.lanes, 4, 1.0)
        assert (await deliver(db, work)).bounced == 1
        await rules.remove(ROOT, made)
        await egress.look()
        assert egress.destinations().rules == ()
    state, reason = await db.pool.fetchrow("SELECT state, reason FROM message WHERE address = 'late@bank.test'")
    assert (state, reason) == ("bounced", "expired")


async def test_a_smart_hosts_password_is_sealed_and_unsealed_once(
    db: Database, egress: Egress, rules: DestinationDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = PolicyEntry(Match.LANE, "other", Tls.REQUIRED, (SmartHost("relay.test", 587),), "user", "a secret")
    made = await rules.add(ROOT, entry)
    assert b"a secret" not in await db.pool.fetchval("SELECT login_password FROM destination_policy")
    await egress.look()
    [rule] = egress.destinations().rules
    assert rule.treatment.login is not None and rule.treatment.login.password == "a secret"
    monkeypatch.setattr(egress, "_vault", None)
    await egress.look()
    assert egress.destinations().rules == (rule,), "read again, not unsealed again"
    assert "a secret" not in repr(egress.destinations())
    assert "a secret" not in str(await db.pool.fetch("SELECT detail FROM audit_entry"))
    assert made


async def test_two_workers_together_keep_a_sites_cap_over_sockets(db: Database, egress: Egress) -> None:
    """The servers see never more connections than the lane has, and each connection ends after its share of mails."""
    customers = [await make_customer(db), await make_customer(db)]
    async with (
        Receiver().serving() as receiver,
        _sharing(db, egress, receiver) as one,
        _sharing(db, egress, receiver) as two,
    ):
        await db.pool.execute("UPDATE lane SET per_site = 2, per_connection = 7 WHERE name = 'other'")
        await until(lambda: _knows(one, 7))
        await until(lambda: _knows(two, 7))
        for customer in customers:
            await submit(db, customer, [f"u{n}@one.test" for n in range(60)])

        async def all_done() -> bool:
            await asyncio.gather(_page(db, one), _page(db, two))
            return bool(await db.pool.fetchval("SELECT count(*) = 120 FROM message WHERE state = 'delivered'"))

        await until(all_done)
    assert receiver.most <= 2
    assert max(visit.mails for visit in receiver.visits) == 7
    assert sum(visit.mails for visit in receiver.visits) == 120


async def _knows(work: DeliveryActivities, share: int) -> bool:
    return work.wire.lanes.messages_per_connection("other") == share


async def _page(db: Database, work: DeliveryActivities) -> None:
    await db.pool.execute("UPDATE due SET due_at = now()")
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection)
    if claimed is not None:
        process = Process(Kind.DELIVERY, str(claimed[0]), str(SYSTEM_ACCOUNT), 1)
        await ActivityEnvironment().run(work.deliver_page, process)


@contextlib.asynccontextmanager
async def _sharing(db: Database, egress: Egress, receiver: Receiver) -> AsyncIterator[DeliveryActivities]:
    """A worker that keeps the lanes of the database with the others."""
    async with worker(db, egress, ToOne(egress, receiver.port)) as work:
        lanes = Lanes(db, work.sender)
        running = asyncio.create_task(lanes.run())
        work.wire = Wire(work.wire.router, work.wire.transport, lanes, per_destination=4, time_scale=1e6)
        try:
            await until(lambda: db.pool.fetchval("SELECT EXISTS (SELECT FROM lane)"))
            yield work
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
