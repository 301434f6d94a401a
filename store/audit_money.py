"""What must hold between the ledger and the facts it is about (design §4.9): recharges, holds, messages, charges.

The rule of `domain.ledger.is_charged` is written here once more, in SQL and from the rows of messages and corrections.
"""

from store.audit_check import Check

_CHARGEABLE = """
WITH corrected AS (
    SELECT message_id, bool_or(charging = 'waived') AS waived FROM correction GROUP BY 1
), judged AS (
    SELECT m.id, m.submission_id, m.ordinal, m.state, m.finished_at, 1 AS units,
        coalesce(NOT c.waived, m.state = 'delivered'
                 OR m.state = 'bounced' AND m.code > 0 AND m.reason <> 'expired')::int AS charged
    FROM message m LEFT JOIN corrected c ON c.message_id = m.id
    JOIN submission s ON s.id = m.submission_id AND s.channel = 'email' WHERE m.state <> 'queued'
    UNION ALL
    SELECT m.id, m.submission_id, m.ordinal, m.state, m.attempted_at, m.segments, m.submitted - coalesce(
        (SELECT sum(c.segments) FROM sms_correction c WHERE c.message_id = m.id AND c.charging = 'waived'), 0)
    FROM message m JOIN submission s ON s.id = m.submission_id AND s.channel = 'sms'
    WHERE m.state <> 'queued' AND NOT (m.state = 'sent' AND m.reason = 'uncertain')
), fact AS (
    SELECT h.submission_id, s.recipients, s.charged_from, coalesce(sum(m.charged), 0) AS sent,
        coalesce(sum(m.units - m.charged), 0) AS unsent, max(m.finished_at) AS finished_at
    FROM hold h JOIN submission s ON s.id = h.submission_id
    LEFT JOIN judged m ON m.submission_id = h.submission_id AND m.ordinal >= h.free
    GROUP BY h.submission_id, s.recipients, s.charged_from
), counted AS (
    SELECT h.*, coalesce(t.sent, 0) AS sent_waiting, coalesce(t.unsent, 0) AS unsent_waiting
    FROM hold h LEFT JOIN (SELECT submission_id, sum(sent) AS sent, sum(unsent) AS unsent FROM tally GROUP BY 1) t
    ON t.submission_id = h.submission_id
)
"""
_POSTED = """
SELECT l.account_id, coalesce(sum(e.amount_fen) FILTER (WHERE j.kind IN ('charge', 'adjustment')), 0) AS charged_fen,
       coalesce(sum(e.amount_fen), 0) AS entries_fen
FROM ledger_account l LEFT JOIN entry e ON e.ledger_account_id = l.id LEFT JOIN journal j ON j.id = e.journal_id
WHERE l.name = 'prepaid' AND l.account_id IS NOT NULL GROUP BY l.account_id
"""

