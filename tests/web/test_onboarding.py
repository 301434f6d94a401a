"""The portal's home page: as HTML, and live in a browser while rows change."""

import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Locator, Page, expect

from domain.billing import RechargeState
from domain.certification import CertificationState
from domain.domains import DomainState, Purpose
from domain.onboarding import STEPS
from domain.reviews import ReviewState
from domain.sending import MessageState
from domain.step_texts import PLACES
from store.db import Database
from tests.browsing import Chrome, window
from tests.onboarding_world import Traveller, travelling

SHOTS = os.environ.get("SONGDA_SHOTS")
PATIENCE = 30.0
"""Seconds that a page may take on a machine with something else to do."""


@pytest.fixture
async def alice(db: Database) -> AsyncIterator[Traveller]:
    async with travelling(db) as (traveller, _):
        yield traveller


def browser(alice: Traveller, language: str = "zh") -> httpx2.AsyncClient:
    """A browser without script."""
    return httpx2.AsyncClient(
        base_url=alice.base,
        cookies={"songda_session": alice.token},
        headers={"accept-language": language},
        timeout=PATIENCE,
    )


async def test_the_page_says_everything_without_script(alice: Traveller) -> None:
    domain = await alice.adds_domain()
    await alice.domain_becomes(domain, DomainState.BROKEN, Purpose.DKIM)
    async with browser(alice) as http:
        page = (await http.get("/portal/onboarding")).text
    states = re.findall(r'data-step="(\w+)" data-state="(\w+)"', page)
    assert states[:4] == [
        ("register", "done"),
        ("domain", "current"),
        ("api_user", "locked"),
        ("template", "available"),
    ]
    assert states[7:9] == [("sms_certify", "current"), ("sms_pay", "locked")]
    assert states[9:] == [(f"sms_{step}", "locked") for step in ("user", "template", "send")]
    for words in (
        "配置发信域名",
        "的 DKIM 记录缺失或有误",
        "API_USER 只能绑定可使用的域名",
        "短信模板需要审核",
    ):
        assert words in page
    assert f'href="/portal/domains/{domain}"' in page
    assert f"onboarding/{alice.account}" in page
    assert re.search(r'<a [^>]*href="/portal/onboarding">刷新</a>', page)
    assert re.search(r'id="path-finished"[^>]* hidden>', page)


async def test_english_is_complete(alice: Traveller) -> None:
    async with browser(alice, "en") as http:
        page = (await http.get("/portal/onboarding")).text
    main = page[page.index("<main") : page.index("</main>")]
    assert "There is no sender domain yet." in main
    assert not re.search(r"[\u4e00-\u9fff]", main)


async def test_what_is_done_and_closed_is_said(alice: Traveller) -> None:
    await alice.finishes_everything()
    async with browser(alice) as http:
        page = (await http.get("/portal/onboarding")).text
    assert re.search(r'id="path-finished" data-step="finished">', page)
    assert re.findall(r'data-step="(\w+)" data-state="current"', page) == ["sms_user"]
    assert re.search(r'id="sms-path-finished"[^>]* hidden>', page)


async def test_places_exist(alice: Traveller) -> None:
    async with browser(alice) as http:
        for step in STEPS:
            answer = await http.get(PLACES[step])
            assert answer.status_code == 200, f"{step.value}: {PLACES[step]} answers {answer.status_code}"


async def test_strangers_sign_in_first(alice: Traveller) -> None:
    async with httpx2.AsyncClient(base_url=alice.base, timeout=PATIENCE) as http:
        for route in ("/portal/onboarding", "/portal/onboarding/steps", "/portal/onboarding/events"):
            answer = await http.get(route)
            assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login")


@contextlib.asynccontextmanager
async def opened(alice: Traveller, chrome: Chrome, width: int = 1300) -> AsyncIterator[tuple[Page, list[str]]]:
    """(the portal's home page, what its console complained of)."""
    complaints: list[str] = []
    async with await window(chrome, width) as context:
        await context.add_cookies([{"name": "songda_session", "value": alice.token, "url": alice.base}])
        page = await context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{alice.base}/portal/onboarding")
        await expect(page.locator("[data-live]")).to_be_visible()
        yield page, complaints


