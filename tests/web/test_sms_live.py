"""SMS in a real browser: test sends to their outcome, a scheduled task with its history, the interception list."""

import re
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest
from playwright.async_api import Page, expect
from temporalio.testing import ActivityEnvironment

from domain.ids import Kind, Process
from domain.operators import Operator, OperatorRole
from domain.sms import SmsKind
from domain.sms_results import SmsReason
from services.catalog import Services
from store.columns import now
from store.db import Database
from store.sms_interceptions import SmsFailure, held_back, note_failures
from tests.browsing import PHONE, WIDE, Chrome, opened, shoot
from tests.platform_rows import have_platform
from tests.schedule_world import activities, make_contacts, phones, step
from tests.sending_world import VAULT, Customer
from tests.sends_doors import Browser, browser, foundation
from tests.sms_engine_world import Engine, FakeCarrier, e164, engine, new_phones, receipt
from tests.sms_world import SmsCustomer, make_sms_customer

pytestmark = pytest.mark.browser
HOME = "/portal/scheduled-tasks"
LIST = "/portal/sms-interceptions"


@pytest.fixture
async def customer(db: Database) -> SmsCustomer:
    """After the platform, whose texts quick tests are, and whose rows have the first numbers."""
    await have_platform(db, VAULT, (await foundation(db)).policy)
    return await make_sms_customer(db)


@pytest.fixture
async def portal(db: Database, customer: SmsCustomer) -> AsyncIterator[Browser]:
    """A member of that customer."""
    whose = SimpleNamespace(account=customer.account, domain_name=f"{customer.account}.example")
    async with browser(db, cast("Customer", whose)) as made:
        yield made


def session(portal: Browser) -> str:
    return portal.http.cookies["songda_session"]


async def answered(sends: Engine, carrier: FakeCarrier, phone: str, state: str, **more: str) -> None:
    """The carrier takes what is due, and reports of this number."""
    await sends.send()
    for one in carrier.ids[e164(phone)]:
        await sends.hear(receipt(carrier.number, one, e164(phone), state, **more))


async def test_test_sends_are_free_within_the_days_limit_and_show_their_outcome(
    portal: Browser, db: Database, customer: SmsCustomer, chrome: Chrome
) -> None:
    carrier, (mine, dead) = FakeCarrier(1), new_phones(2)
    width = PHONE[0]
    async with engine(db, carrier) as sends, opened(portal.app, session(portal), chrome, width) as (page, base, told):
        await page.goto(f"{base}/portal/sms-test")
        note = page.locator("main [role=note]")
        await expect(note).to_contain_text("每天 10 条；今天还可发送 10 条")
        await shoot(page, f"sms-test-{width}")
        await page.fill("#f-quick_phone", mine)
        await page.click("#quick button[type=submit]")
        await page.wait_for_url("**/portal/sms-sends/*-*")
        await expect(page.locator("blockquote")).to_contain_text("这是一条测试短信")
        await expect(page.locator("[data-status]")).to_contain_text("发送中")
        await answered(sends, carrier, mine, "DELIVRD")
        await expect(page.locator("[data-status]")).to_have_text("已全部有结果")
        await expect(page.locator("[data-count=delivered]")).to_have_text("1")
        await expect(page.locator("main")).to_contain_text("免费")

        await page.goto(f"{base}/portal/sms-test")
        await expect(note).to_contain_text("今天还可发送 9 条")
        await page.select_option("#f-template", str(customer.numbers[SmsKind.NOTICE]))
        await page.fill("#f-var_name", "李雷")
        await page.fill("#f-phones", dead)
        await page.click("#with-template button[type=submit]")
        await page.wait_for_url("**/portal/sms-sends/*-*")
        await answered(sends, carrier, dead, "UNDELIV", error="MK:0001")
        await expect(page.locator("[data-count=bounced]")).to_have_text("1")
        await expect(page.locator("#messages")).to_contain_text("空号")
        await shoot(page, f"sms-test-failed-{width}")
        assert carrier.got[-1].text == "【送达科技】您好李雷，您的订单已发货。"

        await db.pool.execute("UPDATE sms_test_use SET used = 10")
        await page.goto(f"{base}/portal/sms-test")
        await expect(note).to_contain_text("今天还可发送 0 条")
        await expect(page.locator("#quick button[type=submit]")).to_be_disabled()
        assert told == []


