"""Whom an account must not write to: as the sending path asks, and as recipients and members say."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from domain.ids import new_id
from domain.senders import SendKind
from domain.suppressions import COMPLAINT_HOLDS, DEAD, Entry, Held
from store.columns import now
from store.db import Database
from store.suppressions import (
    _HELD_BACK,
    Sought,
    Wanted,
    complain,
    count,
    enter,
    held_back,
    page,
    remove,
    take_back,
    withdraw,
)
from tests.sending_world import make_customer
from tests.suppressed_world import CASES, HOUR, KINDS, Case, bury

SAME = 's.account_id = $1 AND s.address = lower($2 COLLATE "C") COLLATE "default"'
"""How SQL finds an address; in the database's own collation, else no index would serve."""


async def asked(db: Database, account: UUID, addresses: Sequence[str]) -> set[str]:
    async with db.raw() as connection:
        held = await held_back(connection, [Wanted(account, address, True) for address in addresses], now())
    return {one.address for one in held}


async def rows(db: Database) -> list[dict[str, Any]]:
    return [dict(row) for row in await db.pool.fetch("SELECT * FROM suppression ORDER BY address, reason")]


async def test_addresses_come_back_as_they_were_given(db: Database) -> None:
    alice, bob = new_id(), new_id()
    async with db.raw() as connection:
        mine = [Entry(address) for address in ("Li.Lei@qq.com", "李雷@example.org", "li.lei@qq.com")]
        assert await enter(connection, alice, mine, now()) == 2
        assert await enter(connection, bob, [Entry("han@example.org")], now()) == 1
    wanted = ["LI.lei@qq.com", "li.lei@qq.com", "李雷@example.org", "han@example.org", "new@qq.com"]
    assert await asked(db, alice, wanted) == {"LI.lei@qq.com", "li.lei@qq.com", "李雷@example.org"}
    assert await asked(db, alice, []) == set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_what_holds_whom(db: Database, case: Case, kind: SendKind) -> None:
    """Each reason, scope and end, for each kind of mail; for other accounts only what is dead."""
    mine, other = (Wanted(new_id(), "Li@qq.com", kind is SendKind.BATCH) for _ in range(2))
    await case.enter(db, mine.account, "li@qq.com")
    async with db.raw() as connection:
        held = await held_back(connection, [mine, other], now())
    assert (mine in held) is case.holds(kind)
    assert (other in held) is (case.reason == DEAD and case.holds(kind))
    if mine in held:
        assert held[mine].reason == case.reason
        assert (held[mine].until is None) is (case.ends is None)


async def test_one_statement_answers_for_many_accounts_and_kinds(db: Database) -> None:
    alice, bob = new_id(), new_id()
    await Case("manual").enter(db, alice, "a@x.test")
    await Case("complaint", ends=5).enter(db, alice, "a@x.test")
    await bury(db, "a@x.test", now() + HOUR)
    await bury(db, "b@x.test", now() + HOUR)
    wanted = [Wanted(who, address, batch) for who in (alice, bob) for address in ("A@x.test", "b@x.test", "c@x.test")
              for batch in (True, False)]  # fmt: skip
    async with db.raw() as connection:
        held = await held_back(connection, [*wanted, *wanted], now())
    said = {(one.account == alice, one.address): why.reason for one, why in held.items()}
    assert said == {
        (True, "A@x.test"): "complaint", (True, "b@x.test"): DEAD, (False, "A@x.test"): DEAD, (False, "b@x.test"): DEAD,
    }  # fmt: skip
    assert len(held) == 8, "both kinds"


async def test_an_end_is_the_first_moment_that_is_free(db: Database) -> None:
    account, until = new_id(), dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    async with db.raw() as connection:
        await enter(connection, account, [Entry("a@x.test", until=until)], until - HOUR)
        await bury(db, "b@x.test", until)
        wanted = [Wanted(account, "a@x.test", True), Wanted(account, "b@x.test", True)]
        before = await held_back(connection, wanted, until - dt.timedelta(microseconds=1))
        assert before == {wanted[0]: Held("manual", until), wanted[1]: Held(DEAD, until)}
        assert await held_back(connection, wanted, until) == {}


