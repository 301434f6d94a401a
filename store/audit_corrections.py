"""What must hold between messages, the corrections of their outcomes, and the reports that made them."""

from store.audit_check import Check

CHECKS = (
    Check(
        "every correction is a step forwards, and the last one says what its message is",
        "SELECT c.id AS correction, c.message_id AS message, c.from_state, c.to_state, m.state FROM correction c"
        " LEFT JOIN message m ON m.id = c.message_id AND m.submission_id = c.submission_id"
        " AND m.account_id = c.account_id"
        " WHERE m.id IS NULL OR (c.from_state, c.to_state) NOT IN"
        " (('delivered', 'bounced'), ('unknown', 'bounced'), ('unknown', 'delivered'))"
        " OR NOT EXISTS (SELECT FROM correction n WHERE n.message_id = c.message_id AND n.from_state = c.to_state)"
        " AND (c.to_state, c.to_reason, c.to_code) IS DISTINCT FROM (m.state, m.reason, m.code)",
    ),
    Check(
        "every correction has the report that made it, and every report that corrects has a correction",
        "SELECT coalesce(r.id, c.report_id) AS report, coalesce(r.message_id, c.message_id) AS message, r.effect"
        " FROM (SELECT * FROM report WHERE effect = 'corrected') r FULL JOIN correction c"
        " ON c.report_id = r.id AND c.message_id = r.message_id AND c.account_id = r.account_id"
        " AND c.to_reason = r.reason WHERE r.id IS NULL OR c.id IS NULL",
    ),
    Check(
        "no report waits for the outcome of a message that has one",
        "SELECT r.id AS report, r.message_id AS message, r.received_at FROM report r"
        " LEFT JOIN message m ON m.id = r.message_id"
        " WHERE r.effect = 'waiting' AND m.state IS DISTINCT FROM 'queued' AND r.received_at < $1",
    ),
    Check(
        "what was not charged although it was handed over was chargeable",
        "SELECT c.id AS correction, c.message_id AS message, c.charging FROM correction c"
        " JOIN message m ON m.id = c.message_id JOIN submission s ON s.id = c.submission_id"
        " WHERE (c.charging <> '') <> (c.from_state = 'unknown' AND coalesce(m.ordinal >= s.charged_from, false))",
    ),
)
