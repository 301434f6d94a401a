"""Messages accepted per account and day (Asia/Shanghai), against the day's limit (seed 2.3). asyncpg."""

import datetime as dt
from typing import TypeAlias
from uuid import UUID

from store.db import Connection

Budget: TypeAlias = tuple[UUID, dt.date, bool]
"""Account, day, and whether it is the quota of its test API user."""

_TAKE = """
INSERT INTO quota_use (account_id, day, is_test, used) SELECT $1, $2, $3, $4::int WHERE $4::int <= $5::int
ON CONFLICT (account_id, day, is_test)
DO UPDATE SET used = quota_use.used + $4::int WHERE quota_use.used + $4::int <= $5::int
RETURNING used
"""
_USED = """
SELECT coalesce((SELECT used FROM quota_use WHERE account_id = $1 AND day = $2 AND is_test = $3), 0)
"""


async def take(connection: Connection, budget: Budget, count: int, limit: int) -> int | None:
    """Use `count` of a day's quota; what is used with them, or None when the limit does not allow so many."""
    taken: int | None = await connection.fetchval(_TAKE, *budget, count, limit)
    return taken


async def used(connection: Connection, budget: Budget) -> int:
    """What was used that day."""
    return int(await connection.fetchval(_USED, *budget))
