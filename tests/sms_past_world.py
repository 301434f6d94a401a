"""SMS of a customer that ended already, by plain rows."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from domain.ids import new_id
from domain.sms import SmsKind
from store.columns import now
from store.db import Database
from tests.sms_world import SmsCustomer


@dataclass(frozen=True)
class Fate:
    """How a message stands."""

    phone: str = "+8613800138000"
    state: str = "delivered"
    reason: str = ""
    submitted: int = 1
    reply: str = ""
    attempts: int = 1


async def texted(
    db: Database, customer: SmsCustomer, *fates: Fate, kind: SmsKind = SmsKind.NOTICE, at: dt.datetime | None = None
) -> UUID:
    """A submission whose messages stand like this; its id."""
    send, accepted = new_id(), at or now()
    await db.pool.execute(
        "INSERT INTO submission (id, account_id, channel, api_user_id, template_version_id, kind, is_test, sender,"
        " sender_name, reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected, is_campaign,"
        " country) VALUES ($1, $2, 'sms', $3, $4, $5, false, '', '', '', 'autumn', $6::timestamptz,"
        " $6::timestamptz + interval '1 day', $7, 0, '[]', false, 'CN')",
        *(send, customer.account, customer.sms_user, customer.versions[kind], kind.value, accepted, len(fates)),
    )
    for ordinal, fate in enumerate(fates):
        await db.pool.execute(
            "INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round,"
            " reason, code, enhanced, reply, host, possible_duplicate, segments, submitted, attempted_at, finished_at)"
            " VALUES ($1, $2, $3, $4, '{}', $5::text, $6, 0, $7, 0, '', $8, '', false, 1, $9, $10::timestamptz,"
            " CASE WHEN $5::text IN ('queued', 'sent') THEN NULL ELSE $10::timestamptz END)",
            *(send, customer.account, ordinal, fate.phone, fate.state, fate.attempts, fate.reason, fate.reply),
            *(fate.submitted, accepted),
        )
    return send
