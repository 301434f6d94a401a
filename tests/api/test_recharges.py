"""`/v1/recharges` and the door of Alipay's notifications, over HTTP, on a real database."""

import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx2
import pytest
from fastapi import FastAPI

from api import callbacks, problems
from api.callers import any_caller
from api.v1 import recharges
from domain.accounts import Caller
from domain.ids import new_id
from settings import Settings
from store.db import Database
from tests.pay_world import Desk, Till, till


@contextlib.asynccontextmanager
async def door(shop: Till, caller: Caller) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(recharges.router)
    app.include_router(callbacks.router)
    app.state.services = SimpleNamespace(billing=shop.billing)
    app.dependency_overrides[any_caller] = lambda: caller
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        yield http


@pytest.fixture
async def shop(db: Database, pay: Desk) -> Till:
    return await till(db, pay)


@pytest.fixture
async def v1(shop: Till) -> AsyncIterator[httpx2.AsyncClient]:
    async with door(shop, shop.caller) as http:
        yield http


async def test_from_the_order_to_the_credit(v1: httpx2.AsyncClient, shop: Till) -> None:
    answer = await v1.post("/v1/recharges", json={"amount": "100.00"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["amount"], made["amount_fen"], made["closing"]) == ("open", "100.00", 10_000, False)
    assert made["workflow_id"] == f"recharge/{made['id']}"
    assert made["expires_at"] > made["created_at"]
    number = made["id"].replace("-", "")
    assert (await shop.desk.visit(made["pay_url"])).status_code == 200
    await shop.desk.act(number)
    await shop.notified(number)
    after = (await v1.get(f"/v1/recharges/{made['id']}")).json()
    assert (after["state"], after["pay_url"]) == ("credited", None)
    assert [(each["state"], each["amount"]) for each in after["payments"]] == [("credited", "100.00")]
    assert (await v1.post(f"/v1/recharges/{made['id']}/close")).json()["code"] == "recharge_paid"


async def test_pages_newest_first(v1: httpx2.AsyncClient) -> None:
    ids = [(await v1.post("/v1/recharges", json={"amount": "10"})).json()["id"] for _ in range(3)]
    first = (await v1.get("/v1/recharges", params={"limit": 2})).json()
    assert [each["id"] for each in first["items"]] == [ids[2], ids[1]]
    second = (await v1.get("/v1/recharges", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["id"] for each in second["items"]] == [ids[0]]
    assert second["next_cursor"] is None
    assert (await v1.get("/v1/recharges", params={"cursor": "x"})).status_code == 422


async def test_closing_is_accepted_and_done_by_the_process(v1: httpx2.AsyncClient) -> None:
    made = (await v1.post("/v1/recharges", json={"amount": "10"})).json()
    answer = await v1.post(f"/v1/recharges/{made['id']}/close")
    assert (answer.status_code, answer.json()["closing"], answer.json()["pay_url"]) == (202, True, None)
    assert (await v1.post(f"/v1/recharges/{new_id()}/close")).status_code == 404


@pytest.mark.parametrize(
    ("amount", "code"), [("5", "recharge_amount"), ("1,5,x", "amount_malformed"), ("9" * 21, "invalid")]
)
async def test_a_bad_amount_is_a_problem_at_its_field(v1: httpx2.AsyncClient, amount: str, code: str) -> None:
    answer = await v1.post("/v1/recharges", json={"amount": amount})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["next_step"]


async def test_the_missing_step_is_named_with_its_place(shop: Till, v1: httpx2.AsyncClient) -> None:
    await shop.db.pool.execute("UPDATE certification SET valid_until = '2020-01-01'")
    answer = await v1.post("/v1/recharges", json={"amount": "100"})
    assert answer.json()["code"] == "step_missing"
    assert "/portal/certification" in answer.text


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"a=1&" * 300, b"x" * 70_000, "sign=送达&sign_type=RSA2".encode()])
async def test_what_is_no_notification_is_answered_failure(v1: httpx2.AsyncClient, body: bytes) -> None:
    answer = await v1.post("/callbacks/alipay/notify", content=body)
    assert (answer.status_code, answer.text) == (200, "failure")


def test_an_application_without_its_keys_is_refused_at_the_start() -> None:
    secret = "a test's master secret, 32 characters and more"
    with pytest.raises(ValueError, match="alipay_app_id needs"):
        Settings(secret_key=secret, alipay_app_id="9021000100000001")
    assert Settings(secret_key=secret).alipay() is None
