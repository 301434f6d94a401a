"""Sender processes, their leases and slots, and the group commit (design §4.4). asyncpg, no ORM objects.

Invariant: a queued message is in exactly one of `due`, an open page (with its round), or a slot. Before a connection
speaks of a message, its slot names it; a slot is emptied only by the commit that records how the dialogue ended, or
by whoever settles a dead process (`store.dead_senders`).
"""

import datetime as dt
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT
from domain.channels import Channel
from domain.errors import LeaseLost
from domain.outcomes import bounded
from domain.sending import MessageState, Outcome, OutcomeKind, Reason
from store import dead_addresses, signals, sms_taking
from store.db import Connection, by_column
from store.holding import count_charged
from store.onboarding import nudge_first_senders
from store.outcome_events import outcome_event
from store.pages import PageMessage
from store.webhooks import owe_events


@dataclass(frozen=True)
class Intent:
    """A connection is about to speak of this message, for this attempt of its page."""

    message: PageMessage
    page_id: UUID
    page_epoch: int
    revision: int = 0
    """Of the content that is about to be sent."""


@dataclass(frozen=True)
class _Standing:
    """A page as the group commit finds it; `epoch` is -1 when it is closed."""

    epoch: int
    lane: str | None
    line: int


@dataclass(frozen=True)
class Ended:
    """How a message's attempt ended. `state` and `next_at` are what the message row becomes.

    `spoken` is False when no dialogue was begun (no server reached): then no slot vouches for the message, and the
    record counts only while the page's attempt is still the newest.
    """

    intent: Intent
    outcome: Outcome
    state: MessageState
    next_at: dt.datetime | None
    started_at: dt.datetime
    ended_at: dt.datetime
    spoken: bool = True
    lane: str = ""
    parts: tuple[str, ...] = ()
    """Of SMS: the carrier's ids of the parts that it took; `outcome.egress` is its gateway."""

    @property
    def message(self) -> PageMessage:
        return self.intent.message


@dataclass(frozen=True)
class Turn:
    """What one connection has to say at once: the end of its last message and the intent for its next."""

    slot: int
    ended: Ended | None = None
    intent: Intent | None = None


async def commit_turns(
    connection: Connection, sender: UUID, turns: list[Turn], past_first: "PastFirst | None" = None
) -> set[int]:
    """The group commit: outcomes, intents, totals and events of many connections in one transaction.

    Returns the slots whose intent was granted. Raises `LeaseLost`; nothing is written then.
    """
    pages = await _lock(connection, sender, turns)
    ended = [turn.ended for turn in turns if turn.ended is not None and _counts(turn.ended, pages)]
    rows = await _record(connection, ended, pages, past_first) if ended else []
    counted = {row["id"] for row in rows}
    lanes = {one.message.id: one.lane for one in ended}
    granted = {t.slot for t in turns if t.intent and _is_newest(t.intent, pages)}
    if refused := [t for t in turns if t.intent and t.slot not in granted]:
        granted |= await _granted_before(connection, sender, refused)
    totals = _totals([one for one in ended if one.message.id in counted])
    await connection.execute(
        _KEEP,
        sender,
        *_slots(turns, granted),
        *by_column(totals, 7),
        *by_column(count_charged(rows), 4),
        *by_column(signals.of_outcomes([row for row in rows if _is_mail(row)], lanes), signals.WIDTH),
    )
    return granted


class PastFirst:
    """Accounts whose first send is behind them: their process need not be told of each delivery."""

    def __init__(self) -> None:
        self._known: dict[UUID, float] = {}

    def unknown(self, accounts: set[UUID]) -> set[UUID]:
        now = time.monotonic()
        self._known = {account: until for account, until in self._known.items() if until > now}
        return accounts - self._known.keys()

    def learn(self, accounts: set[UUID]) -> None:
        """For a minute."""
        self._known |= dict.fromkeys(accounts, time.monotonic() + 60.0)


async def _granted_before(connection: Connection, sender: UUID, refused: list[Turn]) -> set[int]:
    """The slots that hold their intent already: an earlier commit granted it, and its answer was lost.

    Newer attempts left such a message to its slot, so it must not be taken out of there unspoken. A slot that holds the
    message whose end this very turn records is no such grant: an attempt that was overtaken still wanted it.
    """
    intents = [(t.slot, t.intent.message.id, t.intent.page_id) for t in refused if t.intent and not _just_ended(t)]
    if not intents:
        return set()
    rows = await connection.fetch(
        "SELECT number FROM slot JOIN unnest($2::int[], $3::bigint[], $4::uuid[]) AS i (number, message_id, page_id)"
        " USING (number, message_id, page_id) WHERE sender_id = $1",
        sender,
        *by_column(intents),
    )
    return {row["number"] for row in rows}


def _just_ended(turn: Turn) -> bool:
    """The intent is for the message whose dialogue has just ended on this connection."""
    return turn.ended is not None and turn.intent is not None and turn.ended.message.id == turn.intent.message.id


