"""The statements of the webhook drainer: take pending events, record what became of them, judge the endpoint.

Set-based, on plain asyncpg connections; each function is called inside one transaction. All of them lock the
endpoint's row before its events: a stalled worker and its successor may be at work at the same time.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.sms_hook import SmsAbout
from domain.webhook_forms import About, echoed
from domain.webhooks import DisabledBy
from store.db import Connection, by_column
from store.webhooks import PENDING

BUSY = dt.timedelta(seconds=60)
KEPT_ATTEMPTS = 10_000
KEPT_EVENTS = dt.timedelta(days=30)
OLD_AT_ONCE = 20_000
"""Events that are deleted in one transaction: a busy endpoint has millions."""


@dataclass(frozen=True)
class EndpointRow:
    """What the drainer needs of an endpoint."""

    id: UUID
    account_id: UUID
    url: str
    format: str
    secret: bytes
    previous_secret: bytes | None
    previous_until: dt.datetime | None
    state: str
    disabled_by: str | None
    disabled_at: dt.datetime | None
    owner_told_at: dt.datetime | None
    failing_since: dt.datetime | None
    failures: int
    next_attempt_at: dt.datetime | None
    last_error: str | None
    last_delivered_at: dt.datetime | None
    deleted_at: dt.datetime | None


@dataclass(frozen=True)
class TakenEvent:
    """One pending event, numbered. `replay`: it is sent once more because somebody asked for that."""

    id: int
    kind: str
    occurred_at: dt.datetime
    message_id: int | None
    data: dict[str, Any]
    number: int
    attempts: int
    replay: bool = False


@dataclass(frozen=True)
class Try:
    """One request that was made. `error` None: acknowledged; `next_attempt_at` None and `given_up`: no more tries."""

    event: TakenEvent
    at: dt.datetime
    status: int | None
    error: str | None
    response: str
    milliseconds: int
    next_attempt_at: dt.datetime | None
    given_up: bool


@dataclass(frozen=True)
class Health:
    """What a drain says about its endpoint. `recovered` releases events that wait for their own next try."""

    failing_since: dt.datetime | None
    failures: int
    next_attempt_at: dt.datetime | None
    last_error: str | None
    recovered: bool = False


@dataclass(frozen=True)
class Backlog:
    """What is left: how many events, and when the first of them may be tried."""

    pending: int
    next_at: dt.datetime | None


_ENDPOINT = """
SELECT id, account_id, url, format, secret, previous_secret, previous_until, state, disabled_by, disabled_at,
       owner_told_at, failing_since, failures, next_attempt_at, last_error, last_delivered_at, deleted_at
FROM webhook_endpoint WHERE id = $1
"""
_MARK_BUSY = """
UPDATE webhook_endpoint SET busy_until = now() + $2
WHERE id = $1 AND state = 'enabled' AND deleted_at IS NULL RETURNING last_number
"""
_EVENT = "id, kind, occurred_at, message_id, data, number, attempts, replay_at IS NOT NULL AS replay"
_DUE = f"""
SELECT {_EVENT} FROM webhook_event
WHERE endpoint_id = $1 AND {PENDING} AND (next_attempt_at IS NULL OR next_attempt_at <= $2) AND id > $4
  AND id <> ALL($5::bigint[])
ORDER BY id LIMIT $3 FOR NO KEY UPDATE
"""  # noqa: S608 - constants of ours
_PROBE = f"""
SELECT {_EVENT} FROM webhook_event
WHERE endpoint_id = $1 AND {PENDING} ORDER BY attempts, id LIMIT $2 FOR NO KEY UPDATE
"""  # noqa: S608 - constants of ours
_NUMBER = """
UPDATE webhook_event SET number = n.number
FROM unnest($1::bigint[], $2::bigint[]) AS n(id, number) WHERE webhook_event.id = n.id
"""
_LOCK = "UPDATE webhook_endpoint SET last_delivered_at = greatest(last_delivered_at, $2) WHERE id = $1"
_RECORD = f"""
UPDATE webhook_event v SET
  attempts = v.attempts + 1,
  delivered_at = COALESCE(v.delivered_at, CASE WHEN r.error IS NULL THEN r.at END),
  given_up_at = CASE WHEN r.error IS NULL THEN NULL WHEN r.given_up THEN r.at ELSE v.given_up_at END,
  replay_at = CASE WHEN r.error IS NOT NULL AND NOT r.given_up THEN v.replay_at END,
  next_attempt_at = r.next_at
FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::boolean[], $5::timestamptz[])
  AS r(id, at, error, given_up, next_at)
