"""Due messages become pages, and attempts take pages (design §4.2–4.4). asyncpg, no ORM objects.

A page of the relay names its messages. A campaign's page is a range of ordinals that were never tried, or names the
messages of a later round.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT
from domain.channels import Channel, DueLine
from domain.ids import Kind, new_id, workflow_id
from domain.sending import life_of
from domain.suppressions import DEAD, SuppressionScope
from store.db import Connection, by_column
from store.sms_interceptions import WHY_HELD_BACK
from store.suppressions import FIRST_SAID

BATCH_PER_ACCOUNT = 200
"""One account's share of a batch, so that a flood does not delay another's single mail."""
BATCH = 1000
LOOKED_AT = 20 * BATCH
"""Rows of `due` that one claim looks at, at most (and one per account)."""
FIRST = UUID(int=0)
"""Before every account's id, and what a round over the accounts begins with."""

_CLAIM = """
WITH RECURSIVE accounts AS (
    (SELECT account_id, due_at, (due_at <= now())::int AS ready FROM due
     WHERE campaign_id IS NULL AND line = $7 AND account_id > $4 ORDER BY account_id, due_at LIMIT 1)
    UNION ALL
    SELECT n.account_id, n.due_at, a.ready + (n.due_at <= now())::int FROM accounts a CROSS JOIN LATERAL (
        SELECT d.account_id, d.due_at FROM due d
        WHERE d.account_id > a.account_id AND d.campaign_id IS NULL AND d.line = $7
        ORDER BY d.account_id, d.due_at LIMIT 1) n
    WHERE a.ready < $3
), ready AS MATERIALIZED (
    SELECT account_id FROM accounts WHERE due_at <= now() AND account_id <> ALL($6::uuid[])
), ranked AS (
    SELECT account_id, d.message_id FROM ready CROSS JOIN LATERAL (
        SELECT message_id, row_number() OVER (ORDER BY due_at) AS rank FROM due
        WHERE account_id = ready.account_id AND campaign_id IS NULL AND line = $7 AND due_at <= now()
        ORDER BY due_at LIMIT (SELECT least($2, 1 + $5 / greatest(count(*), 1)) FROM ready)) d
    ORDER BY d.rank LIMIT $3
), picked AS (
    SELECT message_id FROM due JOIN ranked USING (message_id) FOR UPDATE OF due SKIP LOCKED
), gone AS (
    DELETE FROM due USING picked WHERE due.message_id = picked.message_id RETURNING due.message_id
), taken AS (
    SELECT array_agg(m.id ORDER BY m.id) AS messages, array_agg(m.round ORDER BY m.id) AS rounds
    FROM message m JOIN gone g ON g.message_id = m.id
), made AS (
    INSERT INTO page
        (id, epoch, messages, rounds, created_at, delivered, deferred, bounced, dropped, uncertain, unknown, line,
         channel)
    SELECT $1, 0, messages, rounds, now(), 0, 0, 0, 0, 0, 0, $7, $8 FROM taken WHERE messages IS NOT NULL
    RETURNING cardinality(messages) AS messages
)
SELECT (SELECT messages FROM made) AS messages, (SELECT account_id FROM accounts WHERE ready = $3 LIMIT 1) AS last,
    ARRAY(SELECT account_id FROM ranked GROUP BY account_id HAVING count(*) >= $2) AS full
"""

_NEXT_DUE = """
WITH RECURSIVE accounts AS (
    (SELECT account_id, due_at FROM due WHERE campaign_id IS NULL AND line = $1 ORDER BY account_id, due_at LIMIT 1)
    UNION ALL
    SELECT n.account_id, n.due_at FROM accounts a CROSS JOIN LATERAL (
        SELECT d.account_id, d.due_at FROM due d
        WHERE d.account_id > a.account_id AND d.campaign_id IS NULL AND d.line = $1
        ORDER BY d.account_id, d.due_at LIMIT 1) n
)
SELECT extract(epoch FROM min(due_at) - now())::float FROM accounts
"""

_TAKE = """
UPDATE page SET epoch = epoch + 1 WHERE id = $1 AND closed_at IS NULL
RETURNING epoch, messages, rounds, campaign_id, lane, first_ordinal, end_ordinal, channel, line
"""

