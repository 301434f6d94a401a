"""Receipts of carriers: durable before they are answered, and what they make of messages; and those that never come.

    await receipts.take(receipt)      # group commit: whatever comes meanwhile shares the next transaction

`run` looks again every second: receipts that overtook their message's commit, those of uncertain messages, and messages
whose time for a receipt is over.
"""

import asyncio
import datetime as dt
import itertools
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import structlog

from domain.phone_codes import UNPROVED_FOR
from domain.sms import RECEIPT_TIMEOUT
from domain.sms_reporting import EARLY, KEPT, WAITS
from domain.sms_transport import Receipt
from services.gathering import Gathering
from store import sms_receipts as rows
from store import sms_sweeping as sweeping
from store.columns import now
from store.db import DATABASE_TROUBLE, Connection, Database
from store.dialogues import PastFirst
from store.phone_codes import forget_unproved
from store.sms_frequency import forget_recent
from store.sms_nobodys import forget_replies
from store.sms_requests import forget_answers
from store.sms_sweeping import Look

log = structlog.get_logger(__name__)

MOST = 500
"""Receipts of one transaction."""
TRIES = 3
"""Two processes that list the same failed numbers may wait for each other."""
LOOK_SECONDS = 0.5
LOOKS_PER_FAR_ONE, LOOKS_PER_CLEANING = 30, 600
NEAR = dt.timedelta(seconds=30)
"""Commits that are under way are done by then."""
NOBODYS_KEPT = dt.timedelta(days=90)
"""Replies that answer no customer's message, for people to read."""


class SmsReceipts:
    """`scale` divides the time for a receipt, as every interval."""

    def __init__(self, db: Database, scale: float = 1.0) -> None:
        self._db = db
        self._timeout = RECEIPT_TIMEOUT / scale
        self._past_first = PastFirst()
        self._gathering: Gathering[Receipt, None] = Gathering(self._take, MOST)

    async def take(self, receipt: Receipt) -> None:
        """Durable when it returns. Raises what the database raises; then the carrier says it again."""
        await self._gathering.ask(receipt)

    async def _take(self, receipts: Sequence[Receipt]) -> list[Exception | None]:
        for left in reversed(range(TRIES)):
            try:
                async with self._db.raw() as connection:
                    await rows.take(connection, receipts, now(), self._past_first)
                break
            except asyncpg.DeadlockDetectedError:
                if not left:
                    raise
        return [None] * len(receipts)

    async def run(self) -> None:
        """Until cancelled."""
        for look in itertools.count():
            try:
                await self.sweep(far=look % LOOKS_PER_FAR_ONE == 0)
                if look % LOOKS_PER_CLEANING == 0:
                    await self.forget()
            except DATABASE_TROUBLE as error:
                log.warning("sms_receipts_wait", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def sweep(self, at: dt.datetime | None = None, *, far: bool = True) -> None:
        """Look once: at receipts that came lately, and (`far`) at all that waits too long; `at`: as if it were then."""
        at = at or now()
        since = at - (KEPT if far else NEAR)
        await self._match_parked(since)
        await self._match_uncertain(at - EARLY)
        if far:
            await self._overdue(at)

    async def _overdue(self, at: dt.datetime) -> None:
        before = at - self._timeout
        await self._until_none(lambda connection: sweeping.expire(connection, now(), before, MOST))
        await self._until_none(lambda connection: sweeping.give_up(connection, now(), before, MOST))
        await self._until_none(lambda connection: sweeping.name_nobodys(connection, at - WAITS, MOST))

    async def forget(self) -> None:
        """Rows that hold phone numbers and have served their time."""
        await self._until_none(self._forget)
        await self._until_none(lambda connection: forget_answers(connection, now(), MOST))
        await self._until_none(lambda connection: forget_recent(connection, now(), MOST))
        await self._until_none(lambda connection: forget_replies(connection, now() - NOBODYS_KEPT, MOST))
        await self._until_none(lambda connection: forget_unproved(connection, now() - UNPROVED_FOR, MOST))

    async def _match_parked(self, since: dt.datetime) -> None:
        after: int | None = 0
        while after is not None:
            async with self._db.raw() as connection:
                after = await sweeping.match_parked(connection, Look(since, after, MOST), self._past_first)

    async def _match_uncertain(self, early: dt.datetime) -> None:
        async with self._db.raw() as connection:
            found = await sweeping.asking(connection, early, MOST)
        for receipt in found:
            try:
                async with self._db.raw() as connection:
                    await sweeping.match_uncertain(connection, receipt, now())
            except (RuntimeError, asyncpg.IntegrityConstraintViolationError) as error:
                # Books that are wrong: it waits, the audit names it, and the others go on.
                log.error("sms_receipt_refused", receipt=receipt, error=type(error).__name__)

    async def _until_none(self, step: Callable[[Connection], Awaitable[int]]) -> None:
        found = 1
        while found:
            async with self._db.raw() as connection:
                found = await step(connection)

    async def _forget(self, connection: Connection) -> int:
        return await sweeping.forget(connection, now() - KEPT, now() - self._timeout, MOST)
