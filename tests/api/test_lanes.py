"""`/v1/queue-status` over HTTP, on a real database."""

import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx2
from fastapi import FastAPI

from api import problems
from api.callers import any_caller
from api.v1 import lanes
from services.lanes import Queues
from store.db import Database
from tests.lanes_world import learn, single_mails, with_lanes
from tests.sending_world import Customer, make_customer
from tests.sends_doors import foundation


@contextlib.asynccontextmanager
async def door(db: Database, customer: Customer) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(lanes.router)
    app.state.services = SimpleNamespace(queues=Queues(await foundation(db)))
    app.dependency_overrides[any_caller] = customer.caller
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        yield http


async def test_the_queue_by_api_user_and_provider(db: Database) -> None:
    customer = await make_customer(db)
    await with_lanes(db)
    await learn(db, qq_com="qq")
    await single_mails(db, customer, "a@qq.com", "b@qq.com")
    await db.pool.execute("UPDATE lane SET paused_at = now(), pause_reason = 'Until noon' WHERE name = 'qq'")
    async with door(db, customer) as http:
        found = (await http.get("/v1/queue-status", headers={"accept-language": "en"})).json()
        chinese = (await http.get("/v1/queue-status", headers={"accept-language": "zh-CN"})).json()
    [item], [lane] = found["items"], found["lanes"]
    assert item.pop("waiting_since") and lane.pop("since")
    assert item == {
        "api_user": customer.api_user_name,
        "lane": "qq",
        "title": "QQ Mail, Tencent Exmail",
        "domains": ["qq.com"],
        "state": "paused",
        "reason": "Until noon",
        "waiting": 2,
        "at_least": False,
    }
    assert lane == {"lane": "qq", "title": "QQ Mail, Tencent Exmail", "state": "paused", "reason": "Until noon"}
    assert found["waiting"] == 2
    assert chinese["items"][0]["title"] == "QQ 邮箱、腾讯企业邮"


async def test_nothing_waits_for_others(db: Database) -> None:
    mine, theirs = await make_customer(db), await make_customer(db)
    await single_mails(db, theirs, "a@far.example")
    async with door(db, mine) as http:
        assert (await http.get("/v1/queue-status")).json() == {"waiting": 0, "items": [], "lanes": []}
