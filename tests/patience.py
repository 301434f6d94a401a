"""How long a test waits for what happens by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE = 30.0
"""Seconds that a busy machine may take for what takes milliseconds."""


async def until(check: Callable[[], Awaitable[Any]], seconds: float = PATIENCE) -> Any:
    """What `check` returns once it is true."""
    async with asyncio.timeout(seconds):
        while not (found := await check()):
            await asyncio.sleep(0.02)
    return found
