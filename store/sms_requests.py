"""Answers that were given under a key of the caller: a repeat gets the first one (reference §7.3, sendRequestId).

asyncpg, in the transaction of the accept.
"""

import datetime as dt
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from domain.errors import Refusal
from domain.sending import Rejected
from domain.sms import AcceptedSms, SmsAccepted
from store.columns import json_object, moment, now
from store.db import Connection, affected

KEPT = dt.timedelta(hours=24)
"""The longest time in which a repeat is asked for; then the answer, which names numbers, is deleted."""


class SmsRequestKey(SQLModel, table=True):
    __tablename__ = "sms_request_key"
    account_id: UUID = Field(foreign_key="account.id", primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: bytes
    answer: dict[str, Any] = json_object(default_factory=dict)
    at: dt.datetime = moment(default_factory=now)


class SmsTestUse(SQLModel, table=True):
    """Free test messages of an account and day (Asia/Shanghai)."""

    __tablename__ = "sms_test_use"
    account_id: UUID = Field(primary_key=True)
    day: dt.date = Field(primary_key=True)
    used: int = 0


_TAKE_KEY = """
INSERT INTO sms_request_key AS k (account_id, key, fingerprint, answer, at) VALUES ($1, $2, $3, '{}', $4)
ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, answer = '{}', at = excluded.at
    WHERE k.at <= excluded.at - $5::interval
RETURNING key
"""
_TAKE_TESTS = """
INSERT INTO sms_test_use (account_id, day, used) SELECT $1, $2, $3::int WHERE $3::int <= $4::int
ON CONFLICT (account_id, day) DO UPDATE SET used = sms_test_use.used + $3::int
    WHERE sms_test_use.used + $3::int <= $4::int
RETURNING used
"""
_FORGET = """
WITH old AS MATERIALIZED (SELECT account_id, key FROM sms_request_key WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
DELETE FROM sms_request_key k USING old WHERE (k.account_id, k.key) = (old.account_id, old.key)
"""


async def take_key(
    connection: Connection, account: UUID, key: str, fingerprint: bytes, lives: dt.timedelta, at: dt.datetime
) -> SmsAccepted | None:
    """The answer that was given under the key already, or None: then the key is the caller's, to be answered with
    `keep_answer` in the same transaction. Another request with the key waits meanwhile.

    Raises the refusal `idempotency_reused` when the key stands for another request.
    """
    if await connection.fetchval(_TAKE_KEY, account, key, fingerprint, at, lives) is not None:
        return None
    row = await connection.fetchrow(
        "SELECT fingerprint, answer FROM sms_request_key WHERE account_id = $1 AND key = $2", account, key
    )
    if row is None or row["fingerprint"] != fingerprint:
        raise Refusal("idempotency_reused", field="Idempotency-Key")
    return _read(row["answer"])


async def keep_answer(connection: Connection, account: UUID, key: str, accepted: SmsAccepted) -> None:
    """What a repeat of the key is answered with."""
    await connection.execute(
        "UPDATE sms_request_key SET answer = $3 WHERE account_id = $1 AND key = $2", account, key, _written(accepted)
    )


async def take_tests(connection: Connection, account: UUID, day: dt.date, count: int, limit: int) -> int | None:
    """Use so many of the day's free test messages; what is used with them, or None when that is too many."""
    used: int | None = await connection.fetchval(_TAKE_TESTS, account, day, count, limit)
    return used


async def used_tests(connection: Connection, account: UUID, day: dt.date) -> int:
    """Free test messages of the account on that day."""
    query = "SELECT coalesce((SELECT used FROM sms_test_use WHERE account_id = $1 AND day = $2), 0)"
    return int(await connection.fetchval(query, account, day))


async def forget_answers(connection: Connection, at: dt.datetime, limit: int) -> int:
    """Delete some answers that nobody may ask for any more; how many."""
    done = await connection.execute(_FORGET, at - KEPT, limit)
    return affected(done)


def _written(accepted: SmsAccepted) -> dict[str, Any]:
    places = {submission: place for place, submission in enumerate(accepted.submissions)}
    return {
        "submissions": [str(submission) for submission in accepted.submissions],
        "messages": [
            [one.line, one.phone, places[one.submission_id], one.message_id, one.ordinal, one.segments]
            for one in accepted.messages
        ],
        "rejected": [asdict(one) for one in accepted.rejected],
        "duplicates": accepted.duplicates,
        "sends_at": accepted.sends_at.isoformat() if accepted.sends_at else None,
    }


def _read(answer: dict[str, Any]) -> SmsAccepted:
    submissions = tuple(UUID(submission) for submission in answer["submissions"])
    messages = (
        AcceptedSms(line, phone, submissions[place], message, ordinal, segments)
        for line, phone, place, message, ordinal, segments in answer["messages"]
    )
    return SmsAccepted(
        submissions,
        tuple(messages),
        tuple(Rejected(**one) for one in answer["rejected"]),
        answer["duplicates"],
        dt.datetime.fromisoformat(answer["sends_at"]) if answer["sends_at"] else None,
        repeated=True,
    )
