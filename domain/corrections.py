"""What reports that come later make of a message's outcome: which they correct, which they only add to.

A server that took a mail may still return it; one whose answer we never heard may say that it delivered it. Outcomes
are corrected forwards only (`unknown` → `delivered` → `bounced`), so each correction is made at most once, in whatever
order reports come, and however often.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from domain.masking import mask_address
from domain.outcomes import bounded
from domain.reports import Report, Reported, ReportKind
from domain.sending import MessageState, Outcome, Reason
from domain.suppressions import suppression_key
from domain.verp import hidden
from domain.webhooks import Event

FORWARD = {
    (ReportKind.BOUNCE, MessageState.DELIVERED): MessageState.BOUNCED,
    (ReportKind.BOUNCE, MessageState.UNKNOWN): MessageState.BOUNCED,
    (ReportKind.DELIVERED, MessageState.UNKNOWN): MessageState.DELIVERED,
}
"""What a report of this kind makes of a message in this state; of others nothing."""
_KINDS = {"failed": ReportKind.BOUNCE, "delayed": ReportKind.DELAY} | dict.fromkeys(
    ("delivered", "relayed", "expanded"), ReportKind.DELIVERED
)
"""What a status report (RFC 3464 §2.3.3) says of one of its recipients; as a whole it is as bad as the worst."""
_PASSING = frozenset({Reason.CONN, Reason.GREYLIST, Reason.RATE_LIMITED})
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"'=]{1,128}@[^\s<>()\[\]:;,\"'=]{1,255}")


class Effect(StrEnum):
    """What became of a report."""

    WAITING = "waiting"
    """The message has no outcome yet: a copy may be on its way, or its own reply is being recorded."""
    CORRECTED = "corrected"
    COMPLAINED = "complained"
    NOTED = "noted"
    """It changes nothing: a delay, an answer by a robot, or what was known already."""
    NO_MESSAGE = "no_message"
    """It is about no message of ours (any more)."""
    LETTER = "letter"
    """A mail to the postmaster, for people to read."""


class Charging(StrEnum):
    """What a correction meant for the books."""

    NONE = ""
    """The message was free, or charged before: it was handed over then."""
    CHARGED = "charged"
    WAIVED = "waived"
    """It should have been charged, but what was held for it had been given back, and was spent."""


@dataclass(frozen=True)
class Facts:
    """What a report says of one message. `is_ours`: the recipient it names is the message's; None: it names none."""

    kind: ReportKind
    is_ours: bool | None = None
    status: str = ""
    code: int = 0
    diagnostic: str = ""
    """Bounded, addresses masked, without the code that it begins with."""
    host: str = ""
    source: str = ""
    feedback_type: str = ""

    @classmethod
    def of(cls, report: Report, address: str) -> "Facts":
        """What `report` says of the message to this normalised address."""
        found, is_ours = _about(report, address)
        return cls(
            _KINDS.get(found.action, report.kind) if is_ours and report.kind in _KINDS.values() else report.kind,
            is_ours,
            found.status[:20],
            found.code,
            masked(found.diagnostic).removeprefix(str(found.code)).lstrip(" -"),
            masked(found.host)[:255],
            masked(report.source)[:255],
            bounded(report.feedback_type)[:40],
        )

    @property
    def reply(self) -> tuple[int, str]:
        """Code and text as a classifier of replies wants them (`domain.transport.Classifier`; code 0: the status says).

        What says neither is a failure all the same.
        """
        text = self.diagnostic if self.status in self.diagnostic else f"{self.status} {self.diagnostic}"
        return self.refusal or (0 if self.status else 550), text

    @property
    def refusal(self) -> int:
        """The code, if it refuses; else 0."""
        return self.code if self.code >= 400 else 0

    @property
    def gave_up(self) -> bool:
        """A server tried again and again, and then no longer: nobody refused the mail for good."""
        return (str(self.refusal) if self.refusal else self.status).startswith("4")


def _about(report: Report, address: str) -> tuple[Reported, bool | None]:
    """The part about this address, else the first failure: the return path named the message, whoever has it now."""
    named = [one for one in report.recipients if one.address]
    for one in named:
        if suppression_key(one.address) == suppression_key(address):
            return one, True
    worst = sorted(report.recipients, key=lambda one: one.action != "failed")
    return next(iter(worst), Reported()), False if named else None


def masked(text: str) -> str:
    """A peer's words with every address masked: operators read them, and it need not be our recipient's."""
    return bounded(hidden(_ADDRESS.sub(lambda found: mask_address(found[0]), text)))


def effect_on(facts: Facts, state: MessageState) -> Effect:
    """What the report does to a message in this state; a complaint may have been made before, which is not known here.

    Only what would correct an outcome waits for one.
    """
    if facts.kind is ReportKind.COMPLAINT:
        return Effect.COMPLAINED
    if (facts.kind, state) in FORWARD:
        return Effect.CORRECTED
    corrects = any(kind is facts.kind for kind, _ in FORWARD)
    return Effect.WAITING if corrects and state is MessageState.QUEUED else Effect.NOTED


def bounce_reason(facts: Facts, outcome: Outcome) -> str:
    """Why a mail came back; `outcome` is what its words would mean as a server's reply."""
    if outcome.reason in _PASSING:
        return Reason.EXPIRED if facts.gave_up else Reason.OTHER
    return outcome.reason


def proves_dead(facts: Facts, reason: str) -> bool:
    """Whether nobody need write to the message's address: its mailbox does not exist, and it is the one named."""
    return facts.is_ours is True and reason == Reason.INVALID_MAILBOX


def event_of(state: MessageState, reason: str, is_ours: bool | None) -> Event:
    """What customers hear of a correction; an address that mail was passed on to says nothing about the one we know."""
    if state is MessageState.DELIVERED:
        return Event.DELIVER
    return Event.INVALID if reason.startswith("hard.") and is_ours is not False else Event.SOFT_BOUNCE
