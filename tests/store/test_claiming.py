"""Whose messages a batch of the relay takes: every account's first before any account's second, and all in turn."""

from uuid import UUID

from store import pages
from store.db import Database
from tests.sending_world import make_customer, submit


async def batch(db: Database, limit: int, after: UUID = pages.FIRST, per_account: int = 100) -> tuple[list[UUID], UUID]:
    """(whose message, for each that was taken; where the next batch begins)."""
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection, per_account, limit, pages.Turn(after))
    if claimed is None:
        return [], after
    query = "SELECT account_id FROM message WHERE id = ANY((SELECT messages FROM page WHERE id = $1)::bigint[])"
    return [row["account_id"] for row in await db.pool.fetch(query, claimed.page)], claimed.after


async def accounts(db: Database, *sizes: int) -> list[UUID]:
    """Customers with so many messages each, in the order of their ids."""
    made = []
    for size in sizes:
        customer = await make_customer(db)
        await submit(db, customer, [f"p{n}@a.test" for n in range(size)])
        made.append(customer.account)
    return sorted(made)


async def test_floods_of_older_accounts_do_not_fill_a_batch(db: Database) -> None:
    """Ids grow with time: without turns those of the eldest accounts would be all that is ever taken."""
    *floods, single = await accounts(db, 60, 60, 60, 1)
    taken, _ = await batch(db, limit=40)
    assert len(taken) == 40 and single in taken
    assert {flood: taken.count(flood) for flood in floods} == dict.fromkeys(floods, 13)


async def test_more_accounts_than_a_batch_has_room_for_are_served_in_turns(db: Database) -> None:
    everybody = await accounts(db, *[3] * 7)
    first, after = await batch(db, limit=3)
    second, after = await batch(db, limit=3, after=after)
    third, after = await batch(db, limit=3, after=after)
    assert (first, second, third) == (everybody[:3], everybody[3:6], everybody[6:] * 3)
    assert after == pages.FIRST, "the round is over"
    while taken := (await batch(db, limit=3))[0]:
        assert len(set(taken)) == 3
    assert await db.pool.fetchval("SELECT count(*) FROM due") == 0


async def test_the_round_begins_anew_where_nobody_comes_after(db: Database) -> None:
    [only] = await accounts(db, 2)
    assert await batch(db, limit=5, after=UUID(int=2**128 - 1)) == ([only, only], pages.FIRST)
    assert await batch(db, limit=5, after=only) == ([], only)


async def test_accounts_with_nothing_due_yet_take_no_turn(db: Database) -> None:
    *_, last = await accounts(db, 1, 1, 1, 1)
    await db.pool.execute("UPDATE due SET due_at = now() + interval '1 hour' WHERE account_id <> $1", last)
    assert await batch(db, limit=2) == ([last], pages.FIRST)


async def test_an_account_that_fills_its_share_is_named_and_can_be_left_out(db: Database) -> None:
    flood, single = await accounts(db, 9, 1)
    async with db.raw() as connection:
        first = await pages.claim_batch(connection, per_account=3)
        assert first is not None and (first.messages, first.full) == (4, frozenset({flood}))
        assert await pages.claim_batch(connection, turn=pages.Turn(without=first.full)) is None
        rest = await pages.claim_batch(connection)
    assert rest is not None and (rest.messages, rest.full) == (6, frozenset())
    assert single not in first.full
