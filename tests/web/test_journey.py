"""The guided path in a browser, on a real stack: from the form to the first delivered mail, and back when DNS breaks.

The customer knows only what our pages show; DNS and mailbox are the sandbox's pages; the operator is Temporal's update.
"""

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Locator, expect
from temporalio.client import Client

from domain.reviews import Decision, DecisionResult, ReviewDecision
from tests.browsing import Chrome
from tests.travel import SOON, Journey, ours, travelling

EMAIL, PASSWORD = "founder@company.example", "several unrelated words"
DOMAIN = "mail.journey.example"
CONTENT = {
    "name": "November", "invoke_name": "november", "kind": "batch", "subject": "%name%，十一月上新",
    "html": "<h1>%name%，您好</h1>",
}  # fmt: skip


async def register(journey: Journey) -> None:
    """Form, mail, link, login."""
    await journey.go("/register")
    await journey.fill(name="南风小店", email=EMAIL, password=PASSWORD)
    await journey.press("注册")
    await expect(journey.page.get_by_text(EMAIL)).to_be_visible()
    await journey.sandbox(f"{await mail_of(journey, '请确认您的邮箱地址')}")
    link = journey.page.frame_locator("iframe").first.get_by_role("link")
    await journey.page.goto(str(await link.get_attribute("href")))
    await journey.press("确认并开通账户")
    await journey.fill(email=EMAIL, password=PASSWORD)
    await journey.press("登录")
    await journey.go("/portal/onboarding")
    await expect(journey.step("domain")).to_contain_text("还没有发信域名", timeout=SOON)
    await journey.fits()


async def mail_of(journey: Journey, subject: str) -> str:
    """Where the sandbox's mailbox shows a mail to the customer."""
    return await journey.mail_to(EMAIL, subject)


async def send_test(journey: Journey) -> None:
    """To oneself, before anything is set up."""
    await journey.go("/portal/test-send")
    await journey.press("发送给自己")
    await expect(journey.page.locator("[data-status]")).to_have_text("已全部有结果", timeout=SOON)
    await mail_of(journey, "这是一封测试邮件")


async def publish_domain(journey: Journey) -> tuple[str, dict[str, str]]:
    """Add, copy the records to the DNS page, watch; returns the domain's page and the DKIM record."""
    await journey.go("/portal/domains")
    await journey.fill(name=DOMAIN)
    await journey.press("添加")
    await journey.page.wait_for_url("**/portal/domains/*")
    place = urlsplit(journey.page.url).path
    records = [await shown(section) for section in await journey.page.locator("section[id^=record-]").all()]
    await journey.fits()
    for record in records:
        await publish(journey, record)
    await check_now(journey, place)
    await expect(journey.page.get_by_role("link", name="下一步：创建 API_USER")).to_be_visible(timeout=SOON)
    return place, next(record for record in records if "_domainkey" in record["name"])


async def check_now(journey: Journey, domain: str) -> None:
    """As a patient customer: who asks too often is told when to ask again."""
    asked, soon = journey.page.get_by_text("正在检查解析"), journey.page.get_by_text("操作过于频繁")
    for _ in range(10):
        await journey.go(domain)
        await journey.press("立即检查")
        await expect(asked.or_(soon)).to_be_visible()
        if await asked.is_visible():
            return
        await journey.page.wait_for_timeout(1000)
    raise AssertionError("never allowed to look again")


async def shown(section: Locator) -> dict[str, str]:
    """What the copy buttons of a record hold: host, full name, value."""
    buttons = section.locator("dl > dd > .songda-copy [data-copy]")
    name, value = [str(await buttons.nth(place).get_attribute("data-copy")) for place in (1, 2)]
    return {"name": name, "type": await section.locator("h2 span").inner_text(), "value": value}


async def publish(journey: Journey, record: dict[str, str]) -> None:
    """By the sandbox's DNS page."""
    await journey.sandbox("/ui/dns")
    form = journey.page.locator("form[action$='/ui/dns/records']")
    await form.locator("[name=name]").fill(record["name"])
    await form.locator("[name=type]").select_option(record["type"])
    await form.locator("[name=value]").fill(record["value"])
    await submit(journey, form)


async def submit(journey: Journey, form: Locator) -> None:
    """A form of the sandbox; returns when the next page is there."""
    async with journey.page.expect_navigation():
        await form.get_by_role("button").click()


