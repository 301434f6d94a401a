"""Decisions that people make, and the process that waits for them."""

import datetime as dt
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.ids import Process
from domain.secrets import Vault

MAX_REASON = 500
"""Characters."""
PREVIEW_VALID = dt.timedelta(days=7)
"""How long a reviewer's link to the content works; the review process makes a new one in time."""


class ReviewState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Decision(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True)
class ReviewDecision:
    """What a reviewer decides. `reason` is required to reject, and the customer reads it; no personal data in it.

    `version` is the version of the row that the reviewer saw (0: whatever is current).
    """

    decision: Decision
    reason: str = ""
    actor: str = "temporal-ui"
    version: int = 0
    parts: dict[str, str] = field(default_factory=dict)
    """A reason for each part that is objected to (certifications: `domain.certification.Part`)."""


@dataclass(frozen=True)
class DecisionResult:
    """Whether this decision was the one that counted, and what stands now."""

    accepted: bool
    state: ReviewState
    message: str


@dataclass(frozen=True)
class ReviewLook:
    """An activity's question: what stands in the rows of this process at `now`, the workflow's time."""

    process: Process
    now: dt.datetime


@dataclass(frozen=True)
class ReviewVerdict:
    """A decision on its way to the rows."""

    process: Process
    decision: ReviewDecision
    now: dt.datetime


@dataclass(frozen=True)
class ReviewCase:
    """What the review process and its operators need to know of the row. `title` and `facts` hold no personal data.

    `content_until` is how long the reviewer's link works. The link itself is not here: this is recorded.
    """

    state: ReviewState
    version: int
    title: str = ""
    facts: tuple[str, ...] = ()
    due_at: dt.datetime | None = None
    content_until: dt.datetime | None = None


class ReviewStage(StrEnum):
    """Where a review process is, as operators filter it (search attribute `Stage`)."""

    OPENING = "opening"
    WAITING = "waiting"
    OVERDUE = "overdue"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    DRAFT = "draft"


@dataclass(frozen=True)
class ReviewProgress:
    """The answer to the query `progress`."""

    stage: ReviewStage
    state: ReviewState | None
    version: int
    due_at: dt.datetime | None


def objection(decision: ReviewDecision) -> str | None:
    """Why this decision cannot be taken as it is, whatever is decided on."""
    reason = decision.reason.strip()
    if decision.decision is Decision.REJECT and not reason:
        return "To reject, give a reason: the customer reads it."
    if len(reason) > MAX_REASON:
        return f"The reason has {len(reason)} characters; {MAX_REASON} are possible."
    if "\x00" in reason:
        return "The reason holds a NUL character."
    if "@" in reason or "@" in decision.actor:
        return "Write no address: what is decided stays in the process's history. Say “the sender's address” instead."
    return None


def preview_token(vault: Vault, kind: str, subject: UUID, until: dt.datetime) -> str:
    """A token that shows one item under review to whoever holds it, until then."""
    claim = f"{kind}.{subject.hex}.{int(until.timestamp())}"
    return f"{claim}.{vault.digest(f'review-preview/{claim}').hex()[:40]}"


def read_preview_token(vault: Vault, token: str, now: dt.datetime) -> tuple[str, UUID] | None:
    """(kind, subject) of a token that is ours and not expired, else None."""
    parts = token.split(".")
    if len(parts) != 4 or not token.isascii():
        return None
    kind, subject, until, _ = parts
    if not (re.fullmatch("[0-9a-f]{32}", subject) and re.fullmatch("[0-9]{1,12}", until)):
        return None
    moment = dt.datetime.fromtimestamp(int(until), dt.UTC)
    known = hmac.compare_digest(token, preview_token(vault, kind, UUID(subject), moment))
    return (kind, UUID(subject)) if known and now < moment else None
