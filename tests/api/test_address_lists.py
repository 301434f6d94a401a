"""`/v1/address-lists` over HTTP: lists, members, imports; what is refused says where and why."""

import contextlib
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from api import problems
from api.body_limit import BodyLimit
from api.callers import any_caller
from api.v1 import audience, audience_imports
from domain.accounts import Role
from domain.audience import MAX_OPEN_IMPORTS, alias_domain
from store.audience_import import ListImport
from store.db import Database
from tests.audience_world import Lists, frozen, lists
from tests.lent_apps import lent_app


def lists_only() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.include_router(audience.router)
    app.include_router(audience_imports.router)
    return app


@dataclass
class Door:
    """`/v1` as one customer's member."""

    http: httpx2.AsyncClient
    mine: Lists
    app: FastAPI = field(repr=False)

    async def made(self, **body: Any) -> dict[str, Any]:
        answer = await self.http.post("/v1/address-lists", json={"name": "Customers"} | body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"/v1/address-lists/{answer.json()['id']}"
        return dict(answer.json())

    async def uploaded(self, path: str, data: bytes, name: str = "m.csv") -> httpx2.Response:
        return await self.http.post(f"{path}/imports", files={"file": (name, data, "text/csv")})


@contextlib.asynccontextmanager
async def door(db: Database, folder: Path) -> AsyncIterator[Door]:
    app = lent_app(db, "/v1/address-lists", lists_only)
    mine = await lists(db, folder)
    app.state.services = SimpleNamespace(audience=mine.audience, list_imports=mine.imports)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        app.dependency_overrides[any_caller] = lambda: mine.caller
        yield Door(http, mine, app)


@pytest.fixture
async def v1(db: Database, tmp_path: Path) -> AsyncIterator[Door]:
    async with door(db, tmp_path) as made:
        yield made


def problem(answer: httpx2.Response) -> tuple[int, str, str | None]:
    told = answer.json()
    assert told["detail"] and told["next_step"]
    return answer.status_code, told["code"], told["field"]


async def test_a_list_is_made_renamed_shown_and_deleted(v1: Door) -> None:
    one = await v1.made(name=" Customers ", alias="News", description="2026")
    domain = alias_domain(v1.mine.base.policy)
    assert (one["name"], one["alias"], one["members"]) == ("Customers", f"news@{domain}", 0)
    other = await v1.made()
    assert other["alias"].startswith("list-") and other["alias"].endswith(f"@{domain}")
    path = f"/v1/address-lists/{one['id']}"
    changed = (await v1.http.patch(path, json={"alias": "letters", "description": ""})).json()
    assert (changed["name"], changed["alias"], changed["description"]) == ("Customers", f"letters@{domain}", "")
    page = (await v1.http.get("/v1/address-lists?limit=1")).json()
    assert [each["id"] for each in page["items"]] == [other["id"]]
    following = (await v1.http.get(f"/v1/address-lists?cursor={page['next_cursor']}")).json()
    assert [each["id"] for each in following["items"]] == [one["id"]]
    assert (await v1.http.delete(path)).status_code == 204
    assert problem(await v1.http.get(path)) == (404, "list_not_found", None)
    assert (await v1.made(alias="letters"))["alias"] == f"letters@{domain}", "an alias is free again with its list"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"name": "  "}, (422, "required", "name")),
        ({"name": "x" * 49}, (422, "list_bad_name", "name")),
        ({"alias": "a b"}, (422, "list_bad_alias", "alias")),
        ({"alias": "a@gmail.com"}, (422, "list_alias_domain", "alias")),
        ({"alias": "taken"}, (409, "list_alias_taken", "alias")),
        ({"description": "x" * 251}, (422, "list_bad_description", "description")),
    ],
)
async def test_what_cannot_be_a_list_is_refused_at_its_field(
    v1: Door, body: dict[str, str], wrong: tuple[int, str, str]
) -> None:
    taken = await v1.made(alias="taken")
    other = await v1.made()
    assert problem(await v1.http.post("/v1/address-lists", json={"name": "New"} | body)) == wrong
    assert problem(await v1.http.patch(f"/v1/address-lists/{other['id']}", json=body)) == wrong
    kept = (await v1.http.get("/v1/address-lists")).json()["items"]
    assert {each["id"]: each["name"] for each in kept} == {taken["id"]: "Customers", other["id"]: "Customers"}


