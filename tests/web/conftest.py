"""One Chromium for all browser tests of a run (of an xdist worker)."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright


@pytest.fixture(scope="session")
async def chrome(chromium: str) -> AsyncIterator[Browser]:
    """Started once, as a start costs more CPU than most of the tests; each of them opens, and closes, contexts of its
    own, which share no cookies, storage or cache.
    """
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        await running.close()
