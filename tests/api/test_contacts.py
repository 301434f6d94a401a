"""`/v1/contact-lists` over HTTP: lists, contacts, imports; what is refused says where and why."""

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from api import problems
from api.body_limit import UPLOADS, BodyLimit
from api.callers import any_caller
from api.v1 import contact_imports, contacts
from store.db import Database
from tests.contacts_world import Mine, contacts_of, csv_of, numbers
from tests.lent_apps import lent_app


def lists_only() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.include_router(contacts.router)
    app.include_router(contact_imports.router)
    app.add_middleware(BodyLimit)
    return app


@dataclass
class Door:
    """`/v1` as one customer's member."""

    http: httpx2.AsyncClient
    mine: Mine

    async def made(self, **body: Any) -> str:
        """The path of a new list."""
        answer = await self.http.post("/v1/contact-lists", json={"name": "Members"} | body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["number"] > 0
        return str(answer.headers["location"])

    async def refused(self, method: str, path: str, **options: Any) -> tuple[int, str, str | None]:
        answer = await self.http.request(method, path, **options)
        body = answer.json()
        return answer.status_code, body["code"], body.get("field")


@pytest.fixture
async def v1(db: Database, tmp_path: Path) -> AsyncIterator[Door]:
    app = lent_app(db, "/v1/contact-lists", lists_only)
    mine = await contacts_of(db, tmp_path)
    app.state.services = SimpleNamespace(contacts=mine.contacts, contact_imports=mine.imports)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        app.dependency_overrides[any_caller] = lambda: mine.caller
        yield Door(http, mine)


async def test_a_list_from_its_making_to_its_end(v1: Door) -> None:
    path = await v1.made(description="2026")
    assert await v1.refused("POST", "/v1/contact-lists", json={"name": "Members"}) == (
        409,
        "contact_list_exists",
        "name",
    )
    assert await v1.refused("POST", "/v1/contact-lists", json={"name": "x" * 49}) == (422, "list_bad_name", "name")
    changed = (await v1.http.patch(path, json={"name": "Old members"})).json()
    assert (changed["name"], changed["description"], changed["members"]) == ("Old members", "2026", 0)
    page = (await v1.http.get("/v1/contact-lists")).json()
    assert ([each["name"] for each in page["items"]], page["next_cursor"]) == (["Old members"], None)
    assert (await v1.http.delete(path)).status_code == 204
    assert await v1.refused("GET", path) == (404, "contact_list_not_found", None)


async def test_contacts_are_added_found_exported_and_removed(v1: Door) -> None:
    path = await v1.made()
    body = {
        "contacts": [
            {"phone": "138-0013-8000", "user_name": "李雷", "variables": {"%code%": "1"}},
            {"phone": "+44 7400 123456"},
        ]
    }
    assert (await v1.http.post(f"{path}/contacts", json=body)).json() == {"added": 2, "updated": 0}
    assert (await v1.http.post(f"{path}/contacts", json=body)).json() == {"added": 0, "updated": 2}
    page = (await v1.http.get(f"{path}/contacts", params={"phone": "138", "limit": 1})).json()
    (found,) = page["items"]
    assert (found["phone"], found["user_name"], found["variables"]) == ("+8613800138000", "李雷", {"code": "1"})
    assert (await v1.http.get(f"{path}/contacts/{found['id']}")).json() == found
    text = (await v1.http.get(f"{path}/contacts.csv")).content.decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text))) == [
        ["phone", "userName", "code"],
        ["13800138000", "李雷", "1"],
        ["00447400123456", "", ""],
    ]
    assert (await v1.http.post(f"{path}/contacts/remove", json={"phones": ["+447400123456"]})).json() == {"removed": 1}
    assert (await v1.http.delete(f"{path}/contacts/{found['id']}")).status_code == 204
    assert await v1.refused("GET", f"{path}/contacts/{found['id']}") == (404, "contact_not_found", None)
    assert (await v1.http.get(path)).json()["members"] == 0


