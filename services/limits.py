"""How often one visitor or one address may do something, counted in rows (`store.throttles`)."""

import datetime as dt
from dataclasses import dataclass

from domain.errors import Refusal
from services.foundation import Foundation
from store import throttles
from store.columns import now
from store.db import Session

LONGEST_WINDOW = dt.timedelta(days=1)
SWEEP_EVERY = dt.timedelta(minutes=10)


@dataclass(frozen=True)
class Limit:
    """At most `count` acts of this `name` in a sliding `window`, which the policy scales."""

    name: str
    count: int
    window: dt.timedelta


class Limits:
    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._swept = now()

    async def take(self, *wanted: tuple[Limit, str]) -> None:
        """Count one act for each (limit, subject). Raises the refusal `too_many_requests` when one is used up."""
        async with self._base.db.begin() as session:
            for limit, subject in wanted:
                await self.take_in(session, limit, subject)
        await self._sweep()

    async def take_in(self, session: Session, limit: Limit, subject: str) -> None:
        """The same in the caller's transaction: what is refused later is not counted."""
        wait = await self._wait(session, limit, subject)
        if wait:
            raise Refusal("too_many_requests", seconds=max(1, round(wait)))

    async def has_room(self, session: Session, limit: Limit, subject: str) -> bool:
        """Count one act, or say that the limit is used up: for what is left out then instead of refused."""
        return not await self._wait(session, limit, subject)

    async def forget(self, limit: Limit, subject: str) -> None:
        """Forgive, after the right password."""
        async with self._base.db.begin() as session:
            await throttles.forget(session, self._key(limit, subject))

    async def _wait(self, session: Session, limit: Limit, subject: str) -> float:
        window = self._base.policy.scaled(limit.window)
        return await throttles.take(session, self._key(limit, subject), limit.count, window, now())

    def _key(self, limit: Limit, subject: str) -> bytes:
        return self._base.vault.digest(f"throttle/{limit.name}/{subject.lower()}")

    async def _sweep(self) -> None:
        if now() - self._swept < SWEEP_EVERY:
            return
        self._swept = now()
        async with self._base.db.begin() as session:
            await throttles.sweep(session, now() - LONGEST_WINDOW)
