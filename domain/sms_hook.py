"""An event of SMS as SendCloud posts it to an SMSHook: form fields (reference §8.5), signed like those of mail (§8.2).

SendCloud says `request` once for all numbers of a request; ours is per message, so each form names one number in its
arrays. Its page shows neither the form of times nor where `tag` comes back: times are written as everywhere in that API
(Asia/Shanghai), the tag comes back as `tag` and as `customArgs`.
"""

import base64
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from uuid import UUID

from domain.sendcloud_sms import sms_id, wire_phone
from domain.sms_results import ResultCode
from domain.times import SHANGHAI
from domain.webhooks import Event


class EventType(IntEnum):
    """`eventType`, by the name that `event` says."""

    request = 1
    deliver = 2
    workererror = 4
    delivererror = 5
    reply = 6
    templateVerify = 8  # noqa: N815 - the name on the wire


TYPES = {
    Event.SMS_REQUEST: EventType.request,
    Event.SMS_DELIVER: EventType.deliver,
    Event.SMS_WORKERERROR: EventType.workererror,
    Event.SMS_DELIVERERROR: EventType.delivererror,
    Event.SMS_REPLY: EventType.reply,
    Event.SMS_TEMPLATE_VERIFY: EventType.templateVerify,
}
MESSAGES = {
    Event.SMS_REQUEST: "request",
    Event.SMS_DELIVER: "Successfully delivered",
    Event.SMS_REPLY: "reply",
    Event.SMS_TEMPLATE_VERIFY: "templateVerify",
}
FAILURES = {
    ResultCode.PROCESSING: "smsworker:not sent",
    ResultCode.BLOCKED_GLOBAL: "smsworker:address in global bounce list",
    ResultCode.BLOCKED_LOCAL: "smsworker:address in local bounce list",
    ResultCode.OPTED_OUT: "smsworker:address in unsubscribe list",
    ResultCode.KEYWORD: "smsworker:keyword in content",
    ResultCode.VARIABLES: "smsworker:vars error",
    ResultCode.TOO_LONG: "smsworker:content longer than 500",
    ResultCode.EMPTY_NUMBER: "empty phone number",
    ResultCode.SUSPENDED: "out of service",
    ResultCode.BLACKLISTED: "operator blacklist",
    ResultCode.BUSY: "busy",
    ResultCode.NO_ANSWER: "no answer",
    ResultCode.INTERCEPTED: "complaint or intercepted",
    ResultCode.HANDSET: "handset problem",
    ResultCode.OUT_OF_AREA: "not in service area",
    ResultCode.SWITCHED_OFF: "shut down",
    ResultCode.OTHER: "other",
}
"""`message` of a failure; those of 420 and 430 are SendCloud's, the others are written like them."""
APPROVED, REJECTED = "1", "-1"
DOMESTIC, INTERNATIONAL = "0", "2"
"""`msgType` (reference §7.3)."""


@dataclass(frozen=True)
class SmsAbout:
    """What the rows say of an event's message besides the event's data."""

    account: UUID
    sms_user: str = ""
    template: int | None = None
    label: int = 0
    submitted_at: dt.datetime | None = None
    """When a carrier took it."""


def form_of(kind: str, occurred_at: dt.datetime, data: Mapping[str, Any], about: SmsAbout) -> dict[str, str]:
    """The fields of an event, without its signature."""
    event = Event(kind)
    template = data.get("template_id", about.template)
    fields = {
        "event": TYPES[event].name,
        "eventType": str(TYPES[event].value),
        "message": MESSAGES.get(event, ""),
        "userId": str(user_id(about.account)),
        "smsUser": about.sms_user,
        "templateId": "" if template is None else str(template),
        "labelId": str(about.label),
    }
    fields |= _own(event, data) | _times(event, occurred_at, about)
    return fields | {"timestamp": str(int(occurred_at.timestamp() * 1000))}


def user_id(account: UUID) -> int:
    """SendCloud numbers its users; ours is made of the account's random bits, and the same at every event."""
    return account.int & (1 << 31) - 1


def _own(event: Event, data: Mapping[str, Any]) -> dict[str, str]:
    """What belongs to its kind."""
    if event is Event.SMS_TEMPLATE_VERIFY:
        result = APPROVED if data["approved"] else REJECTED
        return {"name": data["name"], "verfiyResult": result, "verfiyComment": data["reason"]}  # as SendCloud spells it
    if event is Event.SMS_REPLY:
        return _reply(data)
    return _message(event, data)


def _times(event: Event, occurred_at: dt.datetime, about: SmsAbout) -> dict[str, str]:
    """Of what a carrier had: when it took the message, and when it reported of it."""
    if event not in (Event.SMS_DELIVER, Event.SMS_DELIVERERROR):
        return {}
    taken = "" if about.submitted_at is None else _written(about.submitted_at)
    return {"outboundTime": taken, "receiptTime": _written(occurred_at)}


def _written(at: dt.datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def _reply(data: Mapping[str, Any]) -> dict[str, str]:
    return {
        "phone": wire_phone(data["phone"]),
        "replyContent": data["content"],
        "encodeReplyContent": encoded(data["content"]),
        "replyTime": _written(dt.datetime.fromisoformat(data["replied_at"])),
    }


def _message(event: Event, data: Mapping[str, Any]) -> dict[str, str]:
    phone = wire_phone(data["phone"])
    name = sms_id(UUID(data["submission_id"]), data["ordinal"], data["phone"])
    fields = {
        "msgType": DOMESTIC if data["phone"].startswith("+86") else INTERNATIONAL,
        "msgCount": str(data["segments"]),
        "tag": data["tag"],
        "customArgs": data["tag"],
    }
    if event is Event.SMS_REQUEST:
        return fields | {"smsIds": json.dumps([name]), "phones": json.dumps([phone])}
    fields |= {"smsId": name, "phone": phone}
    if event is Event.SMS_DELIVER:
        return fields
    message = FAILURES[ResultCode(data["status_code"])]
    return fields | {"message": message, "encodeMessage": encoded(message), "statusCode": str(data["status_code"])}


def encoded(text: str) -> str:
    """Base64 of its UTF-8."""
    return base64.b64encode(text.encode()).decode()
