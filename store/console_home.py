"""The numbers on the console's first page."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import text

from store.db import Session

_NUMBERS = text("""
SELECT (SELECT count(*) FROM template_version WHERE state = 'submitted') AS templates,
       (SELECT count(*) FROM template_version WHERE state = 'submitted' AND due_at < :now) AS templates_overdue,
       (SELECT count(*) FROM certification WHERE state = 'submitted' AND NOT exception) AS certifications,
       (SELECT count(*) FROM certification WHERE state = 'submitted' AND NOT exception AND due_at < :now)
           AS certifications_overdue,
       (SELECT count(*) FROM certification WHERE state = 'submitted' AND exception) AS exceptions,
       (SELECT count(*) FROM certification WHERE state = 'submitted' AND exception AND due_at < :now)
           AS exceptions_overdue,
       (SELECT count(*) FROM sms_template_version WHERE state = 'submitted') AS sms_templates,
       (SELECT count(*) FROM sms_template_version WHERE state = 'submitted' AND due_at < :now)
           AS sms_templates_overdue,
       (SELECT count(*) FROM sms_signature WHERE state = 'submitted') AS sms_signatures,
       (SELECT count(*) FROM sms_signature WHERE state = 'submitted' AND due_at < :now) AS sms_signatures_overdue,
       (SELECT count(*) FROM clockwork WHERE needs_human IS NOT NULL OR attention IS NOT NULL) AS stuck,
       (SELECT count(*) FROM refused_notice WHERE at > :week) AS refused_notices,
       (SELECT count(*) FROM payment WHERE state = 'refund_wanted') AS refunds_wanted,
       (SELECT count(*) FROM contact_request WHERE handled_at IS NULL) AS letters,
       (SELECT count(*) FROM sms_unblock_request WHERE decided_at IS NULL) AS sms_unblocks
""")


@dataclass(frozen=True)
class HomeNumbers:
    """What waits for operators. `refused_notices` are those of the last seven days."""

    templates: int
    templates_overdue: int
    certifications: int
    certifications_overdue: int
    exceptions: int
    exceptions_overdue: int
    sms_templates: int
    sms_templates_overdue: int
    sms_signatures: int
    sms_signatures_overdue: int
    stuck: int
    refused_notices: int
    refunds_wanted: int
    letters: int
    sms_unblocks: int


async def numbers(session: Session, at: dt.datetime) -> HomeNumbers:
    """One look at everything."""
    connection = await session.connection()
    result = await connection.execute(_NUMBERS, {"now": at, "week": at - dt.timedelta(days=7)})
    return HomeNumbers(**result.mappings().one())
