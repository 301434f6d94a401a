"""Sending in a real browser: progress without reloading, attempts that stay unfolded, no sideways scrolling."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest
from playwright.async_api import Page, expect

from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail
from store.db import Database
from tests import browsing
from tests.browsing import LOOKS, Chrome, shoot
from tests.sending_world import DELIVERED, FakeServers
from tests.sends_doors import Browser, browser, deliver_once

pytestmark = pytest.mark.browser
LIST = (
    "email,name\ngrey@a.test,G\nfine@a.test,F\nnobody@a.test,N\ncut@a.test,C\n"
    + "".join(f"p{n}@b.test,P{n}\n" for n in range(9))
)  # fmt: skip


def answer(mail: Mail) -> Outcome:
    if mail.recipient.startswith("grey"):
        return Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, "4.7.1", "Greylisted, try again later", "mx.a.test")
    if mail.recipient.startswith("nobody"):
        return Outcome(OutcomeKind.BOUNCED, "hard.invalid_mailbox", 550, "5.1.1", "no such user", "mx.a.test")
    if mail.recipient.startswith("cut"):
        return Outcome(OutcomeKind.UNCERTAIN, "uncertain", text="connection closed after the final dot", host="mx")
    return DELIVERED


def opened(
    made: Browser, chrome: Chrome, width: int = 1300
) -> AbstractAsyncContextManager[tuple[Page, str, list[str]]]:
    """Signed in as the account's member."""
    return browsing.opened(made.app, made.http.cookies["songda_session"], chrome, width)


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db) as made:
        yield made


async def test_progress_appears_by_itself(portal: Browser, db: Database, chrome: Chrome) -> None:
    async with opened(portal, chrome) as (page, base, complaints):
        await page.goto(f"{base}/portal/sends/new")
        await page.select_option("#f-api_user", portal.customer.api_user_name)
        await page.select_option("#f-template", "hello")
        await page.fill("#f-from", f"news@{portal.customer.domain_name}")
        await page.fill("#f-recipients", LIST)
        await page.click("button[value=check]")
        await expect(page.locator("#check")).to_contain_text("你好 G")
        await expect(page.locator("#check")).to_be_focused()
        await shoot(page, "sends-check-1300")
        await page.click("button[value=send]")
        await page.wait_for_url("**/portal/sends/*-*")
        await expect(page.locator("[data-percent]")).to_have_text("0")
        await deliver_once(db, FakeServers(answer))
        await expect(page.locator("[data-count=delivered]")).to_have_text("10", timeout=15_000)
        grey = page.locator("tr", has_text="grey@a.test")
        await expect(grey.locator("details")).to_have_count(1)
        await grey.locator("summary").click()
        await shoot(page, "sends-one-1300")
        await page.evaluate("document.activeElement.blur()")
        await db.pool.execute("UPDATE due SET due_at = now()")
        await deliver_once(db, FakeServers())
        await expect(page.locator("[data-status]")).to_have_text("已全部有结果", timeout=20_000)
        await expect(page.locator("[data-percent]")).to_have_text("100")
        await expect(grey.locator("details[open] li")).to_have_count(2)
        assert complaints == []


@pytest.mark.parametrize("width", [width for width, _ in LOOKS])
async def test_pages_fit_the_screen(portal: Browser, db: Database, chrome: Chrome, width: int) -> None:
    sent = await portal.post("/portal/sends/new", portal.fields(recipients=LIST))
    await deliver_once(db, FakeServers(answer))
    async with opened(portal, chrome, width) as (page, base, complaints):
        paths = {
            "sends": "/portal/sends", "sends-new": "/portal/sends/new", "test-send": "/portal/test-send",
            "sends-detail": sent.headers["location"],
        }  # fmt: skip
        for name, path in paths.items():
            await page.goto(base + path)
            await shoot(page, f"{name}-{width}")
        await page.goto(f"{base}/portal/sends/new")
        await page.select_option("#f-api_user", portal.customer.api_user_name)
        await page.select_option("#f-template", "hello")
        await page.fill("#f-from", "news@elsewhere.example")
        await page.fill("#f-recipients", "email,name\nbroken line,x\nc@d.ee\n")
        await page.click("button[value=check]")
        await shoot(page, f"sends-problems-{width}")
        await page.fill("#f-recipients", "email,name\nc@d.ee,x\n")
        await page.click("button[value=send]")
        await expect(page.locator("#e-from")).to_be_visible()
        await expect(page.locator("#f-from")).to_be_focused()
        await shoot(page, f"sends-refused-{width}")
        assert [one for one in complaints if "422" not in one and "409" not in one] == []


async def test_choosing_a_template_shows_its_variables(portal: Browser, db: Database, chrome: Chrome) -> None:
    await db.pool.execute(
        "INSERT INTO template (id, account_id, invoke_name, name, kind, is_sample, created_at)"
        " SELECT gen_random_uuid(), account_id, 'other', 'Other', kind, false, now() FROM template"
    )
    await db.pool.execute(
        "INSERT INTO template_version (id, template_id, account_id, number, subject, html, text, variables, state,"
        " row_version, created_at) SELECT gen_random_uuid(), id, account_id, 1, 's', 'h', 't', ARRAY['coupon'],"
        " 'approved', 1, now() FROM template WHERE invoke_name = 'other'"
    )
    async with opened(portal, chrome) as (page, base, complaints):
        await page.goto(f"{base}/portal/test-send?template=hello")
        await expect(page.locator("#f-var_name")).to_be_visible()
        await page.select_option("#f-template", "other")
        await expect(page.locator("#f-var_coupon")).to_be_visible()
        await page.fill("#f-var_coupon", "A-1")
        await page.click("main button[type=submit]")
        await page.wait_for_url("**/portal/sends/*-*")
        assert complaints == []
