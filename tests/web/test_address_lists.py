"""The pages of address lists: what is wrong is said at its field, what was typed is kept, an import follows itself."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import FilePayload, expect

from domain.accounts import Caller
from domain.ids import new_id
from services.catalog import build_services
from store.db import Database
from tests.audience_world import Lists, csv_of, frozen, lists_of
from tests.browsing import LOOKS, Chrome, opened, shoot
from tests.sends_doors import Browser, browser


@dataclass
class Pages:
    """A browser's client, and what the worker would do."""

    portal: Browser
    mine: Lists

    async def made(self, name: str = "Customers") -> str:
        answer = await self.portal.post("/portal/address-lists", {"name": name})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def page(self, path: str) -> str:
        answer = await self.portal.http.get(path)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)

    async def uploaded(self, place: str, data: bytes) -> str:
        answer = await self.portal.post(f"{place}/import", {}, data)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def reads(self, place: str) -> None:
        list_id, _, import_id = place.removeprefix("/portal/address-lists/").partition("/imports/")
        row = await self.mine.imports.get(self.mine.caller, UUID(list_id), UUID(import_id))
        await self.mine.reads(row)


@pytest.fixture
async def pages(db: Database, tmp_path: Path) -> AsyncIterator[Pages]:
    async with browser(db) as portal:
        caller = Caller(portal.customer.account, member_id=new_id())
        mine = lists_of(db, portal.app.state.services.foundation, caller, tmp_path)
        portal.app.state.services = build_services(mine.base)
        yield Pages(portal, mine)


def error_at(page: str, field: str) -> str:
    found = re.search(rf'id="e-{field}">(.*?)</div>', page, re.DOTALL)
    assert found, f"no message at {field}"
    return unescape(found[1])


async def test_a_list_is_made_shown_changed_and_deleted(pages: Pages) -> None:
    place = await pages.made("老客户")
    assert "还没有成员" in await pages.page(place)
    assert "老客户" in await pages.page("/portal/address-lists")
    refused = await pages.portal.post(place, {"name": "老客户", "alias": "a b", "description": "kept"})
    assert refused.status_code == 422 and "小写字母" in error_at(refused.text, "alias")
    assert 'value="a b"' in refused.text and 'value="kept"' in refused.text
    assert (await pages.portal.post(place, {"name": "新客户", "alias": "news"})).status_code == 303
    assert "news@maillist." in await pages.page(place)
    assert (await pages.portal.post(f"{place}/delete", {})).headers["location"] == "/portal/address-lists"
    assert "新客户" not in await pages.page("/portal/address-lists")


async def test_what_is_wrong_with_a_new_list_is_said_at_its_field(pages: Pages) -> None:
    refused = await pages.portal.post("/portal/address-lists", {"name": "", "alias": "kept"})
    assert refused.status_code == 422 and error_at(refused.text, "name")
    assert 'value="kept"' in refused.text


async def test_a_member_is_added_changed_found_and_removed(pages: Pages) -> None:
    place = await pages.made()
    typed = {"address": "li.lei@qq.com", "variables": "name=李雷\nnote=two\\nlines"}
    assert (await pages.portal.post(f"{place}/member", typed)).status_code == 303
    assert "李雷" in await pages.page(place)
    form = await pages.page(f"{place}/member?address=li.lei@qq.com")
    assert "name=李雷\nnote=two\\nlines" in form and "readonly" in form
    await pages.portal.post(f"{place}/member", typed | {"variables": "name=韩梅梅", "known": "1"})
    assert "韩梅梅" in await pages.page(f"{place}?q=li.")
    assert "没有以此开头的地址" in await pages.page(f"{place}?q=han")
    assert (await pages.portal.post(f"{place}/member/remove", {"address": "li.lei@qq.com"})).status_code == 303
    assert "已移除成员" in await pages.page(place)
    await pages.portal.post(f"{place}/member/remove", {"address": "li.lei@qq.com"})
    assert "列表中没有这个地址" in await pages.page(place)


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"address": "nobody", "variables": "kept=1"}, "address", "缺少 @"),
        ({"address": "a@x.cn", "variables": "kept=1\nno sign"}, "variables", "第 2 行"),
        ({"address": "a@x.cn", "variables": "kept=1\n3x=2"}, "variables", "3x"),
    ],
)
async def test_what_is_wrong_with_a_member_is_said_at_its_field(
    pages: Pages, typed: dict[str, str], field: str, said: str
) -> None:
    place = await pages.made()
    refused = await pages.portal.post(f"{place}/member", typed)
    assert refused.status_code == 422 and said in error_at(refused.text, field)
    assert typed["variables"] in unescape(refused.text)


