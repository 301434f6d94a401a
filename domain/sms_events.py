"""What webhooks hear of SMS: each event made of rows, so that a replay makes the same one again."""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain.ids import iso
from domain.reviews import Decision
from domain.sending import MessageState
from domain.sms_results import code_of
from domain.webhooks import Event, OwedEvent

DELIVERED = 200
"""`status_code` of what arrived; 4xx and 5xx: `domain.sms_results.ResultCode`."""


def requested(row: Mapping[str, Any], at: dt.datetime) -> OwedEvent:
    """An SMS was accepted.

    Of `row` it reads `account_id`, `submission_id`, `id`, `ordinal`, `address`, `label`, `tag`, `segments`.
    """
    return OwedEvent(row["account_id"], Event.SMS_REQUEST, row["id"], at, _message(row))


def ended(row: Mapping[str, Any]) -> OwedEvent | None:
    """What became of an SMS; None while it waits, and as long as nobody knows more than that a carrier took it.

    Of `row` it reads what `requested` does, and `state`, `reason`, `reply` (the carrier's words), `submitted` (its
    parts that a carrier took), `ended_at`.
    """
    state = MessageState(row["state"])
    if state in (MessageState.QUEUED, MessageState.SENT):
        return None
    data = _message(row) | {"submitted": row["submitted"], "state": state.value}
    if state is MessageState.DELIVERED:
        data |= {"status_code": DELIVERED, "class": "", "reply": row["reply"]}
        return OwedEvent(row["account_id"], Event.SMS_DELIVER, row["id"], row["ended_at"], data)
    code = code_of(row["reason"])
    kind = Event.SMS_DELIVERERROR if code.is_delivery else Event.SMS_WORKERERROR
    data |= {"status_code": int(code), "class": row["reason"], "reply": row["reply"]}
    return OwedEvent(row["account_id"], kind, row["id"], row["ended_at"], data)


def replied(row: Mapping[str, Any]) -> OwedEvent:
    """A handset answered.

    Of `row` it reads `id` (of the reply), `account_id`, `message_id` (of what it answers), `phone`, `content`,
    `is_opt_out`, `at`.
    """
    data = {
        "reply_id": str(row["id"]),
        "message_id": row["message_id"],
        "phone": row["phone"],
        "content": row["content"],
        "opt_out": row["is_opt_out"],
        "replied_at": iso(row["at"]),
    }
    return OwedEvent(row["account_id"], Event.SMS_REPLY, row["message_id"], row["at"], data)


def reviewed(
    account: UUID, template: int, version: int, name: str, decision: Decision, reason: str, at: dt.datetime
) -> OwedEvent:
    """A template was approved or rejected. `template` is its number (SendCloud's templateId), `reason` the reviewer's
    words."""
    data = {
        "template_id": template,
        "version": version,
        "name": name,
        "approved": decision is Decision.APPROVE,
        "reason": reason,
    }
    return OwedEvent(account, Event.SMS_TEMPLATE_VERIFY, None, at, data)


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "submission_id": str(row["submission_id"]),
        "message_id": row["id"],
        "ordinal": row["ordinal"],
        "phone": row["address"],
        "segments": row["segments"],
        "label": row["label"],
        "tag": row["tag"],
    }
