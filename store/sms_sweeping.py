"""What becomes of receipts that had no part when they came, and of SMS whose receipt never comes. asyncpg.

Each function is one transaction's work on some rows; it returns how many, and is called until there are none.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from domain.corrections import Charging
from domain.ids import new_id
from domain.sms_outcomes import reference_of
from domain.sms_reporting import is_uncertain
from domain.sms_transport import Receipt
from store import columns
from store.adjusting import charge_after_all
from store.db import Connection
from store.dialogues import PastFirst
from store.holding import tally
from store.outcome_events import outcome_event
from store.sms_receipts import BY_REFERENCE, REPEATED, conclude, lock, match
from store.webhooks import owe_events

_RIPE = f"""
WITH ripe AS MATERIALIZED (
    SELECT r.* FROM sms_receipt r WHERE r.fate = '' AND r.arrived_at > $3 AND r.id > $1 AND (EXISTS (
        SELECT FROM sms_part p WHERE p.gateway = r.gateway AND p.smsc_id = r.smsc_id AND r.smsc_id <> '')
        OR r.smsc_id = '' AND EXISTS (SELECT FROM message m JOIN sms_part p ON p.message_id = m.id
            WHERE {BY_REFERENCE}))
    ORDER BY r.id LIMIT $2 FOR UPDATE SKIP LOCKED
)
SELECT * FROM ripe ORDER BY id
"""  # noqa: S608 - constants of ours
_FATE = "UPDATE sms_receipt SET fate = $2 WHERE id = ANY($1::bigint[])"
_GONE = "DELETE FROM sms_receipt WHERE id = ANY($1::bigint[])"
_ASKING = """
SELECT id FROM sms_receipt WHERE fate = '' AND arrived_at < $1
  AND EXISTS (SELECT FROM sms_uncertain u WHERE u.phone = sms_receipt.phone)
ORDER BY id LIMIT $2
"""
# Its phone, and the gateway where that is known; it was begun before the receipt came, by clocks that may differ.
_CANDIDATES = """
WITH asking AS MATERIALIZED (
    SELECT * FROM sms_receipt WHERE fate = '' AND id = $1 FOR UPDATE SKIP LOCKED
)
SELECT asking.*, ARRAY(
    SELECT u.message_id FROM sms_uncertain u JOIN message m ON m.id = u.message_id
    WHERE u.phone = asking.phone AND u.gateway IN (asking.gateway, 0)
      AND m.attempted_at < asking.arrived_at + interval '5 seconds') AS candidates
FROM asking
"""
# A carrier repeats what it was not answered: an id proves one part, and of several parts none is proved without one.
_PROVE = """
INSERT INTO sms_part (message_id, attempt, part, gateway, smsc_id, submitted_at, state, error, done_at)
SELECT u.message_id, u.attempt, m.submitted, $2::smallint, $3::text, $4, $5, $6, $7 FROM sms_uncertain u
JOIN message m ON m.id = u.message_id
WHERE u.message_id = $1 AND m.submitted < m.segments AND (m.segments = 1 OR $3::text <> '') AND NOT EXISTS (
    SELECT FROM sms_part p JOIN message o ON o.id = p.message_id
    WHERE p.gateway = $2::smallint AND p.smsc_id = $3::text AND p.smsc_id <> '' AND o.address = u.phone)
RETURNING part
"""
_COUNT = """
WITH one AS (
    UPDATE message SET submitted = submitted + 1, egress = $2 WHERE id = $1
    RETURNING id, submission_id, account_id, ordinal, state, reason, finished_at
)
SELECT one.*, s.charged_from IS NOT NULL AND one.ordinal >= s.charged_from AS costs
FROM one JOIN submission s ON s.id = one.submission_id
"""
_PROVEN = """
INSERT INTO sms_correction (id, message_id, account_id, submission_id, at, from_state, from_reason, from_at, to_state,
    to_reason, segments, charging)