# Each message asks twice by a whole key, whatever the planner thinks of the tables: `LIMIT` keeps it from joining them.
# The platform's own notices are held back by nothing, so that nobody is locked out by what happened to other mails.
_LOAD_BY = f"""
SELECT m.id, m.submission_id, m.account_id, m.ordinal, m.address, m.variables, m.attempts, m.round,
       m.possible_duplicate, s.accepted_at, s.expires_at, s.kind,
       CASE WHEN m.account_id = '{SYSTEM_ACCOUNT}' THEN ''
            ELSE coalesce(u.reason, CASE WHEN d.until > now() THEN '{DEAD}' END, '') END AS suppressed,
       d.until IS NOT NULL AS was_dead
FROM {{source}}
JOIN submission s ON s.id = m.submission_id
LEFT JOIN LATERAL (
    SELECT reason FROM suppression
    WHERE account_id = m.account_id AND address = lower(m.address COLLATE "C") COLLATE "default"
      AND (until IS NULL OR until > now()) AND (s.kind = 'batch' OR scope = '{SuppressionScope.ALL}')
    ORDER BY {FIRST_SAID} LIMIT 1) u ON true
LEFT JOIN LATERAL (
    SELECT until FROM dead_address WHERE address = lower(m.address COLLATE "C") COLLATE "default" LIMIT 1) d ON true
WHERE m.state = 'queued' AND NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id) {{which}}
ORDER BY m.id
"""  # noqa: S608 - constants of ours
_LOAD = _LOAD_BY.format(
    source="unnest($1::bigint[], $2::int[]) AS p (id, round) JOIN message m ON m.id = p.id AND m.round = p.round",
    which="",
)
_LOAD_RANGE = _LOAD_BY.format(
    source="message m",
    which="AND m.submission_id = $1 AND m.ordinal >= $2 AND m.ordinal < $3 AND m.round = 0",
)
_LOAD_SMS = f"""
SELECT m.id, m.submission_id, m.account_id, m.ordinal, m.address, m.variables, m.attempts, m.round,
       m.possible_duplicate, s.accepted_at, s.expires_at, s.kind, m.segments, s.template_version_id AS version_id,
       s.country, {WHY_HELD_BACK} AS suppressed
FROM unnest($1::bigint[], $2::int[]) AS p (id, round) JOIN message m ON m.id = p.id AND m.round = p.round
JOIN submission s ON s.id = m.submission_id
WHERE m.state = 'queued' AND NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id)
ORDER BY m.id
"""  # noqa: S608 - constants of ours

_GIVE_BACK = """
WITH back AS (
    UPDATE message m SET round = m.round + 1 FROM unnest($1::bigint[], $2::int[]) AS p (id, round)
    WHERE m.id = p.id AND m.round = p.round AND m.state = 'queued'
      AND NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id)
    RETURNING m.id, m.account_id
)
INSERT INTO due (message_id, account_id, campaign_id, lane, due_at, line)
SELECT id, account_id, $4, $5, now() + $3::interval, $6 FROM back ON CONFLICT DO NOTHING
"""
# No try of theirs: they wait for a time of day. Whoever holds the page now may do it, and nobody else.
_POSTPONE = """
WITH held AS MATERIALIZED (
    SELECT line FROM page WHERE id = $1 AND epoch = $2 AND closed_at IS NULL FOR NO KEY UPDATE
), back AS (
    UPDATE message m SET round = m.round + 1, next_at = p.due_at
    FROM unnest($3::bigint[], $4::int[], $5::timestamptz[]) AS p (id, round, due_at), held
    WHERE m.id = p.id AND m.round = p.round AND m.state = 'queued'
      AND NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id)
    RETURNING m.id, m.account_id, m.next_at, held.line
)
INSERT INTO due (message_id, account_id, due_at, line)
SELECT id, account_id, next_at, line FROM back ON CONFLICT DO NOTHING
"""

