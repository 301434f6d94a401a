"""A received mail taken apart for people and tests: headers, text, HTML, attachments."""

from __future__ import annotations

import json
from email.message import EmailMessage, Message
from email.parser import BytesParser
from typing import Any

from sandbox.mailbox import readable

_PART_LIMIT = 2_000_000  # characters of one part; a browser page has no use for more


def detail(row: dict[str, Any]) -> dict[str, Any]:
    """A mailbox row with its source taken apart; ``raw`` becomes text (what is no UTF-8 is replaced)."""
    raw = bytes(row["raw"])
    message = BytesParser().parsebytes(raw)
    shown = {key: value for key, value in row.items() if key not in ("raw", "dkim_detail")}
    return {
        **shown,
        "headers": [[name, readable(value)] for name, value in message.items()],
        "text": _body(message, "text/plain"),
        "html": _body(message, "text/html"),
        "attachments": _attachments(message),
        "signatures": json.loads(row["dkim_detail"] or "[]"),
        "raw": raw.decode("utf-8", "replace"),
    }


def _body(message: Message, content_type: str) -> str:
    for part in message.walk():
        if part.get_content_type() == content_type and part.get_content_disposition() != "attachment":
            return _decoded(part)
    return ""


def _decoded(part: Message | EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    try:
        text = data.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:  # a charset nobody knows
        text = data.decode("utf-8", "replace")
    return text[:_PART_LIMIT]


def _attachments(message: Message) -> list[dict[str, Any]]:
    found = []
    for part in message.walk():
        if part.get_filename() or part.get_content_disposition() == "attachment":
            payload = part.get_payload(decode=True)
            size = len(payload) if isinstance(payload, bytes) else 0
            found.append({"name": readable(part.get_filename()), "type": part.get_content_type(), "size": size})
    return found
