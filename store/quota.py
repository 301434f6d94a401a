"""Messages accepted per account and day (Asia/Shanghai), against the day's limit (seed 2.3). asyncpg."""

import datetime as dt
from uuid import UUID

from store.db import Connection

_TAKE = """
INSERT INTO quota_use (account_id, day, is_test, used) SELECT $1, $2, $3, $4::int WHERE $4::int <= $5::int
ON CONFLICT (account_id, day, is_test)
DO UPDATE SET used = quota_use.used + $4::int WHERE quota_use.used + $4::int <= $5::int
RETURNING used
"""


async def take(connection: Connection, account: UUID, day: dt.date, count: int, limit: int) -> int | None:
    """Use `count` of a day's quota; what is used with them, or None when the limit does not allow so many."""
    used: int | None = await connection.fetchval(_TAKE, account, day, False, count, limit)
    return used


async def used(connection: Connection, account: UUID, day: dt.date) -> int:
    """What was used that day."""
    return int(
        await connection.fetchval(
            "SELECT coalesce((SELECT used FROM quota_use WHERE account_id = $1 AND day = $2 AND NOT is_test), 0)",
            account,
            day,
        )
    )
