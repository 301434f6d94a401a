"""What must hold between what was counted of senders and what their messages ended as (design §4.9).

The rule of `store.signals` is written here once more, from the message rows. A correction is part of both sides.
"""

from store.audit_check import Check

_COUNTED = """
WITH counted AS (
    SELECT account_id, sum(delivered) AS delivered, sum(deferred) AS deferred, sum(hard) AS hard,
        sum(refused) AS refused, sum(expired) AS expired, sum(complained) AS complained,
        sum(unsubscribed) AS unsubscribed
    FROM (SELECT account_id, delivered, deferred, hard, refused, expired, complained, unsubscribed FROM signal_count
          UNION ALL SELECT account_id, delivered, deferred, hard, refused, expired, complained, unsubscribed
          FROM signal_tally) either
    GROUP BY 1
)
"""

CHECKS = (
    Check(
        "what was counted of each sender is what its messages ended as",
        _COUNTED  # noqa: S608 - constants of ours
        + "SELECT account_id AS account, c.delivered, m.delivered AS messages_delivered, c.hard,"
        " m.hard AS messages_hard, c.refused, m.refused AS messages_refused, c.expired, m.expired AS messages_expired"
        " FROM counted c FULL JOIN (SELECT x.account_id, count(*) FILTER (WHERE state = 'delivered') AS delivered,"
        "  count(*) FILTER (WHERE state = 'bounced' AND reason LIKE 'hard.%') AS hard,"
        "  count(*) FILTER (WHERE state = 'bounced' AND reason NOT LIKE 'hard.%' AND reason <> 'expired') AS refused,"
        "  count(*) FILTER (WHERE state = 'bounced' AND reason = 'expired') AS expired"
        "  FROM message x JOIN submission s ON s.id = x.submission_id AND s.channel = 'email' GROUP BY 1) m"
        " USING (account_id)"
        " WHERE (coalesce(c.delivered, 0), coalesce(c.hard, 0), coalesce(c.refused, 0), coalesce(c.expired, 0))"
        " <> (coalesce(m.delivered, 0), coalesce(m.hard, 0), coalesce(m.refused, 0), coalesce(m.expired, 0))",
    ),
    Check(
        "every try that was put off is counted",
        _COUNTED  # noqa: S608 - constants of ours
        + "SELECT account_id AS account, c.deferred, t.tries FROM counted c FULL JOIN"
        " (SELECT m.account_id, count(*) AS tries FROM attempt a JOIN message m ON m.id = a.message_id"
        "  JOIN submission s ON s.id = m.submission_id AND s.channel = 'email'"
        "  WHERE a.kind = 'deferred' GROUP BY 1) t USING (account_id)"
        " WHERE coalesce(c.deferred, 0) <> coalesce(t.tries, 0)",
    ),
    Check(
        "every complaint is counted, and everybody who unsubscribed",
        _COUNTED  # noqa: S608 - constants of ours
        + "SELECT account_id AS account, c.complained, e.complaints, c.unsubscribed, e.unsubscriptions"
        " FROM counted c FULL JOIN (SELECT account_id, count(*) FILTER (WHERE kind = 'complaint') AS complaints,"
        "  count(*) FILTER (WHERE kind = 'unsubscribe') AS unsubscriptions FROM engagement GROUP BY 1) e"
        " USING (account_id) WHERE (coalesce(c.complained, 0), coalesce(c.unsubscribed, 0))"
        " <> (coalesce(e.complaints, 0), coalesce(e.unsubscriptions, 0))",
    ),
)
