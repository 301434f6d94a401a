"""What a submission is, how a message ends, and when it is tried again (design §4)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.errors import Refusal

MAX_RECIPIENTS = 100_000
"""Recipients of one request; more is a campaign on an address list."""
RETRY_AFTER = tuple(dt.timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 240, 480))
"""Waits between tries where nobody names a curve (reference §1.5)."""
ADDRESS_SHOWN = 320
"""Characters kept of an address that was left out."""
TIME_TO_LIVE = {"trigger": dt.timedelta(hours=24), "batch": dt.timedelta(hours=72)}


class MessageState(StrEnum):
    """`QUEUED` and `SENT` can change by themselves; the others are final."""

    QUEUED = "queued"
    SENT = "sent"
    """An SMS that a carrier took, or perhaps took (reason `uncertain`): it waits for its receipt."""
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    DROPPED = "dropped"
    UNKNOWN = "unknown"
    """Handed over perhaps: the dialogue broke between the final dot and the reply."""


class OutcomeKind(StrEnum):
    """How one attempt ended (design §4.5)."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    DROPPED = "dropped"
    UNCERTAIN = "uncertain"


class Scope(StrEnum):
    """What a server's refusal is about (reference §1.6): whoever meets it next."""

    RECIPIENT = "recipient"
    SENDER = "sender"
    """The address or domain that the mail says it is from."""
    CONTENT = "content"
    CONNECTION = "connection"
    """This connection, or how many there are."""
    ADDRESS = "address"
    """The address that we send from."""


class Reason(StrEnum):
    """Why a message was not delivered (reference §1.5); part of `/v1`, webhooks and exports."""

    INVALID_MAILBOX = "hard.invalid_mailbox"
    BAD_DOMAIN = "hard.bad_domain"
    DISABLED = "hard.disabled"
    SYNTAX = "hard.syntax"
    SMTPUTF8 = "hard.smtputf8"
    FULL = "soft.full"
    GREYLIST = "soft.greylist"
    RATE_LIMITED = "soft.rate_limited"
    CONN = "soft.conn"
    AUTH = "block.auth"
    CONTENT = "block.content"
    IP = "block.ip"
    DOMAIN = "block.domain"
    TLS = "policy.tls"
    """It may be sent encrypted only, and the servers offer no TLS, or not with the right certificate."""
    REFUSED = "policy.refused"
    """By the recipient, or by a rule of theirs, whatever we wrote."""
    OTHER = "policy.other"
    EXPIRED = "expired"
    """It was only ever deferred until its time to live ended: no server refused it for good."""
    RENDER_FAILED = "render_failed"
    CANCELLED = "cancelled"
    """Its campaign was cancelled before it was sent."""
    SUPPRESSED = "suppressed"
    """The recipient unsubscribed, or was entered as not to be written to, before the mail was sent."""
    UNCERTAIN = "uncertain"
    """The dialogue broke between the final dot and the reply."""


@dataclass(frozen=True)
class Outcome:
    """The result of one attempt. `code` is the SMTP reply code (0: none), `enhanced` RFC 3463, `text` the reply.

    `reason` is a `Reason`, or empty for what was delivered.
    """

    kind: OutcomeKind
    reason: str = ""
    code: int = 0
    enhanced: str = ""
    text: str = ""
    host: str = ""
    """The receiving server, as named by its MX record."""
    scope: str = ""
    """A `Scope`, or empty for what was delivered and where nobody said."""
    egress: int = 0
    """Which of our addresses spoke (`egress_address.number`); 0: the system chose."""


@dataclass(frozen=True)
class Recipient:
    """One address with its template variables; `line` is its place in the request (1-based) for error messages."""

    address: str
    variables: dict[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True)
class SendRequest:
    """One request to send one approved template to recipients, each addressed alone.

    `sender` is the From address; its domain must be bound to the API user. `idempotency_key` is unique per account
    for 24 hours: a repeat with the same content returns the first answer, with other content is refused.
    """

    api_user: str
    template: str
    sender: str
    recipients: tuple[Recipient, ...]
    sender_name: str = ""
    reply_to: str = ""
    label: str = ""
    idempotency_key: str | None = None
    skip_invalid: bool = False
    version_id: UUID | None = None
    """The approved version that the request was written for: another one is refused."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Fields of the customer's own, see `domain.custom_headers`."""


