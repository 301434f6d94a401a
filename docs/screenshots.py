"""The pictures of `docs/`, made anew: `python -m docs.screenshots --data DIR` against a running `songda up`.

Plays the demo once, so that there is something to see, then looks at every page with Chromium and writes `pages.md`.
Needs `make setup chromium`, and Debian's `fonts-noto-cjk` and `fonts-noto-color-emoji` for what is written there.
"""

import argparse
import asyncio
import io
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pyotp
from PIL import Image
from playwright.async_api import Browser, Page, ViewportSize, async_playwright
from temporalio.client import Client

from demo.material import load
from demo.parties import Places
from demo.story import Customer, Story
from docs.newsletter import Newsletter
from docs.pictures import (
    CONSOLE,
    NARROW_ONES,
    PATH,
    PORTAL,
    PROCESSES,
    PUBLIC,
    SANDBOX,
    SMS,
    UNDER_WAY,
    Picture,
    written,
)
from stack import Addresses, default_data, first_operator_file, running_stack

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
WIDE: ViewportSize = {"width": 1300, "height": 860}
TALL: ViewportSize = {"width": 1300, "height": 1120}
NARROW: ViewportSize = {"width": 390, "height": 844}
COLOURS = 200
"""Enough for pages that are no photographs, and half the size; with fewer, the colours of outcomes become one."""
REGISTERED = 4
"""Steps of the demo before the customer has a sender domain: the path is then most telling."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def chromium() -> str:
    """The path of a Chromium that is installed on this machine."""
    for name in ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    sys.exit("Chromium is missing: `make chromium` installs it as root on Debian.")


async def play(story: Story, first: int, last: int | None = None) -> None:
    """Some of the demo's steps; its customer has something to show afterwards."""
    for step in story.steps[first:last]:
        say(f"{step.name}: {await step.play()}")


