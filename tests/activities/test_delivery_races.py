"""Several sender processes on one database, in seeded disorder: leases end, connections to the database are cut, pages
are taken over, dialogues break. At every moment each queued message is in exactly one place; at the end each was
delivered once, or is named as a possible duplicate."""

import asyncio
import contextlib
import datetime as dt
import random
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from temporalio.testing import ActivityEnvironment

from activities import sender_process
from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import Kind, Process, new_id
from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail, MailHost, MailRoute
from services.audit import audit
from store import dead_senders, dialogues, leases, pages
from store.db import DATABASE_TROUBLE, Database
from store.dialogues import Intent, Turn
from tests.activities.test_delivery import accounted
from tests.sending_model import ended
from tests.sending_world import DELIVERED, VAULT, FakeServers, make_customer, submit

SENDERS, MESSAGES, STEPS = 3, 90, 45
WORST = 20.0
"""Seconds until everything must be settled; it takes about three."""
ANSWERS = (
    (0.60, DELIVERED),
    (0.75, Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, text="later", host="mx")),
    (0.83, Outcome(OutcomeKind.UNCERTAIN, "uncertain", text="cut off after the dot", host="mx")),
    (0.90, Outcome(OutcomeKind.BOUNCED, "hard.invalid_mailbox", 550, text="nobody", host="mx")),
)
"""What a server answers, by a number from 0 to 1; above the last one our own code fails inside the dialogue."""


class OurFault(RuntimeError):
    """Stands for a bug in a gateway."""


@dataclass
class World:
    """Receivers that remember; `said` are their answers in order, per recipient. The same seed answers the same."""

    seed: int
    said: dict[str, list[OutcomeKind]] = field(default_factory=dict)
    open: Counter[str] = field(default_factory=Counter)
    calm: bool = False

    async def mail_hosts(self, domain: str) -> MailRoute:
        return MailRoute(domain, (MailHost(f"mx.{domain}", ("127.0.0.1",)),))

    async def connect(self, route: MailRoute) -> "Line":
        return Line(self)

    def answer(self, recipient: str) -> Outcome:
        tries = self.said.setdefault(recipient, [])
        chance = zlib.crc32(f"{self.seed}/{recipient}/{len(tries)}".encode()) / 2**32
        outcome = DELIVERED if self.calm else next((each for limit, each in ANSWERS if chance < limit), None)
        tries.append(outcome.kind if outcome else OutcomeKind.UNCERTAIN)
        if outcome is None:
            raise OurFault("inside a dialogue")
        return outcome


@dataclass
class Line:
    """One connection. The receiver has the mail before the reply is on its way: a cut in between is a real one."""

    world: World
    alive: bool = True

    async def deliver(self, mail: Mail) -> Outcome:
        self.world.open[mail.recipient] += 1
        assert self.world.open[mail.recipient] == 1, "two connections speak of one message"
        try:
            await asyncio.sleep(0.002)
            outcome = self.world.answer(mail.recipient)
            await asyncio.sleep(0.002)
            return outcome
        finally:
            self.world.open[mail.recipient] -= 1

    async def close(self) -> None:
        self.alive = False


