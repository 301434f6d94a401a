"""What becomes of an SMS when a dialogue with a carrier ends, and when it is tried again (domain-rules §4.1). Pure."""

import datetime as dt
from dataclasses import dataclass, replace

from domain.outcomes import bounded
from domain.sending import Curve, MessageState, Outcome, OutcomeKind, retry_at
from domain.sms_results import SmsReason
from domain.sms_transport import Submitted

CURVE = Curve(tuple(dt.timedelta(seconds=seconds) for seconds in (5, 10, 20, 60, 120, 300)))
"""A code is worth nothing after minutes, so its first tries follow each other closely."""
EXPIRED = Outcome(OutcomeKind.BOUNCED, SmsReason.EXPIRED, text="its time to live ended before a carrier took it")
BROKEN = Submitted(Outcome(OutcomeKind.UNCERTAIN, SmsReason.UNCERTAIN, text="the dialogue ended without an answer"))
"""What is known of a dialogue that was broken off by a fault of ours, until it says otherwise."""
REFERENCES = 2**16
_KNOWN = frozenset(SmsReason)


@dataclass(frozen=True)
class SmsEnd:
    """What the message becomes; `next_at` when it is tried again; the ids of the parts that were taken."""

    outcome: Outcome
    state: MessageState
    next_at: dt.datetime | None
    ids: tuple[str, ...]


def reference_of(message: int) -> int:
    """What is sent along as `user_message_reference`, 16 bits."""
    return message % REFERENCES


def settle_sms(submitted: Submitted, attempts: int, expires_at: dt.datetime, now: dt.datetime, scale: float) -> SmsEnd:
    """After a try, when there were `attempts` before it.

    Nothing of which a carrier may have taken a part is ever sent again: who gets a text twice, or the first half of it
    twice, was written to twice.
    """
    outcome, ids = replace(submitted.outcome, reason=_reason(submitted.outcome)), submitted.ids
    match outcome.kind:
        case OutcomeKind.DELIVERED:
            return SmsEnd(outcome, MessageState.SENT, None, ids)
        case OutcomeKind.UNCERTAIN:
            return SmsEnd(replace(outcome, reason=SmsReason.UNCERTAIN), MessageState.SENT, None, ids)
        case OutcomeKind.DROPPED:
            return SmsEnd(outcome, MessageState.DROPPED, None, ())
        case OutcomeKind.DEFERRED if not ids:
            again = retry_at(now, attempts + 1, expires_at, scale, CURVE)
            if again is not None:
                return SmsEnd(outcome, MessageState.QUEUED, again, ())
            outcome = replace(outcome, reason=SmsReason.EXPIRED)
    return SmsEnd(replace(outcome, kind=OutcomeKind.BOUNCED), MessageState.BOUNCED, None, ids)


def _reason(outcome: Outcome) -> str:
    """In the words of SMS; a carrier that refuses a number says nothing certain of it."""
    if outcome.kind is OutcomeKind.DELIVERED:
        return ""
    return outcome.reason if outcome.reason in _KNOWN else SmsReason.OTHER


def refusal_to_make(error: Exception) -> Outcome:
    """Its text cannot be made: the class of the error is all that may be kept."""
    return Outcome(OutcomeKind.DROPPED, SmsReason.VARIABLES, text=bounded(type(error).__name__))


def held(reason: str) -> Outcome:
    """Its number must not be written to by now."""
    return Outcome(OutcomeKind.DROPPED, reason, text="held back before it was sent")
