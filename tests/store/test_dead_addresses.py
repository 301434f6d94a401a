"""Addresses without a mailbox: how long they are held back, and what frees them."""

import asyncio
import datetime as dt

from domain.suppressions import DEAD_AT_MOST, dead_for
from store import dead_addresses
from store.columns import now
from store.db import Database
from store.dead_addresses import DeadCounts, forget, free, learn
from tests.patience import PATIENCE
from tests.suppressed_world import HOUR, bury


async def test_each_failure_doubles_the_time_up_to_thirty_days(db: Database) -> None:
    """What PostgreSQL counts is what the domain says."""
    for failures in range(1, 35):
        async with db.raw() as connection:
            await learn(connection, ["Gone@x.test", "gone@x.test"])
        row = await db.pool.fetchrow("SELECT *, until - last_at AS held FROM dead_address")
        assert row["failures"] == min(failures, 30)
        assert row["held"] == dead_for(failures)
    assert row["held"] == DEAD_AT_MOST
    assert row["first_at"] < row["last_at"]


async def test_a_delivery_forgets_and_the_next_failure_begins_anew(db: Database) -> None:
    await bury(db, "gone@x.test", now(), failures=9)
    async with db.raw() as connection:
        await forget(connection, ["GONE@x.test", "never@x.test"])
        await learn(connection, ["gone@x.test"])
    assert await db.pool.fetchval("SELECT until - last_at FROM dead_address") == dt.timedelta(hours=2)


async def test_an_operator_frees_exactly_one(db: Database) -> None:
    await bury(db, "a@x.test", now() + HOUR, failures=3)
    await bury(db, "b@x.test", now() - HOUR)
    async with db.begin() as session:
        assert await dead_addresses.counts(session) == DeadCounts(known=2, held=1)
        assert await free(session, "A@x.test") == 3
        assert await free(session, "a@x.test") is None
        assert await dead_addresses.find(session, "a@x.test") is None
        assert (await dead_addresses.find(session, "B@x.test")) is not None
        assert await dead_addresses.counts(session) == DeadCounts(known=1, held=0)


async def test_two_commits_that_contradict_each_other_do_not_wait_for_each_other(db: Database) -> None:
    """Each buries what the other one revives; who buries has the last word."""
    for address in ("a@x.test", "z@x.test"):
        await bury(db, address, now() - HOUR, failures=3)
    async with db.raw() as one, db.raw() as other:
        await learn(one, ["z@x.test"])
        await learn(other, ["a@x.test"])
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(forget(one, ["a@x.test"]), forget(other, ["z@x.test"]))
    assert dict(await db.pool.fetch("SELECT address, failures FROM dead_address")) == {"a@x.test": 4, "z@x.test": 4}
