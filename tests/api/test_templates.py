"""`/v1/templates` over HTTP, on a real database."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api import problems
from api.callers import any_caller
from api.v1 import templates
from domain.accounts import Caller
from domain.ids import new_id
from domain.reviews import Decision, Ruling
from domain.templates import Content
from services.catalog import build_services
from services.templates import preview_of
from store import templates as rows
from store.columns import now
from store.db import Database
from store.templates import TemplateVersion
from tests.template_world import BAD, GOOD, Author, author

BODY = {"invoke_name": "order", "name": "Order", "kind": "trigger", "subject": GOOD.subject, "html": GOOD.html}


@dataclass
class Door:
    http: httpx2.AsyncClient
    alice: Author
    caller: Caller

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.http.post(f"/v1/templates{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def get(self, path: str, status: int = 200) -> Any:
        answer = await self.http.get(f"/v1/templates{path}")
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    alice = await author(db)
    app = FastAPI()
    problems.install(app)
    app.include_router(templates.router)
    app.state.services = build_services(alice.base)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        made = Door(http, alice, Caller(alice.rows.account, member_id=new_id()))
        app.dependency_overrides[any_caller] = lambda: made.caller
        yield made


async def test_from_draft_to_approval(door: Door) -> None:
    made = await door.http.post("/v1/templates", json=BODY)
    assert made.status_code == 201
    template = made.json()
    assert made.headers["location"] == f"/v1/templates/{template['id']}"
    assert template["version"]["state"] == "draft"
    assert template["workflow_id"] is None and template["approved_version"] is None
    submitted = await door.post("/order/submit", status=202)
    assert submitted["workflow_id"].startswith("template-review/")
    version = (await door.alice.templates.get(door.alice.caller, "order")).version
    assert submitted["version"]["due_at"] > submitted["version"]["submitted_at"]
    async with door.alice.base.db.begin() as session:
        stored = await session.get_one(TemplateVersion, version.id)
        stored.due_at, stored.due_provisional = dt.datetime(2027, 1, 4, tzinfo=dt.UTC), True
    waiting = (await door.get("/order"))["version"]
    assert (waiting["due_at"], waiting["due_provisional"]) == ("2027-01-04T00:00:00Z", True)
    async with door.alice.base.db.begin() as session:
        await rows.decide(session, version.id, Ruling(Decision.APPROVE, "operator/o", "nice"), now())
    shown = await door.get(f"/{template['id']}")
    assert (shown["approved_version"], shown["version"]["state"], shown["version"]["reason"]) == (1, "approved", "nice")


async def test_editing_an_approved_template_makes_a_draft_beside_it(door: Door) -> None:
    await door.post("", BODY, 201)
    await door.post("/order/submit", status=202)
    version = (await door.alice.templates.get(door.alice.caller, "order")).version
    async with door.alice.base.db.begin() as session:
        await rows.decide(session, version.id, Ruling(Decision.APPROVE, "operator/o"), now())
    answer = await door.http.put("/v1/templates/order", json={"subject": "New", "html": GOOD.html})
    assert answer.status_code == 200
    assert (answer.json()["version"]["number"], answer.json()["approved_version"]) == (2, 1)
    assert [each["state"] for each in (await door.get("/order/versions"))["items"]] == ["draft", "approved"]
    assert (await door.get("/order/versions/1"))["subject"] == GOOD.subject
    await door.get("/order/versions/3", 404)
    await door.get("/order/versions/99999999999", 422)


async def test_what_is_wrong_with_content_is_listed_and_refused_at_submission(door: Door) -> None:
    made = await door.post("", BODY | {"html": BAD.html}, 201)
    (finding,) = made["version"]["findings"]
    assert (finding["severity"], finding["code"], finding["line"]) == ("error", "active_element", 2)
    problem = await door.post("/order/submit", status=422)
    assert (problem["code"], problem["field"]) == ("template_content", "html")
    assert "line 2" in problem["detail"] and problem["next_step"]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"invoke_name": "a b"}, 422, "invoke_name"),
        ({"kind": "other"}, 422, "kind"),
        ({"kind": None}, 422, "kind"),
        ({"subject": None}, 422, "subject"),
        ({"subject": "\x00"}, 422, "subject"),
        ({"html": "x" * 600_000}, 422, "html"),
    ],
)
async def test_bad_input_names_the_field(door: Door, change: dict[str, Any], status: int, field: str) -> None:
    problem = await door.post("", BODY | change, status)
    assert problem["field"] == field


async def test_a_lone_surrogate_is_refused(door: Door) -> None:
    raw = b'{"invoke_name": "order", "kind": "trigger", "subject": "s", "html": "<p>\\ud800</p>"}'
    answer = await door.http.post("/v1/templates", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 422 and answer.json()["field"] == "html"


async def test_a_name_that_is_taken_conflicts(door: Door) -> None:
    await door.post("", BODY, 201)
    problem = await door.post("", BODY, 409)
    assert (problem["code"], problem["field"]) == ("template_exists", "invoke_name")


async def test_withdraw_and_delete(door: Door) -> None:
    await door.post("", BODY, 201)
    await door.post("/order/withdraw", status=409)
    await door.post("/order/submit", status=202)
    assert (await door.post("/order/withdraw"))["version"]["state"] == "withdrawn"
    assert (await door.http.delete("/v1/templates/order")).status_code == 204
    await door.get("/order", 404)
    assert (await door.http.delete("/v1/templates/order")).status_code == 404


async def test_the_list_has_pages_and_filters(door: Door) -> None:
    for name in ("a", "b", "c"):
        await door.post("", BODY | {"invoke_name": name}, 201)
    first = await door.get("?limit=2")
    assert [each["invoke_name"] for each in first["items"]] == ["c", "b"]
    second = await door.get(f"?limit=2&cursor={first['next_cursor']}")
    assert ([each["invoke_name"] for each in second["items"]], second["next_cursor"]) == (["a"], None)
    assert (await door.get("?kind=batch"))["items"] == []
    assert len((await door.get("?state=draft"))["items"]) == 3
    await door.get("?state=odd", 422)


async def test_previews(door: Door) -> None:
    await door.post("", BODY, 201)
    shown = await door.post("/order/preview", {"values": {"name": "<Ada>", "link": "ftp://x"}})
    assert shown["html"] == '<p>Dear &lt;Ada&gt;, <a href="#">track it</a></p>'
    assert (shown["subject"], shown["blocked_links"]) == ("Order [order]", ["link"])
    unsaved = await door.post("/preview", {"subject": "%s%", "html": "<p>%b%</p>", "values": {"s": "1\r\n2"}})
    assert (unsaved["subject"], unsaved["html"], unsaved["text"]) == ("1 2", "<p>[b]</p>", "[b]")


async def test_half_a_character_is_previewed_as_a_question_mark() -> None:
    """JSON can write one, and no answer could hold it."""
    shown = await preview_of(Content("\ud83d%s%", "<p>%s%</p>"), {"s": "\ude00"})
    assert (shown.subject, shown.html) == ("??", "<p>?</p>")


async def test_a_key_may_read_and_not_write(door: Door) -> None:
    await door.post("", BODY, 201)
    door.caller = Caller(door.alice.rows.account, api_user_id=new_id())
    await door.get("/order")
    await door.post("/order/preview", {})
    await door.post("", BODY | {"invoke_name": "b"}, 403)
    for path in ("/order/submit", "/order/withdraw"):
        await door.post(path, status=403)
    assert (await door.http.put("/v1/templates/order", json={"subject": "s", "html": "h"})).status_code == 403
    assert (await door.http.delete("/v1/templates/order")).status_code == 403


async def test_another_account_sees_nothing(door: Door, db: Database) -> None:
    made = await door.post("", BODY, 201)
    door.caller = Caller((await author(db)).rows.account, member_id=new_id())
    for ref in ("order", made["id"]):
        await door.get(f"/{ref}", 404)
        await door.post(f"/{ref}/submit", status=404)
        await door.post(f"/{ref}/preview", {}, 404)
    assert (await door.get(""))["items"] == []


async def test_every_route_is_described_with_examples() -> None:
    app = FastAPI()
    app.include_router(templates.router)
    document = app.openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"] and operation["description"], f"{method} {path}"
    for name in ("NewTemplate", "ContentIn"):
        shown = document["components"]["schemas"].get(name, {"properties": {}})["properties"]
        assert all("examples" in each for each in shown.values() if "$ref" not in each), name