# The lease is locked before the pages: the join reads it first, and whoever settles a dead process locks it, too.
_LOCK = """
WITH lease AS MATERIALIZED (
    SELECT lease_until > clock_timestamp() AS alive FROM sender WHERE id = $1 FOR NO KEY UPDATE
), held AS (
    SELECT id, CASE WHEN closed_at IS NULL THEN epoch ELSE -1 END AS epoch, lane, line FROM page
    WHERE id = ANY($2::uuid[]) AND (SELECT alive FROM lease) ORDER BY id FOR NO KEY UPDATE
)
SELECT lease.alive, held.id, held.epoch, held.lane, held.line FROM lease LEFT JOIN held ON true
"""


async def _lock(connection: Connection, sender: UUID, turns: list[Turn]) -> dict[UUID, _Standing]:
    """The lease, and all pages concerned, locked in one order against takeover until this commits."""
    named = {e.intent.page_id for t in turns if (e := t.ended)} | {t.intent.page_id for t in turns if t.intent}
    rows = await connection.fetch(_LOCK, sender, list(named))
    if not rows or not rows[0]["alive"]:
        raise LeaseLost(str(sender))
    return {row["id"]: _Standing(row["epoch"], row["lane"], row["line"]) for row in rows if row["id"] is not None}


def _is_newest(intent: Intent, pages: Mapping[UUID, _Standing]) -> bool:
    standing = pages.get(intent.page_id)
    return standing is not None and standing.epoch == intent.page_epoch


def _counts(ended: Ended, pages: Mapping[UUID, _Standing]) -> bool:
    return ended.spoken or _is_newest(ended.intent, pages)


# The platform's own messages carry links and codes that sign people in: once such a one needs no try more, its values
# are forgotten. An SMS that is uncertain is never sent again, so nobody can have got it twice.
_RECORD = """
UPDATE message m SET state = e.state, attempts = m.attempts + 1,
    round = m.round + CASE WHEN e.state = 'queued' THEN 1 ELSE 0 END,
    next_at = e.next_at, attempted_at = e.started_at,
    finished_at = CASE WHEN e.state IN ('queued', 'sent') THEN NULL ELSE e.ended_at END,
    reason = e.reason, code = e.code, enhanced = e.enhanced, reply = e.reply, host = e.host, egress = e.egress,
    possible_duplicate = m.possible_duplicate OR (e.kind = 'uncertain' AND e.state <> 'sent'),
    revision = coalesce(e.revision, m.revision), submitted = e.submitted,
    variables = CASE WHEN m.account_id = $16 AND e.state <> 'queued' THEN '{}'::jsonb ELSE m.variables END
FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
            $8::text[], $9::int[], $10::text[], $11::text[], $12::text[], $13::smallint[], $14::smallint[],
            $15::smallint[])
     AS e (id, round, state, kind, next_at, started_at, ended_at, reason, code, enhanced, reply, host, egress,
           revision, submitted),
     submission s
WHERE m.id = e.id AND m.round = e.round AND m.state = 'queued' AND s.id = m.submission_id
RETURNING m.id, m.account_id, m.submission_id, m.ordinal, m.address, m.attempts, m.state, e.kind, m.next_at,
    e.started_at, e.ended_at, m.reason, m.code, m.enhanced, m.reply, m.host, m.egress, s.domain_id, s.label,
    s.charged_from, s.is_campaign, s.channel, s.tag, m.segments, m.submitted,
    m.account_id IN (SELECT account_id FROM webhook_endpoint WHERE state = 'enabled' AND deleted_at IS NULL) AS heard
"""
_WAIT = """
WITH tried AS (
    INSERT INTO attempt (message_id, number, started_at, ended_at, kind, reason, code, enhanced, reply, host, egress)
    SELECT * FROM unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[],
                         $7::int[], $8::text[], $9::text[], $10::text[], $11::smallint[]) ON CONFLICT DO NOTHING
)
INSERT INTO due (message_id, account_id, campaign_id, lane, line, due_at)
SELECT * FROM unnest($1::bigint[], $12::uuid[], $13::uuid[], $14::text[], $15::smallint[], $16::timestamptz[])
ON CONFLICT DO NOTHING
"""
_TRY = ("id", "attempts", "started_at", "ended_at", "kind", "reason", "code", "enhanced", "reply", "host", "egress")


