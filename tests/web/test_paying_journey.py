"""From registration to money on the account, in a browser, on a real stack, in both languages at once.

In each, two people: a customer at the portal, and an operator at the console, who signs in with an authenticator,
objects to one paper and approves the corrected one. The pay desk is the sandbox's page.
"""

import asyncio
import re
from dataclasses import dataclass

import pyotp
import pytest
from playwright.async_api import Page, expect

from demo.browser import added
from demo.papers import IDENTITY, filing
from tests.browsing import Chrome
from tests.paper_samples import noise
from tests.travel import SOON, Journey, ours, travelling

PASSWORD = "several unrelated words"
ICP = "鄂ICP备2026012345号-1"
OBJECTION = "照片看不清 The picture is blurred"
CONTENT = {
    "name": "November", "invoke_name": "november", "kind": "batch", "subject": "%name%，十一月上新",
    "html": "<h1>%name%，您好</h1>",
}  # fmt: skip
pytestmark = [pytest.mark.stack, pytest.mark.browser]


@dataclass(frozen=True)
class Tongue:
    """What the customer and the operator read in one language."""

    code: str
    locale: str
    approved: str
    credited: str
    done: str
    back: str = "返回商家 Back to the merchant"

    @property
    def customer(self) -> str:
        """The account's name."""
        return f"南风 {self.code}"


TONGUES = (
    Tongue("zh", "zh-CN", "认证已通过", "款项已入账", "已完成"),
    Tongue("en", "en-GB", "approved", "on your balance", "Done"),
)


async def joins(journey: Journey, tongue: Tongue, email: str) -> None:
    """Form, mail, link, sign-in, all by the page's own controls."""
    page = journey.page
    await journey.go(f"/register?lang={tongue.code}")
    await journey.fill(name=tongue.customer, email=email, password=PASSWORD, language=tongue.code)
    await page.click("main button[type=submit]")
    await expect(page.get_by_text(email)).to_be_visible()
    await journey.sandbox(await journey.mail_to(email))
    link = page.frame_locator("iframe").first.get_by_role("link")
    await page.goto(str(await link.get_attribute("href")))
    await page.click("main button[type=submit]")
    await journey.fill(email=email, password=PASSWORD)
    await page.click("main button[type=submit]")
    await page.wait_for_url("**/portal/")
    await journey.go("/portal/onboarding")
    await expect(journey.step("certify")).to_be_visible()
    await expect(journey.step("sms_certify")).to_be_visible()


async def hands_in(journey: Journey) -> str:
    """An individual's data and papers, uploaded by hand; returns the address of the application."""
    page = journey.page
    await journey.go("/portal/certification")
    await page.click("button[name=kind][value=individual]")
    await page.wait_for_url(re.compile("/portal/certification/[0-9a-f-]{36}"))
    await journey.fill(name="李雷", id_number=IDENTITY, website="https://www.journey.example", icp_number=ICP)
    await page.check("#f-long_term")
    for part in ("id_front", "id_back"):
        await uploads(page, part, noise())
    await uploads(page, "icp_screenshot", filing(ICP), "filing.pdf")
    await page.click("button[value=submit]")
    await expect(page.locator(".alert-info[role=status]")).to_be_visible()
    assert IDENTITY not in await page.content()
    await journey.fits()
    return page.url


async def uploads(page: Page, part: str, data: bytes, name: str = "photo.jpg") -> None:
    kind = "application/pdf" if name.endswith("pdf") else "image/jpeg"
    await page.set_input_files(f"#f-{part}", {"name": name, "mimeType": kind, "buffer": data})


async def signs_in_at_the_console(journey: Journey, tongue: Tongue, name: str) -> None:
    """Password, then the authenticator's code."""
    given = await added(name, str(journey.folder))
    assert given is not None
    await journey.go(f"/console/login?lang={tongue.code}")
    await journey.page.fill("#f-name", given["name"])
    await journey.page.fill("#f-password", given["password"])
    await journey.page.click("main button[type=submit]")
    await journey.page.fill("#f-code", pyotp.TOTP(given["secret"]).now())
    await journey.page.click("main button[type=submit]")
    await journey.page.wait_for_url("**/console/")


