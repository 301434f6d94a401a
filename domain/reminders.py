"""When a customer who is stuck on the path is reminded, and when a person of ours should look."""

import datetime as dt
from dataclasses import dataclass

from domain.policy import Policy

REMIND_AFTER = (dt.timedelta(days=3), dt.timedelta(days=7), dt.timedelta(days=14))
"""Time at the same step after which each reminder goes out; there is no fourth."""
HUMAN_AFTER = dt.timedelta(days=21)
"""Time at the same open step after which the process asks for a person: reminding did not help."""
LOOK_EVERY = dt.timedelta(days=1)
"""The safety net under nudges: rows are read at least this often."""
SHORTEST_WAIT = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class Stay:
    """How long a customer has been at the present step. `sent` counts the reminders of this stay."""

    since: dt.datetime
    sent: int = 0
    open_step: bool = True
    """The step can be taken today."""
    waits_for_customer: bool = True
    """The next move is the customer's, not ours."""
    optional: bool = False
    """A free customer may stay here for ever, and needs nobody's help."""


def due_reminder(stay: Stay, now: dt.datetime, policy: Policy) -> int | None:
    """The number (1-based) of the reminder to send now, or None.

    After an outage only the latest one that is due goes out, not the row of them.
    """
    if not (stay.open_step and stay.waits_for_customer):
        return None
    passed = sum(now - stay.since >= policy.scaled(after) for after in REMIND_AFTER)
    return passed if passed > stay.sent else None


def needs_human(stay: Stay, now: dt.datetime, policy: Policy) -> bool:
    """Whether the customer has been stuck for so long that a person should look."""
    return stay.open_step and not stay.optional and now - stay.since >= policy.scaled(HUMAN_AFTER)


def next_look(stay: Stay, now: dt.datetime, policy: Policy) -> dt.timedelta:
    """How long to wait for a nudge before the rows are read anyway."""
    moments = [stay.since + policy.scaled(after) for after in (*REMIND_AFTER[stay.sent :], HUMAN_AFTER)]
    waits = [moment - now for moment in moments if moment > now] if stay.open_step else []
    return max(SHORTEST_WAIT, min([*waits, policy.scaled(LOOK_EVERY)]))
