"""The pictures of the README, made anew: `python docs/screenshots.py --data DIR` against a running `songda up`.

Plays the demo once, so that there is something to see, then looks at it with Chromium. Needs `make setup chromium`.
"""

import argparse
import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from playwright.async_api import Page, ViewportSize, async_playwright

from demo.material import load
from demo.parties import Places
from demo.scene import Customer
from demo.story import Story
from stack import Addresses, default_data, running_stack

IMAGES = Path(__file__).resolve().parent / "images"
WIDE: ViewportSize = {"width": 1300, "height": 860}
SHORT: ViewportSize = {"width": 1300, "height": 640}
TALL: ViewportSize = {"width": 1300, "height": 1120}
NARROW: ViewportSize = {"width": 390, "height": 844}
REGISTERED = 4
"""Steps of the demo before the customer has a sender domain: the path is then most telling."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def chromium() -> str:
    """The path of a Chromium that is installed on this machine."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    sys.exit("Chromium is missing: `make chromium` installs it as root on Debian.")


async def play(story: Story, first: int, last: int | None = None) -> None:
    """Some of the demo's steps; its customer has something to show afterwards."""
    for step in story.steps[first:last]:
        say(f"{step.name}: {await step.play()}")


class Portal:
    """A signed-in client of the API, for the one state that the demo does not leave behind: a review that waits."""

    def __init__(self, base: str) -> None:
        self._http = httpx2.AsyncClient(base_url=base, timeout=20, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = await self._http.request(method, path, json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def sign_in(self, who: Customer) -> None:
        session = await self.ask("POST", "/v1/sessions", {"email": who.email, "password": who.password})
        self._http.headers["Authorization"] = f"Bearer {session['token']}"

    async def submit(self) -> str:
        """A corrected letter, submitted; the id of its review."""
        now = await self.ask("GET", "/v1/templates/demo-letter")
        letter = {"subject": now["version"]["subject"], "html": f"{now['version']['html']}<p>PS: 谢谢！</p>"}
        await self.ask("PUT", "/v1/templates/demo-letter", letter)
        return str((await self.ask("POST", "/v1/templates/demo-letter/submit"))["workflow_id"])

    async def withdraw(self) -> None:
        await self.ask("POST", "/v1/templates/demo-letter/withdraw")


async def sign_in(page: Page, base: str, who: Customer) -> None:
    await page.goto(f"{base}/login?lang=en")
    await page.fill("input[name=email]", who.email)
    await page.fill("input[name=password]", who.password)
    await page.click("form button[type=submit]")
    await page.wait_for_url(lambda url: "/login" not in url)


async def keep(page: Page, name: str) -> None:
    """Write one picture, and say how large it is."""
    await page.wait_for_timeout(700)  # live parts, fonts
    path = IMAGES / f"{name}.png"
    await page.screenshot(path=path)
    say(f"{path.relative_to(IMAGES.parent)}  {path.stat().st_size / 1000:.0f} kB")


async def onboarding_pictures(page: Page, base: str) -> None:
    await page.goto(f"{base}/portal/?lang=en")
    await keep(page, "onboarding")
    await page.goto(f"{base}/portal/?lang=zh")
    await keep(page, "onboarding-zh")
    await page.set_viewport_size(NARROW)
    await page.reload()
    await keep(page, "onboarding-narrow")
    await page.set_viewport_size(WIDE)


async def send_picture(page: Page, base: str, who: Customer) -> None:
    await page.goto(f"{base}/portal/sends/{who.send['id']}?lang=en")
    await keep(page, "send")


async def mailbox_picture(page: Page, where: Addresses) -> None:
    await page.goto(str(where.sandbox_url))
    await page.set_viewport_size(SHORT)
    await keep(page, "mailbox")


async def review_picture(page: Page, where: Addresses, who: Customer) -> None:
    portal = Portal(where.public_url)
    await portal.sign_in(who)
    review = await portal.submit()
    try:
        await page.set_viewport_size(TALL)
        await page.goto(f"{where.temporal_ui_url}/namespaces/default/workflows/{quote(review, safe='')}")
        await page.get_by_text("User Metadata").click()
        await page.wait_for_timeout(3000)  # a worker answers the query whose text is shown
        await keep(page, "temporal-review")
    finally:
        await portal.withdraw()
        await portal.close()


async def main(data: Path) -> None:
    where = running_stack(data)
    if where is None or where.sandbox_url is None:
        sys.exit("No stack with a sandbox runs on this data folder: start `songda up`, or name it with --data DIR.")
    IMAGES.mkdir(exist_ok=True)
    places = Places(where.public_url, where.sandbox_url, where.temporal_address, where.temporal_ui_url, where.data)
    story = Story(places, load(None, None))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = await browser.new_page(viewport=WIDE)
        await play(story, 0, REGISTERED)
        await sign_in(page, where.public_url, story.customer)
        await onboarding_pictures(page, where.public_url)
        await play(story, REGISTERED)
        await send_picture(page, where.public_url, story.customer)
        await mailbox_picture(page, where)
        await review_picture(page, where, story.customer)
        await browser.close()
    await story.close()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=default_data(), help="data folder of the running stack")
    asyncio.run(main(options.parse_args().data))