async def decides(journey: Journey, tongue: Tongue, queue: str, decision: str, **reasons: str) -> None:
    """Takes the customer's one case of a queue, looks at it, and decides."""
    page = journey.page
    await journey.go(f"/console/{queue}/list")
    case = page.get_by_role("row").filter(has_text=tongue.customer)
    await case.locator("a[href*='/console/cases/']").first.click()
    await page.wait_for_url("**/console/cases/**")
    for paper in await page.locator("img.songda-paper").all():
        await paper.scroll_into_view_if_needed()
        await expect(paper).to_have_js_property("complete", True)
        assert await paper.evaluate("e => e.naturalWidth") > 0
    await journey.fits()
    for part, reason in reasons.items():
        await page.fill(f"[name='part.{part}']", reason)
    await page.click(f"button[name=decision][value={decision}]")
    await page.wait_for_url(lambda url: "/cases/" not in url)


async def corrects(journey: Journey, place: str) -> str:
    """Only the paper that was objected to is handed in again."""
    page = journey.page
    await page.goto(place)
    await expect(page.locator("#objections")).to_contain_text(OBJECTION)
    await page.locator("form[action$='/correct'] button").click()
    await expect(page.locator(".certification-objection")).to_contain_text(OBJECTION)
    await uploads(page, "id_front", noise((320, 240)))
    await page.click("button[value=submit]")
    await expect(page.locator(".alert-info[role=status]")).to_be_visible()
    return page.url


async def recharges(journey: Journey, tongue: Tongue) -> None:
    """At the portal, at the pay desk, and back; the page shows by itself when the money is there."""
    page = journey.page
    await journey.go("/portal/recharges")
    await journey.fill(amount="100")
    await page.click("main form[action='/portal/recharges'] button[type=submit]")
    await page.wait_for_url(re.compile("/portal/recharges/[0-9a-f-]{36}"))
    await expect(page.locator("[data-state=open]")).to_be_visible()
    await page.locator("#live a.btn-primary").click()
    await page.get_by_role("button", name=re.compile("支付 Pay")).click()
    await page.get_by_role("link", name=tongue.back).click()
    await expect(page.locator("[data-state=credited]")).to_contain_text(tongue.credited, timeout=SOON)
    await journey.fits()
    await journey.go("/portal/statement")
    await expect(page.locator("main")).to_contain_text("100.00")
    await journey.fits()


async def writes_a_template(journey: Journey) -> None:
    """Saved and submitted in one go."""
    await journey.go("/portal/templates/new")
    await journey.fill(**CONTENT)
    await journey.page.click("main button[name=step][value=submit]")
    await expect(journey.page.locator("[data-state=submitted]").first).to_be_visible()


async def is_certified_and_pays(stack: Journey, tongue: Tongue) -> None:
    """All of it in one language."""
    customer, operator = await stack.other_window(tongue.locale), await stack.other_window(tongue.locale)
    await joins(customer, tongue, f"founder-{tongue.code}@company.example")
    place = await hands_in(customer)
    await signs_in_at_the_console(operator, tongue, f"rita-{tongue.code}")
    await decides(operator, tongue, "certification-queue", "reject", id_front=OBJECTION)
    place = await corrects(customer, place)
    await decides(operator, tongue, "certification-queue", "approve")
    await customer.page.goto(place)
    await expect(customer.page.locator(".alert-success")).to_contain_text(tongue.approved)
    await recharges(customer, tongue)
    await writes_a_template(customer)
    await decides(operator, tongue, "template-queue", "approve")
    await customer.go("/portal/onboarding")
    for step in ("certify", "pay"):
        await expect(customer.step(step)).to_contain_text(tongue.done, timeout=SOON)


@pytest.mark.timeout(240)
async def test_customers_are_certified_and_pay_in_both_languages(chrome: Chrome) -> None:
    async with travelling(chrome) as stack:
        await asyncio.gather(*(is_certified_and_pays(stack, tongue) for tongue in TONGUES))
        assert stack.complaints == []
        assert stack.hosts <= ours(stack)
