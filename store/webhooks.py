"""Webhook endpoints, the events they are owed, and the attempts.

Who is woken when: nobody writes a "please look" mark beside an event, since every accept and every group commit would
then update one row (design §4, traps) and a mark could be taken before its event is committed. What is pending is
seen from the events themselves, once a second, by `wake_pending` (run by reconcile).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index, any_, func, literal, text
from sqlmodel import Field, SQLModel, col, or_, select, update

from domain.ids import Kind, new_id
from domain.webhooks import EndpointState, Format, OwedEvent
from store.accounts import Account, Member
from store.columns import json_object, moment, now, text_list
from store.db import Connection, Session, by_column

PENDING = "(delivered_at IS NULL AND given_up_at IS NULL OR replay_at IS NOT NULL)"
"""Owed, or to be sent once more."""
UNSETTLED = "delivered_at IS NULL OR replay_at IS NOT NULL"
"""What an index holds: what is pending, and what was given up. Both are few."""


class WebhookEndpoint(SQLModel, table=True):
    __tablename__ = "webhook_endpoint"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    url: str
    format: str = Format.STANDARD.value
    secret: bytes
    """Encrypted at rest (`domain.secrets.Vault`, binding `webhook/<id>`)."""
    previous_secret: bytes | None = None
    """Signs beside `secret` until `previous_until`."""
    previous_until: dt.datetime | None = moment(default=None)
    events: list[str] = text_list()
    state: str = EndpointState.ENABLED.value
    disabled_by: str | None = None
    disabled_at: dt.datetime | None = moment(default=None)
    owner_told_at: dt.datetime | None = moment(default=None)
    """The owner was mailed that we disabled it."""
    created_at: dt.datetime = moment(default_factory=now)
    last_number: int = Field(default=0, sa_type=BigInteger)
    failing_since: dt.datetime | None = moment(default=None)
    failures: int = 0
    """Drains in a row that ended without one success."""
    next_attempt_at: dt.datetime | None = moment(default=None)
    last_error: str | None = None
    """Class of the last failure; null after a success."""
    last_delivered_at: dt.datetime | None = moment(default=None)
    busy_until: dt.datetime | None = moment(default=None)
    """Its process was woken or is working: not woken again before this."""
    deleted_at: dt.datetime | None = moment(default=None)


class WebhookEvent(SQLModel, table=True):
    """A fact owed to one endpoint. Inserted by the transaction that makes the fact true; kept until acknowledged."""

    __tablename__ = "webhook_event"
    __table_args__ = (
        Index("webhook_event_unsettled", "endpoint_id", "id", postgresql_where=text(UNSETTLED)),
        Index("webhook_event_message", "endpoint_id", "message_id", "id"),
        Index("webhook_event_age", "occurred_at", postgresql_using="brin"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=True))
    endpoint_id: UUID
    account_id: UUID
    kind: str
    occurred_at: dt.datetime = moment(default_factory=now)
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    data: dict[str, Any] = json_object(default_factory=dict)
    number: int | None = Field(default=None, sa_type=BigInteger)
    """Given by the drainer when it first takes the event: shows gaps, not order."""
    attempts: int = 0
    next_attempt_at: dt.datetime | None = moment(default=None)
    """Set when this event failed while the endpoint took others."""
    delivered_at: dt.datetime | None = moment(default=None)
    given_up_at: dt.datetime | None = moment(default=None)
    """The endpoint takes other events but refused this one for days."""
    replay_at: dt.datetime | None = moment(default=None)
    """Somebody asked for it once more, and that was not answered yet; `delivered_at` stays the first time."""


class WebhookAttempt(SQLModel, table=True):
    """One HTTP request: the delivery log."""

    __tablename__ = "webhook_attempt"
    __table_args__ = (Index("webhook_attempt_endpoint", "endpoint_id", "id"),)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=True))
    endpoint_id: UUID
    event_id: int = Field(sa_type=BigInteger)
    kind: str
    number: int = Field(sa_type=BigInteger)
    at: dt.datetime = moment(default_factory=now)
    status: int | None = None
    error: str | None = None
    """Class of the failure; null: acknowledged."""
    response: str = ""
    """The first words of a failing answer."""
    milliseconds: int = 0


_WAKE = f"""
WITH idle AS MATERIALIZED (
  SELECT e.id FROM webhook_endpoint e
  WHERE e.state = 'enabled' AND e.deleted_at IS NULL
    AND (e.next_attempt_at IS NULL OR e.next_attempt_at <= now())
    AND (e.busy_until IS NULL OR e.busy_until <= now())
    AND (EXISTS (SELECT FROM webhook_event v WHERE v.endpoint_id = e.id AND {PENDING}
                 AND (v.next_attempt_at IS NULL OR v.next_attempt_at <= now()))
         OR EXISTS (SELECT FROM webhook_replay r WHERE r.endpoint_id = e.id AND r.finished_at IS NULL))
  LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED
), woken AS (
  UPDATE webhook_endpoint SET busy_until = now() + interval '30 seconds' FROM idle
  WHERE webhook_endpoint.id = idle.id RETURNING idle.id
)
UPDATE clockwork SET nudge_wanted = true FROM woken WHERE workflow_id = '{Kind.WEBHOOK.value}/' || woken.id
"""  # noqa: S608 - constants of ours
_LISTENERS = """
SELECT id, account_id, events FROM webhook_endpoint
WHERE account_id = ANY($1::uuid[]) AND state = 'enabled' AND deleted_at IS NULL
"""
_OWE = """
INSERT INTO webhook_event (endpoint_id, account_id, kind, message_id, occurred_at, data, attempts)
SELECT *, 0 FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::jsonb[])
"""


async def owe_events(connection: Connection, events: list[OwedEvent]) -> None:
    """Owe each event to the enabled endpoints of its account that listen to its kind, in the caller's transaction.

    One indexed query when nobody listens, one insert more when somebody does. Takes no row lock. The endpoints'
    processes are woken within about a second after the commit (`wake_pending`).
    """
    if not events:
        return
    rows = await connection.fetch(_LISTENERS, list({event.account_id for event in events}))
    listeners: dict[tuple[UUID, str], list[UUID]] = {}
    for row in rows:
        for kind in row["events"]:
            listeners.setdefault((row["account_id"], kind), []).append(row["id"])
    owed = [
        (endpoint, event.account_id, event.kind.value, event.message_id, event.occurred_at, event.data)
        for event in events
        for endpoint in listeners.get((event.account_id, event.kind.value), ())
    ]
    if owed:
        await connection.execute(_OWE, *by_column(owed))


async def owe_event(session: Session, event: OwedEvent) -> None:
    """`owe_events` in a session's transaction."""
    row = WebhookEndpoint
    listens = select(row.id).where(
        col(row.account_id) == event.account_id,
        col(row.state) == EndpointState.ENABLED.value,
        col(row.deleted_at).is_(None),
        literal(event.kind.value) == any_(col(row.events)),
    )
    for endpoint in await session.exec(listens):
        session.add(
            WebhookEvent(
                endpoint_id=endpoint, account_id=event.account_id, kind=event.kind.value, message_id=event.message_id,
                occurred_at=event.occurred_at, data=event.data,
            )
        )  # fmt: skip