async def test_a_complaint_holds_everything_for_180_days(db: Database) -> None:
    account, at = new_id(), dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    async with db.raw() as connection:
        assert await complain(connection, account, "Li@qq.com", 7, at)
        assert not await complain(connection, account, "li@qq.com", 7, at + HOUR), "the same report again"
        trigger = Wanted(account, "li@qq.com", False)
        assert await held_back(connection, [trigger], at + HOUR) == {trigger: Held("complaint", at + COMPLAINT_HOLDS)}
        assert not await complain(connection, account, "li@qq.com", 8, at + 24 * HOUR), "it held already"
        later = at + 24 * HOUR + COMPLAINT_HOLDS
        assert await held_back(connection, [trigger], at) == {trigger: Held("complaint", later)}, "begun anew"
        assert await complain(connection, account, "li@qq.com", 8, later), "the former has ended"
    (row,) = await rows(db)
    assert (row["scope"], row["message_id"], row["created_at"], row["until"]) == (
        "all", 8, later, later + COMPLAINT_HOLDS,
    )  # fmt: skip


async def test_a_complaint_that_was_imported_for_longer_stays_longer(db: Database) -> None:
    account, at = new_id(), now()
    async with db.raw() as connection:
        await enter(connection, account, [Entry("a@x.test", "complaint", "all", at + 2 * COMPLAINT_HOLDS)], at)
        await enter(connection, account, [Entry("b@x.test", "complaint", "all")], at)
        for address in ("a@x.test", "b@x.test"):
            assert not await complain(connection, account, address, 1, at)
    assert [row["until"] for row in await rows(db)] == [at + 2 * COMPLAINT_HOLDS, None]


async def test_unsubscribing_makes_what_would_have_ended_for_ever(db: Database) -> None:
    account, at = new_id(), now()
    async with db.raw() as connection:
        await enter(connection, account, [Entry("a@x.test", "unsubscribe", until=at + HOUR)], at)
        assert await withdraw(connection, account, "a@x.test", 5, at)
        assert not await withdraw(connection, account, "a@x.test", 6, at)
    (row,) = await rows(db)
    assert (row["until"], row["message_id"]) == (None, 5)


async def test_taking_back_ends_nothing_else(db: Database) -> None:
    account, at = new_id(), now()
    async with db.raw() as connection:
        await complain(connection, account, "a@x.test", 5, at)
        await withdraw(connection, account, "a@x.test", 5, at)
        await enter(connection, account, [Entry("a@x.test")], at)
        await take_back(connection, account, "A@x.test", 6)
        await take_back(connection, account, "A@x.test", 5)
    assert [row["reason"] for row in await rows(db)] == ["complaint", "manual"]


WIDE, NARROW = "all", "batch"


@pytest.mark.parametrize(
    ("first", "second", "scope", "ends", "new"),
    [
        ((WIDE, None), (NARROW, 1), WIDE, None, False),
        ((NARROW, 1), (WIDE, None), WIDE, None, False),
        ((NARROW, 1), (NARROW, 2), NARROW, 2, False),
        ((WIDE, 2), (WIDE, 1), WIDE, 2, False),
        ((WIDE, -1), (NARROW, 1), NARROW, 1, True),
        ((WIDE, -1), (NARROW, None), NARROW, None, True),
    ],
)
async def test_entering_again_frees_nobody_and_what_has_ended_begins_anew(
    db: Database, first: tuple[str, int | None], second: tuple[str, int | None], scope: str, ends: int | None, new: bool
) -> None:
    account, at = new_id(), now()

    def entry(how: tuple[str, int | None], note: str) -> Entry:
        return Entry("a@x.test", "manual", how[0], None if how[1] is None else at + how[1] * HOUR, note)

    async with db.raw() as connection:
        assert await enter(connection, account, [entry(first, "one")], at - 5 * HOUR) == 1
        assert await enter(connection, account, [entry(second, "")], at) == int(new)
    (row,) = await rows(db)
    assert (row["scope"], row["until"]) == (scope, None if ends is None else at + ends * HOUR)
    assert row["note"] == ("" if new else "one")


