"""An event as SendCloud posts it: form fields, the signature of an APP KEY, codes of what failed (reference §8, §6.12).

Of one request SendCloud says `request` once, with all recipients; ours is per message, so each form names one recipient
in its arrays. `timestamp` is when the event happened, and the same at every try; `token` is new each time.
"""

import datetime as dt
import hmac
import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from domain.custom_headers import ECHOED
from domain.sendcloud import message_id, task_id

KEY_LENGTH, TOKEN_LENGTH = 32, 50
CONTENT_TYPE = "application/x-www-form-urlencoded"
_LETTERS = string.ascii_letters + string.digits
MESSAGES = {
    "request": "successfully request",
    "deliver": "Successfully delivered",
    "open": "open email",
    "click": "click email",
    "unsubscribe": "unsubscribe email",
    "report_spam": "report spam",
    "route": "mx route",
}
"""`message` of each event, word for word; what failed says the receiving server's reply."""
VISITOR = ("ip", "explorerName", "explorerVer", "oSName", "oSVer")
"""Of an open, a click or an unsubscription; empty here, for we keep no record of visitors."""
STATES = {
    "suppressed": (1, "blacklist"),
    "suppressed.unsubscribe": (2, "unsubscribed"),
    "soft.conn": (3, "server unreachable"),
    "hard.bad_domain": (3, "server unreachable"),
    "expired": (3, "server unreachable"),
    "hard.smtputf8": (4, "address format error"),
    "block.ip": (5, "IP or domain rejected"),
    "block.auth": (5, "IP or domain rejected"),
    "soft.rate_limited": (5, "IP or domain rejected"),
    "hard.invalid_mailbox": (6, "address does not exist"),
    "block.content": (7, "spam"),
    "hard.disabled": (8, "sender or recipient rejected"),
    "soft.full": (8, "sender or recipient rejected"),
    "soft.greylist": (8, "sender or recipient rejected"),
}
"""Our reasons as the last digit of their sub-status, and what it says."""
OTHER = (9, "other")
INVALID, SOFT = 400, 500


@dataclass(frozen=True)
class About:
    """What the rows say of an event's message besides the event's data."""

    api_user: str = ""
    is_campaign: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    """`SC-Custom-…` of the mail as it was handed in."""


def app_key() -> str:
    """32 letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(KEY_LENGTH))


def new_token() -> str:
    """50 letters and digits."""
    return secrets.token_hex(TOKEN_LENGTH // 2)


def signature(key: str, timestamp: int, token: str) -> str:
    """Lower-case hexadecimal HMAC-SHA256 of the time's digits and the token (reference §8.2)."""
    return hmac.digest(key.encode(), f"{timestamp}{token}".encode(), "sha256").hex()


def echoed(headers: Mapping[str, str]) -> dict[str, str]:
    """Of a mail's own fields those that its sender wants to hear again."""
    return {name: value for name, value in headers.items() if name.lower().startswith(ECHOED)}


def sub_state(kind: str, reason: str) -> tuple[int, str]:
    """`subStat` and `subStatDesc`: 401–409 of what is final, 503–509 of what may still be delivered."""
    place, words = STATES.get(reason, OTHER)
    if kind == "invalid":
        return INVALID + place, words
    return SOFT + (place if place >= 3 and place != 4 else OTHER[0]), words


def form_of(kind: str, occurred_at: dt.datetime, data: Mapping[str, Any], about: About) -> dict[str, str]:
    """The fields of an event, without its signature."""
    fields = {"event": kind, "message": MESSAGES.get(kind) or str(data.get("reply") or kind)}
    if "submission_id" in data:
        fields |= _common(data, about)
        fields |= _one(kind, data)
    if kind == "route":
        fields |= {name: _text(value) for name, value in data.items() if name not in fields}
    return fields | {"timestamp": str(int(occurred_at.timestamp() * 1000))}


def signed_form(fields: Mapping[str, str], key: str, token: str) -> bytes:
    """The body that is posted."""
    signed = {"token": token, "signature": signature(key, int(fields["timestamp"]), token)}
    return urlencode({**fields, **signed}).encode()


def _common(data: Mapping[str, Any], about: About) -> dict[str, str]:
    task = str(task_id(UUID(data["submission_id"]))) if about.is_campaign else ""
    label = str(data.get("label") or "")
    return {
        "apiUser": about.api_user,
        "category": about.api_user,
        "maillistTaskId": task,
        "mail_list_task_id": task,
        "labelId": label if label.isascii() and label.isdigit() else "0",
        "labelName": label,
        "userHeaders": _text(dict(about.headers)),
    }


def _one(kind: str, data: Mapping[str, Any]) -> dict[str, str]:
    """Whom the event is about, and what belongs to its kind."""
    name, recipient = message_id(UUID(data["submission_id"])), str(data.get("recipient", ""))
    email = f"{name}{data.get('ordinal', 0)}${recipient}"
    if kind == "request":
        arrays = {"recipientArray": _text([recipient]), "emailIds": _text([email])}
        return {"messageId": name, **arrays, "recipientSize": "1"}
    fields = {"emailId": email, "recipient": recipient}
    if kind in ("open", "click", "unsubscribe"):
        fields |= dict.fromkeys(VISITOR, "")
    if kind == "click":
        fields["url"] = str(data.get("url", ""))
    if kind in ("invalid", "soft_bounce"):
        code, words = sub_state(kind, str(data.get("class", "")))
        fields |= {"subStat": str(code), "subStatDesc": words}
    if kind == "soft_bounce":
        fields["cause"] = str(data.get("reply", ""))
    return fields


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
