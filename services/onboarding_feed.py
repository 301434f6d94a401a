"""The path of many customers, live: one reader per process looks at rows for everybody who listens (design §3)."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from store import onboarding as rows
from store.db import Database
from store.onboarding import Situation

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks; more when a look takes long, so that reading costs at most a fifth of the time."""


@dataclass(eq=False)
class _Listener:
    """Holds the newest situation only: whoever is slow misses what is over."""

    heard: Situation | None = None
    queue: asyncio.Queue[Situation] = field(default_factory=lambda: asyncio.Queue(1))

    def tell(self, situation: Situation) -> None:
        if situation == self.heard:
            return
        self.heard = situation
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(situation)


class OnboardingFeed:
    """Reads only while someone listens, and only the accounts that are listened to."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._listeners: dict[UUID, set[_Listener]] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def accounts(self) -> frozenset[UUID]:
        """The accounts that are listened to now."""
        return frozenset(self._listeners)

    async def follow(self, account: UUID, seconds: float) -> AsyncIterator[Situation]:
        """The account's situation now and whenever it changes, for so many seconds."""
        end = asyncio.get_running_loop().time() + seconds
        listener = self._join(account)
        try:
            while True:
                try:
                    async with asyncio.timeout_at(end):
                        situation = await listener.queue.get()
                except TimeoutError:
                    return
                yield situation
        finally:
            self._leave(account, listener)

    def _join(self, account: UUID) -> _Listener:
        listener = _Listener()
        self._listeners.setdefault(account, set()).add(listener)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._read())
        return listener

    def _leave(self, account: UUID, listener: _Listener) -> None:
        self._listeners[account].discard(listener)
        if not self._listeners[account]:
            del self._listeners[account]

    async def _read(self) -> None:
        while self._listeners:
            began = time.monotonic()
            try:
                await self._look()
            except (OSError, SQLAlchemyError) as error:
                log.warning("onboarding_feed_waits", error=type(error).__name__)
            await asyncio.sleep(max(LOOK_EVERY, 4 * (time.monotonic() - began)))

    async def _look(self) -> None:
        async with self._db.read() as session:
            found = await rows.situations(session, list(self._listeners))
        for account, situation in found.items():
            for listener in self._listeners.get(account, ()):
                listener.tell(situation)
