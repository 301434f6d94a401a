"""Due messages become pages, and attempts take pages (design §4.2, §4.4). asyncpg, no ORM objects."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import Kind, new_id, workflow_id
from store.db import Connection

BATCH_PER_ACCOUNT = 200
"""One account's share of a batch, so that a flood does not delay another's single mail."""
BATCH = 1000

_CLAIM = """
WITH RECURSIVE accounts AS (
    (SELECT account_id FROM due ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.account_id FROM due d WHERE d.account_id > a.account_id ORDER BY d.account_id LIMIT 1)
    FROM accounts a WHERE a.account_id IS NOT NULL
), picked AS (
    SELECT d.message_id FROM accounts a CROSS JOIN LATERAL (
        SELECT message_id FROM due WHERE account_id = a.account_id AND due_at <= now()
        ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED) d
    WHERE a.account_id IS NOT NULL LIMIT $3
), gone AS (
    DELETE FROM due USING picked WHERE due.message_id = picked.message_id RETURNING due.message_id
), taken AS (
    SELECT array_agg(m.id ORDER BY m.id) AS messages, array_agg(m.round ORDER BY m.id) AS rounds
    FROM message m JOIN gone g ON g.message_id = m.id
)
INSERT INTO page (id, epoch, messages, rounds, created_at, delivered, deferred, bounced, dropped, uncertain)
SELECT $1, 0, messages, rounds, now(), 0, 0, 0, 0, 0 FROM taken WHERE messages IS NOT NULL
RETURNING cardinality(messages)
"""

_TAKE = """
UPDATE page SET epoch = epoch + 1 WHERE id = $1 AND closed_at IS NULL RETURNING epoch, messages, rounds
"""

_LOAD = """
SELECT m.id, m.submission_id, m.account_id, m.ordinal, m.address, m.variables, m.attempts, m.round,
       m.possible_duplicate, s.expires_at
FROM unnest($1::bigint[], $2::int[]) AS p (id, round)
JOIN message m ON m.id = p.id AND m.round = p.round AND m.state = 'queued'
JOIN submission s ON s.id = m.submission_id
WHERE NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id)
ORDER BY m.id
"""

_GIVE_BACK = """
WITH back AS (
    UPDATE message m SET round = m.round + 1 FROM unnest($1::bigint[], $2::int[]) AS p (id, round)
    WHERE m.id = p.id AND m.round = p.round AND m.state = 'queued'
      AND NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id)
    RETURNING m.id, m.account_id
)
INSERT INTO due (message_id, account_id, due_at)
SELECT id, account_id, now() + $3::interval FROM back ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True)
class PageMessage:
    """A message as its page delivers it."""

    id: int
    submission_id: UUID
    account_id: UUID
    ordinal: int
    address: str
    variables: dict[str, str]
    attempts: int
    """Tries before this one."""
    round: int
    possible_duplicate: bool
    expires_at: dt.datetime


@dataclass(frozen=True)
class TakenPage:
    """A page as one attempt holds it: older attempts can no longer begin a dialogue."""

    id: UUID
    epoch: int
    messages: list[PageMessage]


async def claim_batch(
    connection: Connection, per_account: int = BATCH_PER_ACCOUNT, limit: int = BATCH
) -> tuple[UUID, int] | None:
    """Move what is due into a new page and enlist its delivery; (page id, messages), or None when nothing is due."""
    page = new_id()
    count = await connection.fetchval(_CLAIM, page, per_account, limit)
    if count is None:
        return None
    await connection.execute(
        "INSERT INTO clockwork (workflow_id, kind, subject, account_id, created_at, nudge_wanted)"
        " VALUES ($1, $2, $3, $4, now(), false)",
        workflow_id(Kind.DELIVERY, page),
        Kind.DELIVERY.value,
        str(page),
        SYSTEM_ACCOUNT,
    )
    return page, count


async def next_due(connection: Connection) -> float | None:
    """Seconds until something is due (0 when it is already), or None when nothing waits."""
    seconds = await connection.fetchval("SELECT extract(epoch FROM min(due_at) - now())::float FROM due")
    return None if seconds is None else max(0.0, seconds)


async def take_page(connection: Connection, page: UUID) -> TakenPage | None:
    """Take the page for a new attempt; None when it is closed. Messages inside a dialogue are left to their slot."""
    row = await connection.fetchrow(_TAKE, page)
    if row is None:
        return None
    loaded = await connection.fetch(_LOAD, row["messages"], row["rounds"])
    return TakenPage(page, row["epoch"], [PageMessage(**dict(item)) for item in loaded])


async def close_page(connection: Connection, page: UUID, epoch: int, wait: dt.timedelta) -> bool:
    """End a page: what it did not try goes back to `due` after `wait`. False when a newer attempt holds it."""
    row = await connection.fetchrow(
        "UPDATE page SET closed_at = now() WHERE id = $1 AND epoch = $2 AND closed_at IS NULL"
        " RETURNING messages, rounds",
        page,
        epoch,
    )
    if row is None:
        return False
    await connection.execute(_GIVE_BACK, row["messages"], row["rounds"], wait)
    await connection.execute("DELETE FROM clockwork WHERE workflow_id = $1", workflow_id(Kind.DELIVERY, page))
    return True
