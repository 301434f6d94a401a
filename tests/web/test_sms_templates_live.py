"""The form of an SMS template in a real browser: the preview and its count follow what is typed."""

import pytest
from playwright.async_api import expect

from domain.sms_signatures import SignatureDraft
from store.db import Database
from tests.accounts_world import house
from tests.browsing import LOOKS, Chrome, opened, shoot
from tests.sms_two_world import SMS_OPEN

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [width for width, _ in LOOKS])
async def test_the_preview_follows_what_is_typed(db: Database, chrome: Chrome, width: int) -> None:
    there = await house(db)
    alice = await there.member()
    await db.pool.execute(SMS_OPEN)
    await there.services.sms_signatures.create(alice.caller, SignatureDraft("送达科技"))
    async with opened(there.app, alice.token, chrome, width) as (page, base, complaints):
        await page.goto(f"{base}/portal/sms-templates/new")
        await page.select_option("#f-kind", "marketing")
        await page.fill("#f-name", "秋季新品")
        await page.fill("#f-content", "尊敬的%name%，秋季新品已经上架，欢迎到店选购。拒收请回复R")
        await expect(page.locator(".sms-bubble")).to_contain_text("【送达科技】尊敬的张小明")
        await expect(page.locator("#sms-count")).to_contain_text("计 1 条")
        await expect(page.locator("#sms-preview")).to_contain_text("审核通过后模板才能提交")
        await shoot(page, f"sms-template-form-{width}")
        await page.fill("#f-content", "字" * 80)
        await expect(page.locator("#sms-count")).to_contain_text("计 2 条")
        await page.click("button[value=save]")
        await page.wait_for_url("**/portal/sms-templates/*0*")
        await shoot(page, f"sms-template-draft-{width}")
        for path in ("sms-users", "sms-signatures", "sms-signatures/new", "sms-templates"):
            await page.goto(f"{base}/portal/{path}")
            await shoot(page, f"{path.replace('/', '-')}-{width}")
        assert complaints == []