_IS_SENDING = "SELECT revision FROM campaign WHERE id = $1 AND state = 'sending' FOR SHARE"
_OPEN_PAGE = """
SELECT id FROM page WHERE campaign_id = $1 AND lane = $2 AND runner = $3 AND closed_at IS NULL
"""
_CLAIM_ROUND = """
WITH picked AS (
    SELECT message_id FROM due WHERE campaign_id = $1 AND lane = $2 AND due_at <= now()
    ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM due USING picked WHERE due.message_id = picked.message_id RETURNING due.message_id
), taken AS (
    SELECT array_agg(m.id ORDER BY m.id) AS messages, array_agg(m.round ORDER BY m.id) AS rounds
    FROM message m JOIN gone g ON g.message_id = m.id
)
INSERT INTO page (id, epoch, messages, rounds, created_at, delivered, deferred, bounced, dropped, uncertain, unknown,
                  campaign_id, lane, runner)
SELECT $5, 0, messages, rounds, now(), 0, 0, 0, 0, 0, 0, $1, $2, $3 FROM taken WHERE messages IS NOT NULL
RETURNING id
"""
_CLAIM_RANGE = """
WITH old AS MATERIALIZED (
    SELECT next_ordinal FROM campaign_lane WHERE campaign_id = $1 AND lane = $2 FOR UPDATE
), taken AS (
    UPDATE campaign_lane l SET next_ordinal = least(l.end_ordinal, l.next_ordinal + $4) FROM old
    WHERE l.campaign_id = $1 AND l.lane = $2 AND l.next_ordinal < l.end_ordinal
    RETURNING old.next_ordinal AS first_ordinal, l.next_ordinal AS end_ordinal
)
INSERT INTO page (id, epoch, messages, rounds, created_at, delivered, deferred, bounced, dropped, uncertain, unknown,
                  campaign_id, lane, runner, first_ordinal, end_ordinal)
SELECT $5, 0, '{}', '{}', now(), 0, 0, 0, 0, 0, 0, $1, $2, $3, first_ordinal, end_ordinal FROM taken
RETURNING id
"""
_AHEAD = """
SELECT coalesce((SELECT end_ordinal - next_ordinal FROM campaign_lane WHERE campaign_id = $1 AND lane = $2), 0)::int
           + (SELECT count(*) FROM due WHERE campaign_id = $1 AND lane = $2 AND due_at <= now())::int AS ready,
       least((SELECT extract(epoch FROM min(due_at) - now())::float FROM due WHERE campaign_id = $1 AND lane = $2),
             (SELECT 5.0 WHERE EXISTS (SELECT FROM slot s JOIN page p ON p.id = s.page_id
                                       WHERE p.campaign_id = $1 AND p.lane = $2))) AS waits,
       ARRAY(SELECT runner FROM page WHERE campaign_id = $1 AND lane = $2 AND closed_at IS NULL ORDER BY runner)::int[]
           AS begun
"""
_CLOSE_RANGE = """
UPDATE page p SET closed_at = now() WHERE id = $1 AND epoch = $2 AND closed_at IS NULL AND NOT EXISTS (
    SELECT FROM message m WHERE m.submission_id = p.campaign_id AND m.ordinal >= p.first_ordinal
      AND m.ordinal < p.end_ordinal AND m.state = 'queued' AND m.round = 0
      AND NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id))
RETURNING id
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
    kind: str = "trigger"
    """Of the submission: `domain.senders.SendKind`."""
    suppressed: str = ""
    """Why the recipient must not be written to by now (`domain.suppressions.Held.reason`); empty: no reason."""
    was_dead: bool = False
    """The address was proved dead once: if it takes this mail, that is forgotten."""
    accepted_at: dt.datetime | None = None
    """Of the submission."""
    segments: int = 1
    version_id: UUID | None = None
    """Of SMS: `sms_template_version.id`."""
    country: str = ""
    """Of SMS."""

    def life(self, scale: float) -> dt.timedelta | None:
        """How long it lives, without pauses; None: nobody said when it was accepted."""
        born = self.accepted_at
        return None if born is None else life_of(self.kind, born, self.expires_at, scale)


@dataclass(frozen=True)
class TakenPage:
    """A page as one attempt holds it: older attempts can no longer begin a dialogue."""

    id: UUID
    epoch: int
    messages: list[PageMessage]
    campaign_id: UUID | None = None
    lane: str | None = None
    channel: Channel = Channel.EMAIL
    line: DueLine = DueLine.MAIL


@dataclass(frozen=True)
class Ahead:
    """What a campaign's lane holds."""

    ready: int
    """Messages in no page that could be sent now."""
    waits: float | None
    """Seconds until the next message of a later round is due, or a dialogue may have left one; None: there is none."""
    begun: list[int]
    """Runners whose page is open."""


@dataclass(frozen=True)
class Turn:
    """Whose turn it is: where more accounts wait than a batch has room for, those that come `after` the last of the
    batch before; and nobody of `without`."""

    after: UUID = FIRST
    without: frozenset[UUID] = frozenset()


ANYBODY = Turn()


class Batch(NamedTuple):
    """A new page of the relay. The next batch begins `after` this account; the accounts `full` got all of a share."""

    page: UUID
    messages: int
    after: UUID
    full: frozenset[UUID]


