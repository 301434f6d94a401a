"""What webhooks hear of a message's outcome, made of its row."""

from typing import Any

from domain import sms_events
from domain.channels import Channel
from domain.sending import MessageState
from domain.webhooks import Event, OwedEvent, message_data

_EVENTS = {
    MessageState.DELIVERED: Event.DELIVER,
    MessageState.BOUNCED: Event.INVALID,
    MessageState.QUEUED: Event.SOFT_BOUNCE,
    MessageState.UNKNOWN: Event.SOFT_BOUNCE,
}


def outcome_event(row: Any) -> OwedEvent | None:
    """What webhooks hear of a message's outcome, by its row; None where they hear nothing of it.

    Of SMS the row has what `domain.sms_events.ended` reads; of both, `channel`.
    """
    if row["channel"] == Channel.SMS:
        return sms_events.ended(row)
    kind = _EVENTS.get(MessageState(row["state"]))
    if kind is None:
        return None
    data = message_data(row["submission_id"], row["id"], row["ordinal"], row["address"], row["label"]) | {
        "attempt": row["attempts"],
        "state": row["state"],
        "class": row["reason"],
        "code": row["code"],
        "enhanced": row["enhanced"],
        "reply": row["reply"],
    }
    return OwedEvent(row["account_id"], kind, row["id"], row["ended_at"], data)
