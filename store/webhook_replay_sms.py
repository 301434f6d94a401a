"""What a replay tells of SMS besides their outcomes: replies, and reviews of templates, which are about no message."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from domain import sms_events
from domain.reviews import Decision, ReviewState
from domain.webhooks import Event, OwedEvent
from store.db import Connection

_REPLIES = "SELECT * FROM sms_reply WHERE message_id = ANY($1::bigint[]) AND account_id IS NOT NULL"
_AGAIN = f"""
UPDATE webhook_event SET replay_at = $4, attempts = 0, next_attempt_at = NULL
WHERE endpoint_id = $1 AND message_id IS NULL AND kind = '{Event.SMS_TEMPLATE_VERIFY}'
  AND occurred_at >= $2 AND occurred_at < $3 AND replay_at IS NULL
  AND (delivered_at IS NOT NULL OR given_up_at IS NOT NULL)
RETURNING id
"""  # noqa: S608 - constants of ours
_REVIEWS = f"""
SELECT t.number AS template, v.number AS version, t.name, v.state, v.reason, v.decided_at FROM sms_template_version v
JOIN sms_template t ON t.id = v.template_id
WHERE v.account_id = $1 AND v.decided_at >= $3 AND v.decided_at < $4
  AND v.state IN ('{ReviewState.APPROVED}', '{ReviewState.REJECTED}') AND NOT t.is_builtin
  AND NOT EXISTS (
      SELECT FROM webhook_event e
      WHERE e.endpoint_id = $2 AND e.message_id IS NULL AND e.kind = '{Event.SMS_TEMPLATE_VERIFY}'
        AND e.data ->> 'template_id' = t.number::text AND e.data ->> 'version' = v.number::text)
ORDER BY v.decided_at
"""  # noqa: S608 - constants of ours


async def replies_to(connection: Connection, messages: Sequence[int]) -> list[OwedEvent]:
    """What handsets answered to these messages."""
    return [sms_events.replied(row) for row in await connection.fetch(_REPLIES, list(messages))]


async def review_again(connection: Connection, replay: Any, at: dt.datetime) -> tuple[int, list[OwedEvent]]:
    """Reviews in the span of a replay (its row): how many that the endpoint was told are told again, and those that it
    was never owed. None where the replay is of one message or request, or of other kinds."""
    named = replay["submission_id"] is not None or replay["message_id"] is not None
    if named or Event.SMS_TEMPLATE_VERIFY.value not in replay["events"]:
        return 0, []
    again = await connection.fetch(_AGAIN, replay["endpoint_id"], replay["since"], replay["until"], at)
    account, endpoint = replay["account_id"], replay["endpoint_id"]
    rows = await connection.fetch(_REVIEWS, account, endpoint, replay["since"], replay["until"])
    return len(again), [
        sms_events.reviewed(
            account, row["template"], row["version"], row["name"],
            Decision.APPROVE if row["state"] == ReviewState.APPROVED else Decision.REJECT, row["reason"] or "",
            row["decided_at"],
        )
        for row in rows
    ]  # fmt: skip
