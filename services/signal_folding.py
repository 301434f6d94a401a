"""The task of the worker that folds what was counted of senders into hours, and old hours into days and years."""

import asyncio
import time

import structlog

from domain.signals import DAYS_KEPT, HOURS_KEPT, Span
from store import signals
from store.columns import now
from store.db import DATABASE_TROUBLE, Database

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0
"""Between looks: what is counted meanwhile is folded together."""
IDLE_SECONDS = 2.0
ROLL_UP_SECONDS = 600.0
AGES = ((Span.HOUR, Span.DAY, HOURS_KEPT), (Span.DAY, Span.YEAR, DAYS_KEPT))


class SignalFolding:
    """Any number of workers may run one: an advisory lock lets one of them work, and the others have nothing to do."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run(self) -> None:
        """Until cancelled."""
        rolled_at = float("-inf")
        while True:
            found = 0
            try:
                found = await self.fold_all()
                if time.monotonic() - rolled_at >= ROLL_UP_SECONDS:
                    rolled_at = time.monotonic()
                    await self.roll_up_all()
            except DATABASE_TROUBLE as error:
                log.warning("signal_folding_waits", error=type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS if found else IDLE_SECONDS)

    async def fold_all(self, limit: int = signals.AT_ONCE) -> int:
        """In portions of one transaction each, until fewer are left than a portion; the number of rows folded."""
        folded = 0
        while True:
            async with self._db.raw() as connection:
                found = await signals.fold(connection, limit)
            folded += found
            if found < limit:
                return folded

    async def roll_up_all(self, limit: int = signals.AT_ONCE) -> int:
        """Likewise; whole hours and days that are old enough."""
        rolled = 0
        for old, new, kept in AGES:
            found = limit
            while found == limit:
                async with self._db.raw() as connection:
                    found = await signals.roll_up(connection, old, new, now() - kept, limit)
                rolled += found
        return rolled