async def test_a_scheduled_task_is_made_paused_resumed_run_and_cancelled(
    portal: Browser, db: Database, customer: SmsCustomer, chrome: Chrome
) -> None:
    await make_contacts(db, customer.account, phones(3, 97_000_000), "Members")
    width = WIDE[0]
    async with opened(portal.app, session(portal), chrome, width) as (page, base, told):
        page.on("dialog", lambda dialog: dialog.accept())
        await page.goto(f"{base}{HOME}/new")
        await page.fill("#f-name", "早安")
        await page.select_option("#f-template", label="notice")
        await page.select_option("#f-repeat", "daily")
        await page.fill("#f-time", "09:30")
        await page.click("button[value=check]")
        await expect(page.locator("#times li")).to_have_count(5)
        await page.click("button[value=save]")
        await page.wait_for_url(re.compile(r"/scheduled-tasks/\w+-"))
        state = page.locator("#task-state")
        for button, word in (("pause", "已暂停"), ("resume", "按时执行"), ("run", "排队中")):
            await press(page, button)
            await expect(state).to_contain_text(word)
            await shoot(page, f"scheduled-task-{button}-{width}")
        await run_it(db)
        row = page.locator("#task-runs tbody tr")
        await expect(row).to_contain_text("已完成")  # without reloading
        await expect(row).to_contain_text("手动执行")
        await expect(row.get_by_role("link")).to_have_count(1)
        await press(page, "cancel")
        await expect(state).to_contain_text("已取消")
        await expect(page.locator("#task-runs tbody tr")).to_contain_text("已完成")
        await expect(state.locator("form")).to_have_count(0)
        assert told == []


async def press(page: Page, button: str) -> None:
    await page.click(f"#task-state form[action$='/{button}'] button")


async def run_it(db: Database) -> None:
    """What the run's process does."""
    run = await db.pool.fetchrow("SELECT id, account_id FROM scheduled_run")
    process = step(Process(Kind.SCHEDULED_TASK, str(run["id"]), str(run["account_id"]), 1))
    for activity in (activities(db).look, activities(db).send, activities(db).close):
        await ActivityEnvironment().run(activity, process)


async def test_own_interceptions_are_found_and_removed_and_anothers_is_asked_for(
    portal: Browser, db: Database, customer: SmsCustomer, chrome: Chrome
) -> None:
    dead, busy, theirs = (e164(phone) for phone in new_phones(3))
    other = await make_sms_customer(db, fen=0)
    await fails(db, customer, (dead, SmsReason.EMPTY_NUMBER), (busy, SmsReason.BUSY))
    await fails(db, other, (theirs, SmsReason.EMPTY_NUMBER))
    width, rows = PHONE[0], "section[aria-labelledby=t-list] tbody tr"
    async with opened(portal.app, session(portal), chrome, width) as (page, base, told):
        page.on("dialog", lambda dialog: dialog.accept())
        await page.goto(f"{base}{LIST}")
        await expect(page.locator(rows)).to_have_count(2)
        await shoot(page, f"sms-interceptions-{width}")
        for field, chosen, shown in (("scope", "local", busy), ("state", "blocking", dead), ("q", dead[6:], dead)):
            await page.goto(f"{base}{LIST}")
            await (page.fill if field == "q" else page.select_option)(f"[name={field}]", chosen)
            await page.click("form[role=search] button")
            await expect(page.locator(rows)).to_have_count(1)
            await expect(page.locator(rows)).to_contain_text(shown)
        await page.click(f"{rows} form[action$='/remove'] button")
        await expect(page.locator("main")).to_contain_text("已删除，可以再次向该号码发送。")
        await expect(page.locator(rows)).to_contain_text(busy)
        assert not await is_blocked(db, customer, dead)

        await page.fill("[name=q]", theirs)
        await page.click("form[role=search] button")
        asking = page.locator("section[aria-labelledby=t-other]")
        await expect(asking).to_contain_text("来源不是您")
        await shoot(page, f"sms-interceptions-other-{width}")
        await page.fill("#f-note", "已电话确认")
        await asking.locator("button").click()
        answers = page.locator("section[aria-labelledby=t-requests] tbody tr")
        await expect(answers).to_contain_text("等待处理")
        await support_lifts(portal.app.state.services)
        await page.goto(f"{base}{LIST}")
        await expect(answers).to_contain_text("已解除")
        await expect(answers).to_contain_text("可以接通")
        assert not await is_blocked(db, customer, theirs)
        assert told == []


async def fails(db: Database, customer: SmsCustomer, *failed: tuple[str, SmsReason]) -> None:
    async with db.raw() as connection:
        listed = [SmsFailure(customer.account, phone, n, reason) for n, (phone, reason) in enumerate(failed, 1)]
        await note_failures(connection, listed, now())


async def is_blocked(db: Database, customer: SmsCustomer, phone: str) -> bool:
    async with db.raw() as connection:
        return phone in await held_back(connection, customer.account, [phone], now())


async def support_lifts(services: Services) -> None:
    """The oldest request, as the console does."""
    sue = Operator(UUID(int=1), "sue", frozenset({OperatorRole.SUPPORT}))
    desk = services.sms_interception_desk
    (request, _account), *_more = await desk.open_requests(sue)
    await desk.decide(sue, request.id, lift=True, reason="可以接通")
