"""Receipts become outcomes: set-based, in one transaction for many of them. asyncpg, no ORM objects.

A message's row is locked before its parts are changed, so of two receipts of one message each sees what the other did.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import new_id
from domain.outcomes import bounded
from domain.sending import MessageState
from domain.sms_outcomes import REFERENCES
from domain.sms_reporting import OPEN, PartWord, Stand, Verdict, is_final, is_uncertain, judge
from domain.sms_transport import Receipt
from domain.webhooks import OwedEvent
from store.db import Connection, by_column
from store.dialogues import PastFirst
from store.holding import tally
from store.onboarding import nudge_first_texters
from store.outcome_events import outcome_event
from store.sms_interceptions import SmsFailure, note_failures
from store.webhooks import owe_events

STATE_KEPT, ERROR_KEPT, ID_KEPT, PHONE_KEPT, BODY_KEPT = 20, 40, 65, 32, 500
REPEATED = "repeated"
"""The fate of a receipt whose part had one."""

# An id may be used again by a carrier after a while: the part that still waits is meant, of several the newest. Some
# carriers leave out a number's country, although they say that it is there: then its end is enough.
_FIND = """
SELECT r.n, p.message_id, p.attempt, p.part
FROM unnest($1::int[], $2::smallint[], $3::text[], $4::text[]) AS r (n, gateway, smsc_id, phone)
CROSS JOIN LATERAL (
    SELECT p.message_id, p.attempt, p.part FROM sms_part p JOIN message m ON m.id = p.message_id
    WHERE p.gateway = r.gateway AND p.smsc_id = r.smsc_id AND (left(r.phone, 1) <> '+' OR m.address = r.phone
        OR length(r.phone) > 8 AND right(m.address, length(r.phone) - 1) = substr(r.phone, 2))
    ORDER BY p.state = '' DESC, p.state = 'LATE' DESC, p.submitted_at DESC LIMIT 1) p
"""
# Some receipts have no id: number and reference say which message is meant, and its only part is.
BY_REFERENCE = f"""m.address = r.phone AND left(m.address, 1) = '+' AND m.id % {REFERENCES} = r.reference
    AND m.segments = 1 AND p.gateway = r.gateway"""
"""Of message `m`, its part `p`, and receipt `r`."""
_FIND_BY_REFERENCE = f"""
SELECT r.n, p.message_id, p.attempt, p.part
FROM unnest($1::int[], $2::smallint[], $3::int[], $4::text[]) AS r (n, gateway, reference, phone)
CROSS JOIN LATERAL (
    SELECT p.message_id, p.attempt, p.part FROM message m JOIN sms_part p ON p.message_id = m.id
    WHERE {BY_REFERENCE}
    ORDER BY p.state = '' DESC, p.state = 'LATE' DESC, p.submitted_at DESC LIMIT 1) p
"""  # noqa: S608 - constants of ours
_LOCK = "SELECT id FROM message WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"
_MARK = """
UPDATE sms_part p SET state = r.state, error = r.error, done_at = r.done_at
FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::timestamptz[])
     AS r (message_id, attempt, part, state, error, done_at)
WHERE (p.message_id, p.attempt, p.part) = (r.message_id, r.attempt, r.part) AND p.state IN ('', 'LATE')
RETURNING p.message_id, p.attempt, p.part
"""
_LOAD = """
SELECT m.id, m.account_id, m.submission_id, m.ordinal, m.address, m.state, m.reason, m.code, m.segments, m.submitted,
    m.attempts, m.finished_at, s.label, s.tag, s.charged_from, s.channel, s.is_test, p.states, p.errors
FROM message m JOIN submission s ON s.id = m.submission_id CROSS JOIN LATERAL (
    SELECT array_agg(state ORDER BY part) AS states, array_agg(error ORDER BY part) AS errors
    FROM sms_part WHERE message_id = m.id) p
WHERE m.id = ANY($1::bigint[])
"""
_END = """
WITH found AS (
    DELETE FROM sms_uncertain WHERE message_id = ANY($1::bigint[])
)
UPDATE message m SET state = v.state, reason = v.reason, reply = v.reply, finished_at = $5
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS v (id, state, reason, reply) WHERE m.id = v.id
"""
_CORRECT = """
INSERT INTO sms_correction (id, message_id, account_id, submission_id, at, from_state, from_reason, from_at, to_state,
    to_reason, segments, charging)
SELECT c.id, m.id, m.account_id, m.submission_id, now(), m.state, m.reason, m.finished_at, c.state, c.reason, 0, ''
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS c (id, message, state, reason)
JOIN message m ON m.id = c.message
"""
_PARK = """
INSERT INTO sms_receipt (gateway, smsc_id, phone, state, error, done_at, reference, body, arrived_at, fate)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::int[],
                     $8::text[], $9::timestamptz[], $10::text[])
"""

PartKey = tuple[int, int, int]
"""Message, attempt, part."""


@dataclass(frozen=True)
class Matched:
    """Which receipts (by their place) belong to which part, and which repeat what was known."""

    parts: dict[int, PartKey]
    repeated: frozenset[int]


async def take(
    connection: Connection, receipts: Sequence[Receipt], now: dt.datetime, past_first: PastFirst | None = None
) -> None:
    """Do what these receipts say, in the caller's transaction; those that say nothing final change nothing.

    What belongs to no part is parked: its part may be in a commit that is under way.
    """
    final = [storable(receipt) for receipt in receipts if is_final(receipt.state)]
    matched = await match(connection, final)
    lost = [(one, REPEATED if n in matched.repeated else "") for n, one in enumerate(final)
            if n in matched.repeated or n not in matched.parts]  # fmt: skip
    if lost:
        await _park(connection, lost, now)
    await conclude(connection, {key[0] for key in matched.parts.values()}, now, past_first)


def storable(receipt: Receipt) -> Receipt:
    """A carrier's words, as a row can hold them."""
    return replace(
        receipt,
        smsc_id=bounded(receipt.smsc_id)[:ID_KEPT],
        phone=bounded(receipt.phone)[:PHONE_KEPT],
        state=_word_of_its_own(bounded(receipt.state)[:STATE_KEPT]),
        error=bounded(receipt.error)[:ERROR_KEPT],
        text=bounded(receipt.text)[:BODY_KEPT],
    )


