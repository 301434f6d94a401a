"""The pages of contact lists: what is wrong is said at its field, what was typed is kept, an import shows itself."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from uuid import UUID

import pytest

from domain.accounts import Caller
from domain.ids import new_id
from services.catalog import build_services
from store.db import Database
from tests.contacts_world import Mine, csv_of, mine_of, numbers
from tests.sends_doors import Browser, browser


@dataclass
class Pages:
    """A browser's client, and what the worker would do."""

    portal: Browser
    mine: Mine

    async def made(self, name: str = "会员") -> str:
        answer = await self.portal.post("/portal/contact-lists", {"name": name})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def page(self, path: str) -> str:
        answer = await self.portal.http.get(path)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)


@pytest.fixture
async def pages(db: Database, tmp_path: Path) -> AsyncIterator[Pages]:
    async with browser(db) as portal:
        caller = Caller(portal.customer.account, member_id=new_id())
        mine = mine_of(db, portal.app.state.services.foundation, caller, tmp_path)
        portal.app.state.services = build_services(mine.base)
        yield Pages(portal, mine)


def error_at(page: str, field: str) -> str:
    found = re.search(rf'id="e-{field}">(.*?)</div>', page, re.DOTALL)
    assert found, f"no message at {field}"
    return unescape(found[1])


async def test_a_list_is_made_shown_changed_and_deleted(pages: Pages) -> None:
    assert "还没有联系人列表" in await pages.page("/portal/contact-lists")
    place = await pages.made("会员")
    assert "还没有联系人" in await pages.page(place)
    refused = await pages.portal.post("/portal/contact-lists", {"name": "会员", "description": "kept"})
    assert refused.status_code == 409 and "会员" in error_at(refused.text, "name")
    assert 'value="kept"' in refused.text
    assert (await pages.portal.post(place, {"name": "老会员", "description": ""})).status_code == 303
    refused = await pages.portal.post(place, {"name": "x" * 60, "description": "kept"})
    assert refused.status_code == 422 and error_at(refused.text, "name")
    assert "老会员" in await pages.page("/portal/contact-lists")
    assert (await pages.portal.post(f"{place}/delete", {})).headers["location"] == "/portal/contact-lists"
    assert "老会员" not in (await pages.page("/portal/contact-lists")).replace("waiting", "")


async def test_a_contact_is_added_changed_found_and_removed(pages: Pages) -> None:
    place = await pages.made()
    typed = {"phone": "138 0013 8000", "user_name": "李雷", "variables": "code=1\ncity=武汉"}
    assert (await pages.portal.post(f"{place}/contact", typed)).status_code == 303
    shown = await pages.page(place)
    assert "13800138000" in shown and "李雷" in shown and "武汉" in shown
    link = re.search(rf'href="({place}/contacts/\d+)"', shown)
    assert link
    form = await pages.page(link[1])
    assert "city=武汉\ncode=1" in form and "readonly" in form
    assert "13800138000" in await pages.page(f"{place}?q=138-0")
    assert "没有以此开头的号码" in await pages.page(f"{place}?q=139")
    assert (await pages.portal.post(f"{link[1]}/remove", {})).status_code == 303
    assert "还没有联系人" in await pages.page(place)
    assert (await pages.portal.post(f"{link[1]}/remove", {})).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"phone": "1380013800"}, "phone"),
        ({"phone": "1.38E+10"}, "phone"),
        ({"user_name": "x" * 33}, "user_name"),
        ({"variables": "no equals sign"}, "variables"),
        ({"variables": "中文=1"}, "variables"),
        ({"variables": f"a={'x' * 33}"}, "variables"),
    ],
)
async def test_what_is_wrong_with_a_contact_is_said_at_its_field(
    pages: Pages, wrong: dict[str, str], field: str
) -> None:
    place = await pages.made()
    typed = {"phone": "13800138000", "user_name": "kept", "variables": "a=b"} | wrong
    refused = await pages.portal.post(f"{place}/contact", typed)
    assert refused.status_code == 422 and error_at(refused.text, field)
    assert f"{typed['variables']}</textarea>" in unescape(refused.text)


async def test_a_file_is_imported_and_its_lines_are_explained(pages: Pages) -> None:
    place = await pages.made()
    form = await pages.page(f"{place}/import")
    assert "手机号码（phone）" in form and "/portal/contact-lists/sample.csv" in form
    answer = await pages.portal.post(f"{place}/import", {}, csv_of(numbers(2)) + b"010-62771234,x,1\n")
    assert answer.status_code == 303, answer.text
    here = answer.headers["location"]
    list_id, import_id = (UUID(part) for part in here.removeprefix("/portal/contact-lists/").split("/imports/"))
    await pages.mine.reads(await pages.mine.imports.get(pages.mine.caller, list_id, import_id))
    shown = await pages.page(here)
    assert "已完成" in shown and "010-62771234" in shown and "固定电话" in shown
    assert "100%" in await pages.page(f"{here}/live")
    refused = await pages.portal.http.get(f"{here}/refused.csv")
    assert "010-62771234" in refused.text
    exported = await pages.portal.http.get(f"{place}/contacts.csv")
    assert exported.text.count("\r\n") == 3
    missing = await pages.portal.post(f"{place}/import", {})
    assert missing.status_code == 422 and error_at(missing.text, "file")


async def test_the_sample_is_a_file_of_ones_own(pages: Pages) -> None:
    answer = await pages.portal.http.get("/portal/contact-lists/sample.csv")
    assert answer.headers["content-type"].startswith("text/csv") and "phone,userName" in answer.text