VALUES ($1, $2, $3, $4, now(), $5, $6, $7, $5, $6, 1, $8)
"""
_UNREPORTED = """
SELECT message_id FROM sms_part WHERE state = '' AND submitted_at < $1 ORDER BY submitted_at LIMIT $2
"""
_EXPIRE = """
WITH late AS (
    UPDATE sms_part SET state = 'LATE' WHERE message_id = ANY($1::bigint[]) AND state = ''
)
UPDATE message m SET state = 'bounced', reason = 'expired', reply = 'no receipt', finished_at = $2 FROM submission s
WHERE m.id = ANY($1::bigint[]) AND m.state = 'sent' AND m.reason <> 'uncertain' AND s.id = m.submission_id
RETURNING m.id, m.account_id, m.submission_id, m.ordinal, m.address, m.state, m.reason, m.reply, m.segments,
    m.submitted, m.finished_at AS ended_at, s.label, s.tag, s.channel
"""
_GIVEN_UP = """
SELECT message_id FROM sms_uncertain WHERE settled_at IS NULL AND since < $1 ORDER BY since LIMIT $2
"""
_GIVE_UP = """
WITH settled AS (
    UPDATE sms_uncertain SET settled_at = $2 WHERE message_id = ANY($1::bigint[])
), late AS (
    UPDATE sms_part SET state = 'LATE' WHERE message_id = ANY($1::bigint[]) AND state = ''
)
UPDATE message m SET state = 'unknown', finished_at = $2 FROM submission s
WHERE m.id = ANY($1::bigint[]) AND m.state = 'sent' AND m.reason = 'uncertain' AND s.id = m.submission_id
RETURNING m.id, m.account_id, m.submission_id, m.ordinal, m.address, m.state, m.reason, m.code, m.reply, m.segments,
    m.submitted, m.finished_at AS ended_at, s.label, s.tag, s.channel, s.charged_from
"""
# Workers may have been away for longer: whom a slot names may be a dead process's, which is not uncertain yet.
_NOBODYS = """
WITH old AS MATERIALIZED (
    SELECT r.id FROM sms_receipt r WHERE r.fate = '' AND r.arrived_at < $1
      AND r.phone <> ALL (ARRAY(SELECT m.address FROM slot s JOIN message m ON m.id = s.message_id))
      AND NOT EXISTS (SELECT FROM sms_uncertain u WHERE u.phone = r.phone AND u.since >= $1)
    ORDER BY r.id LIMIT $2 FOR UPDATE OF r SKIP LOCKED
), named AS (
    UPDATE sms_receipt r SET fate = 'unknown' FROM old WHERE r.id = old.id RETURNING r.id
)
SELECT count(*)::int FROM named
"""
_FORGET = """
WITH old AS MATERIALIZED (
    SELECT id FROM sms_receipt WHERE arrived_at < $1 AND fate <> '' ORDER BY arrived_at LIMIT $2
), gone AS (
    DELETE FROM sms_receipt r USING old WHERE r.id = old.id RETURNING r.id
)
SELECT count(*)::int FROM gone
"""
_FORGET_UNCERTAIN = "DELETE FROM sms_uncertain WHERE settled_at < $1"


@dataclass(frozen=True)
class Look:
    """At receipts that arrived after `since`, behind the one with the id `after`, `limit` at most."""

    since: dt.datetime
    after: int
    limit: int


async def match_parked(connection: Connection, look: Look, past_first: PastFirst | None = None) -> int | None:
    """Receipts that came before the commit of their parts; the last one's id, or None when there were none."""
    rows = await connection.fetch(_RIPE, look.after, look.limit, look.since)
    if not rows:
        return None
    matched = await match(connection, [_receipt(row) for row in rows])
    done = [row["id"] for n, row in enumerate(rows) if n in matched.parts]
    repeated = [row["id"] for n, row in enumerate(rows) if n in matched.repeated]
    await connection.execute(_GONE, done)
    await connection.execute(_FATE, repeated, REPEATED)
    await conclude(connection, {key[0] for key in matched.parts.values()}, columns.now(), past_first)
    return int(rows[-1]["id"])


