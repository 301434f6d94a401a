"""What is held back between accept and send: the page asks again, for every message, whatever accept said."""

import datetime as dt
from uuid import UUID

import pytest

from domain.accounts import SYSTEM_ACCOUNT
from domain.notices import Notice
from domain.senders import SendKind
from domain.sending import Outcome, OutcomeKind
from domain.suppressions import DEAD
from domain.transport import Mail
from settings import Settings
from store import audit, pages
from store.columns import now
from store.db import Database
from store.notices import send_notice
from store.pages import _LOAD, _LOAD_RANGE, TakenPage
from tests.accounts_world import SECRET
from tests.activities.test_delivery import activities, claim, deliver, sender, states
from tests.platform_rows import have_platform
from tests.sending_world import VAULT, FakeServers, make_customer, submit
from tests.suppressed_world import CASES, HOUR, KINDS, Case, bury


def no_mailbox(mail: Mail) -> Outcome:
    return Outcome(OutcomeKind.BOUNCED, "hard.invalid_mailbox", 550, "5.1.1", "no such user", "mx")


async def taken(db: Database, page: UUID) -> TakenPage:
    async with db.raw() as connection:
        found = await pages.take_page(connection, page)
    assert found is not None
    return found


async def sent(db: Database, servers: FakeServers) -> None:
    async with sender(db) as process:
        await deliver(activities(db, process, servers), await claim(db))


async def clean(db: Database) -> list[str]:
    async with db.pool.acquire() as connection:
        return [one.name for one in await audit.check(connection, now() - dt.timedelta(hours=1)) if one.count]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_what_was_entered_after_accept_is_dropped_with_its_reason(
    db: Database, case: Case, kind: SendKind
) -> None:
    customer, servers = await make_customer(db, kind=kind), FakeServers()
    await submit(db, customer, ["Li@a.test", "han@a.test"])
    await case.enter(db, customer.account, "li@a.test")
    await sent(db, servers)
    row = await db.pool.fetchrow("SELECT state, reason, reply FROM message WHERE address = 'Li@a.test'")
    if case.holds(kind):
        assert tuple(row) == ("dropped", "suppressed", case.reason)
        assert servers.seen == ["han@a.test"]
    else:
        assert tuple(row)[:2] == ("delivered", "")
        assert sorted(servers.seen) == ["Li@a.test", "han@a.test"]
    assert await clean(db) == []


async def test_another_accounts_entries_hold_nothing_and_what_is_dead_holds_everybody(db: Database) -> None:
    alice, bob, servers = await make_customer(db), await make_customer(db), FakeServers()
    for who in (alice, bob):
        await submit(db, who, ["a@x.test", "b@x.test"])
    await Case("complaint", ends=1).enter(db, alice.account, "a@x.test")
    await bury(db, "b@x.test", now() + HOUR)
    await sent(db, servers)
    assert servers.seen == ["a@x.test"]
    dropped = await db.pool.fetch("SELECT account_id, reply FROM message WHERE state = 'dropped' ORDER BY reply, id")
    assert [tuple(row) for row in dropped] == [(alice.account, "complaint"), (alice.account, DEAD), (bob.account, DEAD)]


async def test_no_mailbox_is_tried_again_after_its_time_and_the_time_doubles(db: Database) -> None:
    """A hard bounce holds everybody back; afterwards one mail is tried; a delivery forgets all of it."""
    alice, bob = await make_customer(db), await make_customer(db, kind=SendKind.BATCH)
    for failures in (1, 2, 3):
        await submit(db, alice, ["Gone@x.test"])
        await sent(db, FakeServers(no_mailbox))
        row = await db.pool.fetchrow("SELECT failures, until - last_at AS held FROM dead_address")
        assert tuple(row) == (failures, dt.timedelta(hours=2**failures))
        await db.pool.execute("UPDATE dead_address SET until = now()")
    await submit(db, bob, ["gone@X.test"])
    (message,) = (await taken(db, page := await claim(db))).messages
    assert (message.suppressed, message.was_dead) == ("", True)
    async with sender(db) as process:
        await deliver(activities(db, process, FakeServers()), page)
    assert await db.pool.fetchval("SELECT count(*) FROM dead_address") == 0


async def test_other_refusals_bury_nobody(db: Database) -> None:
    customer = await make_customer(db)
    for reason in ("hard.bad_domain", "hard.disabled", "soft.full", "policy.other", "block.content"):
        await submit(db, customer, ["p@x.test"])
        await sent(db, FakeServers(lambda mail, why=reason: Outcome(OutcomeKind.BOUNCED, why, 550)))  # type: ignore[misc]
    assert await db.pool.fetchval("SELECT count(*) FROM dead_address") == 0


async def test_who_dies_between_two_rounds_is_dropped_in_the_next(db: Database) -> None:
    customer = await make_customer(db)
    await submit(db, customer, ["p@x.test"])
    await sent(db, FakeServers(lambda mail: Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450)))
    await bury(db, "p@x.test", now() + HOUR)
    await db.pool.execute("UPDATE due SET due_at = now()")
    await sent(db, servers := FakeServers())
    assert (await states(db), servers.seen) == ({"p@x.test": "dropped"}, [])
    assert await clean(db) == []


async def test_the_platforms_own_notices_are_held_back_by_nothing(db: Database) -> None:
    """A new password is sent wherever its owner says; what is delivered then frees the address for all."""
    await have_platform(db, VAULT, Settings(secret_key=SECRET).policy())
    await db.pool.execute("UPDATE sender_domain SET state = 'usable'")
    await bury(db, "li@x.test", now() + HOUR)
    await Case("complaint", ends=1).enter(db, SYSTEM_ACCOUNT, "li@x.test")
    words = {"name": "Li", "link": "https://x.test/", "hours": "1"}
    await send_notice(db, Notice.CONFIRM_EMAIL, "Li@x.test", "en", words, "k")
    await sent(db, servers := FakeServers())
    assert servers.seen == ["Li@x.test"]
    assert await db.pool.fetchval("SELECT count(*) FROM dead_address") == 0


@pytest.mark.parametrize("query", [_LOAD, _LOAD_RANGE], ids=["of small requests", "of a campaign"])
async def test_a_page_looks_into_the_indexes_once_for_each_message(db: Database, query: str) -> None:
    """Whatever the planner believes of the tables: here they look empty, as they may when a statement is prepared."""
    async with db.raw() as connection:
        for wrong in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
            await connection.execute(f"SET LOCAL {wrong} = off")  # as a worker has it
        given = ([1, 2], [0, 0]) if query is _LOAD else (SYSTEM_ACCOUNT, 0, 100)
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}", *given))
    assert "Index Scan using suppression_pkey" in plan or "Index Only Scan using suppression_pkey" in plan, plan
    assert "Index Scan using dead_address_pkey" in plan, plan
