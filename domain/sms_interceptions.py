"""What customers and operators may do with the interception list and the opt-out list."""

import datetime as dt

from domain.errors import Refusal

MAX_AT_ONCE = 1_000
"""Numbers or records of one request."""
MAX_IMPORTED = 100_000
"""Lines of a file."""
MAX_NOTE = 200
"""Characters of a customer's words to support."""
MAX_OPEN_REQUESTS = 50
"""Requests of an account that wait for support."""
LONGEST_BLOCK = dt.timedelta(days=365)
"""That an operator enters: numbers are given to others (domain-rules §4.4)."""


def checked_note(text: str) -> str:
    """A customer's words to support. Raises `Refusal` on field `note`."""
    words = text.replace("\0", "").strip()
    if not words:
        raise Refusal("required", field="note")
    if len(words) > MAX_NOTE:
        raise Refusal("text_too_long", field="note", limit=MAX_NOTE)
    return words


def checked_count(wanted: int, field: str) -> None:
    """Raises `Refusal` for none, and for more than `MAX_AT_ONCE`."""
    if wanted < 1:
        raise Refusal("required", field=field)
    if wanted > MAX_AT_ONCE:
        raise Refusal("sms_too_many_at_once", field=field, limit=MAX_AT_ONCE)


def checked_days(days: int) -> dt.timedelta:
    """How long an operator's record blocks. Raises `Refusal` on field `days`."""
    if not 1 <= days <= LONGEST_BLOCK.days:
        raise Refusal("sms_block_days", field="days", limit=LONGEST_BLOCK.days)
    return dt.timedelta(days=days)