async def wake_pending(session: Session) -> None:
    """Nudge the process of every enabled endpoint that has something to deliver now and is not at work.

    Run every second by reconcile. An endpoint is marked busy for half a minute, so a process that cannot work (no
    worker, database trouble) collects two signals a minute, not sixty.
    """
    await (await session.connection()).execute(text(_WAKE))


async def endpoint_of(session: Session, account: UUID, endpoint: UUID, *, lock: bool = False) -> WebhookEndpoint | None:
    """One endpoint of this account that is not deleted."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint,
        WebhookEndpoint.account_id == account,
        col(WebhookEndpoint.deleted_at).is_(None),
    )
    return (await session.exec(query.with_for_update() if lock else query)).first()


async def endpoints_of(session: Session, account: UUID, after: UUID | None, limit: int) -> list[WebhookEndpoint]:
    """A page of the account's endpoints, oldest first (ids are ordered by time), after the given id."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.account_id == account, col(WebhookEndpoint.deleted_at).is_(None)
    )
    if after is not None:
        query = query.where(col(WebhookEndpoint.id) > after)
    return list(await session.exec(query.order_by(col(WebhookEndpoint.id)).limit(limit)))


async def count_endpoints(session: Session, account: UUID) -> int:
    """Endpoints of the account that are not deleted. Locks the account's row, so that a limit holds."""
    await session.exec(select(Account.id).where(Account.id == account).with_for_update(key_share=True))
    query = select(func.count()).where(WebhookEndpoint.account_id == account, col(WebhookEndpoint.deleted_at).is_(None))
    return (await session.exec(query)).one()