async def create_api_user(journey: Journey) -> None:
    """From the domain's page; the key is shown once."""
    await journey.page.get_by_role("link", name="下一步：创建 API_USER").click()
    await journey.fill(name="shop_batch", kind="batch")
    await journey.press("创建")
    key = journey.page.locator("[data-copy^=sk_]")
    await expect(key).to_be_visible()
    await journey.page.reload()
    await expect(key).to_have_count(0)


async def have_template_approved(journey: Journey) -> None:
    """Written, previewed, submitted; the operator decides."""
    await journey.go("/portal/templates/new")
    await journey.fill(**CONTENT)
    await journey.press("预览")
    frame = journey.page.frame_locator("iframe[name=template-preview]")
    await expect(frame.get_by_text("[name]，您好")).to_be_visible()
    await journey.press("保存并提交审核")
    review = journey.page.get_by_text(re.compile("^template-review/"))
    workflow = (await review.first.inner_text()).strip()
    client = await Client.connect(journey.where.temporal_address)
    decided: DecisionResult = await client.get_workflow_handle(workflow).execute_update(
        "decide", ReviewDecision(Decision.APPROVE), result_type=DecisionResult
    )
    assert decided.accepted
    await journey.go("/portal/onboarding")
    await expect(journey.step("send")).to_contain_text("进行中", timeout=SOON)


async def send_list(journey: Journey) -> None:
    """Pasted recipients with a bad line, left out on request."""
    await journey.go("/portal/sends/new")
    await write_send(journey, "email,name\nli.lei@qq.com,李雷\nbroken@@x,坏\nhan@163.com,韩梅梅\n")
    await journey.press("发送")
    await expect(journey.page.get_by_role("row").filter(has_text="broken@@x")).to_be_visible()
    await journey.page.get_by_label("跳过有问题的行").check()
    await journey.press("发送")
    await expect(journey.page.locator("[data-status]")).to_have_text("已全部有结果", timeout=SOON)
    await expect(journey.page.locator("[data-count=delivered]")).to_have_text("2")
    await journey.page.locator("#messages summary").first.click()
    await expect(journey.page.locator("#messages")).to_contain_text(re.compile(r"mx\S*\.qq\.com 250 "))
    await journey.fits()


async def write_send(journey: Journey, recipients: str) -> None:
    await journey.fill(api_user="shop_batch", template="november", recipients=recipients)
    await journey.page.locator("main [name=from]").fill(f"news@{DOMAIN}")


async def lose_and_heal(journey: Journey, domain: str, record: dict[str, str]) -> None:
    """The DKIM record goes: the domain breaks by name, the path goes back, a send is refused; then it returns."""
    await journey.sandbox(f"/ui/dns?zone={DOMAIN}")
    form = journey.page.locator(f"form[action$='/ui/dns/delete']:has([name=name][value^='{record['name']}'])")
    journey.page.once("dialog", lambda dialog: dialog.accept())
    await submit(journey, form)
    await check_now(journey, domain)
    await expect(journey.page.get_by_text("“DKIM”记录缺失或不正确")).to_be_visible(timeout=SOON)
    await journey.go("/portal/onboarding")
    await expect(journey.step("domain")).to_contain_text("进行中", timeout=SOON)
    await journey.go("/portal/sends/new")
    await write_send(journey, "email,name\nli.lei@qq.com,李雷\n")
    await journey.press("发送")
    await expect(journey.page.locator("#e-from")).to_contain_text("DKIM 记录未通过验证")
    await publish(journey, record)
    await check_now(journey, domain)
    await expect(journey.page.get_by_text("所需的解析记录均已生效")).to_be_visible(timeout=SOON)
    await journey.go("/portal/onboarding")
    await expect(journey.step("domain")).to_contain_text("已完成", timeout=SOON)


@pytest.mark.stack
@pytest.mark.browser
@pytest.mark.timeout(240)
async def test_a_customer_goes_the_whole_path_in_a_browser(chrome: Chrome) -> None:
    async with travelling(chrome) as journey:
        await register(journey)
        await send_test(journey)
        domain, dkim = await publish_domain(journey)
        await create_api_user(journey)
        await have_template_approved(journey)
        await send_list(journey)
        await lose_and_heal(journey, domain, dkim)
    assert journey.complaints == []
    assert journey.hosts == ours(journey)
