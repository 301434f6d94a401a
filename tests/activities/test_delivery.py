"""One page from `due` to recorded outcomes: epochs, leases, slots, the group commit, and what a crash leaves."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from temporalio.testing import ActivityEnvironment

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.page_work import PageResult
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.accounts import SYSTEM_ACCOUNT
from domain.errors import LeaseLost
from domain.ids import Kind, Process
from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail
from store import dead_senders, pages
from store.db import Database
from store.webhooks import WebhookEndpoint
from tests.sending_world import DELIVERED, VAULT, FakeServers, make_customer, submit

SCALE = 60.0


@contextlib.asynccontextmanager
async def sender(db: Database, slots: int = 8) -> AsyncIterator[SenderProcess]:
    process = SenderProcess(db, slots)
    task = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def activities(db: Database, process: SenderProcess, servers: FakeServers) -> DeliveryActivities:
    wire = Wire(servers, servers, Lanes.without_limits(db, process), per_destination=4, time_scale=SCALE)
    return DeliveryActivities(db, process, Renderer(db, VAULT, "bounce.test"), wire)


async def claim(db: Database) -> UUID:
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection)
    assert claimed is not None
    return claimed[0]


async def deliver(work: DeliveryActivities, page: UUID) -> PageResult:
    process = Process(Kind.DELIVERY, str(page), str(SYSTEM_ACCOUNT), 1)
    return await ActivityEnvironment().run(work.deliver_page, process)


async def states(db: Database) -> dict[str, str]:
    rows = await db.pool.fetch("SELECT address, state FROM message")
    return {row["address"]: row["state"] for row in rows}


async def accounted(db: Database) -> int:
    """Queued messages that are in none, or more than one, of: `due`, an open page, a slot."""
    lost: int = await db.pool.fetchval(
        """
        SELECT count(*) FROM message m WHERE m.state = 'queued' AND 1 <> (
            (SELECT count(*) FROM due d WHERE d.message_id = m.id)
          + (SELECT count(*) FROM slot s WHERE s.message_id = m.id)
          + (SELECT count(*) FROM page p CROSS JOIN unnest(p.messages, p.rounds) AS e (id, round)
             WHERE p.closed_at IS NULL AND e.id = m.id AND e.round = m.round
               AND NOT EXISTS (SELECT FROM slot s WHERE s.message_id = m.id)))
        """
    )
    return lost


async def test_a_page_delivers_every_message_and_closes(db: Database) -> None:
    customer, servers = await make_customer(db), FakeServers()
    await submit(db, customer, [f"p{n}@d{n % 3}.test" for n in range(50)])
    async with sender(db) as process:
        result = await deliver(activities(db, process, servers), await claim(db))
    assert result == PageResult(delivered=50)
    assert set((await states(db)).values()) == {"delivered"}
    assert await db.pool.fetchval("SELECT delivered FROM page WHERE closed_at IS NOT NULL") == 50
    assert await db.pool.fetchval("SELECT count(*) FROM slot WHERE message_id IS NOT NULL") == 0
    assert await db.pool.fetchval("SELECT count(*) FROM sender") == 0
    assert await db.pool.fetchval("SELECT count(*) FROM clockwork WHERE kind = 'delivery'") == 0


async def test_outcomes_become_states_attempts_and_due_times(db: Database) -> None:
    def answer(mail: Mail) -> Outcome:
        if mail.recipient.startswith("grey"):
            return Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, text="try again later", host="mx")
        if mail.recipient.startswith("nobody"):
            return Outcome(OutcomeKind.BOUNCED, "hard.invalid_mailbox", 550, "5.1.1", "no such user", "mx")
        if mail.recipient.startswith("cut"):
            return Outcome(OutcomeKind.UNCERTAIN, "uncertain", text="dropped", host="mx")
        return DELIVERED

    customer = await make_customer(db)
    await submit(db, customer, ["grey@a.test", "nobody@a.test", "cut@a.test", "fine@a.test"])
    async with sender(db) as process:
        await deliver(activities(db, process, FakeServers(answer)), await claim(db))
    assert await states(db) == {
        "grey@a.test": "queued",
        "nobody@a.test": "bounced",
        "cut@a.test": "queued",
        "fine@a.test": "delivered",
    }
    rows = await db.pool.fetch(
        "SELECT m.address, m.possible_duplicate, a.kind, d.due_at > now() AS later FROM message m"
        " JOIN attempt a ON a.message_id = m.id AND a.number = 1 JOIN due d ON d.message_id = m.id ORDER BY m.address"
    )
    assert [tuple(row) for row in rows] == [
        ("cut@a.test", True, "uncertain", True),
        ("grey@a.test", False, "deferred", True),
    ]
    bounced = await db.pool.fetchrow("SELECT reason, code, enhanced, reply FROM message WHERE state = 'bounced'")
    assert tuple(bounced) == ("hard.invalid_mailbox", 550, "5.1.1", "no such user")


async def test_an_uncertain_message_is_tried_once_more_and_then_unknown(db: Database) -> None:
    cut = Outcome(OutcomeKind.UNCERTAIN, "uncertain", text="dropped", host="mx")
    customer, servers = await make_customer(db), FakeServers(lambda mail: cut)
    await submit(db, customer, ["cut@a.test"])
    async with sender(db) as process:
        work = activities(db, process, servers)
        await deliver(work, await claim(db))
        await db.pool.execute("UPDATE due SET due_at = now()")
        await deliver(work, await claim(db))
    assert await states(db) == {"cut@a.test": "unknown"}
    assert servers.seen == ["cut@a.test", "cut@a.test"]


async def test_a_message_expires_instead_of_being_tried_for_ever(db: Database) -> None:
    grey = Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, text="later", host="mx")
    customer = await make_customer(db)
    await submit(db, customer, ["grey@a.test"])
    await db.pool.execute("UPDATE submission SET expires_at = now() + interval '1 second'")
    async with sender(db) as process:
        await deliver(activities(db, process, FakeServers(lambda mail: grey)), await claim(db))
    row = await db.pool.fetchrow("SELECT state, reason, reply FROM message")
    assert tuple(row) == ("bounced", "expired", "later")


async def test_a_newer_attempt_takes_over_what_the_stalled_one_did_not_begin(db: Database) -> None:
    """The stalled attempt stands inside four dialogues; the newer one delivers the rest, nobody twice."""
    customer, gate = await make_customer(db), asyncio.Event()
    await submit(db, customer, [f"p{n}@a.test" for n in range(80)])
    page = await claim(db)
    stalled, healthy = FakeServers(gate=gate), FakeServers()
    async with sender(db) as first, sender(db) as second:
        old = asyncio.create_task(deliver(activities(db, first, stalled), page))
        while len(stalled.seen) < 4:
            await asyncio.sleep(0.01)
        await deliver(activities(db, second, healthy), page)
        assert await accounted(db) == 0
        gate.set()
        await old
    assert sorted(stalled.seen + healthy.seen) == sorted(f"p{n}@a.test" for n in range(80))
    assert set((await states(db)).values()) == {"delivered"}


async def test_a_dead_sender_is_settled_by_another_and_its_words_no_longer_count(db: Database) -> None:
    customer, gate = await make_customer(db), asyncio.Event()
    await submit(db, customer, [f"p{n}@a.test" for n in range(6)])
    page = await claim(db)
    stalled = FakeServers(gate=gate)
    async with sender(db) as first:
        old = asyncio.create_task(deliver(activities(db, first, stalled), page))
        while len(stalled.seen) < 1:
            await asyncio.sleep(0.01)
        await db.pool.execute("UPDATE sender SET lease_until = now() - interval '1 second'")
        async with db.raw() as connection:
            assert await dead_senders.settle_dead_sender(connection, dt.timedelta(0)) == 1
        assert await accounted(db) == 0
        gate.set()
        with pytest.raises(LeaseLost):
            await old
    again = await db.pool.fetchrow(
        "SELECT m.state, m.possible_duplicate, m.attempts FROM message m JOIN due d ON d.message_id = m.id"
    )
    assert tuple(again) == ("queued", True, 1)
    healthy = FakeServers()
    async with sender(db) as second:
        work = activities(db, second, healthy)
        await deliver(work, page)
        await deliver(work, await claim(db))
    assert set((await states(db)).values()) == {"delivered"}
    assert sorted(stalled.seen + healthy.seen).count(stalled.seen[0]) == 2  # the one possible duplicate
    assert len(healthy.seen) == 6


async def test_a_policy_of_no_resend_leaves_a_crashed_dialogue_unknown(db: Database) -> None:
    customer, gate = await make_customer(db), asyncio.Event()
    async with db.begin() as session:
        session.add(
            WebhookEndpoint(account_id=customer.account, url="https://a.test/", secret=b"", events=["soft_bounce"])
        )
    await db.pool.execute("UPDATE api_user SET resend_uncertain = false")
    await submit(db, customer, ["p@a.test"])
    servers = FakeServers(gate=gate)
    async with sender(db) as process:
        old = asyncio.create_task(deliver(activities(db, process, servers), await claim(db)))
        while not servers.seen:
            await asyncio.sleep(0.01)
        await db.pool.execute("UPDATE sender SET lease_until = now() - interval '1 second'")
        async with db.raw() as connection:
            await dead_senders.settle_dead_sender(connection)
        gate.set()
        with contextlib.suppress(LeaseLost):
            await old
    assert await states(db) == {"p@a.test": "unknown"}
    assert await db.pool.fetchval("SELECT count(*) FROM due") == 0
    event = await db.pool.fetchrow("SELECT kind, data->>'state' AS state FROM webhook_event")
    assert tuple(event) == ("soft_bounce", "unknown"), "the customer hears of it"


async def test_a_closed_page_is_not_delivered_again(db: Database) -> None:
    customer, servers = await make_customer(db), FakeServers()
    await submit(db, customer, ["p@a.test"])
    page = await claim(db)
    async with sender(db) as process:
        work = activities(db, process, servers)
        await deliver(work, page)
        assert await deliver(work, page) == PageResult()
    assert servers.seen == ["p@a.test"]


async def test_relay_gives_each_account_its_share_of_a_batch(db: Database) -> None:
    flood, single = await make_customer(db), await make_customer(db)
    await submit(db, flood, [f"p{n}@a.test" for n in range(300)])
    await submit(db, single, ["one@b.test"])
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection, per_account=100)
    assert claimed is not None and claimed[1] == 101
    assert await accounted(db) == 0


async def test_a_settled_notice_forgets_its_values(db: Database) -> None:
    customer = await make_customer(db)
    await submit(db, customer, ["p@a.test"])
    await db.pool.execute("UPDATE message SET account_id = $1", SYSTEM_ACCOUNT)
    async with sender(db) as process:
        await deliver(activities(db, process, FakeServers()), await claim(db))
    assert await db.pool.fetchval("SELECT variables FROM message") == {}


async def test_the_relay_knows_how_long_nothing_is_due(db: Database) -> None:
    async with db.raw() as connection:
        assert await pages.next_due(connection) is None
    await submit(db, await make_customer(db), ["p@a.test"])
    async with db.raw() as connection:
        assert await pages.next_due(connection) == 0
        await connection.execute("UPDATE due SET due_at = now() + interval '30 seconds'")
        seconds = await pages.next_due(connection)
    assert seconds is not None and 25 < seconds <= 30
