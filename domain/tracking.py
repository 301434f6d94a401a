"""What recipients do with a mail, and which of it is told to webhooks."""

import datetime as dt
from enum import StrEnum


class Act(StrEnum):
    """One kind of act. The first three are done by a link of the mail (`domain.link_tokens.LinkKind`)."""

    OPEN = "open"
    CLICK = "click"
    UNSUBSCRIBE = "unsubscribe"
    COMPLAINT = "complaint"
    """Reported as spam, as a provider's feedback loop told."""


BURST = dt.timedelta(minutes=1)
"""What comes sooner after the same act is counted, and not told: a double click, a scanner, a flood of one link."""


def worth_telling(first: bool, before: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether an open or a click is owed to webhooks; `before` is when the same link was last used."""
    return first or before is None or now - before >= BURST
