"""SMS users (SMS_USER): whom requests to send SMS name, and sign for (seed 3.3, reference §7.1)."""

import re

from domain.errors import Refusal

MAX_SMS_USERS = 20
"""Enabled ones of one account."""
_NAME = re.compile(r"[a-z0-9_]{3,32}")


def require_name(text: str) -> str:
    """The name of a new SMS user; raises `Refusal` on field `name`."""
    name = text.strip()
    if not name:
        raise Refusal("required", field="name")
    if not _NAME.fullmatch(name):
        raise Refusal("sms_user_bad_name", field="name", name=name[:40])
    return name
