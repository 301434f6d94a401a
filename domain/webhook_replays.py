"""Sending an endpoint once more what it was told before, and what happened while it was told nothing."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.errors import Refusal
from domain.webhooks import SMS_EVENTS, Event, checked_events

REACH = dt.timedelta(days=30)
"""How far back a replay goes: as long as events are kept."""
REBUILT = (
    Event.REQUEST, Event.DELIVER, Event.INVALID, Event.SOFT_BOUNCE, Event.OPEN, Event.CLICK, Event.UNSUBSCRIBE,
    *SMS_EVENTS,
)  # fmt: skip
"""Events that the rows of messages still tell when they were never owed to this endpoint."""
ONCE = frozenset(
    {
        Event.REQUEST,
        Event.DELIVER,
        Event.INVALID,
        Event.SMS_REQUEST,
        Event.SMS_DELIVER,
        Event.SMS_WORKERERROR,
        Event.SMS_DELIVERERROR,
    }
)
"""Of these a message has one at most."""


class ReplayStage(StrEnum):
    """How far a replay is."""

    REPEATING = "repeating"
    """Events that this endpoint was owed before."""
    REBUILDING = "rebuilding"
    """Events that it was never owed, made of what the rows say."""
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Wanted:
    """What is asked for: events that happened in [since, until), of these kinds (none: what the endpoint hears), of one
    message or request where one is named."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    events: tuple[str, ...] = ()
    submission: UUID | None = None
    message: int | None = None


@dataclass(frozen=True)
class Span:
    """A checked wish."""

    since: dt.datetime
    until: dt.datetime
    events: list[str]


def checked(wanted: Wanted, heard: list[str], now: dt.datetime) -> Span:
    """What will be looked for; `heard` are the endpoint's kinds.

    Raises `Refusal` for a span that is empty, goes too far back, or is everything.
    """
    named = wanted.submission is not None or wanted.message is not None
    if wanted.since is None and not named:
        raise Refusal("webhook_replay_span", field="since")
    earliest = now - REACH
    since, until = wanted.since or earliest, min(wanted.until or now, now)
    if since < earliest - dt.timedelta(minutes=1):
        raise Refusal("webhook_replay_reach", field="since", days=REACH.days)
    if since >= until:
        raise Refusal("webhook_replay_span", field="until")
    kinds = checked_events(list(wanted.events)) if wanted.events else list(heard)
    return Span(since, until, kinds)
