"""A carrier of the bench: the sandbox's SMSC in a process of its own, and the gateway that leads to it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


@asynccontextmanager
async def smsc() -> AsyncIterator[int]:
    """Its port. It takes every number, and reports each half a second later."""
    port = free_port()
    command = [
        sys.executable, "-m", "cli", "sandbox", "smsc", "--host", LOOPBACK, "--port", str(port), "--no-table",
        "--receipt-delay", str(RECEIPT_DELAY),
    ]  # fmt: skip
    async with listening(command, port):
        yield port


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
