"""Who has no business here: every closed route, for nobody, and for customers and operators at each other's doors.

The cases come from the route table. What one account may see of another's is in `tests/test_tenants.py`.
"""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette_admin.base import BaseAdmin

from store.db import Database
from tests.route_table import Call, Door, calls
from tests.tenants_world import Two, two_accounts

SOME_ID = "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"
CLOSED = [call for call in calls() if call.door is not Door.VISITOR]
PAGES = sorted({call.place for call in CLOSED if call.is_page})
LOGINS = {Door.MEMBER: "/login", Door.OPERATOR: "/console/login"}
OTHER = {Door.MEMBER: Door.OPERATOR, Door.OPERATOR: Door.MEMBER}


@pytest.fixture(scope="module")
async def two(postgres_url: str) -> AsyncIterator[Two]:
    db = await Database.open(postgres_url, connections=5)
    async with two_accounts(db) as made:
        yield made
    await db.close()


def test_all_doors_are_looked_at() -> None:
    assert {"/portal/records/sends", "/portal/webhooks", "/console/cases", "/console/_api/audit"} <= set(PAGES)
    assert len([call for call in CLOSED if not call.is_page]) > 50


@pytest.mark.parametrize("place", PAGES)
async def test_pages_lead_strangers_to_the_login(two: Two, place: str) -> None:
    wrong = []
    for call in (call for call in CLOSED if call.is_page and call.place == place):
        path = re.sub(r"{\w+}", SOME_ID, call.path)
        for who, cookies in (("nobody", {}), ("the other kind", two.cookies(OTHER[call.door]))):
            answer = await two.knock(call, path, cookies)
            led = answer.status_code == 303 and answer.headers["location"].startswith(LOGINS[call.door])
            if not led and not (call.admin and call.method == "POST" and answer.status_code == 403):
                wrong.append(f"{call} for {who}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []


@pytest.mark.parametrize("call", [call for call in CLOSED if not call.is_page], ids=str)
async def test_the_api_asks_everybody_for_a_key(two: Two, call: Call) -> None:
    path = re.sub(r"{\w+}", SOME_ID, call.path)
    two.http.cookies.clear()
    for token in ("", "st_" + "x" * 43, "sk_" + "x" * 43, "smsk_" + "x" * 43, two.operator):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = await two.http.request(call.method, path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.json()["next_step"]


def offered() -> Iterator[tuple[str, str]]:
    """(method, path with `{key}`) of all that the installed starlette-admin would do with a view."""
    for name in dir(BaseAdmin):
        handler = getattr(BaseAdmin, name)
        path = getattr(handler, "_route_path", "")
        if "{key}" in path:
            yield from ((method, path) for method in handler._route_methods)


SITES = ("/portal/records", "/console")
READ = {"/{key}/list", "/{key}/detail", "/_api/{key}/relation-lookup"}


@pytest.mark.parametrize("site", SITES)
async def test_the_lists_of_starlette_admin_change_nothing(two: Two, site: str) -> None:
    """Even for those who may see them, with a token of its own pages and ids of records."""
    door = Door.OPERATOR if site == "/console" else Door.MEMBER
    lists = [call for call in calls() if call.admin and call.path.startswith(site) and call.path.endswith("/list")]
    keys = [call.path.split("/")[-2] for call in lists]
    assert len(keys) > 5
    two.http.cookies.clear()
    two.http.cookies.update(two.cookies(door))
    token = (await two.http.get(lists[0].path)).cookies.get("starlette_admin_csrftoken") or ""
    before, wrong = await two.stand(), []
    for method, path in [each for each in offered() if each[1] not in READ]:
        for key in keys:
            known = (two.desk if door is Door.OPERATOR else two.hers).get(f"{site[8:]}_{key}".replace("-", "_"))
            record = known[0] if known else SOME_ID
            where = site + path.replace("{key}", key) + f"?pk={record}&pks={record}&name=delete&field=name"
            answer = await two.http.request(method, where, headers={"x-csrftoken": token}, data={"name": "delete"})
            if answer.status_code not in (400, 403, 404, 405):
                wrong.append(f"{method} {where}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []
    assert await two.stand() == before
