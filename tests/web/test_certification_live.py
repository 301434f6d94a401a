"""The certification pages in Chromium: by keyboard, on a phone, in both languages, without a serious axe finding."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from domain.reviews import Decision
from store.db import Database
from tests.accounts_world import House, house
from tests.browsing import LOOKS, Chrome, opened, shoot
from tests.certification_world import COMPANY, ENTERPRISE, PERSON, WHY, Applicant, at_the_door
from tests.paper_samples import noise, pdf, picture

pytestmark = pytest.mark.browser


@pytest.fixture
async def home(db: Database) -> House:
    return await house(db)


async def serious(page: Page) -> list[dict[str, Any]]:
    found = (await Axe().run(page)).response["violations"]
    return [each for each in found if each["impact"] in ("serious", "critical")]


async def look(page: Page, name: str) -> None:
    await shoot(page, name)
    assert await serious(page) == []


@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_from_choosing_a_kind_to_a_corrected_draft(
    home: House, chrome: Chrome, tmp_path: Path, language: str, width: int
) -> None:
    signed = await home.member()
    alice = at_the_door(home, signed)
    files = {name: tmp_path / f"{name}.jpg" for name in ("id_front", "id_back", "icp_screenshot")}
    for path in files.values():
        path.write_bytes(noise())
    async with opened(home.app, signed.token, chrome, width) as (page, base, complaints):
        await page.goto(f"{base}/portal/certification?lang={language}")
        await look(page, f"certification-{language}-{width}")
        await page.click('button[value="individual"]')
        await page.wait_for_selector("#f-id_number")
        await look(page, f"certification-form-{language}-{width}")
        await fill(page, files)
        await page.focus("#f-id_number")
        await page.keyboard.press("Enter")  # the first button of the form: save and submit
        await page.wait_for_selector('[data-state="submitted"]')
        await look(page, f"certification-submitted-{language}-{width}")
        await is_rejected(alice)
        await page.reload()
        await look(page, f"certification-rejected-{language}-{width}")
        await page.click('form[action$="/correct"] button')
        await page.wait_for_selector('[data-paper="id_back"]')
        await page.click("#site-no")
        assert not await page.is_visible("#f-icp_number")
        await page.fill("#f-no_website_reason", WHY)
        await look(page, f"certification-correct-{language}-{width}")
        assert complaints == []


async def fill(page: Page, files: dict[str, Path]) -> None:
    assert not await page.is_visible("#f-no_website_reason")
    for name, text in PERSON.items():
        if name != "valid_until":
            await page.fill(f"#f-{name}", text)
    await page.check("#f-long_term")
    assert not await page.is_visible("#f-valid_until")
    for name, path in files.items():
        await page.set_input_files(f"#f-{name}", path)


async def is_rejected(alice: Applicant) -> None:
    view = (await alice.service.page(alice.caller, None, 1))[0]
    result = await alice.is_decided(
        view, Decision.REJECT, "请按下面的说明修改。", id_front="照片太暗，请重新拍摄。", name="与身份证不一致。"
    )  # fmt: skip
    assert result.accepted


@pytest.mark.parametrize("width", [390])
async def test_a_mistake_in_the_form_of_a_company_is_told_at_its_field(home: House, chrome: Chrome, width: int) -> None:
    signed = await home.member()
    alice = at_the_door(home, signed)
    view = await alice.begins(ENTERPRISE)
    await alice.service.upload(alice.caller, view.row.id, "licence", pdf())
    await alice.service.upload(alice.caller, view.row.id, "icp_screenshot", picture("PNG"))
    async with opened(home.app, signed.token, chrome, width) as (page, base, complaints):
        await page.goto(f"{base}/portal/certification/{view.row.id}")
        await look(page, f"certification-company-{width}")
        await page.fill("#f-uscc", COMPANY["uscc"][:-1] + "K")
        await page.click('button[value="save"]')
        await page.wait_for_selector("#e-uscc")
        assert await page.get_attribute("#f-uscc", "aria-invalid") == "true"
        await look(page, f"certification-mistake-{width}")
        assert [each for each in complaints if "422" not in each] == []
