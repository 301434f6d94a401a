"""Independent facts, compared: what was accepted, what it ended as, where the rest is (design §4.9).

Each check is one query that returns the offending rows, named; an empty answer is a pass.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from store import audit_corrections, audit_money, audit_signals, audit_sms
from store.audit_check import Check
from store.db import Connection

SHOWN = 20
"""Offending rows named per check; all are counted."""


@dataclass(frozen=True)
class Finding:
    """One check's result: how many rows break it, and the first of them."""

    name: str
    count: int
    rows: list[dict[str, Any]]


_HOLDERS = """
WITH held AS (SELECT m.id AS message, m.submission_id AS submission, m.account_id AS account,
       (d.message_id IS NOT NULL)::int + (s.message_id IS NOT NULL)::int
       + (s.message_id IS NULL AND (p.id IS NOT NULL OR r.id IS NOT NULL))::int
       + (l.campaign_id IS NOT NULL)::int AS holders, m.state
FROM message m
LEFT JOIN due d ON d.message_id = m.id
LEFT JOIN slot s ON s.message_id = m.id
LEFT JOIN (SELECT e.id, e.round FROM page CROSS JOIN unnest(page.messages, page.rounds) AS e (id, round)
           WHERE page.closed_at IS NULL) p ON p.id = m.id AND p.round = m.round AND m.state = 'queued'
LEFT JOIN page r ON r.campaign_id = m.submission_id AND r.closed_at IS NULL AND m.ordinal >= r.first_ordinal
     AND m.ordinal < r.end_ordinal AND m.round = 0 AND m.state = 'queued'
LEFT JOIN campaign_lane l ON l.campaign_id = m.submission_id AND m.ordinal >= l.next_ordinal
     AND m.ordinal < l.end_ordinal)
"""

CHECKS = (
    Check(
        "every submission has a message per accepted recipient",
        "SELECT s.id AS submission, s.recipients AS accepted, count(m.id) AS messages FROM submission s"
        " LEFT JOIN message m ON m.submission_id = s.id GROUP BY s.id HAVING s.recipients <> count(m.id)",
    ),
    Check(
        "every message belongs to a submission",
        "SELECT m.id AS message FROM message m LEFT JOIN submission s ON s.id = m.submission_id WHERE s.id IS NULL",
    ),
    Check(
        "every queued message is in exactly one place: due, an open page, a slot, or a campaign's range ahead",
        _HOLDERS + "SELECT * FROM held WHERE state = 'queued' AND holders <> 1",  # noqa: S608 - both halves are ours
    ),
    Check(
        "no settled message is waiting or being sent",
        _HOLDERS + "SELECT * FROM held WHERE state <> 'queued' AND holders <> 0",  # noqa: S608 - both halves are ours
    ),
    Check(
        "every waiting row has its message",
        "SELECT d.message_id AS message FROM due d LEFT JOIN message m ON m.id = d.message_id WHERE m.id IS NULL",
    ),
    Check(
        "every try is on record",
        "SELECT m.id AS message, m.state, m.attempts, count(a.number) AS recorded FROM message m"
        " LEFT JOIN attempt a ON a.message_id = m.id GROUP BY m.id"
        " HAVING m.attempts <> count(a.number) + (m.state <> 'queued' AND m.reason <> 'cancelled')::int",
    ),
    Check(
        "pages' totals equal what their messages ended as, corrections aside",
        "SELECT t.*, m.* FROM (SELECT sum(delivered) AS page_delivered, sum(bounced) AS page_bounced,"
        " coalesce(sum(dropped), 0) + (SELECT coalesce(sum(cancelled), 0) FROM campaign) AS page_dropped FROM page"
        " WHERE channel = 'email') t,"
        " (SELECT count(*) FILTER (WHERE state = 'delivered') - (SELECT count(*) FILTER (WHERE to_state = 'delivered')"
        "  - count(*) FILTER (WHERE from_state = 'delivered') FROM correction) AS delivered,"
        " count(*) FILTER (WHERE state = 'bounced')"
        "  - (SELECT count(*) FROM correction WHERE to_state = 'bounced') AS bounced,"
        " count(*) FILTER (WHERE state = 'dropped') AS dropped FROM message x"
        " JOIN submission s ON s.id = x.submission_id AND s.channel = 'email') m"
        " WHERE (coalesce(page_delivered, 0), coalesce(page_bounced, 0), coalesce(page_dropped, 0))"
        " <> (delivered, bounced, dropped)",
    ),
    Check(
        "quota used equals what was accepted, by account and day",
        "SELECT coalesce(q.account_id, s.account_id) AS account, coalesce(q.day, s.day) AS day, q.used, s.accepted"
        " FROM (SELECT * FROM quota_use) q FULL JOIN"
        " (SELECT s.account_id, (s.accepted_at AT TIME ZONE 'Asia/Shanghai')::date AS day, u.is_test,"
        "  sum(s.recipients) AS accepted FROM submission s JOIN api_user u ON u.id = s.api_user_id"
        " AND s.channel = 'email'"
        " JOIN account a ON a.id = s.account_id LEFT JOIN campaign c ON c.id = s.id"
        " WHERE a.confirmed_by IS DISTINCT FROM 'system' AND s.recipients > 0"
        " AND (c.id IS NULL OR c.held_at IS NOT NULL) GROUP BY 1, 2, 3) s"
        " ON s.account_id = q.account_id AND s.day = q.day AND s.is_test = q.is_test"
        " WHERE q.used IS DISTINCT FROM s.accepted",
    ),
    Check(
        "no message is queued past its time to live",
        "SELECT m.id AS message, m.submission_id AS submission, s.expires_at FROM message m"
        " JOIN submission s ON s.id = m.submission_id LEFT JOIN campaign c ON c.id = s.id"
        " WHERE m.state = 'queued' AND s.expires_at < $1 AND (c.id IS NULL OR c.state = 'sending'"
        " AND c.hours_from IS NULL AND s.expires_at < $1::timestamptz - interval '2 hours')",
    ),
    Check(
        "no page stays open",
        "SELECT id AS page, created_at FROM page WHERE closed_at IS NULL AND created_at < $1 AND campaign_id IS NULL",
    ),
    Check(
        "a campaign's lanes hold its messages, each once",
        "SELECT s.id AS campaign, s.recipients, coalesce(l.held, 0) AS held FROM submission s LEFT JOIN"
        " (SELECT campaign_id, sum(end_ordinal - first_ordinal) AS held, max(end_ordinal) AS last FROM campaign_lane"
        "  GROUP BY 1) l ON l.campaign_id = s.id"
        " WHERE s.is_campaign AND (s.recipients <> coalesce(l.held, 0) OR s.recipients <> coalesce(l.last, 0))",
    ),
    Check(
        "a campaign that is over has left nothing",
        "SELECT c.id AS campaign, c.state, m.id AS message FROM campaign c JOIN message m ON m.submission_id = c.id"
        " WHERE c.state IN ('finished', 'cancelled') AND m.state = 'queued'",
    ),
    Check(
        "each list that is frozen has a campaign that copies it",
        "SELECT f.list_id AS list, f.campaign_id AS campaign FROM list_freeze f LEFT JOIN campaign c"
        " ON c.id = f.campaign_id WHERE c.id IS NULL OR c.state IN ('finished', 'cancelled')",
    ),
    Check(
        "no dead sender process is left unsettled",
        "SELECT s.id AS sender, s.host, s.pid, s.lease_until FROM sender s WHERE s.lease_until < $1",
    ),
    Check(
        "every process was started",
        "SELECT workflow_id, created_at FROM clockwork WHERE started_at IS NULL AND created_at < $1",
    ),
    Check(
        "no process was ended from outside",
        "SELECT workflow_id, needs_human AS why FROM clockwork WHERE needs_human IS NOT NULL",
    ),
)

