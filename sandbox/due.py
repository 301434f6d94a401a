"""Errands that wait in a table until their time, and survive a restart there."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from sandbox.database import Database

T = TypeVar("T")
AT_ONCE = 20


class Errands(Generic[T]):
    """``due`` reads what is due at a time, ``following`` tells when the next will be (None: nothing waits)."""

    def __init__(
        self,
        database: Database,
        due: Callable[[sqlite3.Connection, float, int], list[T]],
        following: Callable[[sqlite3.Connection], float | None],
    ) -> None:
        self._database = database
        self._due = due
        self._following = following
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is a new one."""
        self._news.set()

    async def run(self, do: Callable[[T], Awaitable[None]]) -> None:
        """Until cancelled; ``do`` has to write down that an errand is done, or when to try it again."""
        while True:
            self._news.clear()
            due = await self._database.run(self._due, time.time(), AT_ONCE)
            await asyncio.gather(*(do(each) for each in due))
            if not due:
                await self._wait()

    async def _wait(self) -> None:
        following = await self._database.run(self._following)
        seconds = 3600.0 if following is None else max(0.05, following - time.time())
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return
