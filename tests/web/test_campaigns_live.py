"""A campaign in a real browser: made by keyboard, followed without reloading, paused; nothing scrolls sideways."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail
from store.db import Database
from tests.browsing import LOOKS, Chrome, opened, shoot
from tests.campaign_doors import ADDRESSES, begins, list_of, sends_all
from tests.campaign_world import engine, make_batch_customer
from tests.sending_world import DELIVERED, FakeServers
from tests.sends_doors import Browser, browser

pytestmark = pytest.mark.browser


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db, await make_batch_customer(db)) as made:
        yield made


def answer(mail: Mail) -> Outcome:
    if mail.recipient.startswith("b@"):
        return Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, "4.7.1", "Greylisted, try again later", "mx.a.test")
    return DELIVERED


@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_from_the_form_to_its_outcomes(
    portal: Browser, db: Database, chrome: Chrome, width: int, language: str
) -> None:
    await list_of(db, portal.customer, *ADDRESSES)
    session = portal.http.cookies["songda_session"]
    async with opened(portal.app, session, chrome, width) as (page, base, complaints):
        await page.goto(f"{base}/portal/campaigns/new?lang={language}")
        await page.fill("#f-name", "Autumn sale")
        await page.check("#t-1")
        if width > 500:
            await page.click("details summary")
            await expect(page.frame_locator("iframe").locator("body")).to_contain_text("Hello")
        await shoot(page, f"campaign-content-{width}")
        await page.press("#f-name", "Enter")
        await page.fill("#f-from", f"news@{portal.customer.domain_name}")
        await shoot(page, f"campaign-sender-{width}")
        await page.press("#f-from", "Enter")
        await page.check("#l-1")
        await shoot(page, f"campaign-lists-{width}")
        await page.press("#l-1", "Enter")
        await page.fill("#f-hours_from", "00:00")
        await expect(page.locator("[name=daily]")).to_be_checked()
        await page.uncheck("[name=daily]")
        await shoot(page, f"campaign-time-{width}")
        await page.press("#f-lives_hours", "Enter")
        await shoot(page, f"campaign-check-{width}")
        await page.click("button[value=create]")
        await page.wait_for_url("**/portal/campaigns/*-*")
        await shoot(page, f"campaign-new-{width}")
        state = page.locator("[data-state]")
        async with engine(db, FakeServers(answer)) as made:
            process, lanes = await begins(made, page.url.rpartition("/")[2].partition("?")[0], portal.customer)
            await expect(state).to_have_attribute("data-state", "sending")
            await expect(page.locator("[data-announce]")).to_have_text({"en": "Sending", "zh": "发送中"}[language])
            await sends_all(made, process, lanes)
        await expect(page.locator("#campaign-progress")).to_contain_text("75%")
        await shoot(page, f"campaign-sending-{width}")
        page.on("dialog", lambda dialog: dialog.accept())
        await page.focus("form[action$='/pause'] button")
        await page.keyboard.press("Enter")
        await expect(state).to_have_attribute("data-state", "paused")
        await shoot(page, f"campaign-paused-{width}")
        await db.pool.execute("UPDATE campaign SET state = 'finished', finished_at = now()")
        await expect(state).to_have_attribute("data-over", "true")
        await page.goto(f"{base}/portal/campaigns")
        await shoot(page, f"campaigns-{width}")
        await page.goto(f"{base}/portal/campaigns/{process.subject}/contents")
        await shoot(page, f"campaign-contents-{width}")
        assert complaints == []