CHECKS = (
    Check(
        "every journal sums to zero",
        "SELECT j.id AS journal, j.kind, count(e.id) AS entries, sum(e.amount_fen) AS sum_fen FROM journal j"
        " LEFT JOIN entry e ON e.journal_id = j.id GROUP BY j.id HAVING count(e.id) < 2 OR sum(e.amount_fen) <> 0",
    ),
    Check(
        "every prepaid balance is the sum of its entries",
        f"SELECT l.account_id AS account, l.balance_fen, p.entries_fen FROM ledger_account l JOIN ({_POSTED}) p"  # noqa: S608
        " ON p.account_id = l.account_id WHERE l.name = 'prepaid' AND l.balance_fen <> p.entries_fen",
    ),
    Check(
        "every line of a statement follows from the one before",
        "SELECT entry, account, amount_fen, balance_after_fen, running FROM"
        " (SELECT e.id AS entry, l.account_id AS account, e.amount_fen, e.balance_after_fen,"
        " sum(e.amount_fen) OVER (PARTITION BY l.id ORDER BY e.id) AS running"
        " FROM entry e JOIN ledger_account l ON l.id = e.ledger_account_id"
        " WHERE l.name = 'prepaid' AND l.account_id IS NOT NULL) x WHERE balance_after_fen IS DISTINCT FROM running",
    ),
    Check(
        "nobody has less than nothing available",
        "SELECT account_id AS account, balance_fen, carry_micro, held_micro FROM ledger_account"
        " WHERE account_id IS NOT NULL AND balance_fen * 10000 - carry_micro - held_micro < 0",
    ),
    Check(
        "held money is what the open holds' unsettled messages cost",
        "SELECT coalesce(l.account_id, h.account_id) AS account, l.held_micro, h.owed_micro FROM"
        " (SELECT account_id, held_micro FROM ledger_account WHERE name = 'prepaid' AND account_id IS NOT NULL) l"
        " FULL JOIN (SELECT account_id, sum((messages - sent - unsent) * unit_micro) AS owed_micro FROM hold"
        "  WHERE closed_at IS NULL GROUP BY 1) h ON h.account_id = l.account_id"
        " WHERE coalesce(l.held_micro, 0) <> coalesce(h.owed_micro, 0)",
    ),
    Check(
        "a submission is chargeable from where its hold says, or has none",
        "SELECT coalesce(s.id, h.submission_id) AS submission, s.charged_from, h.free, s.costs, h.messages"
        " FROM (SELECT id, account_id, charged_from, CASE channel WHEN 'email' THEN recipients - charged_from ELSE"
        "  (SELECT sum(segments) FROM message m WHERE m.submission_id = s.id AND m.ordinal >= s.charged_from) END"
        "  AS costs FROM submission s WHERE charged_from IS NOT NULL) s"
        " FULL JOIN hold h ON h.submission_id = s.id AND h.account_id = s.account_id"
        " WHERE s.charged_from IS DISTINCT FROM h.free OR s.costs IS DISTINCT FROM h.messages",
    ),
    Check(
        "each hold counts what its messages ended as",
        _CHARGEABLE + "SELECT c.submission_id AS submission, c.sent, c.sent_waiting, f.sent AS charged_units,"  # noqa: S608
        " c.unsent, c.unsent_waiting, f.unsent AS free_units FROM counted c JOIN fact f USING (submission_id)"
        " WHERE (c.sent + c.sent_waiting, c.unsent + c.unsent_waiting) <> (f.sent, f.unsent)",
    ),
    Check(
        "a hold is closed when all its messages are settled, and only then",
        "SELECT submission_id AS submission, messages, sent, unsent, closed_at FROM hold"
        " WHERE (closed_at IS NOT NULL) <> (sent + unsent = messages)",
    ),
    Check(
        "no settlement stays behind",
        _CHARGEABLE  # noqa: S608
        + "SELECT c.submission_id AS submission, f.finished_at FROM counted c JOIN fact f USING (submission_id)"
        " WHERE c.closed_at IS NULL AND f.sent + f.unsent = c.messages AND f.finished_at < $1",
    ),
    Check(
        "every count that waits has an open hold",
        "SELECT t.id AS tally, t.submission_id AS submission FROM tally t LEFT JOIN hold h"
        " ON h.submission_id = t.submission_id AND h.account_id = t.account_id AND h.closed_at IS NULL"
        " WHERE h.submission_id IS NULL",
    ),
    Check(
        "what was posted and carried is what the holds charged",
        "SELECT coalesce(p.account_id, h.account_id) AS account, p.charged_fen, l.carry_micro, h.charged_micro"  # noqa: S608
        f" FROM ({_POSTED}) p JOIN ledger_account l ON l.account_id = p.account_id AND l.name = 'prepaid'"
        " FULL JOIN (SELECT account_id, sum(sent * unit_micro) AS charged_micro FROM hold GROUP BY 1) h"
        " ON h.account_id = p.account_id"
        " WHERE coalesce(-p.charged_fen * 10000 + l.carry_micro, 0) <> coalesce(h.charged_micro, 0)",
    ),
    Check(
        "every charge belongs to a round of a hold",
        "SELECT j.id AS journal, j.reference AS submission, j.round FROM journal j LEFT JOIN hold h"
        " ON h.submission_id = j.reference AND h.account_id = j.account_id AND j.round BETWEEN 1 AND h.round"
        " WHERE j.kind = 'charge' AND h.submission_id IS NULL",
    ),
    Check(
        "every adjustment belongs to a correction that charged",
        "SELECT j.id AS journal, j.reference AS correction FROM journal j LEFT JOIN"
        " (SELECT id, account_id FROM correction WHERE charging = 'charged' UNION ALL"
        "  SELECT id, account_id FROM sms_correction WHERE charging = 'charged') c"
        " ON c.id = j.reference AND c.account_id = j.account_id"
        " WHERE j.kind = 'adjustment' AND c.id IS NULL",
    ),
    Check(
        "every credited recharge has one credited payment",
        "SELECT r.id AS recharge, r.state, count(p.id) AS credited_payments FROM recharge r"
        " LEFT JOIN payment p ON p.recharge_id = r.id AND p.state = 'credited'"
        " GROUP BY r.id HAVING count(p.id) <> (r.state = 'credited')::int",
    ),
    Check(
        "every credited payment is in the customer's books, whole and once",
        "SELECT coalesce(p.id, b.reference) AS payment, p.state, p.amount_fen, b.booked_fen"
        " FROM (SELECT * FROM payment WHERE state = 'credited') p FULL JOIN"
        " (SELECT j.reference, j.account_id, sum(e.amount_fen) AS booked_fen FROM journal j"
        "  JOIN entry e ON e.journal_id = j.id JOIN ledger_account l ON l.id = e.ledger_account_id"
        "  WHERE j.kind = 'recharge' AND l.name = 'prepaid' AND l.account_id = j.account_id GROUP BY 1, 2) b"
        " ON b.reference = p.id AND b.account_id = p.account_id WHERE p.amount_fen IS DISTINCT FROM b.booked_fen",
    ),
    Check(
        "every payment that goes back is in the books as such",
        "SELECT coalesce(p.id, b.reference) AS payment, p.state, p.owed_fen, b.refunds_fen FROM"
        " (SELECT *, CASE state WHEN 'refund_wanted' THEN amount_fen ELSE 0 END AS owed_fen FROM payment"
        "  WHERE state IN ('refund_wanted', 'refunded')) p FULL JOIN"
        " (SELECT j.reference, sum(e.amount_fen) AS refunds_fen, count(DISTINCT j.id) AS journals FROM journal j"
        "  JOIN entry e ON e.journal_id = j.id JOIN ledger_account l ON l.id = e.ledger_account_id"
        "  WHERE j.kind IN ('refund_due', 'refund') AND l.name = 'refunds' GROUP BY 1) b ON b.reference = p.id"
        " WHERE p.owed_fen IS DISTINCT FROM b.refunds_fen"
        " OR b.journals <> CASE p.state WHEN 'refunded' THEN 2 ELSE 1 END",
    ),
    Check(
        "no order stays open long after its time to pay",
        "SELECT id AS recharge, account_id AS account, amount_fen, expires_at FROM recharge"
        " WHERE state = 'open' AND expires_at < $1",
    ),
    Check(
        "no payment waits long for its refund",
        "SELECT id AS payment, recharge_id AS recharge, account_id AS account, amount_fen, why, seen_at, asked_at"
        " FROM payment WHERE state = 'refund_wanted' AND seen_at < $1",
    ),
)
