"""Replays: what an endpoint is to be sent once more, put among what it is owed a slice at a time.

A slice is taken by the endpoint's own pass, when nothing else waits; so a replay of millions neither holds up what
happens now nor makes a transaction that grows with it. Where it stands is on its row.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel, col, select

from domain import sms_events
from domain.channels import Channel
from domain.corrections import event_of
from domain.errors import Refusal
from domain.ids import new_id
from domain.link_tokens import LinkKind
from domain.sending import MessageState
from domain.webhook_replays import ONCE, ReplayStage, Wanted
from domain.webhooks import Event, OwedEvent, message_data
from store import corrections
from store import webhook_replay_sms as sms
from store.columns import moment, now, text_list
from store.db import Connection, Session, by_column
from store.outcome_events import outcome_event
from store.sending import Message, Submission

LOOKED_AT = 2000
"""Events of the past that one slice looks at."""
MESSAGES = 500
"""Messages whose rows one slice reads."""
LOOK_BACK = dt.timedelta(days=30)
"""Something may have happened in the span to a mail that was accepted so long before."""


class WebhookReplay(SQLModel, table=True):
    __tablename__ = "webhook_replay"
    __table_args__ = (
        Index("webhook_replay_endpoint", "endpoint_id", "id"),
        Index("webhook_replay_open", "endpoint_id", unique=True, postgresql_where=text("finished_at IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID
    endpoint_id: UUID
    since: dt.datetime = moment()
    until: dt.datetime = moment()
    events: list[str] = text_list()
    submission_id: UUID | None = None
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    stage: str = ReplayStage.REPEATING.value
    after_message: int = Field(default=0, sa_type=BigInteger)
    after_event: int = Field(default=0, sa_type=BigInteger)
    """The place among the endpoint's events, by message."""
    after_at: dt.datetime | None = moment(default=None)
    after_submission: UUID | None = None
    after_ordinal: int = -1
    """The place among the account's messages, by request."""
    repeated: int = Field(default=0, sa_type=BigInteger)
    """Events that it was owed before."""
    rebuilt: int = Field(default=0, sa_type=BigInteger)
    """Events made of rows."""
    created_at: dt.datetime = moment(default_factory=now)
    finished_at: dt.datetime | None = moment(default=None)


async def replays_of(session: Session, endpoint: UUID, limit: int) -> list[WebhookReplay]:
    """The newest first. The caller has checked whose endpoint it is."""
    query = select(WebhookReplay).where(WebhookReplay.endpoint_id == endpoint)
    return list(await session.exec(query.order_by(col(WebhookReplay.id).desc()).limit(limit)))


async def open_replay(session: Session, endpoint: UUID, *, lock: bool = False) -> WebhookReplay | None:
    """The one that is under way; there is one at most."""
    query = select(WebhookReplay).where(WebhookReplay.endpoint_id == endpoint, col(WebhookReplay.finished_at).is_(None))
    return (await session.exec(query.with_for_update() if lock else query)).first()


async def submission_of(session: Session, account: UUID, wanted: Wanted) -> UUID | None:
    """The request that is meant, by its own id or by a message's; None when none is named.

    Raises `Refusal("not_found")` for what is not the account's, at the field that named it.
    """
    if wanted.message is not None:
        query = select(Message.submission_id).where(Message.id == wanted.message, Message.account_id == account)
        what, field = "message", "message_id"
    elif wanted.submission is not None:
        query = select(Submission.id).where(Submission.id == wanted.submission, Submission.account_id == account)
        what, field = "send", "submission_id"
    else:
        return None
    found = (await session.exec(query)).first()
    if found is None:
        raise Refusal("not_found", field=field, what=what)
    return found


