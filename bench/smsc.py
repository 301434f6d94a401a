"""A carrier of the bench: the sandbox's SMSC in a process of its own, and the gateway that leads to it."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.hooks import free_port
from bench.sinks import listening
from store.db import Database
from supervision.errors import CannotStart
from supervision.ports import LOOPBACK

BOUND_WITHIN = 30.0
RECEIPT_DELAY = 0.5
"""Seconds: a real carrier takes some."""
BINDS, WINDOW = 2, 64
_LEAD = """
UPDATE sms_gateway SET host = $1, port = $2, binds = $3, "window" = $4, rate_per_s = NULL, changed_at = now()
WHERE number = (SELECT min(number) FROM sms_gateway)
"""
_PAUSE = """
UPDATE sms_gateway SET state = 'paused', reason = 'bench', changed_at = now()
WHERE number <> (SELECT min(number) FROM sms_gateway)
"""
_BOUND = """
SELECT coalesce(sum(bound), 0)::int FROM sms_gateway_sight
WHERE number = (SELECT min(number) FROM sms_gateway) AND seen_at > $1
"""


@dataclass(frozen=True)
class BenchSmsc:
    """It listens; see `bench.carrier`."""

    port: int
    record: Path | None

    def taken(self) -> Counter[str]:
        """First parts that it took, by phone (E.164)."""
        lines = self.record.read_text().splitlines() if self.record and self.record.exists() else []
        return Counter(phone for phone, _, part, _ in map(str.split, lines) if part == "1")

    def parts(self) -> int:
        """All parts that it took."""
        return len(self.record.read_text().splitlines()) if self.record and self.record.exists() else 0


@asynccontextmanager
async def smsc(record: Path | None = None) -> AsyncIterator[BenchSmsc]:
    """It takes every number, and reports each half a second later."""
    port = free_port()
    command = [sys.executable, "-m", "bench.carrier", "--port", str(port), "--receipt-delay", str(RECEIPT_DELAY)]
    async with listening([*command, *(["--record", str(record)] if record else [])], port):
        yield BenchSmsc(port, record)


async def lead_sms_to(db: Database, port: int, workers: int) -> None:
    """Every SMS goes to this carrier. Returns when all workers are bound to it."""
    began = await db.pool.fetchval("SELECT now()")
    await db.pool.execute(_LEAD, LOOPBACK, port, BINDS, WINDOW)
    await db.pool.execute(_PAUSE)
    end = time.monotonic() + BOUND_WITHIN
    while (bound := await db.pool.fetchval(_BOUND, began)) < workers * BINDS:
        if time.monotonic() > end:
            raise CannotStart(f"Of {workers * BINDS} binds to the bench's carrier {bound} are up.")
        await asyncio.sleep(0.2)
