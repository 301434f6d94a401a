"""/console/reports over HTTP: what came back, counted and found by message, with nobody's address in it."""

import re
from collections.abc import AsyncIterator
from html import unescape

import httpx2
import pytest
from playwright.async_api import Browser as Chrome
from playwright.async_api import expect

from domain.operators import OperatorRole
from domain.reply_rule_seeds import classify
from services.inbound import Inbound
from store.db import Database
from tests.accounts_world import House, house
from tests.browsing import LOOKS, shoot
from tests.money_world import finish, send
from tests.operators_world import at_the_console, enrolled, signed
from tests.reports_world import HOST, VACATION, complaint, dsn
from tests.sending_world import make_customer
from tests.web.test_console_live import sign_in, visiting
from web.console import reports as page_of

ADDRESS = "p0@x.test"
LETTER = "From: 李雷 <li@shop.test>\r\nSubject: your <server>\r\n\r\n请帮忙\r\n".encode()


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


@pytest.fixture
async def desk(there: House) -> AsyncIterator[httpx2.AsyncClient]:
    token = (await signed(there, "sue", OperatorRole.SUPPORT)).token
    async with at_the_console(there, token) as client:
        yield client


async def reported(there: House) -> int:
    """A bounce, an automatic reply, a complaint about another message, and a letter; the message that bounced."""
    await send(there.db, await make_customer(there.db), 2)
    await finish(there.db, ["delivered", "delivered"])
    one, two = [row["id"] for row in await there.db.pool.fetch("SELECT id FROM message ORDER BY id")]
    inbound = Inbound(there.db, there.base.vault, HOST, classify)
    await inbound.report(dsn("new@other.test", said="550 5.1.1 <new@other.test> unknown"), [one])
    await inbound.report(VACATION, [one])
    await inbound.report(complaint("X-A: 1\r\n"), [two])
    await inbound.letter(LETTER)
    return int(one)


def words_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page[page.index("<main") : page.index("</main")])).split())


async def test_what_came_back_is_counted_and_listed(there: House, desk: httpx2.AsyncClient) -> None:
    message = await reported(there)
    said = words_of((await desk.get("/console/reports")).text)
    assert "退信 1 1 1" in said and "投诉 1 1 1" in said and "自动回复 1 1 0" in said and "回复 0 0 0" in said
    assert "已更正结果" in said and "已加入拦截列表" in said and "报告的是另一个地址" in said
    assert "p***@x.test" in said and ADDRESS not in said and "new@other.test" not in said
    about = words_of((await desk.get(f"/console/reports?message={message}")).text)
    assert "已更正结果" in about and "仅记录" in about and "已加入拦截列表" not in about
    only = words_of((await desk.get("/console/reports?kind=complaint")).text)
    assert "已加入拦截列表" in only and "已更正结果" not in only


async def test_pages_of_a_long_list(there: House, desk: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_of, "PAGE", 2)
    await reported(there)
    first = (await desk.get("/console/reports")).text
    following = unescape(re.findall(r'href="(\?[^"]*after=\d+)"', first)[0])
    second = words_of((await desk.get(f"/console/reports{following}")).text)
    assert "已更正结果" not in words_of(first) and "已更正结果" in second and "从头看" in second


async def test_a_letter_is_read(there: House, desk: httpx2.AsyncClient) -> None:
    await reported(there)
    page = (await desk.get("/console/reports")).text
    opened = (await desk.get("/console/reports" + re.findall(r'href="(\?letter=\d+)"', page)[0])).text
    assert "请帮忙" in opened and "your &lt;server&gt;" in opened
    assert "请帮忙" not in page
    bounce = await there.db.pool.fetchval("SELECT id FROM report WHERE kind = 'bounce'")
    assert (await desk.get(f"/console/reports?letter={bounce}")).status_code == 404


@pytest.mark.parametrize("message", ["x", "1' OR 1", "12345678901234567890", "²"])
async def test_what_is_no_number_is_said_at_its_field(desk: httpx2.AsyncClient, message: str) -> None:
    answer = await desk.get("/console/reports", params={"message": message})
    assert answer.status_code == 422 and "邮件编号是一个数字" in answer.text


async def test_the_page_is_complete_in_english(there: House, desk: httpx2.AsyncClient) -> None:
    await reported(there)
    for query in ("", "?kind=bounce", "?message=x", "?message=999"):
        desk.cookies.set("lang", "en")
        said = words_of((await desk.get(f"/console/reports{query}")).text)
        assert not set(re.findall("[\u4e00-\u9fff]+", said)), said


@pytest.mark.browser
@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_the_page_in_a_browser(there: House, chrome: Chrome, width: int, language: str) -> None:
    message, given = await reported(there), await enrolled(there, "sue", OperatorRole.REVIEWER)
    async with visiting(there.app, chrome, width) as (page, base, seen):
        await sign_in(page, base, given)
        await page.goto(f"{base}/console/reports?lang={language}")
        await expect(page.locator("tbody").last).to_contain_text("p***@x.test")
        await shoot(page, f"console-reports-{language}-{width}")
        await page.fill("#f-message", str(message))
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**message={message}")
        await page.goto(f"{base}/console/reports?kind=letter")
        await page.locator("tbody").last.get_by_role("link").click()
        await expect(page.locator("pre")).to_contain_text("请帮忙")
        assert seen.complaints == []
