"""`/v1/balance`, `/v1/statement`, `/v1/prices` over HTTP, on a real database."""

import contextlib
import csv
import datetime as dt
import io
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx2
import pytest
from fastapi import FastAPI

from api import problems
from api.callers import any_caller
from api.v1 import ledger, sends
from domain.accounts import Caller, Role
from domain.ids import new_id
from services.ledger import Ledger
from services.sending import Sending
from store.columns import now
from store.db import Database
from tests.money_world import finish, make_paying, recharge, send, set_price, settle
from tests.sending_world import Customer
from tests.sends_doors import foundation


@contextlib.asynccontextmanager
async def door(db: Database, customer: Customer, role: Role = Role.OWNER) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that acts as a member of the customer's account."""
    app, base = FastAPI(), await foundation(db)
    problems.install(app)
    for feature in (ledger, sends):
        app.include_router(feature.router)
    app.state.services = SimpleNamespace(ledger=Ledger(base), sending=Sending(base))
    app.dependency_overrides[any_caller] = lambda: Caller(customer.account, new_id(), role=role)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        yield http


@pytest.fixture
async def customer(db: Database) -> Customer:
    return await make_paying(db, 10_000, free=2)


@pytest.fixture
async def v1(db: Database, customer: Customer) -> AsyncIterator[httpx2.AsyncClient]:
    async with door(db, customer) as http:
        yield http


async def test_the_balance_says_what_is_there_held_and_free(
    v1: httpx2.AsyncClient, db: Database, customer: Customer
) -> None:
    await send(db, customer, 5)
    assert (await v1.get("/v1/balance")).json() == {
        "currency": "CNY",
        "balance_fen": 10_000,
        "held_micro": 13_500,
        "available_fen": 9_998,
        "free_quota": {"limit": 2, "used": 2, "left": 0},
        "daily_quota": {"limit": 100_000, "used": 5},
        "unit_price_micro": 4_500,
    }


async def test_a_free_account_has_a_balance_of_nothing(db: Database) -> None:
    async with door(db, await make_paying(db, free=9)) as http:
        found = (await http.get("/v1/balance")).json()
    assert (found["balance_fen"], found["available_fen"], found["free_quota"]["left"]) == (0, 0, 9)


async def test_a_send_that_money_does_not_cover_is_a_402(db: Database) -> None:
    customer = await make_paying(db)
    async with door(db, customer) as http:
        body = {
            "api_user": customer.api_user_name,
            "template": "hello",
            "from": f"hello@{customer.domain_name}",
            "recipients": [{"address": "a@x.test", "variables": {"name": "A"}}],
        }
        answer = await http.post("/v1/sends", json=body, headers={"accept-language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (402, "balance_insufficient")
    assert "¥0.0045" in answer.json()["detail"] and "/portal/recharges" in answer.text


async def busy(db: Database, customer: Customer) -> None:
    """Two recharges around five charged sends of two mails (0.9 fen each)."""
    await send(db, customer, 2)
    for _ in range(5):
        await send(db, customer, 2)
        await finish(db, ["delivered"] * 4)
        await settle(db)
    await recharge(db, customer.account, 500)


async def test_the_statement_is_paged_newest_first(v1: httpx2.AsyncClient, db: Database, customer: Customer) -> None:
    await busy(db, customer)
    lines, cursor = [], ""
    while True:
        page = (await v1.get(f"/v1/statement?limit=2{cursor}")).json()
        assert len(page["items"]) <= 2
        lines += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [(line["kind"], line["amount"], line["balance_after_fen"]) for line in lines] == [
        ("recharge", "5.00", 10_496),
        *(("charge", "-0.01", 9_996 + n) for n in range(4)),
        ("recharge", "100.00", 10_000),
    ]
    sends_made = {str(row["id"]) for row in await db.pool.fetch("SELECT id FROM submission")}
    assert {line["reference"] for line in lines if line["kind"] == "charge"} <= sends_made
    orders = {str(row["id"]) for row in await db.pool.fetch("SELECT id FROM recharge")}
    assert {line["reference"] for line in lines if line["kind"] == "recharge"} == orders
    assert lines[1]["memo"] == "2 × ¥0.0045"
    only = (await v1.get("/v1/statement?kind=recharge")).json()["items"]
    assert [line["kind"] for line in only] == ["recharge"] * 2
    assert (await v1.get("/v1/statement?kind=gift")).status_code == 422


async def test_the_statement_as_a_file(v1: httpx2.AsyncClient, db: Database, customer: Customer) -> None:
    await busy(db, customer)
    answer = await v1.get("/v1/statement.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8" and answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["kind"], row["amount"], row["balance_after"], row["currency"]) for row in rows][:2] == [
        ("recharge", "5.00", "104.96", "CNY"),
        ("charge", "-0.01", "99.96", "CNY"),
    ]
    assert len(rows) == 6 and all(row["time"].endswith("+08:00") for row in rows)
    only = (await v1.get("/v1/statement.csv?kind=charge")).content.decode("utf-8-sig")
    assert {row["kind"] for row in csv.DictReader(io.StringIO(only))} == {"charge"}


async def test_prices_now_and_announced(v1: httpx2.AsyncClient, db: Database) -> None:
    begins = now() + dt.timedelta(days=1)
    await set_price(db, 6_000, begins)
    found = (await v1.get("/v1/prices")).json()
    assert found["items"][0] == {
        "item": "email", "unit_price_micro": 4_500, "unit_price": "0.0045", "begins": None,
    }  # fmt: skip
    assert dt.datetime.fromisoformat(found["items"][1]["begins"]) == begins


async def test_money_is_not_for_everybody(db: Database, customer: Customer) -> None:
    async with door(db, customer, Role.DEVELOPER) as http:
        for path in ("/v1/statement", "/v1/statement.csv"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (403, "role_forbids")


@pytest.mark.parametrize("role", Role)
async def test_the_balance_shows_money_to_whom_it_may_and_the_quota_to_all(
    db: Database, customer: Customer, role: Role
) -> None:
    async with door(db, customer, role) as http:
        found = (await http.get("/v1/balance")).json()
    money = {name: found[name] for name in ("balance_fen", "held_micro", "available_fen")}
    shown = {"balance_fen": 10_000, "held_micro": 0, "available_fen": 10_000}
    assert money == (dict.fromkeys(shown) if role in (Role.DEVELOPER, Role.VIEWER) else shown)
    assert (found["free_quota"]["left"], found["unit_price_micro"]) == (2, 4_500)


async def test_a_key_sees_the_balance_that_its_sends_are_paid_from(db: Database, customer: Customer) -> None:
    caller = Caller(customer.account, api_user_id=customer.api_user)
    assert (await Ledger(await foundation(db)).balance(caller)).standing.purse is not None


async def test_another_accounts_lines_are_not_shown(v1: httpx2.AsyncClient, db: Database, customer: Customer) -> None:
    other = await make_paying(db, 777)
    await send(db, other, 3)
    await finish(db, ["delivered"] * 3)
    await settle(db)
    found = (await v1.get("/v1/statement")).json()["items"]
    assert [line["amount_fen"] for line in found] == [10_000]
    last = await db.pool.fetchval("SELECT max(id) FROM entry")
    assert (await v1.get(f"/v1/statement?cursor={last + 1}")).json()["items"] == found
