"""The portal's page of who unsubscribed."""

import datetime as dt
from collections.abc import AsyncIterator

import httpx2
import pytest

from domain.ids import new_id
from domain.times import SHANGHAI
from store.columns import now
from store.db import Database
from store.suppressions import complain
from tests.sending_world import FakeServers, submit
from tests.sends_doors import Browser, browser, deliver_once
from tests.suppressed_world import HOUR, bury

HERE = "/portal/suppressions"


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db) as opened:
        yield opened


async def rows(db: Database) -> list[str]:
    return [row["address"] for row in await db.pool.fetch("SELECT address FROM suppression ORDER BY address")]


async def test_entered_by_lines_searched_and_removed(portal: Browser, db: Database) -> None:
    said = await portal.post(HERE, {"addresses": "Ann@x.example\n\n bob@y.example \r\nann@x.example"})
    assert said.status_code == 303
    page = (await portal.http.get(HERE)).text
    assert "已添加 2 个地址，1 个原已在列。" in page and "手工添加" in page
    found = (await portal.http.get(f"{HERE}?q=ANN@&lang=en")).text
    assert "ann@x.example" in found and "bob@y.example" not in found and "added by hand" in found
    gone = await db.pool.fetchval("SELECT id FROM suppression WHERE address = 'ann@x.example'")
    assert (await portal.post(f"{HERE}/{gone}/remove", {})).status_code == 303
    assert await rows(db) == ["bob@y.example"]
    assert (await portal.post(f"{HERE}/{new_id()}/remove", {})).status_code == 404
    assert "bob@y.example" in (await portal.http.get(f"{HERE}/export.csv")).text


async def test_the_line_that_is_wrong_is_named_and_nothing_is_lost(portal: Browser, db: Database) -> None:
    answer = await portal.post(HERE, {"addresses": "ann@x.example\nnobody<b>"})
    assert answer.status_code == 422
    assert "“nobody&lt;b&gt;”：邮箱地址里缺少 @。" in answer.text and "ann@x.example\nnobody&lt;b&gt;" in answer.text
    empty = await portal.post(HERE, {"addresses": " \n"})
    assert empty.status_code == 422 and "此项必填" in empty.text
    many = await portal.post(HERE, {"addresses": "a@x.example\n" * 1001})
    assert many.status_code == 422 and "1000" in many.text
    assert await rows(db) == []


async def test_a_long_list_comes_in_pages(portal: Browser, db: Database) -> None:
    await portal.post(HERE, {"addresses": "\n".join(f"r{n}@x.example" for n in range(51))})
    page = (await portal.http.get(f"{HERE}?q=x.example")).text
    assert page.count("@x.example</div>") == 50 and "共 51 条" in page
    following = page.partition("?q=x.example&amp;after=")[2].partition('"')[0]
    assert (await portal.http.get(f"{HERE}?q=x.example&after={following}")).text.count("@x.example</div>") == 1


async def test_scope_last_day_and_note_are_shown_and_narrow_the_list(portal: Browser, db: Database) -> None:
    day = (now().astimezone(SHANGHAI) + dt.timedelta(days=3)).date()
    form = {"addresses": "ann@x.example", "scope": "all", "until": day.isoformat(), "note": "by <phone>"}
    assert (await portal.post(HERE, form)).status_code == 303
    await portal.post(HERE, {"addresses": "bob@x.example"})
    until = await db.pool.fetchval("SELECT until FROM suppression WHERE address = 'ann@x.example'")
    assert until.astimezone(SHANGHAI) == dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), SHANGHAI)
    page = (await portal.http.get(f"{HERE}?scope=all&reason=manual&lang=en")).text
    assert "by &lt;phone&gt;" in page and "every mail" in page and "bob@x.example" not in page
    assert "export.csv?reason=manual&amp;scope=all" in page
    await db.pool.execute("UPDATE suppression SET until = now() WHERE until IS NOT NULL")
    assert "ended" in (await portal.http.get(f"{HERE}?lang=en")).text


