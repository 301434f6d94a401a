"""The page of a webhook in a real browser: numbers, a replay that is asked for, the log filtered."""

import pytest
from playwright.async_api import expect

from domain.ids import Kind, Process
from domain.webhooks import DrainOrder
from store.columns import now
from store.db import Database
from tests.browsing import LOOKS, Chrome, opened, shoot
from tests.path_rows import Customer
from tests.tenants_world import two_accounts
from tests.webhook_receiver import receiving
from tests.webhook_world import Hooks


@pytest.mark.browser
@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_numbers_replay_and_log(db: Database, chrome: Chrome, width: int, language: str) -> None:
    async with two_accounts(db) as two, receiving(lambda n, r: 500 if b'"number":2,' in r.body else 204) as receiver:
        caller = two.alice.caller
        world = Hooks(db, Customer(db, caller.account_id))
        made = await two.home.services.webhooks.create(caller, receiver.url, ["deliver"])
        key = made.status.endpoint.id
        process = Process(Kind.WEBHOOK, str(key), str(caller.account_id), 1)
        await world.owe(5)
        await world.activities.drain(DrainOrder(process, now()))
        async with opened(two.home.app, two.alice.token, chrome, width) as (page, base, complaints):
            await page.goto(f"{base}/portal/webhooks/{key}?lang={language}")
            await page.locator("input[name=since]").fill(f"{now().year}-01-01T00:00")
            await page.locator("form[action$='/replay'] button[type=submit]").click()
            await expect(page.locator(".alert, .invalid-feedback").first).to_be_visible()
            await shoot(page, f"webhook-refused-{width}")
            await page.locator("input[name=since]").fill(f"{now():%Y-%m-%dT00:00}")
            await page.locator("form[action$='/replay'] button[type=submit]").click()
            await expect(page.locator("#replays")).to_be_visible()
            await page.locator("form[action$='/replay/stop'] button").click()
            await expect(page.locator("form[action$='/replay/stop']")).to_have_count(0)
            await shoot(page, f"webhook-{width}")
            await page.locator("#f-result").select_option("failed")
            await page.locator("#f-result").blur()
            await page.evaluate("() => { shown = null; return look(); }")  # as every other second
            await expect(page.locator("#f-result")).to_have_value("failed")  # what is chosen stays until it is sent
            await page.locator("form[method=get] button[type=submit]").click()
            await expect(page.locator("section[aria-labelledby=log] tbody tr")).to_have_count(1)
            await page.goto(f"{base}/portal/webhooks/new")
            await shoot(page, f"webhook-new-{width}")
        assert [each for each in complaints if "422" not in each] == []
