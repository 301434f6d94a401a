"""Sender domains and API users in a real browser: records appear by themselves, values are copied whole."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect
from temporalio.testing import ActivityEnvironment

from activities.domains import DomainActivities
from domain.accounts import Caller
from domain.domains import LookRequest, Purpose
from domain.ids import Kind, Process
from services.domains import DomainView
from store.columns import now
from store.db import Database
from tests import browsing
from tests.browsing import Chrome, shoot
from tests.dns_world import POLICY, VAULT, DnsWorld, dns_world
from tests.domain_doors import Doors, doors
from tests.platform_rows import have_platform

pytestmark = pytest.mark.browser


def opened(house: Doors, chrome: Chrome, width: int = 1300) -> AbstractAsyncContextManager[tuple[Page, str, list[str]]]:
    """Signed in as the account's member."""
    return browsing.opened(house.app, house.http.cookies["songda_session"], chrome, width)


@pytest.fixture
async def house(db: Database) -> AsyncIterator[Doors]:
    await have_platform(db, VAULT, POLICY)
    async with doors(db, "zh") as made:
        yield made


@pytest.fixture
async def dns(tmp_path: Path) -> AsyncIterator[DnsWorld]:
    async with dns_world(tmp_path) as started:
        yield started


async def look(house: Doors, dns: DnsWorld, view: DomainView) -> None:
    """What the process does when it is nudged."""
    process = Process(Kind.DOMAIN, str(view.row.id), str(view.row.account_id), 1)
    activities = DomainActivities(house.db, dns.resolver, POLICY)
    await ActivityEnvironment().run(activities.look, LookRequest(process, now()))


async def publish(dns: DnsWorld, view: DomainView, *purposes: Purpose) -> None:
    for record in view.records:
        if record.purpose in purposes:
            await dns.put(record.name, record.type, record.expected)


async def watched(house: Doors, dns: DnsWorld, owner: Caller) -> DomainView:
    """A domain after its first look: the SPF record of the company is there, without us."""
    view = await house.services.domains.add(owner, "mail.shop.example")
    await dns.put("mail.shop.example", "TXT", "v=spf1 mx include:spf.company.example ~all")
    await publish(dns, view, Purpose.OWNERSHIP)
    await look(house, dns, view)
    return view


async def test_records_turn_up_while_the_page_is_open(house: Doors, dns: DnsWorld, chrome: Chrome) -> None:
    view = await watched(house, dns, house.owner)
    async with opened(house, chrome) as (page, base, complaints):
        await page.goto(f"{base}/portal/domains/{view.row.id}")
        spf = page.locator("#record-spf")
        await expect(spf.get_by_text("不一致")).to_be_visible()
        await page.locator("#record-dkim details summary").click()
        await page.locator("#record-mx [data-copy]").first.focus()
        await shoot(page, "domains-pending-1300")

        await publish(dns, view, Purpose.SPF, Purpose.DKIM)
        await look(house, dns, view)
        await expect(page.get_by_text("所需的解析记录均已生效", exact=False)).to_be_visible()
        await expect(spf.get_by_text("正确")).to_be_visible()
        assert await page.locator("#record-dkim details").get_attribute("open") is not None
        focused = await page.evaluate("document.activeElement.closest('section').id")
        assert focused == "record-mx"
        await page.get_by_role("link", name="下一步：创建 API_USER").click()
        await expect(page.locator("input[name=domains]")).to_be_checked()
        assert complaints == []


async def test_a_look_between_the_page_and_its_first_question_is_seen(
    house: Doors, dns: DnsWorld, chrome: Chrome
) -> None:
    view = await watched(house, dns, house.owner)
    await publish(dns, view, Purpose.SPF, Purpose.DKIM)

    async def late(route: Route) -> None:
        await look(house, dns, view)
        await route.continue_()

    async with opened(house, chrome) as (page, base, complaints):
        await page.route("**/live", late, times=1)
        await page.goto(f"{base}/portal/domains/{view.row.id}")
        await expect(page.get_by_text("所需的解析记录均已生效", exact=False)).to_be_visible()
        assert complaints == []


async def test_a_value_is_copied_whole(house: Doors, dns: DnsWorld, chrome: Chrome) -> None:
    view = await watched(house, dns, house.owner)
    dkim = next(record for record in view.records if record.purpose == Purpose.DKIM)
    async with opened(house, chrome, 390) as (page, base, complaints):
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=base)
        await page.goto(f"{base}/portal/domains/{view.row.id}")
        await page.locator("#record-dkim").get_by_role("button", name="复制 记录值", exact=True).click()
        async with asyncio.timeout(10):  # writing the clipboard takes a moment
            while (copied := await page.evaluate("navigator.clipboard.readText()")) == "":
                await asyncio.sleep(0.02)
        assert copied == dkim.expected
        await expect(page.locator("[data-until]")).to_contain_text("后")
        await shoot(page, "domains-pending-390")
        await page.goto(f"{base}/portal/domains?lang=en")
        await shoot(page, "domains-list-390")
        assert complaints == []


async def test_an_api_user_is_made_in_the_browser(house: Doors, dns: DnsWorld, chrome: Chrome) -> None:
    view = await watched(house, dns, house.owner)
    await publish(dns, view, Purpose.SPF, Purpose.DKIM)
    await look(house, dns, view)
    for width in (1300, 390):
        async with opened(house, chrome, width) as (page, base, complaints):
            await page.goto(f"{base}/portal/domains/{view.row.id}")
            await shoot(page, f"domains-usable-{width}")
            await page.goto(f"{base}/portal/api-users")
            await page.fill("#f-name", f"shop_{width}")
            await page.check("input[name=domains]")
            await page.get_by_role("button", name="创建").click()
            await expect(page.locator("[data-copy^=sk_]")).to_be_visible()
            await shoot(page, f"api-users-key-{width}")
            await page.get_by_role("link", name="我已保存").click()
            await shoot(page, f"api-users-one-{width}")
            page.on("dialog", lambda dialog: dialog.accept())
            await page.get_by_role("button", name="重置 API_KEY").click()
            await expect(page.get_by_text("15 分钟内仍然有效", exact=False)).to_be_visible()
            await page.goto(f"{base}/portal/api-users")
            await shoot(page, f"api-users-{width}")
            await page.goto(f"{base}/portal/domains")
            await shoot(page, f"domains-list-{width}")
            assert complaints == []
