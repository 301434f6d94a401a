"""A real browser before the application under test."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser as Chrome
from playwright.async_api import BrowserContext, Page

SHOTS = os.environ.get("SONGDA_SHOTS")
PHONE, WIDE = (390, "en"), (1300, "zh")
LOOKS = [PHONE, WIDE] if SHOTS else [PHONE]
"""(width in pixels, language) of what a journey is seen in. `test_every_page` sees every page in both."""


@contextlib.asynccontextmanager
async def on_a_port(app: FastAPI, **options: Any) -> AsyncIterator[str]:
    """The application over HTTP: its base URL."""
    ours = {"log_level": "warning", "timeout_graceful_shutdown": 1}  # live pages hold their connections open
    config = uvicorn.Config(app, port=0, lifespan="off", ws="none", **(options | ours))
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def opened(app: FastAPI, token: str, chrome: Chrome, width: int) -> AsyncIterator[tuple[Page, str, list[str]]]:
    """(page, base URL, what its console complained of), signed in by a session token."""
    complaints: list[str] = []
    async with on_a_port(app) as base, await window(chrome, width) as context:
        await context.add_cookies([{"name": "songda_session", "value": token, "url": base}])
        page = await context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page, base, complaints


async def window(chrome: Chrome, width: int) -> BrowserContext:
    """As wide as that, of somebody who prefers Chinese."""
    return await chrome.new_context(viewport={"width": width, "height": 900}, locale="zh-CN")


async def shoot(page: Page, name: str) -> None:
    """A picture for people, on request, and always: nothing is wider than the screen."""
    if SHOTS:
        await page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name} scrolls sideways by {wide} px"