_OPEN = "SELECT * FROM webhook_replay WHERE endpoint_id = $1 AND finished_at IS NULL FOR NO KEY UPDATE"
_REPEAT = """
WITH looked AS MATERIALIZED (
    SELECT id, message_id, kind, occurred_at, data, delivered_at, given_up_at FROM webhook_event
    WHERE endpoint_id = $1 AND (message_id, id) > ($2, $3) AND ($8::bigint IS NULL OR message_id <= $8)
    ORDER BY message_id, id LIMIT $9
), again AS (
    UPDATE webhook_event v SET replay_at = $10, attempts = 0, next_attempt_at = NULL FROM looked l
    WHERE v.id = l.id AND l.kind = ANY($4) AND l.occurred_at >= $5 AND l.occurred_at < $6
      AND ($7::text IS NULL OR l.data ->> 'submission_id' = $7) AND v.replay_at IS NULL
      AND (v.delivered_at IS NOT NULL OR v.given_up_at IS NOT NULL)
    RETURNING v.id
)
SELECT l.message_id, l.id, (SELECT count(*) FROM again) AS repeated
FROM looked l ORDER BY l.message_id DESC, l.id DESC LIMIT 1
"""
_MESSAGES = """
SELECT m.id, m.submission_id, m.account_id, m.ordinal, m.address, m.state, m.attempts, m.reason, m.code, m.enhanced,
       m.reply, m.segments, m.submitted, m.finished_at AS ended_at, s.label, s.tag, s.channel, s.accepted_at
FROM (SELECT id, label, tag, channel, accepted_at FROM submission
      WHERE account_id = $1 AND accepted_at >= $2 AND accepted_at < $3 AND (accepted_at, id) >= ($4, $5)
        AND ($6::uuid IS NULL OR id = $6)
      ORDER BY accepted_at, id LIMIT $9) AS s
CROSS JOIN LATERAL (
    SELECT * FROM message
    WHERE submission_id = s.id AND ordinal > CASE WHEN s.id = $5 THEN $7 ELSE -1 END AND ($8::bigint IS NULL OR id = $8)
    ORDER BY ordinal LIMIT $9
) AS m
ORDER BY s.accepted_at, s.id, m.ordinal LIMIT $9
"""
_TRIES = "SELECT message_id, number, ended_at, reason, code, enhanced, reply FROM attempt WHERE message_id = ANY($1)"
_ACTS = "SELECT message_id, kind, link, first_at FROM engagement WHERE message_id = ANY($1)"
_KNOWN = """
SELECT message_id, kind, occurred_at FROM webhook_event WHERE endpoint_id = $1 AND message_id = ANY($2::bigint[])
"""
_OWE = """
INSERT INTO webhook_event (endpoint_id, account_id, kind, message_id, occurred_at, data, attempts, replay_at)
SELECT $1, $2, k, m, o, d, 0, $3 FROM unnest($4::text[], $5::bigint[], $6::timestamptz[], $7::jsonb[]) AS w(k, m, o, d)
"""
_STAND = """
UPDATE webhook_replay SET stage = $2, after_message = $3, after_event = $4, after_at = $5, after_submission = $6,
       after_ordinal = $7, repeated = $8, rebuilt = $9, finished_at = $10 WHERE id = $1
"""
_ACT_EVENTS = {
    LinkKind.OPEN.value: Event.OPEN,
    LinkKind.CLICK.value: Event.CLICK,
    LinkKind.UNSUBSCRIBE.value: Event.UNSUBSCRIBE,
}


@dataclass
class _Replay:
    """A row of the table, as far as a slice changes it."""

    row: Any
    at: dt.datetime

    def __post_init__(self) -> None:
        self.values = dict(self.row)

    def wants(self, kind: str, at: dt.datetime | None) -> bool:
        return at is not None and kind in self.row["events"] and self.row["since"] <= at < self.row["until"]


async def advance(connection: Connection, endpoint: UUID, at: dt.datetime) -> bool:
    """One slice of the replay that is under way, inside the caller's transaction; False when there is none.

    The caller holds the endpoint's row.
    """
    row = await connection.fetchrow(_OPEN, endpoint)
    if row is None:
        return False
    replay = _Replay(row, at)
    if row["stage"] == ReplayStage.REPEATING:
        await _repeat(connection, replay)
    else:
        await _rebuild(connection, replay)
    names = ("stage", "after_message", "after_event", "after_at", "after_submission", "after_ordinal", "repeated",
             "rebuilt", "finished_at")  # fmt: skip
    await connection.execute(_STAND, row["id"], *(replay.values[name] for name in names))
    return True


