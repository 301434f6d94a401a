"""A sender process that died: what its slots name is settled by whoever is alive (design §4.4, §4.6). asyncpg."""

import datetime as dt

from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import Kind, workflow_id
from store.clockwork import want_nudge_on
from store.db import Connection
from store.holding import tally
from store.outcome_events import outcome_event
from store.webhooks import owe_events

RESEND_WAIT = dt.timedelta(seconds=1)
"""Before an uncertain mail is sent again: its lease ended seconds ago, and waiting would make nothing surer."""
_WHY = "the sender process ended inside the dialogue"

_DEAD = "SELECT id FROM sender WHERE lease_until < clock_timestamp() LIMIT 1 FOR UPDATE SKIP LOCKED"

_SETTLE = """
WITH lost AS (
    SELECT s.message_id, s.intent_at, s.page_id, s.revision, b.label, b.tag, b.charged_from, b.channel,
        CASE WHEN b.is_campaign THEN b.id END AS campaign,
        coalesce(u.resend_uncertain, false) AND NOT m.possible_duplicate AS resend
    FROM slot s JOIN message m ON m.id = s.message_id AND m.state = 'queued'
    JOIN submission b ON b.id = m.submission_id
    LEFT JOIN api_user u ON u.id = b.api_user_id AND b.channel = 'email'
    WHERE s.sender_id = $1
), again AS (
    UPDATE message m SET attempts = m.attempts + 1, attempted_at = l.intent_at,
        possible_duplicate = m.possible_duplicate OR l.channel = 'email',
        variables = CASE WHEN m.account_id = $4 AND NOT l.resend THEN '{}'::jsonb ELSE m.variables END,
        reason = 'uncertain', code = 0, enhanced = '', reply = $3, host = '', egress = 0, revision = l.revision,
        round = m.round + CASE WHEN l.resend THEN 1 ELSE 0 END,
        state = CASE WHEN l.resend THEN 'queued' WHEN l.channel = 'sms' THEN 'sent' ELSE 'unknown' END,
        next_at = CASE WHEN l.resend THEN now() + $2::interval END,
        finished_at = CASE WHEN l.resend OR l.channel = 'sms' THEN NULL ELSE now() END
    FROM lost l WHERE m.id = l.message_id
    RETURNING m.id, m.account_id, m.submission_id, m.ordinal, m.address, m.attempts, m.state, m.next_at, m.reason,
        m.code, m.enhanced, m.reply, l.intent_at, l.label, l.charged_from, l.campaign, l.page_id, now() AS ended_at,
        l.channel, l.tag, m.segments, m.submitted
), tried AS (
    INSERT INTO attempt (message_id, number, started_at, ended_at, kind, reason, code, enhanced, reply, host)
    SELECT id, attempts, intent_at, now(), 'uncertain', 'uncertain', 0, '', $3, ''
    FROM again WHERE state = 'queued' ON CONFLICT DO NOTHING
), waiting AS (
    INSERT INTO due (message_id, account_id, campaign_id, lane, line, due_at)
    SELECT a.id, a.account_id, a.campaign, p.lane, p.line, a.next_at FROM again a JOIN page p ON p.id = a.page_id
    WHERE a.state = 'queued' ON CONFLICT DO NOTHING
), counted AS (
    UPDATE page p SET unknown = p.unknown + c.unknown, uncertain = p.uncertain + c.sent
    FROM (SELECT page_id, count(*) FILTER (WHERE state = 'unknown')::int AS unknown,
              count(*) FILTER (WHERE state = 'sent')::int AS sent FROM again GROUP BY 1) AS c
    WHERE p.id = c.page_id
), asking AS (
    INSERT INTO sms_uncertain (message_id, phone, gateway, attempt, since)
    SELECT id, address, 0, attempts, now() FROM again WHERE state = 'sent' ON CONFLICT DO NOTHING
)
SELECT * FROM again
"""


async def settle_dead_sender(connection: Connection, wait: dt.timedelta = RESEND_WAIT) -> int | None:
    """Settle one process whose lease ran out: each message in its slots is uncertain (design §4.6).

    A mail may be sent once more, where its API user wants it; an SMS waits for its receipt.
    Returns the number of uncertain messages, or None when no process is dead.
    """
    dead = await connection.fetchval(_DEAD)
    if dead is None:
        return None
    lost = await connection.fetch(_SETTLE, dead, wait, _WHY, SYSTEM_ACCOUNT)
    await tally(connection, lost)
    await owe_events(connection, [event for row in lost if (event := outcome_event(row))])
    for campaign in {row["campaign"] for row in lost if row["campaign"] is not None}:
        await want_nudge_on(connection, workflow_id(Kind.CAMPAIGN, campaign))  # it may sleep until a later round
    await connection.execute("DELETE FROM slot WHERE sender_id = $1", dead)
    await connection.execute("DELETE FROM sender WHERE id = $1", dead)
    return len(lost)