@pytest.mark.parametrize("wrong", [{"until": "2020-01-01"}, {"until": "soon"}, {"scope": "some"}, {"note": "x" * 201}])
async def test_what_is_wrong_is_said_at_its_field(portal: Browser, db: Database, wrong: dict[str, str]) -> None:
    answer = await portal.post(HERE, {"addresses": "ann@x.example", **wrong})
    assert answer.status_code == 422 and f'id="e-{next(iter(wrong))}"' in answer.text
    assert "ann@x.example" in answer.text and await rows(db) == []


async def test_a_complaint_is_removed_with_a_warning_only(portal: Browser, db: Database) -> None:
    async with db.raw() as connection:
        await complain(connection, portal.customer.account, "ann@x.example", 7, now())
    await portal.post(HERE, {"addresses": "bob@x.example"})
    ids = [str(row["id"]) for row in await db.pool.fetch("SELECT id FROM suppression")]
    page = (await portal.http.get(HERE)).text
    assert "收件人举报为垃圾邮件" in page and "ann@x.example 曾将您的邮件举报为垃圾邮件" in page
    token = await portal.token()
    refused = await portal.http.post(f"{HERE}/remove", data={"csrf_token": token, "ids": ids})
    assert refused.status_code == 409 and "despite_complaint" in refused.text
    assert len(await rows(db)) == 2
    chosen = {"csrf_token": token, "ids": [*ids, "x"], "despite_complaint": "true"}
    done = await portal.http.post(f"{HERE}/remove", data=chosen)
    assert done.status_code == 303 and await rows(db) == []
    assert (await portal.post(f"{HERE}/remove", {"ids": "x"})).status_code == 303
    assert "没有选择任何地址" in (await portal.http.get(HERE)).text


async def test_why_an_address_is_not_written_to(portal: Browser, db: Database) -> None:
    async def said(address: str) -> str:
        return (await portal.http.get(f"{HERE}/lookup", params={"address": address, "lang": "en"})).text

    assert "Nothing holds mails to this address back" in await said("ann@x.example")
    await bury(db, "ann@x.example", now() + HOUR)
    await portal.post(HERE, {"addresses": "ann@x.example", "note": "by phone"})
    page = await said(" Ann@X.example ")
    assert "no such mailbox, says its server" in page and "by phone" in page and "added by hand" in page
    wrong = await portal.http.get(f"{HERE}/lookup", params={"address": "nobody"})
    assert wrong.status_code == 422 and 'id="e-address"' in wrong.text
    assert (await portal.http.get(f"{HERE}/lookup")).status_code == 200


async def put(portal: Browser, data: bytes, **form: str) -> httpx2.Response:
    return await portal.post(f"{HERE}/import", form, data)


async def test_a_file_is_imported_and_its_wrong_lines_shown(portal: Browser, db: Database) -> None:
    done = await put(portal, b"ann@x.example\nbob@x.example\n", scope="all")
    assert done.status_code == 303
    assert await db.pool.fetchval("SELECT count(*) FROM suppression WHERE scope = 'all'") == 2
    told = await put(portal, b"email,until\ncarl@x.example,\n<b>nobody</b>,\ndora@x.example,soon\n")
    assert told.status_code == 200 and "&lt;b&gt;nobody&lt;/b&gt;" in told.text and "soon" in told.text
    assert "已添加 1 个地址" in told.text and await rows(db) == ["ann@x.example", "bob@x.example", "carl@x.example"]
    for data in (b"", b"name\nLi\n", b'"email\n'):
        none = await put(portal, data)
        assert none.status_code == 422 and 'id="e-file"' in none.text, data
    exported = (await portal.http.get(f"{HERE}/export.csv")).content
    assert (await put(portal, exported)).status_code == 303


async def test_a_send_says_in_words_why_a_recipient_got_nothing(portal: Browser, db: Database) -> None:
    await submit(db, portal.customer, ["gone@x.example"])
    await bury(db, "gone@x.example", now() + HOUR)
    await deliver_once(db, FakeServers())
    send = await db.pool.fetchval("SELECT id FROM submission")
    page = (await portal.http.get(f"/portal/sends/{send}?lang=en")).text
    assert "no such mailbox, says its server" in page
