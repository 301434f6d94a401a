"""Accepting for money: what the free quota covers costs nothing, the rest is held at the price of the moment, or
the request is refused whole."""

import datetime as dt
from typing import Any

import pytest

from domain.accounts import SYSTEM_ACCOUNT
from domain.errors import Refusal
from domain.ledger import Terms, price_at
from domain.notices import Notice
from domain.refusals import explain
from services.audit import audit
from store import ledger_read
from store.accepting import accept
from store.columns import now
from store.db import Database
from store.holding import PRICE
from store.notices import send_notice
from tests.accounts_world import SECRET
from tests.money_world import (
    PRICE as UNIT,
)
from tests.money_world import (
    make_paying,
    send,
    set_price,
    standing,
)
from tests.platform_rows import have_platform
from tests.sending_world import VAULT, Customer, request, submit

HOUR = dt.timedelta(hours=1)


async def holds(db: Database) -> list[tuple[int, ...]]:
    rows = await db.pool.fetch("SELECT free, messages, unit_micro FROM hold ORDER BY opened_at, submission_id")
    return [tuple(row) for row in rows]


async def test_inside_the_free_quota_nothing_is_held(db: Database) -> None:
    customer = await make_paying(db, free=5)
    await send(db, customer, 5)
    assert await holds(db) == []
    assert await db.pool.fetchval("SELECT charged_from FROM submission") is None
    assert await db.pool.fetchval("SELECT count(*) FROM ledger_account") == 0


async def test_across_the_free_quota_the_rest_is_held(db: Database) -> None:
    customer = await make_paying(db, 100, free=5)
    await send(db, customer, 4)
    await send(db, customer, 3)
    await send(db, customer, 2)
    assert await holds(db) == [(1, 2, UNIT), (0, 2, UNIT)]
    assert await standing(db, customer.account) == (100, 0, 4 * UNIT)
    assert (await audit(db)).clean


async def test_without_money_the_whole_request_is_refused(db: Database) -> None:
    """Also one that the free quota covers in part."""
    for customer, shown in ((await make_paying(db, free=1), "¥0.00"), (await make_paying(db, 1, free=1), "¥0.01")):
        with pytest.raises(Refusal, match="balance_insufficient") as caught:
            await send(db, customer, 4)
        assert caught.value.params == {"needed": "¥0.0135", "available": shown}
        assert explain(caught.value, "en")[0] == 402 and "¥0.0135" in explain(caught.value, "zh")[1]
    for table in ("submission", "message", "due", "hold", "quota_use"):
        assert await db.pool.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_part_of_a_fen_that_is_carried_cannot_be_held(db: Database) -> None:
    customer = await make_paying(db, 1)
    await db.pool.execute("UPDATE ledger_account SET carry_micro = 5600 WHERE account_id = $1", customer.account)
    with pytest.raises(Refusal, match="balance_insufficient") as caught:
        await send(db, customer, 1)
    assert caught.value.params["available"] == "¥0.0044"
    await db.pool.execute("UPDATE ledger_account SET carry_micro = 5500 WHERE account_id = $1", customer.account)
    await send(db, customer, 1)


async def test_a_repeated_request_holds_once(db: Database) -> None:
    customer = await make_paying(db, 100)
    first = await send(db, customer, 2, idempotency_key="k")
    again = await send(db, customer, 2, idempotency_key="k")
    assert (again.submission_id, again.repeated) == (first.submission_id, True)
    assert await standing(db, customer.account) == (100, 0, 2 * UNIT)


async def test_test_sends_and_the_platforms_own_mails_cost_nothing(db: Database) -> None:
    customer = await make_paying(db)
    await db.pool.execute(
        "INSERT INTO member (id, account_id, email, email_confirmed_at, password_hash, role, created_at)"
        " VALUES (gen_random_uuid(), $1, 'me@x.test', now(), '', 'owner', now())",
        customer.account,
    )
    await db.pool.execute("UPDATE api_user SET is_test = true")
    await submit(db, customer, ["me@x.test"])
    await notice(db)
    assert await db.pool.fetchval("SELECT count(*) FROM submission WHERE charged_from IS NULL") == 2
    assert await holds(db) == []


async def notice(db: Database) -> None:
    from settings import Settings

    await have_platform(db, VAULT, Settings(secret_key=SECRET).policy())
    await send_notice(db, Notice.CONFIRM_EMAIL, "a@x.test", "en", {"name": "A", "link": "l", "hours": "1"}, "k")
    assert await db.pool.fetchval("SELECT count(*) FROM submission WHERE account_id = $1", SYSTEM_ACCOUNT) == 1


async def test_beyond_the_daily_quota_no_money_helps(db: Database) -> None:
    customer = await make_paying(db, 1000, free=1, quota=3)
    with pytest.raises(Refusal, match="quota_exceeded") as caught:
        await send(db, customer, 4)
    assert "support" in explain(caught.value, "en")[2] and "客服" in explain(caught.value, "zh")[2]
    assert await holds(db) == []


async def test_the_price_of_the_moment_is_held_and_stays(db: Database) -> None:
    customer, other = await make_paying(db, 1000), await make_paying(db, 1000)
    await send(db, customer, 1)
    await set_price(db, 5_000, now() - HOUR)
    await send(db, customer, 1)
    await set_price(db, 6_000, now() + HOUR)
    await set_price(db, 2_000, now() - 3 * HOUR, customer.account)
    await send(db, customer, 1)
    await send(db, other, 1)
    assert await holds(db) == [(0, 1, UNIT), (0, 1, 5_000), (0, 1, 2_000), (0, 1, 5_000)]
    assert (await audit(db)).clean


async def test_the_rule_in_sql_is_the_rule(db: Database) -> None:
    """`store.holding.PRICE` and `domain.ledger.price_at`, at every moment of a list with ties."""
    customer, start = await make_paying(db), now()
    sets: list[tuple[int, int, Any]] = [(1, -3, None), (2, -1, None), (3, -1, None), (4, 2, customer.account)]
    sets += [(5, 1, None), (6, 2, customer.account), (7, 5, None), (8, 4, customer.account)]
    for unit, hours, account in sets:
        await set_price(db, unit, start + hours * HOUR, account)
    async with db.read() as session:
        rows = await ledger_read.prices(session, customer.account)
    seen = []
    for hours in range(-4, 7):
        moment = start + hours * HOUR
        seen.append(await db.pool.fetchval(PRICE, customer.account, moment, "email", 9))
        assert seen[-1] == price_at(rows, moment, 9)
    assert seen == [9, 1, 1, 3, 3, 5, 6, 6, 8, 8, 8]


class Counting:
    """A connection that counts what it is asked."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        if name in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
            self.statements += 1
        return getattr(self._connection, name)


async def statements(db: Database, customer: Customer) -> int:
    async with db.raw() as connection:
        counting = Counting(connection)
        asked = request(customer, ["a@x.test"])
        await accept(counting, customer.caller(), asked, now(), Terms(1.0, UNIT))
        return counting.statements


async def test_a_free_accept_costs_no_statement_more_and_a_paid_one_costs_one(db: Database) -> None:
    """Identity, who is held back, submission, quota, messages; and the hold."""
    assert await statements(db, await make_paying(db, free=1)) == 5
    assert await statements(db, await make_paying(db, 100)) == 6