WHERE v.id = r.id AND {PENDING}
"""  # noqa: S608 - constants of ours
_LOG = """
INSERT INTO webhook_attempt (endpoint_id, event_id, kind, number, at, status, error, response, milliseconds)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::timestamptz[], $6::int[], $7::text[], $8::text[],
                         $9::int[])
"""
_JUDGE = """
UPDATE webhook_endpoint SET failing_since = $2, failures = $3, next_attempt_at = $4, last_error = $5, busy_until = NULL
WHERE id = $1 AND url = $6
"""
_ABOUT = """
SELECT m.id, u.name AS api_user, s.is_campaign, s.headers
FROM unnest($1::bigint[]) AS w(id) JOIN message m ON m.id = w.id JOIN submission s ON s.id = m.submission_id
JOIN api_user u ON u.id = s.api_user_id
"""
_ABOUT_SMS = """
SELECT m.id, s.account_id AS account, u.name AS sms_user, t.number AS template, coalesce(l.id, 0) AS label,
       CASE WHEN m.submitted > 0 THEN m.attempted_at END AS submitted_at
FROM unnest($1::bigint[]) AS w(id) JOIN message m ON m.id = w.id JOIN submission s ON s.id = m.submission_id
JOIN sms_user u ON u.id = s.api_user_id JOIN sms_template_version v ON v.id = s.template_version_id
JOIN sms_template t ON t.id = v.template_id
LEFT JOIN sms_label l ON l.account_id = s.account_id AND l.name = s.label
WHERE s.channel = 'sms'
"""
_SMS_ABOUT = ("account", "sms_user", "template", "label", "submitted_at")
_RELEASE = f"""
UPDATE webhook_event SET next_attempt_at = NULL
WHERE endpoint_id = $1 AND {PENDING} AND next_attempt_at IS NOT NULL
"""  # noqa: S608 - a constant of ours
_BACKLOG = f"""
SELECT count(*) AS pending, min(greatest(next_attempt_at, $2)) AS next_at
FROM webhook_event WHERE endpoint_id = $1 AND {PENDING}
"""  # noqa: S608 - constants of ours
_DISABLE = """
UPDATE webhook_endpoint SET state = 'disabled', disabled_by = $2, disabled_at = $3, next_attempt_at = NULL,
       busy_until = NULL, last_error = $4
WHERE id = $1 AND state = 'enabled'
"""
_OLD_ATTEMPTS = """
DELETE FROM webhook_attempt WHERE endpoint_id = $1 AND id <= (
  SELECT id FROM webhook_attempt WHERE endpoint_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1)
"""
_SOME_EVENTS = """
WITH old AS MATERIALIZED (
    SELECT id FROM webhook_event WHERE endpoint_id = $1 {which} LIMIT $2
), gone AS (
    DELETE FROM webhook_event v USING old WHERE v.id = old.id {which} RETURNING v.id
)
SELECT count(*) FROM gone
"""
_EVENTS = _SOME_EVENTS.format(which="")
_OLD_EVENTS = _SOME_EVENTS.format(which=f"AND occurred_at < $3 AND NOT {PENDING}")
_OLD_REPLAYS = "DELETE FROM webhook_replay WHERE endpoint_id = $1 AND finished_at < $2"


async def endpoint_row(connection: Connection, endpoint: UUID) -> EndpointRow | None:
    """The endpoint, also when it is disabled or deleted."""
    row = await connection.fetchrow(_ENDPOINT, endpoint)
    return EndpointRow(**dict(row)) if row else None


@dataclass(frozen=True)
class Place:
    """Where a pass goes on taking: behind `after`, and without those it has `in_hand`."""

    after: int = 0
    in_hand: frozenset[int] = frozenset()


async def take(
    connection: Connection, endpoint: UUID, due_at: dt.datetime, limit: int, place: Place | None
) -> list[TakenEvent]:
    """Pending events, oldest first, each with its number; empty also when the endpoint was disabled meanwhile.

    Without a place: those with the fewest tries, whatever their own next time; they test whether the endpoint is back.
    """
    last = await connection.fetchval(_MARK_BUSY, endpoint, BUSY)
    if last is None:
        return []
    if place is None:
        rows = await connection.fetch(_PROBE, endpoint, limit)
    else:
        rows = await connection.fetch(_DUE, endpoint, due_at, limit, place.after, sorted(place.in_hand))
    fresh = [row["id"] for row in rows if row["number"] is None]
    numbers = dict(zip(fresh, range(last + 1, last + 1 + len(fresh)), strict=True))
    if numbers:
        await connection.execute(_NUMBER, list(numbers), list(numbers.values()))
        await connection.execute(
            "UPDATE webhook_endpoint SET last_number = $2 WHERE id = $1", endpoint, last + len(fresh)
        )
    return [TakenEvent(**{**dict(row), "number": row["number"] or numbers[row["id"]]}) for row in rows]


async def hold(connection: Connection, endpoint: UUID) -> bool:
    """Lock the endpoint, which is at work; False when it was disabled meanwhile."""
    return await connection.fetchval(_MARK_BUSY, endpoint, BUSY) is not None


async def about(connection: Connection, events: list[TakenEvent]) -> dict[int, About]:
    """What the rows say of the events' messages, by message; absent: it is gone."""
    messages = list({event.message_id for event in events if event.message_id is not None})
    rows = await connection.fetch(_ABOUT, messages)
    return {row["id"]: About(row["api_user"], row["is_campaign"], echoed(row["headers"])) for row in rows}


