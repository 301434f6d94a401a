"""Records: whose rows they are, at every view and endpoint; read-only; files without formulas.

The cases are generated from the site's own views, so a new one is looked at without being named here.
"""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from sqlalchemy import inspect

from domain.accounts import Role, SignedIn
from domain.members import Right
from store.db import Database
from tests.accounts_world import HERE, PASSWORD
from tests.route_table import Call
from tests.tenants_world import Two, harvest, two_accounts
from web.portal.records.base import AccountView
from web.portal.records.site import BASE, SERVED, Records
from web.portal.records.views import VIEWS

KEYS = [str(view.key) for view in VIEWS]
SECRET_COLUMNS = re.compile(r"secret|digest|password|private|token|key$|variables|^data$")


@pytest.fixture(scope="module")
async def two(postgres_url: str) -> AsyncIterator[Two]:
    """Alice has one of everything; Bob has the same kit and nothing of hers."""
    db = await Database.open(postgres_url, connections=5)
    async with two_accounts(db) as made:
        yield made
    await db.close()


@pytest.fixture(scope="module")
async def rows(two: Two) -> dict[str, str]:
    """{key of a record: the id of one of hers}, as her own lists link to them."""
    if "records_messages" not in two.hers:
        await harvest(two)
    return {key: two.hers[f"records_{key}".replace("-", "_")][0] for key in KEYS}


async def get(two: Two, who: SignedIn | None, path: str) -> httpx2.Response:
    return await two.page(who, Call("GET", path), BASE + path)


def endpoints(key: str, pk: str) -> list[str]:
    """Everything of one view, also asked for hers by name."""
    asked = ["", "?q=alice", f"?q={pk}&since=2000-01-01&until=2199-01-01", "?page=2"]
    return [*(f"/{key}/list{query}" for query in asked), f"/{key}/export", f"/{key}/export?q=Secret"]


@pytest.mark.parametrize("key", KEYS)
async def test_another_account_sees_nothing_of_hers(two: Two, rows: dict[str, str], key: str) -> None:
    for path in endpoints(key, rows[key]):
        answer = await get(two, two.bob, path)
        assert answer.status_code == 200, path
        leaks = [value for value in two.leaks(answer.text) if value not in path]
        assert not leaks, path
        assert f"pk={rows[key]}" not in answer.text or len(rows[key]) < 4
    for path in (f"/{key}/detail?pk={rows[key]}", f"/{key}/detail?pk={rows[key]}&since=2000-01-01"):
        answer = await get(two, two.bob, path)
        assert answer.status_code == 404
        assert not [value for value in two.leaks(answer.text) if value not in path]


@pytest.mark.parametrize("key", KEYS)
async def test_she_finds_hers_in_list_page_and_file(two: Two, rows: dict[str, str], key: str) -> None:
    """Else the test above would say nothing."""
    listed = await get(two, two.alice, f"/{key}/list")
    assert f"/{key}/detail?pk={rows[key]}" in listed.text
    assert (await get(two, two.alice, f"/{key}/detail?pk={rows[key]}")).status_code == 200
    file = await get(two, two.alice, f"/{key}/export")
    assert file.headers["content-type"].startswith("text/csv") and len(file.text.splitlines()) > 1
    assert file.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("key", KEYS)
async def test_strangers_sign_in_first(two: Two, key: str) -> None:
    for path in (f"/{key}/list", f"/{key}/detail?pk=1", f"/{key}/export", f"/{key}", "/"):
        answer = await get(two, None, path)
        assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login")


@pytest.mark.parametrize("key", KEYS)
async def test_nothing_can_be_written_and_nothing_else_is_served(two: Two, rows: dict[str, str], key: str) -> None:
    before, routes = await two.stand(), Records().routes
    served = {getattr(route, "path", "") for route in routes if getattr(route, "name", "") in SERVED}
    for route in routes:
        template = getattr(route, "path", "")
        path = template.replace("{key}", key)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if method == "GET" and template in served:
                continue
            call = Call(method, f"{BASE}{path}?pk={rows[key]}&pks={rows[key]}&name=delete")
            answer = await two.page(two.alice, call, call.path)
            assert answer.status_code in (403, 404, 405), f"{call}: {answer.status_code}"
    assert await two.stand() == before