async def test_members_are_added_changed_found_and_removed(v1: Door) -> None:
    one = await v1.made()
    path = f"/v1/address-lists/{one['id']}/members"
    given = [{"address": f"m{n}@{domain}", "variables": {"n": str(n)}} for n in range(3) for domain in ("b.cn", "A.cn")]
    assert (await v1.http.post(path, json={"members": given})).json() == {"added": 6, "updated": 0}
    again = [{"address": "m0@a.cn", "variables": {"name": "李雷"}}, {"address": "z@a.cn"}]
    assert (await v1.http.post(path, json={"members": again})).json() == {"added": 1, "updated": 1}
    assert (await v1.http.get(f"{path}/m0@A.CN")).json()["variables"] == {"name": "李雷"}
    assert (await v1.http.put(f"{path}/m0@a.cn", json={"variables": {}})).json()["variables"] == {}
    assert (await v1.http.delete(f"{path}/z@a.cn")).status_code == 204
    assert problem(await v1.http.delete(f"{path}/z@a.cn")) == (404, "member_not_found", "address")
    assert problem(await v1.http.get(f"{path}/z@a.cn")) == (404, "member_not_found", "address")
    removed = await v1.http.post(f"{path}/remove", json={"addresses": ["m1@a.cn", "m1@A.cn", "nobody@a.cn"]})
    assert removed.json() == {"removed": 1}
    assert (await v1.http.get(f"/v1/address-lists/{one['id']}")).json()["members"] == 5


async def test_members_come_in_pages_and_by_their_beginning(v1: Door) -> None:
    one = await v1.made()
    path = f"/v1/address-lists/{one['id']}/members"
    given = [
        {"address": f"{name}{n}@{domain}"}
        for n in range(4)
        for name in ("li", "Li", "%")
        for domain in ("b.cn", "a.cn")
    ]
    await v1.http.post(path, json={"members": given})
    expected = sorted((each["address"] for each in given), key=lambda a: (a.partition("@")[2], a))
    assert await walked(v1, path, "") == expected
    for prefix in ("li", "Li", "%", "li1", "li1@a.cn", "x"):
        assert await walked(v1, path, prefix) == [each for each in expected if each.startswith(prefix)]
    assert problem(await v1.http.get(f"{path}?cursor=!")) == (422, "member_cursor", "cursor")


