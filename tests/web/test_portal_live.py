"""Dashboard, members and records in a real browser: both widths, both languages, keyboard, axe."""

import datetime as dt
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from domain.accounts import Role
from store.columns import now
from store.db import Database
from tests.accounts_world import HERE, PASSWORD
from tests.browsing import LOOKS, Chrome, opened, shoot
from tests.tenants_world import Two, two_accounts

GUEST = "new.colleague@first.example"


async def faultless(page: Page, name: str) -> None:
    """Not wider than the screen, and without a serious finding of axe."""
    await shoot(page, name)
    found = (await Axe().run(page)).response["violations"]
    worst = [each for each in found if each["impact"] in ("serious", "critical")]
    serious = [f"{each['id']}: {each['nodes'][0]['html']}" for each in worst]
    assert not serious, f"{name}: {serious}"


async def busy(two: Two) -> None:
    """Two weeks of sends, a rejected template, a broken domain, a colleague and an open invitation."""
    account, pool = two.alice.caller.account_id, two.home.db.pool
    await pool.execute(
        "UPDATE sender_domain SET state = 'broken', problem = 'dkim' WHERE NOT is_test AND account_id = $1", account
    )
    await pool.execute(
        "UPDATE template_version SET state = 'rejected', reason = 'The imprint is missing.'"
        " WHERE account_id = $1 AND state = 'draft'",
        account,
    )
    for day, count in enumerate((40, 0, 12, 30, 3, 55, 20, 0, 8, 41, 13, 5, 60)):
        for state, share in (("delivered", count), ("bounced", count // 8), ("unknown", count // 20)):
            await _copied(two, now() - dt.timedelta(days=day + 1), state, share)
    await two.home.services.members.invite(two.alice.caller, "dev@first.example", Role.DEVELOPER.value)
    token = (await two.home.mails("dev@first.example"))[-1].token
    await two.home.services.members.accept(token, PASSWORD, HERE)


async def _copied(two: Two, at: dt.datetime, state: str, count: int) -> None:
    """Messages of that day like the one she sent."""
    account, pool = two.alice.caller.account_id, two.home.db.pool
    columns = (
        "account_id, api_user_id, template_version_id, domain_id, kind, is_test, sender, sender_name, reply_to, label"
    )
    send = await pool.fetchval(
        f"INSERT INTO submission (id, {columns}, accepted_at, expires_at, recipients, duplicates, rejected)"
        f" SELECT gen_random_uuid(), {columns}, $2, $2, 1, 0, '[]' FROM submission WHERE account_id = $1 LIMIT 1"
        " RETURNING id",
        *(account, at),
    )
    await pool.execute(
        "INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round, reason,"
        " code, enhanced, reply, host, possible_duplicate) SELECT $1, $2, n, 'reader' || n || '@mailbox.example', '{}',"
        " $3, 1, 0, '', 250, '2.0.0', 'OK queued', 'mx.mailbox.example', false FROM generate_series(0, $4 - 1) n",
        *(send, account, state, count),
    )


@pytest.mark.browser
@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_pages_in_both_widths_and_languages(
    db: Database, chrome: Chrome, width: int, language: str, tmp_path: Path
) -> None:
    async with two_accounts(db) as two:
        await busy(two)
        async with opened(two.home.app, two.alice.token, chrome, width) as (page, base, complaints):
            for path, name in (
                ("", "dashboard"), ("members", "members"), ("account", "account"),
                ("records/messages/list", "records"), ("records/audit/list", "audit"),
                ("records/journals/list", "journals"), ("records/webhook-events/list", "webhook-events"),
            ):  # fmt: skip
                await page.goto(f"{base}/portal/{path}?lang={language}")
                await faultless(page, f"{name}-{width}-{language}")
            await page.goto(f"{base}/portal/records/messages/list")
            await page.locator("tbody a").first.click()
            await faultless(page, f"record-{width}-{language}")
            await walk_the_menu(page, base, width)
            await invite(page, base, f"{width}-{language}")
            assert len(complaints) == 1 and "410" in complaints[0]


async def walk_the_menu(page: Page, base: str, width: int) -> None:
    """By keyboard alone: open the menu on a phone, go to the members."""
    await page.goto(f"{base}/portal/")
    entry = page.locator('#menu a[href="/portal/members"]')
    if width < 992:
        await expect(entry).to_be_hidden()
        await page.locator(".navbar-toggler").focus()
        await page.keyboard.press("Enter")
        await expect(entry).to_be_visible()
        await shoot(page, f"menu-{width}")
    await entry.focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{base}/portal/members")
    settings = page.locator("header .dropdown-toggle")
    await settings.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("header .dropdown-menu a").first).to_be_visible()
    await page.keyboard.press("Escape")


async def invite(page: Page, base: str, name: str) -> None:
    """Fill the form in, see the invitation, and what its page says when the link is wrong."""
    await page.locator("#f-email").fill(GUEST)
    await page.locator("#f-role").select_option("viewer")
    await page.keyboard.press("Enter")
    await page.locator("#f-email").press("Enter")
    row = page.get_by_role("row").filter(has_text=GUEST)
    await expect(row).to_be_visible()
    await faultless(page, f"invited-{name}")
    await page.goto(f"{base}/invitation?token=iv_nothing")
    assert await page.locator("[role=alert]").count() == 1


@pytest.mark.browser
async def test_an_invited_person_joins_in_the_browser(db: Database, chrome: Chrome) -> None:
    async with two_accounts(db) as two:
        await two.home.services.members.invite(two.alice.caller, GUEST, Role.VIEWER.value)
        token = (await two.home.mails(GUEST))[-1].token
        async with opened(two.home.app, "", chrome, 390) as (page, base, complaints):
            await page.goto(f"{base}/invitation?token={token}")
            await expect(page.locator("main")).to_contain_text(GUEST)
            await faultless(page, "invitation-390-zh")
            await page.locator("#f-password").fill(PASSWORD)
            await page.locator("#f-repeated").fill("something else")
            await page.locator("main button[type=submit]").click()
            await expect(page.locator("#e-repeated")).to_be_visible()
            await page.locator("#f-password").fill(PASSWORD)
            await page.locator("#f-repeated").fill(PASSWORD)
            await page.locator("#f-repeated").press("Enter")
            await expect(page).to_have_url(f"{base}/portal/")
            await page.goto(f"{base}/portal/domains")
            await expect(page.locator("[role=note]")).to_contain_text("只能查看此页")
            await expect(page.locator("main button[type=submit]").first).to_be_disabled()
            await faultless(page, "viewer-390-zh")
            assert len(complaints) == 1 and "422" in complaints[0]