@dataclass
class House:
    """The senders, each with connections of its own, and the pages that are being delivered."""

    db: Database
    senders: list[tuple[Database, SenderProcess, DeliveryActivities]]
    random: random.Random
    running: dict[asyncio.Task[object], UUID] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)

    async def claim(self) -> None:
        async with self.db.raw() as connection:
            claimed = await pages.claim_batch(connection, per_account=self.random.randint(5, 30))
        if claimed:
            self.deliver(claimed[0])

    def deliver(self, page: UUID) -> None:
        """An attempt of the page on some worker; Temporal would begin the next one when it fails."""
        _, _, work = self.random.choice(self.senders)
        process = Process(Kind.DELIVERY, str(page), str(SYSTEM_ACCOUNT), 1)
        self.running[asyncio.create_task(ActivityEnvironment().run(work.deliver_page, process))] = page

    async def take_over(self) -> None:
        """A page whose attempt goes on elsewhere, or failed."""
        opened = await self.db.pool.fetch("SELECT id FROM page WHERE closed_at IS NULL")
        if opened:
            self.deliver(self.random.choice(opened)["id"])

    async def end_a_lease(self) -> None:
        await self.db.pool.execute(
            "UPDATE sender SET lease_until = now() - interval '1 second'"
            " WHERE id = (SELECT id FROM sender ORDER BY random() LIMIT 1)"
        )

    async def settle(self) -> None:
        async with self.db.raw() as connection:
            await dead_senders.settle_dead_sender(connection, dt.timedelta(0))

    async def cut_the_database(self) -> None:
        """As a restart of PostgreSQL does, to about half of the connections."""
        await self.db.pool.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5"
        )

    async def hurry(self) -> None:
        await self.db.pool.execute("UPDATE due SET due_at = now()")

    async def step(self) -> None:
        actions = {
            self.claim: 5, self.take_over: 3, self.hurry: 3, self.settle: 2, self.end_a_lease: 1,
            self.cut_the_database: 1,
        }  # fmt: skip
        action = self.random.choices(list(actions), list(actions.values()))[0]
        self.happened[action.__name__] += 1
        await action()
        await asyncio.sleep(self.random.uniform(0, 0.04))
        self.collect()

    def collect(self) -> None:
        """Failures are what a crash or the world did; anything else is a defect."""
        for task in [task for task in self.running if task.done()]:
            del self.running[task]
            fault = task.exception()
            if fault is not None:
                assert isinstance(fault, (OurFault, dialogues.LeaseLost, *DATABASE_TROUBLE)), fault
                self.happened[type(fault).__name__] += 1

    async def queued(self) -> int:
        return int(await self.db.pool.fetchval("SELECT count(*) FROM message WHERE state = 'queued'"))

    async def open_pages(self) -> int:
        return int(await self.db.pool.fetchval("SELECT count(*) FROM page WHERE closed_at IS NULL"))

    async def finish(self) -> None:
        """Temporal and the relay go on as long as anything is open."""
        end = time.monotonic() + WORST
        while await self.queued() or await self.open_pages() or self.running:
            assert time.monotonic() < end, f"{await self.queued()} messages never got an outcome: {self.happened}"
            await self.hurry()
            await self.settle()
            if not self.running:
                await self.claim()
                await self.take_over()
            await asyncio.sleep(0.02)
            self.collect()
            assert await accounted(self.db) == 0