async def url_taken(session: Session, endpoint: WebhookEndpoint) -> bool:
    """Whether another endpoint of the account has this URL. Locks the account's row, so that two at once see it."""
    await session.exec(select(Account.id).where(Account.id == endpoint.account_id).with_for_update(key_share=True))
    with session.no_autoflush:
        query = select(WebhookEndpoint.id).where(
            WebhookEndpoint.account_id == endpoint.account_id,
            WebhookEndpoint.url == endpoint.url,
            WebhookEndpoint.id != endpoint.id,
            col(WebhookEndpoint.deleted_at).is_(None),
        )
        return (await session.exec(query)).first() is not None


@dataclass(frozen=True)
class Unsettled:
    """What is not settled of an endpoint. `first_missing`: the smallest number that was given and never acknowledged;
    `missing`: how many such numbers there are, `given_up` among them."""

    pending: int = 0
    missing: int = 0
    given_up: int = 0
    first_missing: int | None = None


SETTLED = Unsettled()
_UNSETTLED = f"""
SELECT endpoint_id, count(*) FILTER (WHERE {PENDING}) AS pending,
       count(number) FILTER (WHERE delivered_at IS NULL) AS missing,
       count(*) FILTER (WHERE delivered_at IS NULL AND NOT {PENDING}) AS given_up,
       min(number) FILTER (WHERE delivered_at IS NULL) AS first_missing
FROM webhook_event WHERE endpoint_id = ANY(:endpoints) AND ({UNSETTLED}) GROUP BY endpoint_id
"""  # noqa: S608 - constants of ours


async def unsettled(session: Session, endpoints: list[UUID]) -> dict[UUID, Unsettled]:
    """Per endpoint (absent: everything is settled)."""
    rows = await (await session.connection()).execute(text(_UNSETTLED), {"endpoints": endpoints})
    return {row.endpoint_id: Unsettled(row.pending, row.missing, row.given_up, row.first_missing) for row in rows}


@dataclass(frozen=True)
class LogFilter:
    """Which requests of the delivery log: `acknowledged` or not, of a kind of event, about a message."""

    acknowledged: bool | None = None
    kind: str = ""
    message: int | None = None


async def attempts_of(
    session: Session, endpoint: UUID, before: int | None, limit: int, only: LogFilter | None = None
) -> list[WebhookAttempt]:
    """A page of the delivery log, newest first, before the given id. The caller has checked whose endpoint it is."""
    query = select(WebhookAttempt).where(WebhookAttempt.endpoint_id == endpoint)
    if before is not None:
        query = query.where(col(WebhookAttempt.id) < before)
    for condition in _conditions(endpoint, only or LogFilter()):
        query = query.where(condition)
    return list(await session.exec(query.order_by(col(WebhookAttempt.id).desc()).limit(limit)))


def _conditions(endpoint: UUID, only: LogFilter) -> list[Any]:
    found: list[Any] = []
    if only.acknowledged is not None:
        error = col(WebhookAttempt.error)
        found.append(error.is_(None) if only.acknowledged else error.is_not(None))
    if only.kind:
        found.append(WebhookAttempt.kind == only.kind)
    if only.message is not None:
        about = select(WebhookEvent.id).where(
            WebhookEvent.endpoint_id == endpoint, WebhookEvent.message_id == only.message
        )
        found.append(col(WebhookAttempt.event_id).in_(about))
    return found


async def clear_back_off(session: Session, endpoint: WebhookEndpoint) -> None:
    """Forget past failures, of the endpoint and of its events: everything may be tried at once."""
    endpoint.failures = 0
    endpoint.failing_since = endpoint.next_attempt_at = None
    was_tried = or_(col(WebhookEvent.attempts) > 0, col(WebhookEvent.next_attempt_at).is_not(None))
    await session.exec(
        update(WebhookEvent)
        .where(col(WebhookEvent.endpoint_id) == endpoint.id, text(PENDING), was_tried)
        .values(next_attempt_at=None, attempts=0)
    )


@dataclass(frozen=True)
class Owner:
    """Whom notices about an account go to."""

    email: str
    language: str


async def owner_of(session: Session, account: UUID) -> Owner | None:
    """The account's first owner with a confirmed address."""
    query = (
        select(Member.email, Account.language)
        .join(Account, col(Account.id) == Member.account_id)
        .where(Member.account_id == account, Member.role == "owner", col(Member.email_confirmed_at).is_not(None))
        .order_by(col(Member.created_at))
        .limit(1)
    )
    found = (await session.exec(query)).first()
    return Owner(*found) if found else None
