"""The settlement: a task of the worker that turns what was counted into charges and releases (design §4.8)."""

import asyncio
from uuid import UUID

import asyncpg
import structlog

from store import settling
from store.db import DATABASE_TROUBLE, Database

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.5
"""Between looks: what is counted meanwhile is settled together, so many small sends cost few transactions."""
IDLE_SECONDS = 1.0


class Settlement:
    """Any number of workers may run one: a customer's row in the ledger is the lock."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                found = await self.settle_all()
            except DATABASE_TROUBLE as error:
                log.warning("settlement_waits", error=type(error).__name__)
                found = 0
            await asyncio.sleep(PAUSE_SECONDS if found else IDLE_SECONDS)

    async def settle_all(self) -> int:
        """One transaction per customer with something to settle; the number of tallies settled."""
        async with self._db.pool.acquire() as connection:
            accounts = await settling.waiting(connection)
        return sum([await self._settle(account) for account in accounts])

    async def _settle(self, account: UUID) -> int:
        """A customer whose books are wrong is left as it is, and named: the others must not wait for it."""
        try:
            async with self._db.raw() as connection:
                return await settling.settle_account(connection, account)
        except (RuntimeError, asyncpg.IntegrityConstraintViolationError) as error:
            log.error("settlement_refused", account_id=str(account), error=type(error).__name__)
            return 0