async def claim_batch(
    connection: Connection,
    per_account: int = BATCH_PER_ACCOUNT,
    limit: int = BATCH,
    turn: Turn = ANYBODY,
    line: DueLine = DueLine.MAIL,
) -> Batch | None:
    """Move what is due in a line into a new page and enlist its delivery; None when nothing is due there.

    Every account gets its first message before any gets its second.
    """
    page = new_id()
    kind = line.value, line.channel.value
    row = await connection.fetchrow(_CLAIM, page, per_account, limit, turn.after, LOOKED_AT, list(turn.without), *kind)
    if row["messages"] is None:
        again = Turn(FIRST, turn.without)
        return None if turn.after == FIRST else await claim_batch(connection, per_account, limit, again, line)
    await connection.execute(
        "INSERT INTO clockwork (workflow_id, kind, subject, account_id, created_at, nudge_wanted)"
        " VALUES ($1, $2, $3, $4, now(), false)",
        workflow_id(Kind.DELIVERY, page),
        Kind.DELIVERY.value,
        str(page),
        SYSTEM_ACCOUNT,
    )
    return Batch(page, row["messages"], row["last"] or FIRST, frozenset(row["full"]))


async def next_due(connection: Connection, line: DueLine = DueLine.MAIL) -> float | None:
    """Seconds until something is due for the line's relay (0 when it is already), or None when nothing waits."""
    seconds = await connection.fetchval(_NEXT_DUE, line.value)
    return None if seconds is None else max(0.0, seconds)


async def take_page(connection: Connection, page: UUID) -> TakenPage | None:
    """Take the page for a new attempt; None when it is closed. Messages inside a dialogue are left to their slot."""
    row = await connection.fetchrow(_TAKE, page)
    if row is None:
        return None
    channel = Channel(row["channel"])
    if channel is Channel.SMS:
        loaded = await connection.fetch(_LOAD_SMS, row["messages"], row["rounds"])
    elif row["first_ordinal"] is None:
        loaded = await connection.fetch(_LOAD, row["messages"], row["rounds"])
    else:
        loaded = await connection.fetch(_LOAD_RANGE, row["campaign_id"], row["first_ordinal"], row["end_ordinal"])
    messages = [PageMessage(**item) for item in loaded]
    return TakenPage(page, row["epoch"], messages, row["campaign_id"], row["lane"], channel, DueLine(row["line"]))


async def close_page(connection: Connection, page: UUID, epoch: int, wait: dt.timedelta) -> bool:
    """End a page that names its messages: what it did not try goes back to `due` after `wait`.

    False when a newer attempt holds it.
    """
    row = await connection.fetchrow(
        "UPDATE page SET closed_at = now() WHERE id = $1 AND epoch = $2 AND closed_at IS NULL"
        " RETURNING messages, rounds, campaign_id, lane, line",
        page,
        epoch,
    )
    if row is None:
        return False
    place = row["campaign_id"], row["lane"], row["line"]
    await connection.execute(_GIVE_BACK, row["messages"], row["rounds"], wait, *place)
    if row["campaign_id"] is None:
        await connection.execute("DELETE FROM clockwork WHERE workflow_id = $1", workflow_id(Kind.DELIVERY, page))
    return True


async def postpone(connection: Connection, page: TakenPage, until: Iterable[tuple[PageMessage, dt.datetime]]) -> None:
    """Give messages that were not begun back to `due`, each for its time; nothing happens when the page was taken."""
    rows = [(message.id, message.round, at) for message, at in until]
    await connection.execute(_POSTPONE, page.id, page.epoch, *by_column(rows, 3))


async def claim_campaign_page(
    connection: Connection, campaign: UUID, runner: tuple[str, int], size: int
) -> tuple[UUID, int] | None:
    """The runner's (lane, number) open page, or a new one: of messages whose next round is due, else of the range.

    Returns (page, the revision that counts now); None when the campaign is not sending or nothing is ready.
    """
    revision = await connection.fetchval(_IS_SENDING, campaign)
    if revision is None:
        return None
    page = await connection.fetchval(_OPEN_PAGE, campaign, *runner)
    for query in (_CLAIM_ROUND, _CLAIM_RANGE):
        page = page or await connection.fetchval(query, campaign, *runner, size, new_id())
    return (page, revision) if page is not None else None


async def close_campaign_page(connection: Connection, page: TakenPage, wait: dt.timedelta) -> bool:
    """End a campaign's page. A range stays open while it holds a message that was not tried, and False is returned."""
    if await connection.fetchval("SELECT first_ordinal FROM page WHERE id = $1", page.id) is None:
        return await close_page(connection, page.id, page.epoch, wait)
    return await connection.fetchval(_CLOSE_RANGE, page.id, page.epoch) is not None


async def ahead(connection: Connection, campaign: UUID, lane: str) -> Ahead:
    """What is left in the lane."""
    row = await connection.fetchrow(_AHEAD, campaign, lane)
    return Ahead(row["ready"], None if row["waits"] is None else max(0.0, row["waits"]), row["begun"])