@contextlib.asynccontextmanager
async def senders(db: Database, world: World, seed: int) -> AsyncIterator[House]:
    made: list[tuple[Database, SenderProcess, DeliveryActivities]] = []
    tasks = []
    for _ in range(SENDERS):
        own = await Database.open(db.url, 6)
        process = SenderProcess(own, 4)
        tasks.append(asyncio.create_task(process.run()))
        wire = Wire(world, world, Lanes.without_limits(own, process), per_destination=2, time_scale=100_000.0)
        made.append((own, process, DeliveryActivities(own, process, Renderer(own, VAULT, "b.test"), wire)))
    try:
        yield House(db, made, random.Random(seed))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for own, _, _ in made:
            await own.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_message_is_lost_or_doubled_unnamed(db: Database, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(sender_process, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(sender_process, "LEASE_PAUSE", 0.05)
    world = World(seed)
    addresses = [f"p{n}@d{n % 4}.test" for n in range(MESSAGES)]
    for part in (addresses[::2], addresses[1::2]):
        await submit(db, await make_customer(db), part)
    with capture_logs():
        async with senders(db, world, seed) as house:
            for _ in range(STEPS):
                await house.step()
                assert await accounted(db) == 0, (house.happened, await misplaced(db))
            world.calm = True
            await house.finish()
    assert house.happened["end_a_lease"] and house.happened["cut_the_database"] and house.happened["take_over"]
    await check(db, world, addresses)


async def misplaced(db: Database) -> list[dict[str, object]]:
    """Where the messages are that are in none, or more than one, of: `due`, an open page, a slot. For the failure."""
    rows = await db.pool.fetch(
        "SELECT m.id, m.round, m.attempts, m.reason, m.reply,"
        " (SELECT count(*) FROM due d WHERE d.message_id = m.id) AS due,"
        " (SELECT array_agg((s.sender_id, s.number, s.page_id, s.attempt, e.id IS NOT NULL)::text) FROM slot s"
        "   LEFT JOIN sender e ON e.id = s.sender_id WHERE s.message_id = m.id) AS slots,"
        " (SELECT array_agg((p.id, p.epoch, p.closed_at, e.round)::text)"
        "   FROM page p CROSS JOIN unnest(p.messages, p.rounds) AS e (id, round) WHERE e.id = m.id) AS pages"
        " FROM message m WHERE m.state = 'queued'"
    )
    held = [dict(row) for row in rows]
    return [row for row in held if row["due"] + len(row["slots"] or ()) != 1]


async def check(db: Database, world: World, addresses: list[str]) -> None:
    """What the receivers saw and what the rows say."""
    rows = {row["address"]: row for row in await db.pool.fetch("SELECT * FROM message")}
    assert set(rows) == set(addresses)
    for address, row in rows.items():
        said = world.said.get(address, [])
        copies = said.count(OutcomeKind.DELIVERED)
        ended = {"delivered": copies >= 1, "bounced": OutcomeKind.BOUNCED in said, "unknown": row["possible_duplicate"]}
        assert ended.get(row["state"]), (address, row["state"], said)
        assert copies <= 1 or row["possible_duplicate"], (address, said)
        assert not (said and said[0] is OutcomeKind.DELIVERED and len(said) > 1) or row["possible_duplicate"]
        assert row["attempts"] >= len(said), (address, said)
    report = await audit(db, dt.timedelta(0))
    assert report.clean, [finding for finding in report.findings if finding.count]
    assert await db.pool.fetchval("SELECT count(*) FROM slot WHERE message_id IS NOT NULL") == 0


async def test_a_fault_of_ours_inside_a_dialogue_leaves_no_message_in_a_slot(db: Database) -> None:
    """The slot goes to the next connection, which would write over what it holds."""

    def answer(mail: Mail) -> Outcome:
        if mail.recipient == "breaks@a.test":
            raise OurFault("inside a dialogue")
        return DELIVERED

    servers = FakeServers(answer)
    await submit(db, await make_customer(db), ["breaks@a.test", "p1@a.test", "p2@a.test"])
    async with one_sender(db, servers) as house:
        with pytest.raises(OurFault):
            await house.once()
        assert await accounted(db) == 0
        await house.once()
    assert await states(db) == {"breaks@a.test": "queued", "p1@a.test": "delivered", "p2@a.test": "delivered"}
    again = await db.pool.fetchrow("SELECT attempts, possible_duplicate FROM message WHERE address = 'breaks@a.test'")
    assert tuple(again) == (1, True)


async def test_an_outcome_is_kept_although_the_next_mail_cannot_be_made(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away between two messages of one connection: what the first ended as must not be forgotten."""
    first, second = await make_customer(db), await make_customer(db)
    await submit(db, first, ["p1@a.test"])
    await submit(db, second, ["p2@a.test"])
    servers = FakeServers()
    async with one_sender(db, servers) as house:
        load = house.work.renderer.content

        async def away(submission: UUID, version: UUID | None) -> object:
            if servers.seen:
                raise ConnectionRefusedError("the database is restarting")
            return await load(submission, version)

        with monkeypatch.context() as patch:
            patch.setattr(house.work.renderer, "content", away)
            await house.once()
        assert await accounted(db) == 0
        assert sorted((await states(db)).values()) == ["delivered", "queued"]
        await db.pool.execute("UPDATE due SET due_at = now()")
        await house.claim()
        await house.once()
    assert set((await states(db)).values()) == {"delivered"}
    assert sorted(servers.seen) == ["p1@a.test", "p2@a.test"]


async def test_a_commit_whose_answer_was_lost_is_repeated_after_the_page_was_closed(db: Database) -> None:
    """PostgreSQL was killed right after a commit. When it is back, the page is closed first; the messages in slots are
    left to them; then the commit comes again. It must neither drop them nor lock them up."""
    await submit(db, await make_customer(db), ["p1@a.test"])
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection)
        assert claimed is not None
        sender, page = new_id(), claimed[0]
        await leases.register_sender(connection, sender, "h", 1)
        taken = await pages.take_page(connection, page)
    assert taken is not None
    turn = Turn(1, intent=Intent(taken.messages[0], page, taken.epoch))
    async with db.raw() as connection:
        assert await dialogues.commit_turns(connection, sender, [turn]) == {1}
    async with db.raw() as connection:
        assert await pages.close_page(connection, page, taken.epoch, dt.timedelta(0))
    assert await accounted(db) == 0
    async with db.raw() as connection:
        assert await dialogues.commit_turns(connection, sender, [turn]) == {1}, "the intent is durable: it may speak"
    assert await accounted(db) == 0
    other = Turn(2, intent=turn.intent)
    async with db.raw() as connection:
        assert await dialogues.commit_turns(connection, sender, [other]) == set(), "a new intent is refused"
    assert await accounted(db) == 0


async def test_an_overtaken_attempt_does_not_get_the_message_whose_end_is_just_recorded(db: Database) -> None:
    """Two attempts at one page in one process: the newer one's dialogue ends on a connection that goes to the older one
    next, whose queue still has the same message. It was told once; the older one must not tell it again."""
    await submit(db, await make_customer(db), ["p1@a.test"])
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection)
        assert claimed is not None
        sender = new_id()
        await leases.register_sender(connection, sender, "h", 1)
        older = await pages.take_page(connection, claimed.page)
        newer = await pages.take_page(connection, claimed.page)
    assert older is not None and newer is not None
    overtaken, intent = (Intent(taken.messages[0], taken.id, taken.epoch) for taken in (older, newer))
    async with db.raw() as connection:
        assert await dialogues.commit_turns(connection, sender, [Turn(1, intent=intent)]) == {1}
    end = ended(intent, OutcomeKind.DELIVERED, resend=True)
    async with db.raw() as connection:
        assert await dialogues.commit_turns(connection, sender, [Turn(1, end, overtaken)]) == set()
    assert await accounted(db) == 0
    assert await db.pool.fetchval("SELECT count(*) FROM slot WHERE message_id IS NOT NULL") == 0


@dataclass
class One:
    db: Database
    work: DeliveryActivities
    page: UUID

    async def claim(self) -> None:
        async with self.db.raw() as connection:
            claimed = await pages.claim_batch(connection)
        assert claimed is not None
        self.page = claimed[0]

    async def once(self) -> None:
        process = Process(Kind.DELIVERY, str(self.page), str(SYSTEM_ACCOUNT), 1)
        await ActivityEnvironment().run(self.work.deliver_page, process)


@contextlib.asynccontextmanager
async def one_sender(db: Database, servers: FakeServers) -> AsyncIterator[One]:
    """One process with one connection, so that its messages follow each other; a page is claimed."""
    process = SenderProcess(db, 1)
    task = asyncio.create_task(process.run())
    made = One(
        db,
        DeliveryActivities(
            db,
            process,
            Renderer(db, VAULT, "b.test"),
            Wire(servers, servers, Lanes.without_limits(db, process), 1, 60.0),
        ),
        UUID(int=0),
    )
    await made.claim()
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def states(db: Database) -> dict[str, str]:
    return {row["address"]: row["state"] for row in await db.pool.fetch("SELECT address, state FROM message")}
