"""Replies of handsets that no customer is told of: kept for people to read, and then forgotten. asyncpg."""

import datetime as dt

from domain.accounts import SYSTEM_ACCOUNT
from store.db import Connection, affected

_FORGET = """
WITH old AS MATERIALIZED (
    SELECT id FROM sms_reply WHERE (account_id IS NULL OR account_id = $3) AND at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM sms_reply r USING old WHERE r.id = old.id
"""


async def forget_replies(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Delete some of before then; how many."""
    done = await connection.execute(_FORGET, before, limit, SYSTEM_ACCOUNT)
    return affected(done)
