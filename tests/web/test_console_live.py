"""The console in a real browser: sign-in with an authenticator, a decision, every list; nothing comes from the net."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import Page, expect

from domain.certification import CertificationKind
from domain.operators import GivenOut, OperatorRole
from domain.reviews import Decision, ReviewState, Ruling
from services.templates import TemplateView
from store import templates as rows
from store.accounts import ContactRequest
from store.columns import now
from store.db import Database
from tests.accounts_world import House, house
from tests.browsing import LOOKS, SHOTS, Chrome, on_a_port, shoot, window
from tests.operators_world import code_of, enrolled, signed
from tests.template_world import GOOD, Author, author
from tests.web.test_console_acts import with_papers
from web.console.lists import LISTS

pytestmark = pytest.mark.browser
CHANGED = replace(GOOD, html=GOOD.html.replace("track it", "follow your parcel") + "\n<p>New here</p>")


class Seen:
    """What the page complained of, and every host that it asked."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()


@contextlib.asynccontextmanager
async def visiting(app: FastAPI, chrome: Chrome, width: int) -> AsyncIterator[tuple[Page, str, Seen]]:
    """A browser that is nobody yet."""
    seen = Seen()
    async with on_a_port(app) as base, await window(chrome, width) as context:
        page = await context.new_page()
        page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda asked: seen.hosts.add(urlsplit(asked.url).hostname or "data"))
        yield page, base, seen


async def sign_in(page: Page, base: str, given: GivenOut) -> None:
    await page.goto(f"{base}/console/template-queue/list")
    await page.fill("#f-name", given.name)
    await page.fill("#f-password", given.password)
    await page.keyboard.press("Enter")
    await page.fill("#f-code", code_of(given))
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/template-queue/list")


async def two_versions(db: Database) -> tuple[Author, TemplateView]:
    """One approved, a changed one under review and due."""
    alice = await author(db, language="zh")
    first = await alice.submits()
    async with db.begin() as session:
        await rows.decide(session, first.version.id, Ruling(Decision.APPROVE, "operator/o"), now())
    await alice.edits(CHANGED)
    second = await alice.templates.submit(alice.caller, "order")
    async with db.begin() as session:
        version = await session.get(rows.TemplateVersion, second.version.id)
        assert version is not None
        version.due_at = now()
        session.add(ContactRequest(email="v@visitor.example", subject="收不到注册邮件", body="请帮我确认一下。"))
    return alice, second


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


@pytest.mark.parametrize("width", [width for width, _ in LOOKS])
async def test_a_reviewer_signs_in_and_decides(db: Database, there: House, chrome: Chrome, width: int) -> None:
    given, (alice, _) = await enrolled(there, "rita"), await two_versions(db)
    async with visiting(there.app, chrome, width) as (page, base, seen):
        await page.goto(f"{base}/console/")
        await shoot(page, f"console-login-{width}")
        await sign_in(page, base, given)
        await expect(page.locator("tbody")).to_contain_text("已超时")
        await shoot(page, f"console-queue-{width}")
        await page.get_by_role("link", name="Order").click()
        await expect(page.frame_locator("iframe").locator("p").first).to_contain_text("follow your parcel")
        await expect(page.locator(".songda-diff .is-new").first).to_contain_text("follow your parcel")
        await shoot(page, f"console-case-{width}")
        await page.get_by_role("button", name="驳回").click()
        await expect(page.locator("#e-reason")).to_be_visible()
        seen.complaints = [each for each in seen.complaints if "422" not in each]  # the refusal's own status
        await page.get_by_role("link", name="English").click()
        await shoot(page, f"console-case-en-{width}")
        await page.fill("#f-reason", "Say who you are.")
        await page.get_by_role("button", name="Reject").click()
        await page.wait_for_url("**/console/template-queue/list")
        await expect(page.locator("tbody")).to_contain_text("No data")
        assert (await alice.templates.get(alice.caller, "order")).version.state == ReviewState.REJECTED
        assert seen.complaints == []
        assert seen.hosts <= {"127.0.0.1", "data"}


PAGES = ("", "staff", "calendar", "accounts/list", "audit/list")
"""With `SONGDA_SHOTS`, the others as well: they differ in columns and words."""