@pytest.mark.parametrize(
    ("contact", "code", "field"),
    [
        ({"phone": "1380013800"}, "phone_invalid", "contacts[0].phone"),
        ({"phone": ""}, "phone_empty", "contacts[0].phone"),
        ({"phone": "13800138000", "user_name": "x" * 33}, "contact_bad_user_name", "contacts[0].user_name"),
        ({"phone": "13800138000", "variables": {"a": "x" * 33}}, "sms_value_too_long", "contacts[0].variables"),
    ],
)
async def test_a_wrong_contact_is_named(v1: Door, contact: dict[str, Any], code: str, field: str) -> None:
    path = await v1.made()
    given = {"contacts": [contact, {"phone": "13800138009"}]}
    assert await v1.refused("POST", f"{path}/contacts", json=given) == (422, code, field)
    assert (await v1.http.get(path)).json()["members"] == 0


async def test_a_file_is_imported(v1: Door) -> None:
    path = await v1.made()
    data = csv_of(numbers(3)) + b"nobody,x,1\n"
    answer = await v1.http.post(f"{path}/imports", files={"file": ("c.csv", data, "text/csv")})
    assert answer.status_code == 202, answer.text
    here = answer.headers["location"]
    assert here == f"{path}/imports/{answer.json()['id']}"
    list_id, import_id = (UUID(part) for part in here.removeprefix("/v1/contact-lists/").split("/imports/"))
    await v1.mine.reads(await v1.mine.imports.get(v1.mine.caller, list_id, import_id))
    shown = (await v1.http.get(here)).json()
    assert (shown["state"], shown["added"], shown["refused"], shown["columns"]) == ("done", 3, 1, ["code"])
    refused = (await v1.http.get(f"{here}/refused")).json()["items"]
    assert [(each["line"], each["address"], each["code"]) for each in refused] == [(5, "nobody", "phone_invalid")]
    assert (await v1.http.get(f"{here}/refused.csv")).text.lstrip("\ufeff").startswith("line,phone,code,reason")
    assert len((await v1.http.get(f"{path}/imports")).json()["items"]) == 1
    assert await v1.refused("POST", f"{here}/cancel") == (409, "import_ended", None)
    other = await v1.made(name="Other")
    assert await v1.refused("GET", f"{other}/imports/{import_id}") == (404, "import_not_found", None)


async def test_the_sample_can_be_imported_and_uploads_may_be_large(v1: Door) -> None:
    data = (await v1.http.get("/v1/contact-lists/sample.csv")).content
    target = await v1.mine.made()
    row = await v1.mine.imported(target.id, data)
    assert (row.added, row.refused) == (1, 0)
    assert UPLOADS.fullmatch(f"/v1/contact-lists/{target.id}/imports")
    assert UPLOADS.fullmatch(f"/portal/contact-lists/{target.id}/import")


ODD: tuple[Any, ...] = (
    "\0",
    "a\0b",
    "\ud800",
    "x" * 5_000,
    "٣",
    "\u2028",
    "1.38E+10",
    "9" * 400,
    "\x85",
    None,
    1,
    [],
    {},
    1e400,
)


async def test_odd_values_are_taken_or_refused(v1: Door) -> None:
    """Also a name that no answer can quote as it is."""
    path = await v1.made()
    one = {"phone": "13800138000"}
    for odd in ODD:
        named = {"variables": {odd: "1"}} if isinstance(odd, str) else {"variables": odd}
        for method, where, body in (
            ("POST", "/v1/contact-lists", {"name": odd}), ("PATCH", path, {"name": odd}),
            ("PATCH", path, {"description": odd}), ("POST", f"{path}/contacts", {"contacts": odd}),
            ("POST", f"{path}/contacts", {"contacts": [{"phone": odd}]}),
            ("POST", f"{path}/contacts", {"contacts": [one | {"user_name": odd}]}),
            ("POST", f"{path}/contacts", {"contacts": [one | {"variables": {"a": odd}}]}),
            ("POST", f"{path}/contacts", {"contacts": [one | named]}),
            ("POST", f"{path}/contacts/remove", {"phones": [odd]}),
        ):  # fmt: skip
            headers = {"content-type": "application/json"}
            answer = await v1.http.request(method, where, content=json.dumps(body), headers=headers)
            assert answer.status_code in (200, 201, 409, 422), (method, where, ascii(body)[:200], answer.text)
