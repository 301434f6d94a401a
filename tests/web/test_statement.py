"""/portal/statement: the figures, what is held, the lines, the file; in both languages, and in a real browser."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape

import pytest

from domain.accounts import Role
from store.columns import now
from store.db import Database
from tests import browsing
from tests.browsing import Chrome, shoot
from tests.money_world import finish, recharge, send, set_price, settle
from tests.sends_doors import Browser, browser


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db) as made:
        await db.pool.execute("UPDATE account SET free_quota = 2 WHERE id = $1", made.customer.account)
        yield made


async def busy(db: Database, made: Browser, times: int = 3) -> None:
    """A recharge, some charged sends, and one under way."""
    await recharge(db, made.customer.account, 123_456)
    await send(db, made.customer, 2)
    await finish(db, ["delivered"] * 2)
    for _ in range(times):
        await send(db, made.customer, 20)
        await finish(db, ["delivered"] * 20)
        await settle(db)
    await send(db, made.customer, 7)
    await finish(db, ["delivered"] * 3)


def text(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def test_an_account_without_money_is_told_what_will_be_here(portal: Browser) -> None:
    page = await portal.http.get("/portal/statement")
    assert page.status_code == 200
    assert "还没有明细" in page.text and 'href="/portal/recharges"' in page.text and "¥0.0045" in page.text


async def test_figures_holds_and_lines(portal: Browser, db: Database) -> None:
    await busy(db, portal)
    await settle(db)
    page = (await portal.http.get("/portal/statement?lang=en")).text
    said = text(page)
    assert "Available balance ¥1,234.25" in said and "Held for sends ¥0.018" in said
    assert "3 / 7" in said and "20 × ¥0.0045" in said and "-¥0.09" in said and "+¥1,234.56" in said
    assert "Today's free quota is 2 mails, 0 are left" in said
    order = await db.pool.fetchval("SELECT id FROM recharge")
    assert f'href="/portal/recharges/{order}"' in page
    for submission in await db.pool.fetch("SELECT id FROM submission WHERE charged_from IS NOT NULL"):
        assert f'href="/portal/sends/{submission["id"]}"' in page
    await db.pool.execute("UPDATE submission SET channel = 'sms' WHERE id = $1", submission["id"])
    page = (await portal.http.get("/portal/statement?lang=en")).text
    assert f'href="/portal/sms-sends/{submission["id"]}"' in page, "an SMS has a page of its own"


async def test_lines_are_filtered_paged_and_exported(
    portal: Browser, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.portal.statement.PAGE", 2)
    await busy(db, portal)
    first = (await portal.http.get("/portal/statement?kind=charge")).text
    assert first.count("20 × ¥0.0045") == 2 and "+¥" not in first
    following = re.search(r'href="(\?kind=charge&(?:amp;)?after=\d+)"', first)
    assert following
    second = (await portal.http.get("/portal/statement" + following[1].replace("&amp;", "&"))).text
    assert second.count("20 × ¥0.0045") == 1 and "从头看" in second
    assert (await portal.http.get("/portal/statement?kind=gift")).status_code == 404
    answer = await portal.http.get("/portal/statement/export.csv?kind=charge")
    assert answer.headers["content-disposition"] == 'attachment; filename="statement.csv"'
    assert answer.text.count("\r\n") == 4 and "recharge" not in answer.text


async def test_a_filter_that_leaves_nothing_says_so(portal: Browser) -> None:
    assert "没有这样的明细" in (await portal.http.get("/portal/statement?kind=recharge")).text


async def test_a_price_to_come_is_announced(portal: Browser, db: Database) -> None:
    await set_price(db, 6_000, now() + timedelta(days=1))
    assert "¥0.006 / 封" in text((await portal.http.get("/portal/statement")).text)


async def test_a_developer_does_not_see_the_money(portal: Browser, db: Database) -> None:
    await db.pool.execute("UPDATE member SET role = $1", Role.DEVELOPER.value)
    for path in ("/portal/statement", "/portal/statement/export.csv"):
        assert (await portal.http.get(path)).status_code == 403
    assert "/portal/statement" not in (await portal.http.get("/portal/sends")).text


@pytest.mark.browser
async def test_the_page_in_a_browser(portal: Browser, db: Database, chrome: Chrome) -> None:
    await busy(db, portal, times=2)
    token = portal.http.cookies["songda_session"]
    for width in (1300, 390):
        async with browsing.opened(portal.app, token, chrome, width) as (page, base, complaints):
            for language in ("zh", "en"):
                await page.goto(f"{base}/portal/statement?lang={language}")
                await shoot(page, f"statement-{language}-{width}")
            await page.click("nav[aria-label='Filter by kind'] a:has-text('Recharge')")
            await page.wait_for_url("**kind=recharge")
            assert await page.locator("tbody tr").count() == 2, "the hold and the recharge"
            assert complaints == []
