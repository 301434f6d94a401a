"""The portal's page of who unsubscribed."""

from collections.abc import AsyncIterator

import pytest

from domain.ids import new_id
from store.db import Database
from tests.sends_doors import Browser, browser

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
    assert page.count("@x.example</td>") == 50 and "共 51 条" in page
    following = page.partition("?q=x.example&amp;after=")[2].partition('"')[0]
    assert (await portal.http.get(f"{HERE}?q=x.example&after={following}")).text.count("@x.example</td>") == 1