async def about_sms(connection: Connection, events: list[TakenEvent]) -> dict[int, SmsAbout]:
    """The same of events of SMS."""
    messages = list({event.message_id for event in events if event.message_id is not None})
    rows = await connection.fetch(_ABOUT_SMS, messages)
    return {row["id"]: SmsAbout(**{name: row[name] for name in _SMS_ABOUT}) for row in rows}


async def record(connection: Connection, endpoint: UUID, tries: list[Try]) -> None:
    """Acknowledge what was acknowledged, postpone the rest, and log every request."""
    ids, at, errors = [t.event.id for t in tries], [t.at for t in tries], [t.error for t in tries]
    await connection.execute(_LOCK, endpoint, max((t.at for t in tries if t.error is None), default=None))
    await connection.execute(_RECORD, ids, at, errors, [t.given_up for t in tries], [t.next_attempt_at for t in tries])
    columns = [(t.event.kind, t.event.number, t.at, t.status, t.error, t.response, t.milliseconds) for t in tries]
    await connection.execute(_LOG, endpoint, ids, *by_column(columns))


async def judge(connection: Connection, endpoint: EndpointRow, health: Health) -> None:
    """Write what a drain learnt about the endpoint, and that nobody works on it now.

    Nothing is written when its URL was changed meanwhile: the judgement is about the old one.
    """
    await connection.execute(
        _JUDGE,
        endpoint.id,
        health.failing_since,
        health.failures,
        health.next_attempt_at,
        health.last_error,
        endpoint.url,
    )
    if health.recovered:
        await connection.execute(_RELEASE, endpoint.id)


async def backlog(connection: Connection, endpoint: UUID, now: dt.datetime) -> Backlog:
    """How much is left, and the earliest time to try some of it (not before `now`; None when nothing is left)."""
    return Backlog(**dict(await connection.fetchrow(_BACKLOG, endpoint, now)))


async def disable(connection: Connection, endpoint: UUID, why: DisabledBy, at: dt.datetime, error: str) -> None:
    """Stop calling it; what is pending waits until it is enabled again."""
    await connection.execute(_DISABLE, endpoint, why.value, at, error)


async def stamp_told(connection: Connection, endpoint: UUID, at: dt.datetime) -> None:
    """Remember that the owner knows."""
    await connection.execute("UPDATE webhook_endpoint SET owner_told_at = $2 WHERE id = $1", endpoint, at)


async def prune(connection: Connection, endpoint: UUID, now: dt.datetime) -> None:
    """Bound the log, and forget replays that ended long ago."""
    await connection.execute(_OLD_ATTEMPTS, endpoint, KEPT_ATTEMPTS)
    await connection.execute(_OLD_REPLAYS, endpoint, now - KEPT_EVENTS)


async def forget_events(connection: Connection, endpoint: UUID, now: dt.datetime | None = None) -> bool:
    """Drop some events that were settled long ago (`now` None: whatever they are); whether there may be more."""
    some = (endpoint, OLD_AT_ONCE)
    query, args = (_EVENTS, some) if now is None else (_OLD_EVENTS, (*some, now - KEPT_EVENTS))
    return int(await connection.fetchval(query, *args)) == OLD_AT_ONCE


async def forget(connection: Connection, endpoint: UUID) -> None:
    """Drop a deleted endpoint's log and its secrets."""
    await connection.execute(
        "UPDATE webhook_endpoint SET secret = ''::bytea, previous_secret = NULL WHERE id = $1", endpoint
    )
    await connection.execute("DELETE FROM webhook_attempt WHERE endpoint_id = $1", endpoint)
    await connection.execute("DELETE FROM webhook_replay WHERE endpoint_id = $1", endpoint)