async def shoot(page: Page, name: str) -> None:
    """A picture for people, on request, and always: nothing is wider than the screen."""
    if SHOTS:
        await page.screenshot(path=str(Path(SHOTS) / f"onboarding-{name}.png"), full_page=True)
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} scrolls sideways by {wide} px"


def step(page: Page, key: str, state: str) -> Locator:
    return page.locator(f"[data-step={key}][data-state={state}]")


@pytest.mark.browser
async def test_the_stepper_follows_the_rows(alice: Traveller, chrome: Chrome) -> None:
    async with opened(alice, chrome) as (page, complaints):
        await page.evaluate("window.stayed = true")
        await expect(step(page, "domain", "current").locator("[data-missing]")).to_have_text("还没有发信域名。")
        await step(page, "domain", "current").locator("a").focus()
        domain = await alice.adds_domain(DomainState.PENDING)
        await expect(page.locator("[data-step=domain] [data-missing]")).to_contain_text("尚未全部生效")
        await expect(
            step(page, "domain", "current").locator("a")
        ).to_be_focused()  # a redraw keeps the keyboard's place
        await alice.domain_becomes(domain, DomainState.USABLE)
        await expect(step(page, "domain", "done")).to_be_visible()
        await expect(step(page, "api_user", "current")).to_be_visible()
        await expect(page.locator("[data-announce]")).to_have_text("配置发信域名 · 已完成; 创建 API_USER · 进行中")
        await alice.adds_api_user(domain)
        await expect(step(page, "template", "current")).to_be_visible()
        await shoot(page, "middle-1300")
        await alice.writes_template(ReviewState.APPROVED)
        await expect(step(page, "send", "current")).to_be_visible()
        sent = await alice.sends(MessageState.QUEUED)
        await expect(page.locator("[data-step=send] [data-missing]")).to_contain_text("正在投递")
        await alice.message_ends(sent, MessageState.DELIVERED)
        await expect(step(page, "send", "done")).to_be_visible()
        await expect(step(page, "certify", "current")).to_be_visible()
        application = await alice.applies(CertificationState.REJECTED)
        await alice.application_becomes(application, CertificationState.REJECTED, reason="执照照片模糊")
        await expect(page.locator("[data-step=certify] [data-missing]")).to_contain_text("认证未通过：执照照片模糊。")
        await shoot(page, "rejected-1300")
        await alice.certifies(number=2)
        await expect(step(page, "pay", "current")).to_be_visible()
        await expect(step(page, "sms_pay", "current")).to_be_visible()
        await alice.orders(RechargeState.CREDITED)
        await expect(page.locator("#path-finished")).to_be_visible()
        await expect(step(page, "sms_user", "current")).to_be_visible()
        await shoot(page, "finished-1300")
        await alice.domain_becomes(domain, DomainState.BROKEN, Purpose.SPF)
        await expect(step(page, "domain", "current")).to_be_visible()
        await expect(page.locator("[data-step=domain] [data-missing]")).to_contain_text("的 SPF 记录缺失或有误")
        await expect(page.locator("#path-finished")).to_be_hidden()
        await shoot(page, "back-1300")
        assert await page.evaluate("window.stayed"), "the page was never loaded again"
        assert complaints == []


@pytest.mark.browser
async def test_one_column_on_a_phone(alice: Traveller, chrome: Chrome) -> None:
    async with opened(alice, chrome, 390) as (page, complaints):
        await shoot(page, "start-390")
        boxes = [await locator.bounding_box() for locator in await page.locator(".songda-step").all()]
        assert len({round(box["x"]) for box in boxes if box}) == 1, "steps stand below each other"
        await alice.finishes_everything()
        await expect(page.locator("#path-finished")).to_be_visible()
        await shoot(page, "done-390")
        await page.goto(f"{alice.base}/portal/onboarding?lang=en")
        await expect(page.locator("h1")).to_have_text("Onboarding")
        await shoot(page, "english-390")
        assert complaints == []
