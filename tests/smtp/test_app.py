"""The real process of a door, and what runs beside it."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL
from pathlib import Path

from store.db import Database
from supervision.ports import free_base
from tests.money_world import finish, send
from tests.patience import PATIENCE
from tests.reports_world import dsn, inbound
from tests.sending_world import make_customer
from tests.sends_doors import SECRET

ROOT = Path(__file__).parents[2]


async def test_a_door_whose_loop_ended_ends_too(db: Database, postgres_url: str) -> None:
    """Reports would wait for ever beside a door that goes on: its supervisor starts both anew."""
    await send(db, await make_customer(db), 1)
    message = int(await db.pool.fetchval("SELECT max(id) FROM message"))
    await inbound(db).report(dsn("p0@x.test"), [message])
    await finish(db, ["delivered"])
    await db.pool.execute("UPDATE report SET kind = 'of another version'")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "smtp", "inbound", "--port", str(free_base())),
        cwd=ROOT, env=dict(os.environ) | {"DATABASE_URL": postgres_url, "SONGDA_SECRET_KEY": SECRET},
        stdout=DEVNULL, stderr=DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 1
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