@dataclass(frozen=True)
class Rejected:
    """A recipient that was left out of a submission: its place in the request and why."""

    line: int
    address: str
    reason: str
    params: dict[str, str | int] = field(default_factory=dict)
    """Of the reason's text."""

    @classmethod
    def of(cls, line: int, address: str, refusal: Refusal) -> "Rejected":
        """With those params that a row can hold."""
        about = {name: value for name, value in refusal.params.items() if isinstance(value, str | int)}
        return cls(line, address[:ADDRESS_SHOWN], refusal.code, about)


@dataclass(frozen=True)
class Accepted:
    """The answer to an accepted request: durable before it is given."""

    submission_id: UUID
    accepted: int
    duplicates: int = 0
    rejected: tuple[Rejected, ...] = ()
    repeated: bool = False
    """True when this answer repeats an earlier one (same idempotency key)."""


@dataclass(frozen=True)
class Curve:
    """When a message is tried again: the wait after each try, the last one repeats until it is given up."""

    waits: tuple[dt.timedelta, ...] = RETRY_AFTER
    give_up_after: dt.timedelta | None = None
    """Counted from its acceptance; None: only the time to live ends it."""


USUAL = Curve()


def retry_at(
    now: dt.datetime, attempts: int, ends_at: dt.datetime, scale: float = 1.0, curve: Curve = USUAL
) -> dt.datetime | None:
    """When to try again after `attempts` tries, or None when the message would have been given up by then."""
    wait = curve.waits[min(max(attempts, 1), len(curve.waits)) - 1] / scale
    moment = now + wait
    return moment if moment < ends_at else None


@dataclass(frozen=True)
class Standing:
    """Where a message stands when an attempt ends."""

    attempts: int
    """Tries before the one that ends."""
    expires_at: dt.datetime
    may_resend: bool
    """An uncertain end may be tried once more: the API user's policy, and it was not yet a possible duplicate."""
    curve: Curve = USUAL
    life: dt.timedelta | None = None
    """From its acceptance to `expires_at`, without a campaign's pauses; None: `give_up_after` is not looked at."""

    def given_up_at(self, scale: float) -> dt.datetime:
        """When no later try comes.

        A message that waited long for its first try, in a closed lane or while all of us were down, is always tried
        once more: else the first greylisting would end it. A campaign's pauses have moved `expires_at`, and so they
        move this.
        """
        if self.curve.give_up_after is None or self.life is None or self.attempts == 0:
            return self.expires_at
        return self.expires_at - max(dt.timedelta(), self.life - self.curve.give_up_after / scale)


def life_of(kind: str, accepted_at: dt.datetime, expires_at: dt.datetime, scale: float) -> dt.timedelta:
    """How long a message of this kind lives; what is longer came from pauses, or from a campaign that asked for it."""
    return min(TIME_TO_LIVE[kind] / scale, expires_at - accepted_at)


def settle(
    outcome: Outcome, standing: Standing, now: dt.datetime, scale: float
) -> tuple[MessageState, dt.datetime | None]:
    """What becomes of the message: its state, and for `QUEUED` when it is tried again (design §4.5, §4.6)."""
    match outcome.kind:
        case OutcomeKind.DELIVERED:
            return MessageState.DELIVERED, None
        case OutcomeKind.BOUNCED:
            return MessageState.BOUNCED, None
        case OutcomeKind.DROPPED:
            return MessageState.DROPPED, None
        case OutcomeKind.UNCERTAIN:
            if not standing.may_resend:
                return MessageState.UNKNOWN, None
    again = retry_at(now, standing.attempts + 1, standing.given_up_at(scale), scale, standing.curve)
    if again is None:
        lost = outcome.kind is OutcomeKind.UNCERTAIN
        return (MessageState.UNKNOWN if lost else MessageState.BOUNCED), None
    return MessageState.QUEUED, again
