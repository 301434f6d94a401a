"""What the dashboard reads, within one account: rows that need attention, figures of today, sends by day."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text

from domain.dashboard import Attention, Concern, Figures, Waiting
from domain.money import MICRO_PER_FEN
from store.db import Session

_CONCERNS = """
(SELECT CASE state WHEN 'lost' THEN 'domain_lost' ELSE 'domain_broken' END AS concern, id::text AS subject,
        name AS label, coalesce(problem, '') AS detail
 FROM sender_domain WHERE account_id = :account AND state IN ('broken', 'lost') LIMIT 20)
UNION ALL
(SELECT 'template_rejected', t.id::text, t.name, coalesce(v.reason, '') FROM template t CROSS JOIN LATERAL
    (SELECT state, reason FROM template_version WHERE template_id = t.id ORDER BY number DESC LIMIT 1) v
 WHERE t.account_id = :account AND t.deleted_at IS NULL AND v.state = 'rejected' LIMIT 20)
UNION ALL
(SELECT 'sms_signature_rejected', number::text, text, coalesce(reason, '') FROM sms_signature
 WHERE account_id = :account AND deleted_at IS NULL AND state = 'rejected' LIMIT 20)
UNION ALL
(SELECT 'sms_template_rejected', t.number::text, t.name, coalesce(v.reason, '') FROM sms_template t CROSS JOIN LATERAL
    (SELECT state, reason FROM sms_template_version WHERE template_id = t.id ORDER BY number DESC LIMIT 1) v
 WHERE t.account_id = :account AND t.deleted_at IS NULL AND v.state = 'rejected' LIMIT 20)
UNION ALL
(SELECT 'webhook_disabled', id::text, url, coalesce(last_error, '') FROM webhook_endpoint
 WHERE account_id = :account AND deleted_at IS NULL AND state = 'disabled' AND disabled_by <> 'customer' LIMIT 20)
UNION ALL
(SELECT CASE WHEN state = 'approved' THEN 'certification_expires' ELSE 'certification_rejected' END, id::text, kind,
        CASE WHEN state = 'approved' THEN valid_until::text ELSE coalesce(reason, '') END
 FROM (SELECT * FROM certification WHERE account_id = :account ORDER BY number DESC LIMIT 1) latest
 WHERE state IN ('rejected', 'revoked') OR (state = 'approved' AND valid_until < :expiring))
"""
_WAITING = """
SELECT 'template' AS kind, t.id::text AS subject, t.name AS label, v.due_at, v.due_provisional AS provisional
FROM template t JOIN template_version v ON v.template_id = t.id
WHERE t.account_id = :account AND t.deleted_at IS NULL AND v.state = 'submitted'
UNION ALL
SELECT 'sms_template', t.number::text, t.name, v.due_at, v.due_provisional
FROM sms_template t JOIN sms_template_version v ON v.template_id = t.id
WHERE t.account_id = :account AND t.deleted_at IS NULL AND v.state = 'submitted'
UNION ALL
SELECT 'sms_signature', number::text, text, due_at, due_provisional FROM sms_signature
WHERE account_id = :account AND deleted_at IS NULL AND state = 'submitted'
UNION ALL
SELECT 'certification', id::text, kind, due_at, due_provisional FROM certification
WHERE account_id = :account AND state = 'submitted'
ORDER BY due_at NULLS LAST LIMIT 50
"""
_FIGURES = """
SELECT a.daily_quota, a.free_quota, coalesce(q.used, 0) AS used, l.balance_fen, l.carry_micro, l.held_micro
FROM account a
LEFT JOIN quota_use q ON q.account_id = a.id AND q.day = :day AND NOT q.is_test
LEFT JOIN ledger_account l ON l.account_id = a.id AND l.name = 'prepaid'
WHERE a.id = :account
"""
_BY_DAY = """
SELECT (s.accepted_at AT TIME ZONE 'Asia/Shanghai')::date AS day,
       CASE WHEN m.state = 'queued' AND m.attempts > 0 THEN 'deferred' ELSE m.state END AS outcome, count(*) AS number
FROM submission s JOIN message m ON m.submission_id = s.id
WHERE s.account_id = :account AND s.accepted_at >= :since AND s.channel = 'email' GROUP BY 1, 2
"""

_SMS_OF_DAY = """
SELECT coalesce(sum(recipients), 0) FROM submission
WHERE account_id = :account AND accepted_at >= :since AND channel = 'sms'
"""


async def concerns(session: Session, account: UUID, expiring: dt.date) -> list[Attention]:
    """Broken domains, rejected work, disabled webhooks, a certification that ends before `expiring`."""
    rows = await _rows(session, _CONCERNS, {"account": account, "expiring": expiring})
    return [Attention(**{**row, "concern": Concern(row["concern"])}) for row in rows]


async def waiting(session: Session, account: UUID) -> list[Waiting]:
    """Reviews under way, the first due first."""
    return [Waiting(**row) for row in await _rows(session, _WAITING, {"account": account})]


async def figures(session: Session, account: UUID, day: dt.date) -> Figures:
    """Quota of that day, and the prepaid money (None without an account in the books)."""
    row = (await _rows(session, _FIGURES, {"account": account, "day": day}))[0]
    quota = Figures(row["daily_quota"], row["free_quota"], row["used"])
    if row["balance_fen"] is None:
        return quota
    free = row["balance_fen"] * MICRO_PER_FEN - row["carry_micro"] - row["held_micro"]
    return Figures(quota.daily_quota, quota.free_quota, quota.used, row["balance_fen"], free // MICRO_PER_FEN)


async def by_day(session: Session, account: UUID, since: dt.datetime) -> dict[dt.date, dict[str, int]]:
    """Mails of submissions accepted from `since` on, by Shanghai day and outcome. Reads each of them."""
    counted: dict[dt.date, dict[str, int]] = {}
    for row in await _rows(session, _BY_DAY, {"account": account, "since": since}):
        counted.setdefault(row["day"], {})[row["outcome"]] = row["number"]
    return counted


async def sms_since(session: Session, account: UUID, since: dt.datetime) -> int:
    """Numbers that SMS were accepted for from `since` on."""
    return int((await _rows(session, _SMS_OF_DAY, {"account": account, "since": since}))[0]["coalesce"])


async def _rows(session: Session, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    connection = await session.connection()
    return [dict(row) for row in (await connection.execute(text(query), parameters)).mappings()]
