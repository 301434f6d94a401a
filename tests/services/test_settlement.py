"""Counts become charges and releases: once, by whichever worker, and one customer's broken books stop nobody else."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from services.audit import audit
from services.settlement import Settlement
from store.db import Database
from store.pages import close_page
from store.settling import settle_account
from tests.money_world import PRICE, finish, make_paying, send, settle, standing
from tests.patience import PATIENCE, until


async def charges(db: Database, account: UUID) -> list[tuple[object, ...]]:
    rows = await db.pool.fetch(
        "SELECT j.round, e.amount_fen, e.balance_after_fen, j.memo FROM entry e JOIN journal j ON j.id = e.journal_id"
        " WHERE j.kind = 'charge' AND j.account_id = $1 AND e.balance_after_fen IS NOT NULL ORDER BY e.id",
        account,
    )
    return [tuple(row) for row in rows]


async def test_what_was_sent_is_charged_and_the_rest_released(db: Database) -> None:
    customer = await make_paying(db, 100)
    await send(db, customer, 7)
    await finish(db, ["delivered", "delivered", "bounced", "refused", "expired", "dropped", "unknown"])
    assert await standing(db, customer.account) == (100, 0, 7 * PRICE), "until it is settled"
    assert await Settlement(db).settle_all() == 1
    assert await charges(db, customer.account) == [(1, -1, 99, "3 × ¥0.0045")]
    assert await standing(db, customer.account) == (99, 3 * PRICE - 10_000, 0)
    assert tuple(await db.pool.fetchrow("SELECT sent, unsent, closed_at IS NOT NULL FROM hold")) == (3, 4, True)
    assert await Settlement(db).settle_all() == 0


async def test_a_send_in_parts_is_settled_in_rounds_and_nothing_of_a_fen_is_lost(db: Database) -> None:
    customer = await make_paying(db, 100)
    await send(db, customer, 6)
    for _ in range(6):
        await finish(db, ["delivered"])
        await _give_back(db)
        await settle(db)
    assert [line[:3] for line in await charges(db, customer.account)] == [(3, -1, 99), (5, -1, 98)]
    assert await standing(db, customer.account) == (98, 6 * PRICE - 20_000, 0)
    assert (await audit(db)).clean


async def _give_back(db: Database) -> None:
    for page in await db.pool.fetch("SELECT id, epoch FROM page WHERE closed_at IS NULL"):
        async with db.raw() as connection:
            await close_page(connection, page["id"], page["epoch"], timedelta(0))


async def test_a_free_send_leaves_nothing_to_settle(db: Database) -> None:
    await send(db, await make_paying(db, free=2), 2)
    await finish(db, ["delivered", "bounced"])
    assert await db.pool.fetchval("SELECT count(*) FROM tally") == 0


async def test_settlers_at_once_do_the_work_once(db: Database) -> None:
    customers = [await make_paying(db, 100) for _ in range(4)]
    for _ in range(5):
        for customer in customers:
            await send(db, customer, 2)
        await finish(db, ["delivered", "bounced"] * 4)
    counts = await asyncio.gather(*(Settlement(db).settle_all() for _ in range(5)))
    assert sum(counts) == 20
    for customer in customers:
        assert await standing(db, customer.account) == (100 - 4, 5_000, 0)
    assert (await audit(db)).clean


async def test_a_flood_is_settled_in_portions(db: Database) -> None:
    customer = await make_paying(db, 100)
    for _ in range(5):
        await send(db, customer, 1)
        await finish(db, ["delivered"])
    taken = []
    for _ in range(4):
        async with db.raw() as connection:
            taken.append(await settle_account(connection, customer.account, limit=2))
    assert taken == [2, 2, 1, 0]
    assert (await audit(db)).clean


async def test_a_settler_waits_for_the_one_before_it(db: Database) -> None:
    """What it read before the other's commit would be carried on twice."""
    customer = await make_paying(db, 100)
    for _ in range(3):
        await send(db, customer, 1)
        await finish(db, ["delivered"])

    async def second() -> int:
        async with db.raw() as connection:
            return await settle_account(connection, customer.account, limit=2)

    async with db.raw() as connection:
        assert await settle_account(connection, customer.account, limit=1) == 1
        waiting = asyncio.create_task(second())
        await until(lambda: db.pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))
    assert await waiting > 0
    await settle(db)
    assert await standing(db, customer.account) == (99, 3 * PRICE - 10_000, 0)
    assert (await audit(db)).clean


@pytest.mark.parametrize(
    "breakage",
    [
        "UPDATE ledger_account SET held_micro = 0 WHERE account_id = '{account}'",
        "UPDATE tally SET submission_id = gen_random_uuid() WHERE account_id = '{account}'",
    ],
)
async def test_broken_books_are_left_as_they_are_and_named(db: Database, breakage: str) -> None:
    broken, sound = await make_paying(db, 100), await make_paying(db, 100)
    for customer in (broken, sound):
        await send(db, customer, 2)
    await finish(db, ["delivered"] * 4)
    await db.pool.execute(breakage.format(account=broken.account))
    with capture_logs() as logs:
        assert await Settlement(db).settle_all() == 1
    assert [(line["event"], line["account_id"]) for line in logs] == [("settlement_refused", str(broken.account))]
    assert (await standing(db, sound.account))[2] == 0
    assert await db.pool.fetchval("SELECT count(*) FROM tally WHERE account_id = $1", broken.account) == 1
    assert not (await audit(db)).clean


async def test_the_task_settles_by_itself(db: Database) -> None:
    customer = await make_paying(db, 100)
    await send(db, customer, 1)
    await finish(db, ["delivered"])
    task = asyncio.create_task(Settlement(db).run())
    try:
        async with asyncio.timeout(PATIENCE):
            while (await standing(db, customer.account))[2]:
                await asyncio.sleep(0.02)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