DUPLICATES = (
    "SELECT id AS message, submission_id AS submission, state, attempts, attempted_at FROM message"
    " WHERE possible_duplicate ORDER BY id"
)
TOTALS = """
SELECT (SELECT count(*) FROM submission) AS submissions,
       (SELECT coalesce(sum(recipients), 0) FROM submission) AS accepted,
       count(*) AS messages, count(*) FILTER (WHERE state = 'delivered') AS delivered,
       count(*) FILTER (WHERE state = 'bounced') AS bounced, count(*) FILTER (WHERE state = 'dropped') AS dropped,
       count(*) FILTER (WHERE state = 'unknown') AS unknown, count(*) FILTER (WHERE state = 'queued') AS queued,
       count(*) FILTER (WHERE state = 'sent') AS sent,
       count(*) FILTER (WHERE possible_duplicate) AS possible_duplicates
FROM message
"""


ALL = (*CHECKS, *audit_money.CHECKS, *audit_signals.CHECKS, *audit_corrections.CHECKS, *audit_sms.CHECKS)


async def check(connection: Connection, late: dt.datetime) -> list[Finding]:
    """Run every check; `late` is the instant before which waiting is no longer excused."""
    findings = []
    for one in ALL:
        wants_late = "$1" in one.query
        rows = await connection.fetch(one.query, *([late] if wants_late else []))
        findings.append(Finding(one.name, len(rows), [dict(row) for row in rows[:SHOWN]]))
    return findings


async def totals(connection: Connection) -> dict[str, int]:
    """Accepted, and what it came to."""
    return {name: int(value) for name, value in dict(await connection.fetchrow(TOTALS)).items()}


async def possible_duplicates(connection: Connection) -> list[dict[str, Any]]:
    """Every message that a recipient may have received twice, named."""
    return [dict(row) for row in await connection.fetch(DUPLICATES)]
