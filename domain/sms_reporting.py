"""What receipts make of an SMS: when it is final, what as, what it costs then (domain-rules §4.1). Pure."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from domain.sending import MessageState, Reason
from domain.sms_results import SmsReason, result_of
from domain.sms_transport import ReceiptState

LATE = "LATE"
"""State of a part whose message ended without its receipt; one that still comes counts."""
OPEN = ("", LATE)
"""States of parts that a receipt may still change."""
EARLY = dt.timedelta(seconds=15)
"""So long a receipt without a part waits for the commit that records it: longer than a sender's lease. Only then may it
be that of an uncertain message."""
WAITS = dt.timedelta(minutes=5)
"""Then a receipt without a message is nobody's."""
KEPT = dt.timedelta(days=7)
"""Receipts that are nobody's, for people to look at."""
_KNOWN = frozenset(ReceiptState)


def is_final(state: str) -> bool:
    """Whether a receipt's state ends its part. What no standard knows is a carrier's own word for a failure."""
    return state not in _KNOWN or ReceiptState(state).is_final


@dataclass(frozen=True)
class PartWord:
    """The receipt of a part, or `state` one of `OPEN`."""

    state: str
    error: str


@dataclass(frozen=True)
class Stand:
    """A message as a receipt finds it."""

    state: MessageState
    reason: str
    segments: int


@dataclass(frozen=True)
class Verdict:
    """What the message becomes. `corrects`: it had ended without a receipt."""

    state: MessageState
    reason: str
    reply: str
    corrects: bool


def judge(stand: Stand, parts: Sequence[PartWord]) -> Verdict | None:
    """What all receipts of its parts, in order, make of a message; None: nothing (yet).

    The first part that failed says why: a text that lacks a part was not delivered.
    """
    if len(parts) < stand.segments or any(part.state in OPEN for part in parts):
        return None
    ended = stand.state is MessageState.UNKNOWN or (
        stand.state is MessageState.BOUNCED and stand.reason == Reason.EXPIRED
    )
    if stand.state is not MessageState.SENT and not ended:
        return None
    failed = next((part for part in parts if part.state != ReceiptState.DELIVRD), None)
    if failed is None:
        return Verdict(MessageState.DELIVERED, "", parts[-1].state, ended)
    reason = result_of(failed.state, failed.error)
    return Verdict(MessageState.BOUNCED, reason, f"{failed.state} {failed.error}".strip(), ended)


def is_uncertain(state: str, reason: str) -> bool:
    """A carrier may have taken it, and nobody knows; its money is held."""
    return state == MessageState.SENT and reason == SmsReason.UNCERTAIN