class Portal:
    """A signed-in client of the API: what the pictures are of, and a review that waits."""

    def __init__(self, base: str) -> None:
        self.http = httpx2.AsyncClient(base_url=base, timeout=20, trust_env=False)

    async def close(self) -> None:
        await self.http.aclose()

    async def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = await self.http.request(method, path, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def sign_in(self, who: Customer) -> None:
        session = await self.ask("POST", "/v1/sessions", {"email": who.email, "password": who.password})
        self.http.headers["Authorization"] = f"Bearer {session['token']}"

    async def submit(self) -> str:
        """A corrected letter, submitted; the id of its version."""
        now = await self.ask("GET", "/v1/templates/demo-letter")
        letter = {"subject": now["version"]["subject"], "html": f"{now['version']['html']}<p>PS: 谢谢！</p>"}
        await self.ask("PUT", "/v1/templates/demo-letter", letter)
        return str((await self.ask("POST", "/v1/templates/demo-letter/submit"))["workflow_id"]).partition("/")[2]

    async def withdraw(self) -> None:
        await self.ask("POST", "/v1/templates/demo-letter/withdraw")

    async def names(self, who: Customer) -> dict[str, str]:
        """What stands for `{name}` in the addresses of pictures."""
        first = {one: (await self.ask("GET", f"/v1/{one}"))["items"][0]["id"] for one in LISTS}
        account = (await self.ask("GET", "/v1/account"))["account_id"]
        known = {name: str(first[one]) for one, name in LISTS.items()}
        return known | {"send": str(who.send["id"]), "domain": who.domain_id, "account": str(account)}


LISTS = {
    "api-users": "api_user", "webhooks": "webhook", "certifications": "certification", "recharges": "recharge",
    "sms": "sms", "contact-lists": "contacts", "scheduled-tasks": "task",
}  # fmt: skip


async def fill_in(page: Page, address: str, **fields: str) -> None:
    """A form of the page: type, and press its button."""
    if address:
        await page.goto(address)
    for name, value in fields.items():
        await page.fill(f"input[name={name}]", value)
    async with page.expect_navigation():
        await page.click("main form button[type=submit]")


async def customer_window(browser: Browser, base: str, who: Customer) -> Page:
    page = await browser.new_page(viewport=WIDE)
    await fill_in(page, f"{base}/login?lang=en", email=who.email, password=who.password)
    return page


async def operator_window(browser: Browser, where: Addresses) -> Page:
    """Signed in as the operator that a stack with the sandbox makes."""
    page, given = await browser.new_page(viewport=WIDE), json.loads(first_operator_file(Path(where.data)).read_text())
    address = f"{where.public_url}/console/login?lang=en"
    await fill_in(page, address, name=given["name"], password=given["password"])
    await fill_in(page, "", code=pyotp.TOTP(given["secret"]).now())
    return page


async def keep(page: Page, name: str) -> None:
    """Write one picture, and say how large it is."""
    await page.wait_for_timeout(700)  # live parts, fonts
    seen = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    path = IMAGES / f"{name}.png"
    seen.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    say(f"{path.relative_to(DOCS)}  {path.stat().st_size / 1000:.0f} kB")


async def keep_all(page: Page, base: str, pictures: Sequence[Picture], names: dict[str, str]) -> None:
    for picture in pictures:
        answer = await page.goto(base + picture.path.format(**names))
        if answer is None or answer.status >= 400:
            sys.exit(f"{page.url} answers {answer.status if answer else 'nothing'}.")
        await keep(page, picture.name)


async def narrow_pictures(page: Page, base: str, names: dict[str, str]) -> None:
    await page.set_viewport_size(NARROW)
    await keep_all(page, base, NARROW_ONES, names)
    await page.set_viewport_size(WIDE)


async def process_pictures(page: Page, where: Addresses, account: str) -> None:
    """The newest process of each kind, this customer's where it is somebody's, as an operator finds it in Temporal."""
    client = await Client.connect(where.temporal_address)
    await page.set_viewport_size(TALL)
    for picture in PROCESSES:
        kind = f"WorkflowType = '{picture.path}'"
        owned = [run async for run in client.list_workflows(f"{kind} AND AccountId = '{account}'")]
        runs = owned or [run async for run in client.list_workflows(kind, limit=1)]
        place = f"{where.temporal_ui_url}/namespaces/default/workflows/{quote(runs[0].id, safe='')}/{runs[0].run_id}"
        await page.goto(place)
        await page.get_by_text("User Metadata").click()
        await page.wait_for_timeout(2500)  # a worker answers the query whose text is shown
        await keep(page, picture.name)


async def pictures(browser: Browser, story: Story, where: Addresses) -> None:
    """All of them: before the demo's customer has a domain, then after its last step."""
    base, who = where.public_url, story.customer
    await play(story, 0, REGISTERED)
    page = await customer_window(browser, base, who)
    await keep_all(page, base, PATH, {})
    await play(story, REGISTERED)
    portal = Portal(base)
    await portal.sign_in(who)
    newsletter = Newsletter(portal.http, str(where.sandbox_url), who)
    names = await portal.names(who) | {"version": await portal.submit()}
    try:
        await newsletter.send()
        names |= newsletter.names
        await page.set_viewport_size(TALL)
        await keep_all(page, base, UNDER_WAY, names)
        await page.set_viewport_size(WIDE)
        await keep_all(await browser.new_page(viewport=WIDE), base, PUBLIC, names)
        await keep_all(page, base, PORTAL, names)
        await keep_all(page, base, SMS, names)
        await narrow_pictures(page, base, names)
        await keep_all(await operator_window(browser, where), base, CONSOLE, names)
        await keep_all(page, str(where.sandbox_url), SANDBOX, names)
        await process_pictures(page, where, names["account"])
    finally:
        await portal.withdraw()
        await portal.close()


async def main(data: Path) -> None:
    where = running_stack(data)
    if where is None or where.sandbox_url is None:
        sys.exit("No stack with a sandbox runs on this data folder: start `songda up`, or name it with --data DIR.")
    IMAGES.mkdir(exist_ok=True)
    places = Places(
        where.public_url, where.submission, where.sandbox_url, where.temporal_address, where.temporal_ui_url, where.data
    )
    story = Story(places, load(None, None))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        await pictures(browser, story, where)
        await browser.close()
    await story.close()
    (DOCS / "pages.md").write_text(written())
    say(f"{sum(path.stat().st_size for path in IMAGES.glob('*.png')) / 1e6:.2f} MB in all")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=default_data(), help="data folder of the running stack")
    asyncio.run(main(options.parse_args().data))
