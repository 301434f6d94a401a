"""How often an account wrote to a number lately (domain-rules §4.1). asyncpg, in the transaction of the accept."""

import datetime as dt
from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from domain.sms import SmsKind
from domain.sms_frequency import Recent
from store.db import Connection, affected


class SmsRecent(SQLModel, table=True):
    """The acceptances of the last day, of one kind to one number; locked while a request is accepted."""

    __tablename__ = "sms_recent"
    account_id: UUID = Field(primary_key=True)
    phone: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    """`domain.sms.SmsKind`."""
    at: list[dt.datetime] = Field(sa_type=ARRAY(DateTime(timezone=True)))
    last_content: bytes = b""
    """Digest of the last text, so that the same one is not sent twice at once."""


# In the order of the key, so that two requests wait for each other in one order. The update changes nothing: it locks
# the row, whether it was there or not, and tells what is in it once the other request's transaction has ended.
_LOCK = """
INSERT INTO sms_recent AS r (account_id, phone, kind, at, last_content)
SELECT $1, phone, $3, '{}', '' FROM unnest($2::text[]) AS p (phone) ORDER BY phone
ON CONFLICT (account_id, phone, kind) DO UPDATE SET kind = excluded.kind
RETURNING r.phone, r.at, r.last_content
"""
# Every row is there. As an insert it finds each by the whole key, whatever the planner thinks of an account's size: as
# an update of 2,000 rows it read all of the account's for each of them.
_NOTE = """
INSERT INTO sms_recent AS r (account_id, phone, kind, at, last_content)
SELECT $1, phone, $3, ARRAY[$5::timestamptz], content FROM unnest($2::text[], $4::bytea[]) AS n (phone, content)
ON CONFLICT (account_id, phone, kind) DO UPDATE SET last_content = excluded.last_content,
    at = array_append(ARRAY(SELECT t FROM unnest(r.at) AS t WHERE t > $5 - interval '1 day'), $5)
"""
_FORGET = """
WITH old AS MATERIALIZED (
    SELECT account_id, phone, kind FROM sms_recent
    WHERE coalesce(at[cardinality(at)], '-infinity') < $1::timestamptz - interval '1 day' LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM sms_recent r USING old
WHERE (r.account_id, r.phone, r.kind) = (old.account_id, old.phone, old.kind)
"""


async def lock_recent(
    connection: Connection, account: UUID, kind: SmsKind, phones: Collection[str]
) -> dict[str, Recent]:
    """What was sent to each of these numbers; nobody else's request counts any of them until the transaction ends.

    Once in a transaction: a second call could wait for whoever waits for the first.
    """
    rows = await connection.fetch(_LOCK, account, list(phones), kind.value)
    return {row["phone"]: Recent(tuple(row["at"]), row["last_content"]) for row in rows}


async def note_sent(
    connection: Connection, account: UUID, kind: SmsKind, contents: Mapping[str, bytes], at: dt.datetime
) -> None:
    """Count what is accepted: a digest of the text for each number that `lock_recent` holds."""
    await connection.execute(_NOTE, account, list(contents), kind.value, list(contents.values()), at)


async def forget_recent(connection: Connection, at: dt.datetime, limit: int) -> int:
    """Delete some rows of which nothing counts any more; how many."""
    done = await connection.execute(_FORGET, at, limit)
    return affected(done)