async def _repeat(connection: Connection, replay: _Replay) -> None:
    row, values = replay.row, replay.values
    first = max(row["after_message"], (row["message_id"] or 1) - 1)
    submission = None if row["submission_id"] is None else str(row["submission_id"])
    last = await connection.fetchrow(
        _REPEAT, row["endpoint_id"], first, row["after_event"] if first == row["after_message"] else 2**62,
        row["events"], row["since"], row["until"], submission, row["message_id"], LOOKED_AT, replay.at,
    )  # fmt: skip
    if last is None:
        again, missing = await sms.review_again(connection, row, replay.at)
        values |= {"stage": ReplayStage.REBUILDING.value, "repeated": values["repeated"] + again}
        await _owe(connection, replay, missing)
        return
    values |= {"after_message": last["message_id"], "after_event": last["id"]}
    values["repeated"] += last["repeated"]


async def _rebuild(connection: Connection, replay: _Replay) -> None:
    row, values = replay.row, replay.values
    since = row["since"] - LOOK_BACK
    place = (row["after_at"] or since, row["after_submission"] or UUID(int=0))
    named = (row["submission_id"], row["after_ordinal"], row["message_id"])
    messages = await connection.fetch(_MESSAGES, row["account_id"], since, row["until"], *place, *named, MESSAGES)
    if not messages:
        values |= {"stage": ReplayStage.DONE.value, "finished_at": replay.at}
        return
    last = messages[-1]
    values |= {"after_at": last["accepted_at"], "after_submission": last["submission_id"]}
    values["after_ordinal"] = last["ordinal"]
    await _owe(connection, replay, await _missing(connection, replay, messages))


async def _owe(connection: Connection, replay: _Replay, missing: list[OwedEvent]) -> None:
    """What is made of rows joins what waits."""
    replay.values["rebuilt"] += len(missing)
    if missing:
        told = [(each.kind.value, each.message_id, each.occurred_at, each.data) for each in missing]
        of = replay.row["endpoint_id"], replay.row["account_id"]
        await connection.execute(_OWE, *of, replay.at, *by_column(told))


async def _missing(connection: Connection, replay: _Replay, messages: list[Any]) -> list[OwedEvent]:
    """What happened to these messages, was asked for, and was never owed to the endpoint."""
    names = [each["id"] for each in messages]
    happened = await _happened(connection, {each["id"]: each for each in messages})
    known = await connection.fetch(_KNOWN, replay.row["endpoint_id"], names)
    once = {(each["message_id"], each["kind"]) for each in known if each["kind"] in ONCE}
    exactly = {(each["message_id"], each["kind"], each["occurred_at"]) for each in known}
    return [
        event
        for event in happened
        if replay.wants(event.kind.value, event.occurred_at)
        and (event.message_id, event.kind.value) not in once
        and (event.message_id, event.kind.value, event.occurred_at) not in exactly
    ]


async def _happened(connection: Connection, messages: dict[int, Any]) -> list[OwedEvent]:
    """Every event that the rows tell of these messages."""
    found = [_requested(row) for row in messages.values()]
    for end in await corrections.ends(connection, messages):
        if end["ended_at"] is not None and end["state"] != MessageState.QUEUED and (event := outcome_event(end)):
            found.append(event if end["corrects"] is None else _corrected(event, end))
    for one in await connection.fetch(_TRIES, list(messages)):
        tried = {**messages[one["message_id"]], **dict(one), "attempts": one["number"], "state": MessageState.QUEUED}
        if event := outcome_event(tried):
            found.append(event)
    for act in await connection.fetch(_ACTS, list(messages)):
        if kind := _ACT_EVENTS.get(act["kind"]):
            extra = {"link": act["link"]} if kind is Event.CLICK else {}
            found.append(_event(messages[act["message_id"]], kind, act["first_at"], extra))
    of_sms = [message for message, row in messages.items() if row["channel"] == Channel.SMS]
    return found + (await sms.replies_to(connection, of_sms) if of_sms else [])


def _requested(row: Any) -> OwedEvent:
    if row["channel"] == Channel.SMS:
        return sms_events.requested(row, row["accepted_at"])
    return _event(row, Event.REQUEST, row["accepted_at"], {})


def _corrected(event: OwedEvent, end: Mapping[str, Any]) -> OwedEvent:
    kind = event_of(MessageState(end["state"]), end["reason"], end["is_ours"])
    return replace(event, kind=kind, data=event.data | {"corrects": end["corrects"]})


def _event(row: Any, kind: Event, at: dt.datetime, extra: dict[str, Any]) -> OwedEvent:
    data = message_data(row["submission_id"], row["id"], row["ordinal"], row["address"], row["label"])
    return OwedEvent(row["account_id"], kind, row["id"], at, data | extra)