@pytest.mark.parametrize("key", KEYS)
async def test_odd_questions_are_answered(two: Two, key: str) -> None:
    for query in ("page=0", "page=-1", "page=99999999999", "q=%00", "q=%25", "since=x", "until=9999-12-31", "state=x",
                  "filter=id__eq=1", "sort=account_id__asc", "cols=account_id", "page_size=1000000"):  # fmt: skip
        assert (await get(two, two.alice, f"/{key}/list?{query}")).status_code == 200, query
    for pk in ("", "x", "0", "-1", "99999999999999999999", "01900000-0000-7000-8000-000000000001", "%00"):
        assert (await get(two, two.alice, f"/{key}/detail?pk={pk}")).status_code == 404, pk
    assert (await get(two, two.alice, "/nothing/list")).status_code == 404


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: str(view.key))
def test_no_view_is_wider_than_its_base(view: type[AccountView]) -> None:
    """Whose rows they are is decided in `AccountView` alone, and no column of a record holds a secret."""
    deciding = {"_own", "get_list_query", "get_detail_query", "get_count_query", "find_all", "find_by_pk", "count"}
    assert not deciding & set(vars(view))
    assert not [name for name in inspect(view.record).columns.keys() if SECRET_COLUMNS.search(name)]  # noqa: SIM118


async def test_a_file_holds_no_formula(two: Two, rows: dict[str, str]) -> None:
    await two.home.db.pool.execute(
        "UPDATE message SET reason = '=1+1', reply = '@SUM(1)' WHERE account_id = $1", two.alice.caller.account_id
    )
    text = (await get(two, two.alice, "/messages/export")).text
    assert "'=1+1" in text and "'@SUM(1)" in text and not re.search(r"(^|,)[=@]", text, re.MULTILINE)
    money = (await get(two, two.alice, "/journals/export")).text
    assert "100.00" in money


async def test_money_and_sign_ins_are_not_for_everybody(two: Two, rows: dict[str, str]) -> None:
    await two.home.services.members.invite(two.alice.caller, "dev@first.example", Role.DEVELOPER.value)
    token = (await two.home.mails("dev@first.example"))[-1].token
    dev = await two.home.services.members.accept(token, PASSWORD, HERE)
    for view in VIEWS:
        answer = await get(two, dev, f"/{view.key}/list")
        assert answer.status_code == (403 if view.sees in (Right.MONEY, Right.CERTIFY) else 200), view.key
        assert (await get(two, dev, f"/{view.key}/export")).status_code == answer.status_code
    assert "/journals/" not in (await get(two, dev, "/sends/list")).text
    own = await get(two, dev, "/sign-ins/list")
    assert own.text.count("detail?pk=") == 1 and f"pk={rows['sign-ins']}" not in own.text
    assert (await get(two, dev, f"/sign-ins/detail?pk={rows['sign-ins']}")).status_code == 404


async def test_a_long_file_comes_whole_and_in_order(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches that end between equal times."""
    monkeypatch.setattr("web.portal.records.export.BATCH", 2)
    await two.home.db.pool.execute(
        "INSERT INTO audit_entry (at, actor, action, account_id, subject, detail)"
        " SELECT '2026-01-01'::timestamptz, 'system', 'x.' || n, $1, 'x/1', '{}' FROM generate_series(1, 7) n",
        two.bob.caller.account_id,
    )
    lines = (await get(two, two.bob, "/audit/export?q=x.")).text.splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == [f"x.{n}" for n in range(7, 0, -1)]


async def test_pages_are_whole_in_english_and_keep_the_strict_policy(two: Two) -> None:
    for key in KEYS:
        page = await get(two, two.alice, f"/{key}/list?lang=en")
        main = page.text[page.text.index("<main") : page.text.index("</main>")]
        assert not re.search(r"[\u4e00-\u9fff]", re.sub(r"<td.*?</td>", "", main, flags=re.DOTALL)), key
        assert "unsafe" not in page.headers["content-security-policy"]
        assert "set-cookie" not in page.headers or "csrftoken" not in page.headers["set-cookie"]
