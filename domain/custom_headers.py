"""Header fields of the customer's own that go into a mail: few, short, and none that a receiver takes for ours.

`SC-Custom-*` come back in webhooks (reference/sendcloud-api.md §3.1, §4); the other two thread a conversation.
"""

import re
from collections.abc import Iterable

from domain.variables import one_line

MOST = 20
LONGEST = 500
"""Characters of a value."""
ECHOED = "sc-custom-"
_KEPT = re.compile(r"sc-custom-[a-z0-9-]{1,30}|references|in-reply-to")
"""A list of what is allowed: From, Sender, Received, DKIM-Signature, List-Unsubscribe, Message-ID, MIME-* and all that
nobody thought of stay ours."""


def may_keep(name: str, value: str) -> bool:
    """Whether a field is one of them."""
    return len(value) <= LONGEST and _KEPT.fullmatch(name.lower()) is not None


def kept(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Of fields that may be kept, by name as written: the first of each name, one line each, the others are left."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in fields:
        said = one_line(value)
        if said and len(found) < MOST:
            found.setdefault(name.lower(), (name, said))
    return dict(found.values())