async def _record(
    connection: Connection, ended: list[Ended], pages: Mapping[UUID, _Standing], past_first: PastFirst | None
) -> list[Any]:
    """Write the outcomes; the rows of the messages they counted for (a repeated commit counts for none)."""
    rows = await connection.fetch(_RECORD, *by_column([_columns(one) for one in ended], 15), SYSTEM_ACCOUNT)
    if waiting := [row for row in rows if row["state"] == MessageState.QUEUED]:
        await _wait(connection, waiting, {one.message.id: pages[one.intent.page_id] for one in ended})
    if texts := {row["id"]: row for row in rows if not _is_mail(row)}:
        await sms_taking.record(connection, [(texts[one.message.id], one.parts) for one in ended if _is_in(one, texts)])
    if heard := [event for row in rows if row["heard"] and (event := outcome_event(row))]:
        await owe_events(connection, heard)
    await dead_addresses.learn(connection, [row["address"] for row in rows if _is_dead(row)])
    took = {row["id"] for row in rows if row["state"] == MessageState.DELIVERED}
    revived = [one.message.address for one in ended if one.message.was_dead and one.message.id in took]
    await dead_addresses.forget(connection, revived)
    senders = {row["account_id"] for row in rows if row["state"] == MessageState.DELIVERED}
    if senders := past_first.unknown(senders) if past_first is not None else senders:
        waiting_for_first = await nudge_first_senders(connection, senders)
        if past_first is not None:
            past_first.learn(senders - waiting_for_first)
    return list(rows)


def _is_mail(row: Any) -> bool:
    return bool(row["channel"] == Channel.EMAIL)


def _is_in(ended: Ended, rows: Mapping[int, Any]) -> bool:
    return ended.message.id in rows


def _is_dead(row: Any) -> bool:
    """The receiver's server says that there is no such mailbox."""
    return _is_mail(row) and row["state"] == MessageState.BOUNCED and row["reason"] == Reason.INVALID_MAILBOX


async def _wait(connection: Connection, rows: list[Any], places: Mapping[int, _Standing]) -> None:
    """Keep the tries that did not settle their message (the settling one is on its row), and when the next one is."""
    tries = [[row[name] for row in rows] for name in _TRY]
    campaigns = [row["submission_id"] if row["is_campaign"] else None for row in rows]
    by_lane, by_line = [places[row["id"]].lane for row in rows], [places[row["id"]].line for row in rows]
    accounts, next_at = [row["account_id"] for row in rows], [row["next_at"] for row in rows]
    await connection.execute(_WAIT, *tries, accounts, campaigns, by_lane, by_line, next_at)


def _columns(ended: Ended) -> tuple[Any, ...]:
    o = ended.outcome
    return (
        ended.message.id,
        ended.message.round,
        ended.state.value,
        o.kind.value,
        ended.next_at,
        ended.started_at,
        ended.ended_at,
        o.reason,
        o.code,
        o.enhanced,
        bounded(o.text),
        o.host,
        o.egress,
        ended.intent.revision if ended.spoken else None,
        len(ended.parts),
    )


_KEEP = f"""
WITH counted AS (
    UPDATE page p SET delivered = p.delivered + t.delivered, deferred = p.deferred + t.deferred,
        bounced = p.bounced + t.bounced, dropped = p.dropped + t.dropped, uncertain = p.uncertain + t.uncertain,
        unknown = p.unknown + t.unknown
    FROM unnest($7::uuid[], $8::int[], $9::int[], $10::int[], $11::int[], $12::int[], $13::int[])
         AS t (id, delivered, deferred, bounced, dropped, uncertain, unknown)
    WHERE p.id = t.id
), charged AS (
    INSERT INTO tally (submission_id, account_id, sent, unsent)
    SELECT * FROM unnest($14::uuid[], $15::uuid[], $16::int[], $17::int[])
), signalled AS (
    {signals.insert(18)}
)
INSERT INTO slot (sender_id, number, message_id, page_id, attempt, revision, intent_at)
SELECT $1, s.*, now() FROM unnest($2::int[], $3::bigint[], $4::uuid[], $5::int[], $6::smallint[]) AS s
ON CONFLICT (sender_id, number) DO UPDATE SET message_id = excluded.message_id, page_id = excluded.page_id,
    attempt = excluded.attempt, revision = excluded.revision, intent_at = excluded.intent_at
"""  # noqa: S608 - a constant of ours
_NO_INTENT = (None, None, 0, 0)


def _slots(turns: list[Turn], granted: set[int]) -> list[tuple[Any, ...]]:
    return by_column(
        [(t.slot, *(_intended(t.intent) if t.intent and t.slot in granted else _NO_INTENT)) for t in turns], 5
    )


def _intended(intent: Intent) -> tuple[int, UUID, int, int]:
    return intent.message.id, intent.page_id, intent.message.attempts + 1, intent.revision


def _totals(ended: list[Ended]) -> list[tuple[Any, ...]]:
    totals: dict[UUID, Counter[str]] = {}
    for one in ended:
        count = totals.setdefault(one.intent.page_id, Counter())
        count[one.outcome.kind.value] += 1
        count["unknown"] += one.state is MessageState.UNKNOWN
    names = (*(kind.value for kind in OutcomeKind), "unknown")
    return [(page, *(count[name] for name in names)) for page, count in totals.items()]
