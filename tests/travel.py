"""A browser window on a real stack, for journeys through our pages; DNS, mailbox and pay desk are the sandbox's."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Locator, Page, Request, expect
from rich.console import Console

from stack import Addresses, Options, Stack, temporary_folder
from supervision.ports import free_base
from tests.browsing import Chrome

SOON = 20_000
"""Milliseconds that a page may take to show what happened elsewhere."""
NARROW = {"width": 390, "height": 800}


@dataclass
class Journey:
    """A browser window on a stack, and what it complained of."""

    page: Page
    where: Addresses
    folder: Path
    windows: contextlib.AsyncExitStack
    """Closes them all."""
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    async def go(self, path: str) -> None:
        await self.page.goto(self.where.public_url + path)

    async def sandbox(self, path: str) -> None:
        await self.page.goto(f"{self.where.sandbox_url}{path}")

    def step(self, name: str) -> Locator:
        """A step of the stepper on the onboarding page."""
        return self.page.locator(f"[data-step={name}]")

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).first.click()

    async def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            control = self.page.locator(f"main [name={name}]")
            if await control.evaluate("e => e.tagName") == "SELECT":
                await control.select_option(value)
            else:
                await control.fill(value)

    async def fits(self) -> None:
        """Nothing sticks out at the side of a phone."""
        wide = self.page.viewport_size
        await self.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        assert await self.page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], self.page.url
        await self.page.set_viewport_size(wide)  # type: ignore[arg-type]

    async def mail_to(self, address: str, *subject: str) -> str:
        """Where the sandbox's mailbox shows a mail to this address; the newest when no subject is given."""
        await self.sandbox("/")
        mail = self.page.get_by_role("link").filter(has_text=address)
        for words in subject:
            mail = mail.filter(has_text=words)
        await expect(mail.first).to_be_visible(timeout=SOON)
        await expect(mail.first).to_contain_text("DKIM pass")
        return str(await mail.first.get_attribute("href"))

    async def other_window(self, language: str) -> "Journey":
        """Somebody else's browser on the same stack; complaints and hosts are gathered in one place."""
        browser = self.page.context.browser
        assert browser is not None
        page = await opened(browser, language, self.windows)
        other = Journey(page, self.where, self.folder, self.windows, self.complaints, self.hosts)
        watch(other)
        return other


async def opened(chrome: Chrome, language: str, windows: contextlib.AsyncExitStack) -> Page:
    """A window of somebody who has been nowhere yet."""
    context = await chrome.new_context(locale=language, viewport={"width": 1300, "height": 900})
    return await (await windows.enter_async_context(context)).new_page()


def watch(journey: Journey) -> None:
    """Note whom the window asks and what goes wrong in it."""
    page = journey.page
    page.on("pageerror", lambda error: journey.complaints.append(str(error)))
    page.on("request", lambda request: note(journey, request))


def note(journey: Journey, request: Request) -> None:
    if request.url.startswith("http"):
        journey.hosts.add(urlsplit(request.url).netloc)


@contextlib.asynccontextmanager
async def travelling(chrome: Chrome) -> AsyncIterator[Journey]:
    """A new stack, and a first window that prefers Chinese."""
    screen = Console(file=StringIO())
    async with (
        temporary_folder() as folder,
        Stack(Options(folder, free_base()), screen.print) as stack,
        contextlib.AsyncExitStack() as windows,
    ):
        journey = Journey(await opened(chrome, "zh-CN", windows), stack.addresses, folder, windows)
        watch(journey)
        yield journey


def ours(journey: Journey) -> set[str]:
    """The only hosts that our pages may ask."""
    return {urlsplit(str(url)).netloc for url in (journey.where.public_url, journey.where.sandbox_url)}