async def walked(v1: Door, path: str, prefix: str) -> list[str]:
    """Every member with this beginning, three to a page."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"prefix": prefix, "limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await v1.http.get(path, params=query)).json()
        assert len(page["items"]) <= 3
        found += [each["address"] for each in page["items"]]
        cursor = page["next_cursor"]
    return found


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ([], (422, "no_members", "members")),
        ([{"address": "a@x.cn"}, {"address": "nobody"}], (422, "address_no_at", "members[1].address")),
        ([{"address": "a@x.cn"}, {"address": "a@X.cn"}], (422, "member_repeated", "members[1].address")),
        ([{"address": "a@x.cn", "variables": {"1": ""}}], (422, "member_variable_name", "members[0].variables")),
        ([{"address": "a@x.cn", "variables": {"x": "\x00"}}], (422, "csv_control", "members[0].variables.x")),
    ],
)
async def test_members_are_refused_all_or_none(v1: Door, members: list[Any], wrong: tuple[int, str, str]) -> None:
    one = await v1.made()
    path = f"/v1/address-lists/{one['id']}/members"
    assert problem(await v1.http.post(path, json={"members": members})) == wrong
    assert (await v1.http.get(path)).json()["items"] == []


async def test_nothing_changes_while_a_campaign_copies_the_list(v1: Door) -> None:
    one = await v1.made()
    path = f"/v1/address-lists/{one['id']}"
    await v1.http.post(f"{path}/members", json={"members": [{"address": "a@x.cn"}]})
    async with frozen(v1.mine.db, UUID(one["id"])):
        for answer in (
            await v1.http.post(f"{path}/members", json={"members": [{"address": "b@x.cn"}]}),
            await v1.http.put(f"{path}/members/a@x.cn", json={"variables": {"x": "y"}}),
            await v1.http.delete(f"{path}/members/a@x.cn"),
            await v1.http.post(f"{path}/members/remove", json={"addresses": ["a@x.cn"]}),
            await v1.http.delete(path),
        ):
            assert problem(answer) == (409, "list_freezing", None)
        assert (await v1.http.patch(path, json={"name": "Renamed"})).status_code == 200
        assert (await v1.http.get(f"{path}/members/a@x.cn")).json()["variables"] == {}
    assert (await v1.http.delete(path)).status_code == 204


async def test_a_role_that_may_only_look_does(v1: Door) -> None:
    one = await v1.made()
    path = f"/v1/address-lists/{one['id']}"
    v1.mine.caller = replace(v1.mine.caller, role=Role.VIEWER)
    assert (await v1.http.get(path)).status_code == 200
    for answer in (
        await v1.http.post("/v1/address-lists", json={"name": "x"}),
        await v1.http.patch(path, json={"name": "x"}),
        await v1.http.delete(path),
        await v1.http.post(f"{path}/members", json={"members": [{"address": "a@x.cn"}]}),
        await v1.uploaded(path, b"email\na@x.cn\n"),
    ):
        assert problem(answer)[:2] == (403, "role_forbids")


async def test_a_file_is_uploaded_read_and_told_of(v1: Door) -> None:
    one = await v1.made()
    path = f"/v1/address-lists/{one['id']}"
    data = b"email,name,3x\na@x.cn,Ann,1\nnobody,Bob,2\n=cmd,x,\n"
    answer = await v1.uploaded(path, data, "C:\\files\\members.csv")
    told = answer.json()
    assert answer.status_code == 202 and answer.headers["location"] == f"{path}/imports/{told['id']}"
    assert (told["state"], told["filename"], told["size"], told["total_lines"]) == (
        "waiting", "members.csv", len(data), None,
    )  # fmt: skip
    assert told["workflow_id"] == f"list-import/{told['id']}"
    await v1.mine.reads(await row_of(v1, told))
    done = (await v1.http.get(f"{path}/imports/{told['id']}")).json()
    assert (done["state"], done["lines"], done["added"], done["refused"]) == ("done", 4, 1, 2)
    assert (done["columns"], done["ignored_columns"], done["encoding"]) == (["email", "name"], ["3x"], "utf-8")
    page = (await v1.http.get(f"{path}/imports/{told['id']}/refused?limit=1")).json()
    assert [(each["line"], each["code"]) for each in page["items"]] == [(3, "address_no_at")]
    rest = (await v1.http.get(f"{path}/imports/{told['id']}/refused?after={page['next_after']}")).json()
    assert [each["line"] for each in rest["items"]] == [4]
    exported = await v1.http.get(f"{path}/imports/{told['id']}/refused.csv", headers={"accept-language": "zh"})
    assert rows_of(exported) == [
        ["line", "address", "code", "reason"],
        ["3", "nobody", "address_no_at", "邮箱地址里缺少 @。"],
        ["4", "'=cmd", "address_no_at", "邮箱地址里缺少 @。"],
    ]
    listed = (await v1.http.get(f"{path}/imports")).json()
    assert [each["id"] for each in listed["items"]] == [told["id"]]
    assert problem(await v1.http.post(f"{path}/imports/{told['id']}/cancel")) == (409, "import_ended", None)


async def row_of(v1: Door, told: dict[str, Any]) -> ListImport:
    return await v1.mine.imports.get(v1.mine.caller, UUID(told["list_id"]), UUID(told["id"]))


def rows_of(answer: httpx2.Response) -> list[list[str]]:
    assert answer.status_code == 200 and answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def test_a_file_that_failed_says_why_in_the_readers_language(v1: Door) -> None:
    one = await v1.made()
    path = f"/v1/address-lists/{one['id']}"
    told = (await v1.uploaded(path, b"name\nAnn\n")).json()
    await v1.mine.reads(await row_of(v1, told))
    failed = (await v1.http.get(f"{path}/imports/{told['id']}", headers={"accept-language": "zh"})).json()
    assert (failed["state"], failed["failure"]) == ("failed", "csv_no_address_column")
    assert "name" in failed["failure_detail"] and "邮箱地址列" in failed["failure_detail"]


async def test_an_export_is_what_an_import_takes(v1: Door) -> None:
    one, other = await v1.made(), await v1.made()
    given = [
        {"address": "a@x.cn", "variables": {"name": "=1+1", "city": "武汉"}},
        {"address": "b@x.cn", "variables": {"address": "Road 1", "name": 'say "hi"\nhere'}},
    ]
    await v1.http.post(f"/v1/address-lists/{one['id']}/members", json={"members": given})
    exported = await v1.http.get(f"/v1/address-lists/{one['id']}/members.csv")
    assert rows_of(exported) == [
        ["email", "address", "city", "name"],
        ["a@x.cn", "", "武汉", "'=1+1"],
        ["b@x.cn", "Road 1", "", 'say "hi"\nhere'],
    ]
    told = (await v1.uploaded(f"/v1/address-lists/{other['id']}", exported.content)).json()
    assert (await v1.mine.reads(await row_of(v1, told))).added == 2


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", (422, "csv_empty", "file")),
        (b"\xd0\xcf\x11\xe0 an old workbook", (422, "import_old_excel", "file")),
        (b"x" * (2**20 + 1), (413, "import_too_large", "file")),
    ],
)
async def test_a_file_that_is_refused_leaves_nothing(
    v1: Door, tmp_path: Path, data: bytes, wrong: tuple[int, str, str]
) -> None:
    object.__setattr__(v1.mine.base.policy, "list_import_max_mb", 1)
    one = await v1.made()
    assert problem(await v1.uploaded(f"/v1/address-lists/{one['id']}", data)) == wrong
    assert list(tmp_path.iterdir()) == []
    assert await v1.mine.db.pool.fetchval("SELECT count(*) FROM list_import") == 0
    assert await v1.mine.db.pool.fetchval("SELECT count(*) FROM clockwork WHERE kind = 'list-import'") == 0


async def test_a_form_without_a_file_is_told_so(v1: Door) -> None:
    one = await v1.made()
    answer = await v1.http.post(f"/v1/address-lists/{one['id']}/imports", data={"file": "text"})
    assert problem(answer) == (422, "import_no_file", "file")


async def test_an_account_has_few_imports_at_a_time_and_can_stop_them(v1: Door) -> None:
    one = await v1.made()
    path = f"/v1/address-lists/{one['id']}"
    told = [(await v1.uploaded(path, b"email\na@x.cn\n")).json() for _ in range(MAX_OPEN_IMPORTS)]
    assert problem(await v1.uploaded(path, b"email\na@x.cn\n")) == (409, "too_many_imports", None)
    stopped = await v1.http.post(f"{path}/imports/{told[0]['id']}/cancel")
    assert (stopped.json()["state"], stopped.json()["finished_at"] is not None) == ("cancelled", True)
    assert (await v1.uploaded(path, b"email\na@x.cn\n")).status_code == 202


async def test_a_deleted_list_leaves_nothing_of_anybody(v1: Door) -> None:
    one, kept = await v1.made(), await v1.made()
    path = f"/v1/address-lists/{one['id']}"
    told = (await v1.uploaded(path, b"email\na@x.cn\nnobody\n")).json()
    await v1.mine.reads(await row_of(v1, told))
    await v1.http.post(f"/v1/address-lists/{kept['id']}/members", json={"members": [{"address": "a@x.cn"}]})
    assert (await v1.http.delete(path)).status_code == 204
    left = await v1.mine.db.pool.fetch("SELECT list_id::text FROM list_member")
    assert [row["list_id"] for row in left] == [kept["id"]]
    assert await v1.mine.db.pool.fetchval("SELECT count(*) FROM list_import_refused") == 0
    for answer in (
        await v1.http.get(f"{path}/imports/{told['id']}"),
        await v1.http.get(f"{path}/members"),
        await v1.uploaded(path, b"email\na@x.cn\n"),
    ):
        assert problem(answer)[:2] == (404, "list_not_found")


async def test_a_file_may_be_larger_than_any_other_body(v1: Door) -> None:
    v1.app.add_middleware(BodyLimit, limit=1_000, upload=0)
    one = await v1.made()
    path = f"/v1/address-lists/{one['id']}"
    assert (await v1.uploaded(path, b"email\n" + b"a@x.cn\n" * 1_000)).status_code == 202
    answer = await v1.http.post(f"{path}/members/remove", json={"addresses": ["a@x.cn"] * 1_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "http_error")
    larger = await v1.uploaded(path, b"x" * (2**20 + 1_000))
    assert (larger.status_code, larger.json()["code"]) == (413, "http_error")