async def test_of_what_is_named_twice_the_last_counts(db: Database) -> None:
    account = new_id()
    async with db.raw() as connection:
        asked_for = [Entry("A@x.test", note="one"), Entry("a@x.test", note="two"), Entry("a@x.test", "unsubscribe")]
        assert await enter(connection, account, asked_for, now()) == 2
    assert [(row["reason"], row["note"]) for row in await rows(db)] == [("manual", "two"), ("unsubscribe", "")]


async def test_lists_are_narrowed_by_reason_scope_and_address(db: Database) -> None:
    account = new_id()
    for place, reason in enumerate(("manual", "unsubscribe", "complaint")):
        await Case(reason, ends=-1 if place else None).enter(db, account, f"r{place}@x.test")
    await Case("manual").enter(db, new_id(), "r9@x.test")
    async with db.read() as session:
        for narrowed, found in [(Sought(), 3), (Sought(reason="complaint"), 1), (Sought("R1"), 1), (Sought("_"), 0),
                                (Sought(scope="batch"), 0), (Sought("x.test", "manual", "all"), 1)]:  # fmt: skip
            assert await count(session, account, narrowed) == found
            assert len(await page(session, account, narrowed, None, 10)) == found


async def test_only_the_accounts_own_entries_are_removed(db: Database) -> None:
    mine, other = new_id(), new_id()
    for account in (mine, other):
        await Case("manual").enter(db, account, "a@x.test")
    ids = {row["account_id"]: row["id"] for row in await rows(db)}
    async with db.begin() as session:
        assert await remove(session, mine, [*ids.values(), new_id()]) == {ids[mine]: "manual"}
    assert [row["account_id"] for row in await rows(db)] == [other]


@pytest.mark.parametrize("address", ["ÉMILE@x.example", "LI@x.example", "İ@x.example", "ß@x.example"])
async def test_postgresql_and_python_compare_alike(db: Database, address: str) -> None:
    """As the freeze of a campaign joins."""
    account = new_id()
    async with db.raw() as connection:
        await withdraw(connection, account, address, 1, now())
        assert await connection.fetchval(f"SELECT EXISTS (SELECT FROM suppression s WHERE {SAME})", account, address)


async def test_many_addresses_are_one_look_into_each_index(db: Database) -> None:
    """Whatever is in the tables: else accepting would slow down as they grow."""
    customer = await make_customer(db)
    await db.pool.execute(
        "INSERT INTO suppression (account_id, address, reason, created_at)"
        " SELECT $1, 'r' || n || '@x.example', 'manual', now() FROM generate_series(1, 5000) AS n",
        customer.account,
    )
    await db.pool.execute(
        "INSERT INTO dead_address (address, failures, first_at, last_at, until)"
        " SELECT 'd' || n || '@x.example', 1, now(), now(), now() + interval '1 day' FROM generate_series(1, 5000) AS n"
    )
    await db.pool.execute("ANALYZE suppression, dead_address")
    wanted = [[customer.account] * 3, ["r1@x.example", "d2@x.example", "x@x.example"], [True] * 3]
    plan = "\n".join(row[0] for row in await db.pool.fetch(f"EXPLAIN {_HELD_BACK}", *wanted, now()))
    joined = await db.pool.fetch(f"EXPLAIN SELECT FROM suppression s WHERE {SAME}", customer.account, "r1@x.example")
    assert "Seq Scan" not in plan, plan
    assert "(account_id = w.account) AND ((address)::text = w.address)" in plan, plan
    assert "Index" in joined[0][0] and "address = " in joined[1][0], "the whole key is looked up"
    assert await asked(db, customer.account, ["r17@x.example", "d3@x.example", "nobody@x.example"]) == {
        "r17@x.example", "d3@x.example",
    }  # fmt: skip
