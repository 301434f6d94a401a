"""What a process holds in the database when it is stopped, and for how long."""

import asyncio
import time

import asyncpg
import pytest

from store.db import DATABASE_TROUBLE, Database
from tests.sending_world import make_customer

PARSE_WITHOUT_SYNC = b"P" + (4 + 1 + 9 + 2).to_bytes(4) + b"\0" + b"SELECT 1\0" + b"\0\0" + b"H" + (4).to_bytes(4)
"""Half of a query in PostgreSQL's protocol: Parse and Flush. The server waits for the rest and counts as active."""
LOCKED = "UPDATE account SET daily_quota = daily_quota"


async def is_active_and_waits(connection: asyncpg.Connection, pid: int) -> bool:
    """As `pg_stat_activity` shows a session whose client was stopped between two messages of a query."""
    state = await connection.fetchrow("SELECT state, wait_event FROM pg_stat_activity WHERE pid = $1", pid)
    return state is not None and tuple(state) == ("active", "ClientRead")


async def test_a_process_stopped_in_the_midst_of_a_query_loses_its_locks(db: Database, postgres_url: str) -> None:
    """Such a session is not idle in its transaction, so the limit on idling does not end it."""
    await make_customer(db)
    stopped = await Database.open(postgres_url, connections=1, longest="1s")
    watching = await asyncpg.connect(postgres_url)
    connection = await stopped.pool.acquire()
    try:
        await connection.execute("BEGIN")
        assert await connection.execute(LOCKED) == "UPDATE 1"
        connection._con._transport.write(PARSE_WITHOUT_SYNC)
        pid = connection.get_server_pid()
        while not await is_active_and_waits(watching, pid):
            await asyncio.sleep(0.01)
        await watching.execute("SET lock_timeout = '10s'")
        assert await watching.execute(LOCKED) == "UPDATE 1"
        assert not await is_active_and_waits(watching, pid)
    finally:
        stopped.pool.terminate()
        await watching.close()
        await stopped.engine.dispose()


async def test_a_long_transaction_ends_on_both_paths(postgres_url: str) -> None:
    limited = await Database.open(postgres_url, connections=1, longest="200ms")
    try:
        begun = time.monotonic()
        with pytest.raises(DATABASE_TROUBLE):
            async with limited.raw() as connection:
                await connection.execute("SELECT pg_sleep(20)")
        assert time.monotonic() - begun < 10
        async with limited.raw() as connection:
            assert await connection.fetchval("SELECT 1") == 1, "the next one gets a new session"
        async with limited.begin() as session:
            elsewhere = await (await session.connection()).exec_driver_sql("SHOW transaction_timeout")
            assert elsewhere.scalar_one() == "1min"
    finally:
        await limited.close()
