"""Rows live: one reader per process looks for everybody who follows (design §3)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks; more when a look takes long, so that reading costs at most a fifth of the time."""

Key = TypeVar("Key", bound=Hashable)
View = TypeVar("View")


@dataclass(frozen=True)
class Subject(Generic[Key, View]):
    """What can be followed. `look` reads those of the keys that there are."""

    name: str
    look: Callable[[frozenset[Key]], Awaitable[Mapping[Key, View]]]
    says: Callable[[View], object] = lambda view: view
    """What of a view must change before it is told again."""
    is_over: Callable[[View], bool] = lambda view: False
    """Nothing will change any more."""


@dataclass(eq=False)
class _Follower(Generic[View]):
    """Holds the newest view only: whoever is slow misses what is over."""

    heard: object = None
    queue: asyncio.Queue[View] = field(default_factory=lambda: asyncio.Queue(1))

    def tell(self, view: View, said: object) -> None:
        if said == self.heard:
            return
        self.heard = said
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(view)


class LiveFeed(Generic[Key, View]):
    """Reads only while someone follows, and only what is followed."""

    def __init__(self, subject: Subject[Key, View]) -> None:
        self._subject = subject
        self._look = subject.look
        self._followers: dict[Key, set[_Follower[View]]] = {}
        self._reader: asyncio.Task[None] | None = None

    @property
    def followed(self) -> frozenset[Key]:
        """What is followed now."""
        return frozenset(self._followers)

    async def follow(self, key: Key, seconds: float) -> AsyncIterator[View]:
        """It now and whenever it changes; until it is over, at most for so many seconds."""
        end = asyncio.get_running_loop().time() + seconds
        follower = self._join(key)
        try:
            while True:
                try:
                    async with asyncio.timeout_at(end):
                        view = await follower.queue.get()
                except TimeoutError:
                    return
                yield view
                if self._subject.is_over(view):
                    return
        finally:
            self._leave(key, follower)

    def _join(self, key: Key) -> _Follower[View]:
        follower = _Follower[View]()
        self._followers.setdefault(key, set()).add(follower)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._read())
        return follower

    def _leave(self, key: Key, follower: _Follower[View]) -> None:
        self._followers[key].discard(follower)
        if not self._followers[key]:
            del self._followers[key]

    async def _read(self) -> None:
        while self._followers:
            began = time.monotonic()
            try:
                self._tell(await self._look(self.followed))
            except (OSError, SQLAlchemyError) as error:
                log.warning("live_feed_waits", feed=self._subject.name, error=type(error).__name__)
            await asyncio.sleep(max(LOOK_EVERY, 4 * (time.monotonic() - began)))

    def _tell(self, found: Mapping[Key, View]) -> None:
        for key, view in found.items():
            for follower in self._followers.get(key, ()):
                follower.tell(view, self._subject.says(view))
