"""`/v1/signals` over HTTP, on a real database."""

import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx2
from fastapi import FastAPI

from api import problems
from api.callers import any_caller
from api.v1 import signals
from services.signals import Signals
from store.db import Database
from tests.sending_world import Customer, make_customer
from tests.sends_doors import foundation
from tests.services.test_signals import heard


@contextlib.asynccontextmanager
async def door(db: Database, customer: Customer) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(signals.router)
    app.state.services = SimpleNamespace(signals=Signals(await foundation(db)))
    app.dependency_overrides[any_caller] = customer.caller
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        yield http


async def test_rates_and_judgement_by_provider(db: Database) -> None:
    mine, theirs = await make_customer(db), await make_customer(db)
    await heard(db, mine, "qq", delivered=980, hard=9, refused=3, deferred=40, complained=4)
    await heard(db, theirs, "qq", delivered=5)
    async with door(db, mine) as http:
        found = (await http.get("/v1/signals?window=24h", headers={"accept-language": "en"})).json()
    [item] = found["items"]
    assert (item["key"], item["title"], item["level"]) == ("qq", "QQ Mail, Tencent Exmail", "bad")
    assert (
        found["rates"]
        == item["rates"]
        == {
            "delivered": {"value": 0.987903, "level": "good"},
            "hard": {"value": 0.009073, "level": "good"},
            "refused": {"value": 0.003024, "level": "good"},
            "deferred": {"value": 0.03876, "level": "good"},
            "complained": {"value": 0.004082, "level": "bad"},
            "unsubscribed": {"value": 0.0, "level": "unknown"},
        }
    )
    assert found["counts"]["deferred"] == 40 and found["level"] == "bad"
    assert (found["window"], found["by"]) == ("24h", "provider") and found["since"]


async def test_by_domain_time_and_as_a_file(db: Database) -> None:
    customer = await make_customer(db)
    await heard(db, customer, "qq", delivered=5)
    async with door(db, customer) as http:
        [domain] = (await http.get("/v1/signals?by=domain")).json()["items"]
        days = (await http.get("/v1/signals?window=30d&by=time")).json()["items"]
        file = await http.get("/v1/signals.csv?by=time")
    assert (domain["key"], domain["title"]) == (str(customer.domain), customer.domain_name)
    assert len(days) == 30 and days[-1]["counts"]["delivered"] == 5
    assert "signals-time.csv" in file.headers["content-disposition"] and len(file.text.splitlines()) == 8


async def test_nothing_yet_and_nothing_of_the_platform(db: Database) -> None:
    mine, theirs = await make_customer(db), await make_customer(db)
    await heard(db, theirs, "qq", delivered=5)
    async with door(db, mine) as http:
        found = (await http.get("/v1/signals")).json()
        assert (found["items"], found["level"], found["rates"]["hard"]["value"]) == ([], "unknown", None)
        for query in ("by=account", "by=egress", "window=1y"):
            assert (await http.get(f"/v1/signals?{query}")).status_code == 422