def _receipt(row: Any) -> Receipt:
    return Receipt(row["gateway"], row["smsc_id"], row["phone"], row["state"], row["error"], row["done_at"],
                   row["reference"], row["body"])  # fmt: skip


async def asking(connection: Connection, early: dt.datetime, limit: int) -> list[int]:
    """Receipts that wait since before `early`, to whose number an uncertain message was sent."""
    return [row["id"] for row in await connection.fetch(_ASKING, early, limit)]


async def match_uncertain(connection: Connection, receipt: int, now: dt.datetime) -> None:
    """Where only one uncertain message can be meant, the receipt is its own.

    Raises `RuntimeError` when the books cannot be right, and then nothing must be kept.
    """
    row = await connection.fetchrow(_CANDIDATES, receipt)
    message = None if row is None else _meant(row)
    if message is not None:
        await lock(connection, {message})
        if await _prove(connection, message, row, now):
            await connection.execute(_GONE, [receipt])
            await conclude(connection, {message}, now)


def _meant(row: Any) -> int | None:
    """By the reference that was sent along, where the carrier gives it back; else the only candidate."""
    candidates: list[int] = row["candidates"]
    if row["reference"] is not None:
        candidates = [message for message in candidates if reference_of(message) == row["reference"]]
    return candidates[0] if len(candidates) == 1 else None


async def _prove(connection: Connection, message: int, row: Any, now: dt.datetime) -> bool:
    """The receipt proves that one more part was taken; of a message that was given up, it is charged after all."""
    word = row["gateway"], row["smsc_id"], now, row["state"], row["error"], row["done_at"]
    if await connection.fetchval(_PROVE, message, *word) is None:
        return False
    counted = await connection.fetchrow(_COUNT, message, row["gateway"])
    if is_uncertain(counted["state"], counted["reason"]):
        return True  # its money is still held, and counted when it ends
    correction, charging = new_id(), Charging.NONE
    account, submission = counted["account_id"], counted["submission_id"]
    if counted["costs"]:
        charging = await charge_after_all(connection, account, submission, correction)
    before = counted["state"], counted["reason"], counted["finished_at"]
    await connection.execute(_PROVEN, correction, message, account, submission, *before, charging.value)
    return True


async def expire(connection: Connection, now: dt.datetime, before: dt.datetime, limit: int) -> int:
    """Parts without a receipt that were submitted before that instant: their messages are over, and were charged."""
    messages = {row["message_id"] for row in await connection.fetch(_UNREPORTED, before, limit)}
    if not messages:
        return 0
    await lock(connection, messages)
    ended = await connection.fetch(_EXPIRE, sorted(messages), now)
    await owe_events(connection, [event for row in ended if (event := outcome_event(row))])
    return len(messages)


async def give_up(connection: Connection, now: dt.datetime, before: dt.datetime, limit: int) -> int:
    """Uncertain messages without a receipt: nobody knows, and only parts that are proven are charged."""
    messages = {row["message_id"] for row in await connection.fetch(_GIVEN_UP, before, limit)}
    if not messages:
        return 0
    await lock(connection, messages)
    ended = await connection.fetch(_GIVE_UP, sorted(messages), now)
    await tally(connection, ended)
    await owe_events(connection, [event for row in ended if (event := outcome_event(row))])
    return len(messages)


async def name_nobodys(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Receipts that waited since before that instant are nobody's, unless their number became uncertain since then."""
    return int(await connection.fetchval(_NOBODYS, before, limit))


async def forget(connection: Connection, before: dt.datetime, uncertain_before: dt.datetime, limit: int) -> int:
    """Old receipts that are nobody's; and uncertain messages that were given up so long ago."""
    await connection.execute(_FORGET_UNCERTAIN, uncertain_before)
    return int(await connection.fetchval(_FORGET, before, limit))
