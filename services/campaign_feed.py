"""Campaigns live: one reader per process looks at the rows for everybody who watches (design §3)."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain.link_tokens import LinkKind
from services.campaign_view import CampaignView, engaged, read
from store.db import Database
from store.engagement import Count

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks; more when a look takes long, so that reading costs at most a fifth of the time."""
COUNT_EVERY = 15.0
"""Seconds between two counts of opens and clicks, which read every one of them."""
Watched: TypeAlias = tuple[UUID, UUID]
"""Account and campaign."""


@dataclass(eq=False)
class _Watcher:
    """Holds the newest view only: whoever is slow misses what is over."""

    seen: CampaignView | None = None
    queue: asyncio.Queue[CampaignView] = field(default_factory=lambda: asyncio.Queue(1))

    def tell(self, view: CampaignView) -> None:
        if view == self.seen:
            return
        self.seen = view
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(view)


class CampaignFeed:
    """Reads only while someone watches, and only the campaigns that are watched."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._watchers: dict[Watched, set[_Watcher]] = {}
        self._counted: dict[Watched, tuple[float, Mapping[LinkKind, Count]]] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def watched(self) -> frozenset[Watched]:
        """What is watched now."""
        return frozenset(self._watchers)

    async def follow(self, account: UUID, campaign: UUID, seconds: float) -> AsyncIterator[CampaignView]:
        """The campaign now and whenever something of it changes; until it is over, at most for so many seconds."""
        end = asyncio.get_running_loop().time() + seconds
        watcher = self._join((account, campaign))
        try:
            while True:
                try:
                    async with asyncio.timeout_at(end):
                        view = await watcher.queue.get()
                except TimeoutError:
                    return
                yield view
                if view.row.is_over:
                    return
        finally:
            self._leave((account, campaign), watcher)

    def _join(self, watched: Watched) -> _Watcher:
        watcher = _Watcher()
        self._watchers.setdefault(watched, set()).add(watcher)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._read())
        return watcher

    def _leave(self, watched: Watched, watcher: _Watcher) -> None:
        self._watchers[watched].discard(watcher)
        if not self._watchers[watched]:
            del self._watchers[watched]
            self._counted.pop(watched, None)

    async def _read(self) -> None:
        while self._watchers:
            began = time.monotonic()
            try:
                await self._look()
            except (OSError, SQLAlchemyError) as error:
                log.warning("campaign_feed_waits", error=type(error).__name__)
            await asyncio.sleep(max(LOOK_EVERY, 4 * (time.monotonic() - began)))

    async def _look(self) -> None:
        for watched in list(self._watchers):
            view = await self._view(watched)
            if view is not None:
                for watcher in self._watchers.get(watched, ()):
                    watcher.tell(view)

    async def _view(self, watched: Watched) -> CampaignView | None:
        async with self._db.read() as session:
            view = await read(session, *watched)
            if view is None:
                return None
            at, counted = self._counted.get(watched, (0.0, {}))
            if not counted or view.row.is_over or time.monotonic() - at > COUNT_EVERY:
                counted = await engaged(session, *watched)
                self._counted[watched] = time.monotonic(), counted
        return replace(view, engagement=counted)