async def test_a_frozen_list_says_that_it_takes_seconds(pages: Pages) -> None:
    place = await pages.made()
    async with frozen(pages.mine.db, UUID(place.rpartition("/")[2])):
        refused = await pages.portal.post(f"{place}/member", {"address": "a@x.cn"})
        assert refused.status_code == 409 and "请稍后重试" in unescape(refused.text)
        await pages.portal.post(f"{place}/delete", {})
        assert "请稍后重试" in await pages.page(place)


async def test_a_file_is_uploaded_and_its_bad_lines_can_be_taken_along(pages: Pages) -> None:
    place = await pages.made()
    one = await pages.uploaded(place, csv_of(["a@x.cn", "nobody"]))
    assert "等待导入" in await pages.page(one)
    await pages.reads(one)
    shown = await pages.page(one)
    assert "已完成" in shown and "100%" in shown and "缺少 @" in shown
    taken = await pages.portal.http.get(f"{one}/refused.csv")
    assert taken.headers["content-disposition"].startswith("attachment") and "nobody" in taken.text
    assert "list.csv" in await pages.page(f"{place}/import")
    exported = await pages.portal.http.get(f"{place}/members.csv")
    assert "a@x.cn" in exported.text
    stream = await pages.portal.http.get(f"{one}/events")
    assert "event: changed" in stream.text and '"done"' in stream.text


async def test_a_file_that_cannot_be_read_says_why(pages: Pages) -> None:
    place = await pages.made()
    one = await pages.uploaded(place, b"name\nAnn\n")
    await pages.reads(one)
    assert "请把邮箱地址所在列的列名改为 email" in await pages.page(one)
    empty = await pages.portal.post(f"{place}/import", {}, b"")
    assert empty.status_code == 422 and "文件是空的" in error_at(empty.text, "file")
    missing = await pages.portal.post(f"{place}/import", {})
    assert missing.status_code == 422 and "没有选择文件" in error_at(missing.text, "file")


async def test_an_import_can_be_stopped(pages: Pages) -> None:
    place = await pages.made()
    one = await pages.uploaded(place, csv_of(["a@x.cn"]))
    assert (await pages.portal.post(f"{one}/cancel", {})).headers["location"] == one
    assert "已停止" in await pages.page(one)
    await pages.portal.post(f"{one}/cancel", {})
    assert "已经结束" in await pages.page(one)


@pytest.mark.browser
@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_an_import_follows_itself(pages: Pages, chrome: Chrome, width: int, language: str) -> None:
    place = await pages.made()
    token = pages.portal.http.cookies["songda_session"]
    async with opened(pages.portal.app, token, chrome, width) as (page, base, complaints):
        await page.goto(f"{base}{place}/import?lang={language}")
        data = csv_of(["a@x.cn", "nobody", "b@x.cn"])
        await page.locator("input[type=file]").set_input_files(
            FilePayload(name="members.csv", mimeType="text/csv", buffer=data)
        )
        await page.locator("form[enctype] button[type=submit]").click()
        await expect(page.locator("[data-live]")).to_have_attribute("data-ended", "false")
        await pages.reads(page.url.removeprefix(base))
        await expect(page.locator("[data-live]")).to_have_attribute("data-ended", "true")
        await expect(page.locator("progress")).to_have_attribute("value", "100")
        await expect(page.get_by_text("nobody")).to_be_visible()
        await shoot(page, f"audience-import-{width}")
        assert complaints == []


async def test_nothing_of_a_strangers_file_is_read(pages: Pages) -> None:
    """It may be large, and would wait on the disk for a refusal."""
    place, asked = await pages.made(), []

    async def body() -> AsyncIterator[bytes]:
        asked.append(1)
        yield b""

    pages.portal.http.cookies.clear()
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await pages.portal.http.post(f"{place}/import", content=body(), headers=headers)
    assert (answer.status_code, answer.headers["location"].partition("?")[0], asked) == (303, "/login", [])
