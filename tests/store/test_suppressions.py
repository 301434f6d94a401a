"""Whom an account must not write to, as the sending path asks."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from domain.ids import new_id
from store.columns import now
from store.db import Database
from store.suppressions import Entry, Wanted, enter, held_back, withdraw
from tests.sending_world import make_customer

SAME = 's.account_id = $1 AND s.address = lower($2 COLLATE "C") COLLATE "default"'
"""How SQL finds an address; in the database's own collation, else no index would serve."""


async def asked(db: Database, account: UUID, addresses: Sequence[str]) -> set[str]:
    async with db.raw() as connection:
        held = await held_back(connection, [Wanted(account, address, True) for address in addresses], now())
    return {one.address for one in held}


async def test_addresses_come_back_as_they_were_given(db: Database) -> None:
    alice, bob = new_id(), new_id()
    async with db.raw() as connection:
        mine = [Entry(address) for address in ("Li.Lei@qq.com", "李雷@example.org", "li.lei@qq.com")]
        assert await enter(connection, alice, mine, now()) == 2
        assert await enter(connection, bob, [Entry("han@example.org")], now()) == 1
    wanted = ["LI.lei@qq.com", "li.lei@qq.com", "李雷@example.org", "han@example.org", "new@qq.com"]
    assert await asked(db, alice, wanted) == {"LI.lei@qq.com", "li.lei@qq.com", "李雷@example.org"}
    assert await asked(db, alice, []) == set()


@pytest.mark.parametrize("address", ["ÉMILE@x.example", "LI@x.example", "İ@x.example", "ß@x.example"])
async def test_postgresql_and_python_compare_alike(db: Database, address: str) -> None:
    """As the freeze of a campaign joins."""
    account = new_id()
    async with db.raw() as connection:
        await withdraw(connection, account, address, 1, now())
        assert await connection.fetchval(f"SELECT EXISTS (SELECT FROM suppression s WHERE {SAME})", account, address)


async def test_many_addresses_are_one_look_into_the_index(db: Database) -> None:
    customer = await make_customer(db)
    await db.pool.execute(
        "INSERT INTO suppression (account_id, address, reason, created_at)"
        " SELECT $1, 'r' || n || '@x.example', 'manual', now() FROM generate_series(1, 5000) AS n",
        customer.account,
    )
    await db.pool.execute("ANALYZE suppression")
    plan = await db.pool.fetch(
        "EXPLAIN SELECT address FROM suppression WHERE account_id = $1 AND address = ANY($2::text[])",
        *(customer.account, ["r1@x.example", "r2@x.example"]),
    )
    joined = await db.pool.fetch(f"EXPLAIN SELECT FROM suppression s WHERE {SAME}", customer.account, "r1@x.example")
    for lines in (plan, joined):
        assert "Index" in lines[0][0] and "address = " in lines[1][0], "the whole key is looked up"
    assert await asked(db, customer.account, ["r17@x.example", "nobody@x.example"]) == {"r17@x.example"}
