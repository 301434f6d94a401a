"""`/v1/webhooks` over HTTP, on a real database."""

import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api import problems
from api.callers import any_caller
from api.v1 import webhooks
from domain.accounts import Caller
from domain.ids import Kind, Process, new_id
from services.limits import Limits
from services.webhooks import Webhooks
from store.db import Database
from tests.sends_doors import foundation
from tests.webhook_receiver import receiving
from tests.webhook_world import Hooks, hooks

GOOD = {"url": "https://example.com/hooks", "events": ["invalid", "deliver"]}


class Door:
    """A client that acts as `caller`."""

    def __init__(self, http: httpx2.AsyncClient, world: Hooks) -> None:
        self.http = http
        self.world = world
        self.caller = Caller(world.customer.account, member_id=new_id())

    async def make(self, **changes: Any) -> dict[str, Any]:
        answer = await self.http.post("/v1/webhooks", json=GOOD | changes)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


@contextlib.asynccontextmanager
async def door(db: Database) -> AsyncIterator[Door]:
    app = FastAPI()
    problems.install(app)
    app.include_router(webhooks.router)
    base = await foundation(db)
    app.state.services = SimpleNamespace(webhooks=Webhooks(base, Limits(base)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        made = Door(http, await hooks(db))
        app.dependency_overrides[any_caller] = lambda: made.caller
        yield made


@pytest.fixture
async def v1(db: Database) -> AsyncIterator[Door]:
    async with door(db) as made:
        yield made


async def test_the_secret_comes_with_the_creation_only(v1: Door) -> None:
    made = await v1.make()
    assert made["secret"].startswith("whsec_")
    assert made["events"] == ["deliver", "invalid"]
    assert made["workflow_id"] == f"webhook/{made['id']}"
    for answer in (await v1.http.get(f"/v1/webhooks/{made['id']}"), await v1.http.get("/v1/webhooks")):
        assert answer.status_code == 200
        assert "whsec_" not in answer.text
        assert 'secret"' not in answer.text
    rotated = (await v1.http.post(f"/v1/webhooks/{made['id']}/secret")).json()
    assert rotated["secret"] not in ("", made["secret"])
    assert rotated["old_secret_signs_until"]


async def test_change_disable_and_delete(v1: Door) -> None:
    path = f"/v1/webhooks/{(await v1.make())['id']}"
    changed = (await v1.http.patch(path, json={"events": ["open"]})).json()
    assert (changed["events"], changed["url"]) == (["open"], GOOD["url"])
    disabled = (await v1.http.patch(path, json={"state": "disabled"})).json()
    assert (disabled["state"], disabled["disabled_by"]) == ("disabled", "customer")
    refused = await v1.http.post(f"{path}/ping")
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
    assert (await v1.http.patch(path, json={"state": "enabled"})).json()["disabled_by"] is None
    assert (await v1.http.delete(path)).status_code == 204
    assert (await v1.http.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "x"}, "url"), ({"url": ""}, "url"), ({"url": None}, "url"), ({"url": "https://a\0b/"}, "url"),
        ({"events": []}, "events"), ({"events": ["x"]}, "events"), ({"events": "deliver"}, "events"),
    ],
)  # fmt: skip
async def test_problems_name_the_field_and_nothing_is_made(v1: Door, body: dict[str, Any], field: str) -> None:
    answer = await v1.http.post("/v1/webhooks", json=GOOD | body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["field"] == field
    assert answer.json()["next_step"]
    assert (await v1.http.get("/v1/webhooks")).json() == {"items": [], "next_cursor": None}


async def test_lists_go_on_at_their_cursors(v1: Door) -> None:
    ids = [(await v1.make(url=f"https://example.com/{n}"))["id"] for n in range(3)]
    first = (await v1.http.get("/v1/webhooks?limit=2")).json()
    rest = (await v1.http.get(f"/v1/webhooks?limit=2&cursor={first['next_cursor']}")).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == ids
    assert rest["next_cursor"] is None
    for path in ("/v1/webhooks", f"/v1/webhooks/{ids[0]}/attempts"):
        bad = await v1.http.get(path, params={"cursor": "zzz"})
        assert (bad.status_code, bad.json()["field"]) == (422, "cursor")


async def test_a_ping_and_its_attempts(v1: Door) -> None:
    async with receiving(lambda n, r: 500 if n == 0 else 200, body=b"busy") as receiver:
        key = (await v1.make(url=receiver.url))["id"]
        pinged = await v1.http.post(f"/v1/webhooks/{key}/ping")
        assert pinged.status_code == 202
        process = Process(Kind.WEBHOOK, key, str(v1.world.customer.account), 1)
        await v1.world.drain(process)
        failing = (await v1.http.get(f"/v1/webhooks/{key}")).json()
        assert (failing["pending"], failing["failures"], failing["last_error"]) == (1, 1, "http_500")
        assert failing["next_attempt_at"]
        retried = (await v1.http.post(f"/v1/webhooks/{key}/retry")).json()
        assert (retried["next_attempt_at"], retried["failures"]) == (None, 0)
        await v1.world.drain(process)
    log = (await v1.http.get(f"/v1/webhooks/{key}/attempts?limit=1")).json()
    assert (log["items"][0]["acknowledged"], log["items"][0]["status"], log["items"][0]["type"]) == (True, 200, "ping")
    older = (await v1.http.get(f"/v1/webhooks/{key}/attempts?cursor={log['next_cursor']}")).json()["items"][0]
    assert (older["acknowledged"], older["error"], older["response"]) == (False, "http_500", "busy")
    assert older["webhook_id"] == log["items"][0]["webhook_id"] == pinged.json()["webhook_id"] == receiver.ids[0]


async def test_api_users_and_strangers_are_refused(v1: Door, db: Database) -> None:
    path = f"/v1/webhooks/{(await v1.make())['id']}"
    stranger = await hooks(db)
    v1.caller = Caller(stranger.customer.account, member_id=new_id())
    for method, where in (
        ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/ping"), ("POST", "/retry"), ("POST", "/secret"),
        ("GET", "/attempts"),
    ):  # fmt: skip
        answer = await v1.http.request(method, path + where, json={} if method == "PATCH" else None)
        assert answer.status_code == 404, (method, where)
    v1.caller = Caller(v1.world.customer.account, api_user_id=new_id())
    assert (await v1.http.get("/v1/webhooks")).status_code == 403