@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_pages_of_an_administrator(db: Database, there: House, chrome: Chrome, width: int, language: str) -> None:
    given, (alice, _) = await enrolled(there, "root", OperatorRole.ADMIN), await two_versions(db)
    lists = [path for view in LISTS if (path := f"{view.key}/list") not in PAGES]
    others = ["me", "prices/new", *lists] if SHOTS else []
    async with visiting(there.app, chrome, width) as (page, base, seen):
        await sign_in(page, base, given)
        for path in (*PAGES, f"customers/{alice.rows.account}", *others):
            await page.goto(f"{base}/console/{path}?lang={language}")
            await expect(page.locator("h1")).to_be_visible()
            await shoot(page, f"console-{path.split('/')[0] or 'home'}-{language}-{width}")
            assert await grave(page) == [], path
        await page.goto(f"{base}/console/accounts/list")
        await page.locator("#column-visibility-dropdown button").first.click()
        await page.locator("[data-sa-hook=column-visibility-toggle]").nth(1).click()
        await page.locator("[data-admin-columns]").click()
        await page.wait_for_url("**cols=**")
        assert seen.complaints == []
        assert seen.hosts <= {"127.0.0.1", "data"}


async def grave(page: Page) -> list[str]:
    """What axe calls serious or critical."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{e['id']}: {e['nodes'][0]['html'][:200]}" for e in found if e["impact"] in ("serious", "critical")]


@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_an_application_is_rejected_part_by_part(
    db: Database, there: House, chrome: Chrome, width: int, language: str
) -> None:
    home, bob = await with_papers(there, db)
    view, given = await bob.submits(CertificationKind.ENTERPRISE), await enrolled(home)
    async with visiting(home.app, chrome, width) as (page, base, seen):
        await sign_in(page, base, given)
        await page.goto(f"{base}/console/cases/certification-review/{view.row.id}?lang={language}")
        screenshot = page.locator("img.songda-paper")
        await screenshot.scroll_into_view_if_needed()
        await page.wait_for_function("document.querySelector('img.songda-paper').naturalWidth > 0")
        assert await grave(page) == []
        await shoot(page, f"console-certification-{language}-{width}")
        await page.locator("[name='part.licence']").fill("The licence cannot be read.")
        await page.locator("button[value=reject]").click()
        await page.wait_for_url("**/console/")
        assert (await bob.row(view.row.id)).part_reasons == {"licence": "The licence cannot be read."}
        assert seen.complaints == []


@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_a_certification_is_revoked_after_a_second_thought(
    db: Database, there: House, chrome: Chrome, width: int, language: str
) -> None:
    home, bob = await with_papers(there, db)
    view, given = await bob.submits(CertificationKind.ENTERPRISE), await enrolled(home)
    await bob.is_decided(view)
    async with visiting(home.app, chrome, width) as (page, base, seen):
        await sign_in(page, base, given)
        await page.goto(f"{base}/console/cases/certification-review/{view.row.id}?lang={language}")
        await page.fill("#f-reason", "The licence was withdrawn.")
        await page.locator(".btn-danger").click()
        assert (await bob.row(view.row.id)).state == "approved", "the box has to be ticked first"
        assert await grave(page) == []
        await shoot(page, f"console-revoke-{language}-{width}")
        await page.check("#f-sure")
        await page.locator(".btn-danger").click()
        await expect(page.locator(".alert-success")).to_be_visible()
        await expect(page.locator("#f-sure")).to_have_count(0)
        assert (await bob.row(view.row.id)).state == "revoked"
        assert seen.complaints == []


async def test_a_first_sign_in_shows_a_code_to_scan(db: Database, there: House, chrome: Chrome) -> None:
    root = await signed(there, "root", OperatorRole.ADMIN)
    given = await there.services.staff.add(root.operator, "sam", ["support"])
    async with visiting(there.app, chrome, 390) as (page, base, seen):
        await page.goto(f"{base}/console/login")
        await page.fill("#f-name", "sam")
        await page.fill("#f-password", given.password)
        await page.keyboard.press("Enter")
        await page.wait_for_function("document.querySelector('.songda-qr')?.naturalWidth > 0")
        assert await grave(page) == []
        await shoot(page, "console-enrol-390")
        secret = await page.locator("[data-copy]").get_attribute("data-copy")
        for name in ("#f-password", "#f-repeated"):
            await page.fill(name, "five words of my own")
        await page.fill("#f-code", code_of(GivenOut("sam", "", secret or "")))
        await page.keyboard.press("Enter")
        await expect(page.locator(".songda-codes li")).to_have_count(8)
        await shoot(page, "console-recovery-390")
        assert seen.complaints == []
