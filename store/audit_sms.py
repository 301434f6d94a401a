"""What must hold between SMS, the parts that carriers took, their receipts, and what is uncertain."""

from store.audit_check import Check

CHECKS = (
    Check(
        "each SMS counts the parts that carriers took",
        "SELECT m.id AS message, m.state, m.segments, m.submitted, count(p.part) AS parts FROM message m"
        " JOIN submission s ON s.id = m.submission_id AND s.channel = 'sms'"
        " LEFT JOIN sms_part p ON p.message_id = m.id GROUP BY m.id"
        " HAVING m.submitted <> count(p.part) OR m.submitted > m.segments OR m.state = 'queued' AND m.submitted > 0"
        " OR m.state IN ('sent', 'delivered') AND m.reason <> 'uncertain' AND m.submitted <> m.segments"
        " OR m.state = 'dropped' AND m.submitted > 0",
    ),
    Check(
        "a mail has no parts, and every part has its SMS",
        "SELECT p.message_id AS message, p.attempt, p.part FROM sms_part p LEFT JOIN message m ON m.id = p.message_id"
        " LEFT JOIN submission s ON s.id = m.submission_id AND s.channel = 'sms' WHERE s.id IS NULL",
    ),
    Check(
        "no SMS was submitted twice",
        "SELECT message_id AS message, array_agg(DISTINCT attempt) AS attempts FROM sms_part"
        " GROUP BY message_id HAVING count(DISTINCT attempt) > 1",
    ),
    Check(
        "no SMS was tried again that a carrier may have taken",
        "SELECT m.id AS message, m.state, a.number AS attempt FROM message m"
        " JOIN submission s ON s.id = m.submission_id AND s.channel = 'sms'"
        " LEFT JOIN attempt a ON a.message_id = m.id AND a.kind = 'uncertain'"
        " WHERE a.message_id IS NOT NULL OR m.possible_duplicate",
    ),
    Check(
        "what the receipts of its parts say is what an SMS ended as",
        "SELECT m.id AS message, m.state, array_agg(p.state) AS receipts FROM message m"
        " JOIN sms_part p ON p.message_id = m.id GROUP BY m.id"
        " HAVING m.state = 'sent' AND count(*) = m.segments AND every(p.state <> '')"
        " OR m.state = 'delivered' AND NOT every(p.state = 'DELIVRD')"
        " OR m.state IN ('bounced', 'unknown') AND count(*) = m.segments"
        " AND (every(p.state = 'DELIVRD') OR bool_or(p.state = ''))",
    ),
    Check(
        "pages' totals equal what their SMS came to",
        "SELECT t.*, m.* FROM (SELECT coalesce(sum(delivered + uncertain), 0) AS page_taken,"
        " coalesce(sum(bounced), 0) AS page_bounced, coalesce(sum(dropped), 0) AS page_dropped FROM page"
        " WHERE channel = 'sms') t, (SELECT count(*) FILTER (WHERE x.state IN ('sent', 'delivered', 'unknown')"
        "  OR x.state = 'bounced' AND x.submitted = x.segments) AS taken,"
        " count(*) FILTER (WHERE x.state = 'bounced' AND x.submitted < x.segments) AS bounced,"
        " count(*) FILTER (WHERE x.state = 'dropped') AS dropped FROM message x"
        " JOIN submission s ON s.id = x.submission_id AND s.channel = 'sms') m"
        " WHERE (page_taken, page_bounced, page_dropped) <> (taken, bounced, dropped)",
    ),
    Check(
        "every SMS that is uncertain can still be found by its receipt",
        "SELECT m.id AS message FROM message m JOIN submission s ON s.id = m.submission_id AND s.channel = 'sms'"
        " LEFT JOIN sms_uncertain u ON u.message_id = m.id"
        " WHERE m.state = 'sent' AND m.reason = 'uncertain' AND u.message_id IS NULL",
    ),
    Check(
        "only what is uncertain waits for a receipt that proves it",
        "SELECT u.message_id AS message, m.state, m.reason, u.settled_at FROM sms_uncertain u"
        " LEFT JOIN message m ON m.id = u.message_id WHERE m.reason IS DISTINCT FROM 'uncertain'"
        " OR m.state <> CASE WHEN u.settled_at IS NULL THEN 'sent' ELSE 'unknown' END",
    ),
    Check(
        "no SMS waits for its receipt past its time",
        "SELECT m.id AS message, m.attempted_at FROM message m WHERE m.state = 'sent'"
        " AND m.attempted_at < $1::timestamptz - interval '72 hours'",
    ),
    Check(
        "no receipt waits that could be matched",
        "SELECT r.id AS receipt, r.gateway, p.message_id AS message FROM sms_receipt r"
        " JOIN sms_part p ON p.gateway = r.gateway AND p.smsc_id = r.smsc_id AND p.state = ''"
        " JOIN message m ON m.id = p.message_id AND (m.address = r.phone OR r.phone = '')"
        " WHERE r.fate = '' AND r.smsc_id <> '' AND r.arrived_at < $1",
    ),
    Check(
        "every correction of an SMS is a step forwards, and the last one says what its message is",
        "SELECT c.id AS correction, c.message_id AS message, c.from_state, c.to_state, m.state FROM sms_correction c"
        " LEFT JOIN message m ON m.id = c.message_id AND m.submission_id = c.submission_id"
        " AND m.account_id = c.account_id WHERE m.id IS NULL OR NOT (c.from_state = 'unknown'"
        " OR c.from_state = 'bounced' AND c.from_reason = 'expired')"
        " OR (c.to_state, c.to_reason) IS DISTINCT FROM (m.state, m.reason)"
        " AND NOT EXISTS (SELECT FROM sms_correction n WHERE n.message_id = c.message_id"
        " AND (n.from_state, n.from_reason) = (c.to_state, c.to_reason))",
    ),
)
