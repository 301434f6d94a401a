"""Sender processes and their leases, by the database's clock (design §4.4). asyncpg, no ORM objects.

Who is dead, and what becomes of what it held, is settled in `store.dialogues`.
"""

import datetime as dt
from uuid import UUID

from domain.errors import LeaseLost
from store.db import Connection

LEASE = dt.timedelta(seconds=10)


async def register_sender(connection: Connection, sender: UUID, host: str, pid: int) -> None:
    """Begin a lease."""
    await connection.execute(
        "INSERT INTO sender (id, lease_until, host, pid, started_at)"
        " VALUES ($1, clock_timestamp() + $2::interval, $3, $4, now())",
        sender,
        LEASE,
        host,
        pid,
    )


async def renew_lease(connection: Connection, sender: UUID) -> None:
    """Raises `LeaseLost` when the lease ran out or was settled by others."""
    renewed = await connection.fetchval(
        "UPDATE sender SET lease_until = clock_timestamp() + $2::interval"
        " WHERE id = $1 AND lease_until > clock_timestamp() RETURNING id",
        sender,
        LEASE,
    )
    if renewed is None:
        raise LeaseLost(str(sender))


async def release_sender(connection: Connection, sender: UUID) -> None:
    """End a lease in order: a clean shutdown leaves no slot behind it."""
    await connection.execute("DELETE FROM slot WHERE sender_id = $1 AND message_id IS NULL", sender)
    await connection.execute(
        "DELETE FROM sender WHERE id = $1 AND NOT EXISTS (SELECT FROM slot WHERE sender_id = $1)", sender
    )
    await connection.execute("UPDATE sender SET lease_until = clock_timestamp() WHERE id = $1", sender)
