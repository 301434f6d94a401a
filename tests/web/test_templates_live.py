"""The template pages in a real browser: previews run nothing, and nothing scrolls sideways."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from domain.accounts import Caller
from domain.reviews import Decision, Ruling
from store import templates as rows
from store.columns import now
from store.db import Database
from tests.browsing import LOOKS, Chrome
from tests.sends_doors import Browser, browser
from tests.web.test_sends_live import opened, shoot

pytestmark = pytest.mark.browser
HTML = """<div style="font-family:sans-serif;max-width:560px;margin:0 auto">
<h1 style="color:#0f766e">订单 %order% 已发货</h1>
<p>尊敬的 %name%，您的包裹已交给承运商，预计 %days% 天内送达。</p>
<p><a href="%link%" style="background:#0f766e;color:#fff;padding:10px 18px;border-radius:6px">查看物流</a></p>
<p id="unclosed">优惠码 %coupon 可享 50% off。</p>
</div>"""
ACTIVE = (
    "<script>document.title='ran'; parent.document.title='ran'</script>"
    "<img src=x onerror=\"document.title='ran'\">"
)  # fmt: skip


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db) as made:
        yield made


async def decide(portal: Browser, decision: Decision, reason: str) -> None:
    base = portal.app.state.services.foundation
    view = await portal.app.state.services.templates.get(Caller(portal.customer.account), "order-shipped")
    async with base.db.begin() as session:
        await rows.decide(session, view.version.id, Ruling(decision, "operator/o", reason), now())


@pytest.mark.parametrize("width", [width for width, _ in LOOKS])
async def test_a_template_from_the_form_to_its_approval(portal: Browser, chrome: Chrome, width: int) -> None:
    async with opened(portal, chrome, width) as (page, base, complaints):
        await page.goto(f"{base}/portal/templates/new")
        await page.fill("#f-name", "发货通知")
        await page.fill("#f-invoke_name", "order-shipped")
        await page.fill("#f-subject", "您的订单 %order% 已发货")
        await page.fill("#f-html", HTML)
        await page.click("button[formtarget]")
        frame = page.frame_locator("iframe[name=template-preview]")
        await expect(frame.locator("h1")).to_have_text("订单 [order] 已发货")
        await shoot(page, f"template-form-{width}")
        await page.click("button[value=save]")
        await page.wait_for_url("**/portal/templates/*-*")
        await expect(page.frame_locator("iframe").locator("p").first).to_contain_text("尊敬的 [name]")
        await page.fill("#v-name", "小明 <b>")
        await page.click("text=更新预览")
        await expect(page.frame_locator("iframe").locator("p").first).to_contain_text("尊敬的 小明 <b>，")
        await shoot(page, f"template-draft-{width}")
        await page.get_by_role("button", name="提交审核").click()
        await expect(page.locator("[data-state=submitted]").first).to_be_visible()
        await decide(portal, Decision.REJECT, "链接必须指向您自己的网站。\n请同时补全优惠码变量。")
        await page.reload()
        await expect(page.locator(".alert-danger")).to_contain_text("补全优惠码变量")
        await shoot(page, f"template-rejected-{width}")
        await page.get_by_role("link", name="修改内容").click()
        await page.fill("#f-html", HTML.replace("%coupon 可", "%coupon% 可"))
        await shoot(page, f"template-again-{width}")
        await page.click("button[value=submit]")
        await expect(page.locator("[data-state=submitted]").first).to_be_visible()
        await decide(portal, Decision.APPROVE, "")
        await page.goto(f"{base}/portal/templates?lang=en")
        await shoot(page, f"templates-en-{width}")
        await page.get_by_role("link", name="发货通知").click()
        await expect(page.locator(".alert-success")).to_contain_text("Version 2 is approved")
        await shoot(page, f"template-approved-en-{width}")
        assert complaints == []


async def test_what_is_active_does_not_run_in_previews(portal: Browser, chrome: Chrome) -> None:
    async with opened(portal, chrome) as (page, base, _):
        await page.goto(f"{base}/portal/templates/new")
        await page.fill("#f-invoke_name", "active")
        await page.fill("#f-html", "<p id=shown>shown</p>" + ACTIVE)
        await page.click("button[formtarget]")
        await expect(page.frame_locator("iframe").locator("#shown")).to_be_visible()
        assert "ran" not in [await each.title() for each in page.frames]
        await page.click("button[value=save]")
        await expect(page.frame_locator("iframe").locator("#shown")).to_be_visible()
        assert "ran" not in [await each.title() for each in page.frames]
