"""How many sends one API user may ask for in a minute, by HTTP and SMTP together (reference/sendcloud-api.md §4).

Counting each in rows would cost a statement per mail. So a process counts by itself what is far from the limit, and
beyond that takes shares of it from `store.throttles`, which all processes draw from: one row per share, 1 % of the
limit. So the limit is exact to one and a half shares per process.
"""

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID

from domain.policy import Policy
from services.limits import Limit, Limits

WINDOW = dt.timedelta(minutes=1)
SHARES = 100
"""Of the limit."""
KEPT = 10_000
"""API users that a process remembers, before it forgets those whose window is over."""


@dataclass
class _Window:
    since: float
    left: int
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class CallRate:
    """One per process."""

    def __init__(self, limits: Limits, policy: Policy) -> None:
        self._limits = limits
        self._limit = Limit("calls", SHARES, WINDOW)
        self._share = policy.calls_per_minute // SHARES
        self._seconds = policy.scaled(WINDOW).total_seconds()
        self._windows: dict[UUID, _Window] = {}

    async def take(self, api_user: UUID) -> None:
        """Count one call. Raises the refusal `too_many_requests`."""
        window = self._window(api_user, asyncio.get_running_loop().time())
        if not window.left:
            async with window.lock:
                if not window.left:
                    await self._limits.take((self._limit, str(api_user)))
                    window.left = self._share
        window.left -= 1

    def _window(self, api_user: UUID, now: float) -> _Window:
        """Its first calls are counted here alone: half a share, which most API users never use up in a minute."""
        found = self._windows.get(api_user)
        if found is None or now - found.since >= self._seconds:
            self._sweep(now)
            found = self._windows[api_user] = _Window(now, self._share // 2)
        return found

    def _sweep(self, now: float) -> None:
        if len(self._windows) >= KEPT:
            self._windows = {user: one for user, one in self._windows.items() if now - one.since < self._seconds}