def _word_of_its_own(state: str) -> str:
    """A word that looks like one of ours for "no receipt yet" would leave its part without one for ever."""
    return f"{state}?" if state in OPEN else state


async def match(connection: Connection, receipts: Sequence[Receipt]) -> Matched:
    """Write the receipts to the parts that they belong to; the messages are locked then."""
    found = await _found(connection, receipts)
    first: dict[PartKey, int] = {}
    for n, key in sorted(found.items()):
        first.setdefault(key, n)
    if not first:
        return Matched({}, frozenset())
    await lock(connection, {key[0] for key in first})
    words = [(*key, *_word(receipts[n])) for key, n in first.items()]
    marked = {tuple(row) for row in await connection.fetch(_MARK, *by_column(words))}
    counted = {n for key, n in first.items() if key in marked}
    return Matched({n: found[n] for n in counted}, frozenset(found) - counted)


async def _found(connection: Connection, receipts: Sequence[Receipt]) -> dict[int, PartKey]:
    """The part of each receipt that has one: by the carrier's id, or else by the reference that we sent along."""
    named = [(n, one.gateway, one.smsc_id, one.phone) for n, one in enumerate(receipts) if one.smsc_id]
    referred = [(n, one.gateway, one.reference, one.phone) for n, one in enumerate(receipts)
                if not one.smsc_id and one.reference is not None]  # fmt: skip
    rows = list(await connection.fetch(_FIND, *by_column(named, 4))) if named else []
    rows += await connection.fetch(_FIND_BY_REFERENCE, *by_column(referred, 4)) if referred else []
    return {row["n"]: (row["message_id"], row["attempt"], row["part"]) for row in rows}


async def lock(connection: Connection, messages: set[int]) -> None:
    """In one order."""
    await connection.execute(_LOCK, sorted(messages))


def _word(receipt: Receipt) -> tuple[str, str, dt.datetime | None]:
    return receipt.state, receipt.error, receipt.done_at


async def _park(connection: Connection, lost: Sequence[tuple[Receipt, str]], now: dt.datetime) -> None:
    rows = [
        (one.gateway, one.smsc_id, one.phone, *_word(one), one.reference, one.text, now, fate) for one, fate in lost
    ]
    await connection.execute(_PARK, *by_column(rows))


async def conclude(
    connection: Connection, messages: set[int], now: dt.datetime, past_first: PastFirst | None = None
) -> None:
    """End those of these messages, which are locked, of which every part has its receipt; and all that follows."""
    if not messages:
        return
    rows = await connection.fetch(_LOAD, sorted(messages))
    ended = [(row, verdict) for row in rows if (verdict := _judged(row)) is not None]
    if not ended:
        return
    corrected = [
        (new_id(), row["id"], verdict.state.value, verdict.reason) for row, verdict in ended if verdict.corrects
    ]
    if corrected:
        await connection.execute(_CORRECT, *by_column(corrected))
    words = [(row["id"], verdict.state.value, verdict.reason, verdict.reply) for row, verdict in ended]
    await connection.execute(_END, *by_column(words), now)
    # What was uncertain was not counted before; it is final now, and all its parts were taken.
    await tally(
        connection, [_after(row, verdict) for row, verdict in ended if is_uncertain(row["state"], row["reason"])]
    )
    await owe_events(connection, [event for row, verdict in ended if (event := _event(row, verdict, now))])
    await note_failures(connection, [_failure(row, verdict) for row, verdict in ended if _is_listed(row, verdict)], now)
    await _nudge(connection, ended, past_first)


def _judged(row: Any) -> Verdict | None:
    parts = [PartWord(state, error) for state, error in zip(row["states"] or (), row["errors"] or (), strict=True)]
    return judge(Stand(MessageState(row["state"]), row["reason"], row["segments"]), parts)


def _after(row: Any, verdict: Verdict) -> Mapping[str, Any]:
    return {**row, "state": verdict.state.value, "reason": verdict.reason, "reply": verdict.reply}


def _event(row: Any, verdict: Verdict, now: dt.datetime) -> OwedEvent | None:
    event = outcome_event({**_after(row, verdict), "ended_at": now})
    if event is None or not verdict.corrects:
        return event
    return replace(event, data=event.data | {"corrects": row["state"]})


def _is_listed(row: Any, verdict: Verdict) -> bool:
    return verdict.state is MessageState.BOUNCED and row["account_id"] != SYSTEM_ACCOUNT


def _failure(row: Any, verdict: Verdict) -> SmsFailure:
    return SmsFailure(row["account_id"], row["address"], row["id"], verdict.reason, verdict.reply)


async def _nudge(connection: Connection, ended: Sequence[tuple[Any, Verdict]], past_first: PastFirst | None) -> None:
    accounts: set[UUID] = {
        row["account_id"] for row, verdict in ended
        if verdict.state is MessageState.DELIVERED and not row["is_test"]
    }  # fmt: skip
    if accounts := past_first.unknown(accounts) if past_first is not None else accounts:
        waiting = await nudge_first_texters(connection, accounts)
        if past_first is not None:
            past_first.learn(accounts - waiting)
