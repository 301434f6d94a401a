"""Decisions that people make, and the process that waits for them."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from domain.certification import Part
from domain.ids import Kind, Process
from domain.policy import Policy

MAX_REASON = 500
"""Characters."""
MAX_TOTAL = 3_000
"""Characters of all reasons of one decision together: one mail tells them, and its values may have 16 KB in UTF-8."""
MAX_PARTS = 20
PARTS: Mapping[Kind, frozenset[str]] = {Kind.CERTIFICATION_REVIEW: frozenset(Part)}
"""What a reviewer can object to by itself; a template is judged as a whole."""
_BETWEEN = r"[\s‐-―−﹣－-]*"
LONG_NUMBER = re.compile(rf"\d(?:{_BETWEEN}\d){{5,}}{_BETWEEN}[\dXx]")
"""Seven digits or more, the last may be an X, however they are grouped: of a telephone, a card, a licence."""


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
    """A reason for each part that is objected to, of those that `PARTS` names."""


@dataclass(frozen=True)
class Ruling:
    """A decision as the store records it; `row_version` is what the reviewer saw (0: whatever is current)."""

    decision: Decision
    actor: str
    reason: str = ""
    row_version: int = 0
    parts: Mapping[str, str] = field(default_factory=dict)


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

    `link` is the case's page in the console, which asks for an operator's login. `warn_at`, `due_at`: while submitted.
    """

    state: ReviewState
    version: int
    title: str = ""
    facts: tuple[str, ...] = ()
    submitted_at: dt.datetime | None = None
    warn_at: dt.datetime | None = None
    due_at: dt.datetime | None = None
    due_provisional: bool = False
    link: str = ""
    content_until: dt.datetime | None = None
    """Only in what the first version recorded: when its link to the content ended."""


class ReviewStage(StrEnum):
    """Where a review process is, as operators filter it (search attribute `Stage`)."""

    OPENING = "opening"
    WAITING = "waiting"
    WARNING = "warning"
    """Three quarters of the promised working time are used."""
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
    due_provisional: bool = False


@dataclass(frozen=True)
class ReviewAlert:
    """The lead shall know that this review's time runs out (`WARNING`) or has run out (`OVERDUE`)."""

    process: Process
    stage: ReviewStage
    now: dt.datetime


def objection(decision: ReviewDecision, kind: Kind) -> str | None:
    """Why this decision cannot be taken as it is, whatever is decided on."""
    reason, parts = decision.reason.strip(), decision.parts
    if decision.decision is Decision.REJECT and not (reason or parts):
        return "To reject, give a reason: the customer reads it."
    if decision.decision is Decision.APPROVE and parts:
        return "To approve, object to no part; to object, reject."
    if len(parts) > MAX_PARTS:
        return f"{len(parts)} parts are named; {MAX_PARTS} are possible."
    if unknown := sorted(set(parts) - PARTS.get(kind, frozenset())):
        return f"Nothing here is called {unknown[0][:40]!r}. Parts: {', '.join(sorted(PARTS.get(kind, ()))) or 'none'}."
    if any(not words.strip() for words in parts.values()):
        return "Give a reason for each part that you object to."
    if (total := len(reason) + sum(map(len, parts.values()))) > MAX_TOTAL:
        return f"The reasons have {total} characters together; {MAX_TOTAL} are possible. Name the main points."
    told = (_untold(words) for words in (reason, decision.actor, *parts.values()))
    return next((problem for problem in told if problem), None)


def indiscretion(decision: ReviewDecision) -> str | None:
    """Why this decision cannot be taken where it stays in a process's history, as it does in the Temporal UI."""
    if any(LONG_NUMBER.search(words) for words in (decision.reason, decision.actor, *decision.parts.values())):
        return (
            "Write no number of seven digits or more here: what is decided here stays in the process's history. "
            "Leave it out, or decide in the console, which keeps it out of the history."
        )
    return None


def _untold(words: str) -> str | None:
    """Why these words cannot be recorded and mailed."""
    if len(words) > MAX_REASON:
        return f"The reason has {len(words)} characters; {MAX_REASON} are possible."
    if "\x00" in words:
        return "The reason holds a NUL character."
    if "@" in words:
        return "Write no address: what is decided stays in the process's history. Say “the sender's address” instead."
    return None


def ruling(decision: ReviewDecision) -> Ruling:
    """The decision as the store takes it."""
    parts = {part: words.strip() for part, words in decision.parts.items()}
    return Ruling(decision.decision, decision.actor, decision.reason.strip(), decision.version, parts)


def case_link(policy: Policy, process: Process) -> str:
    """The case's page in the console. It needs an operator's login, so the link is no secret."""
    return f"{policy.public_url}/console/cases/{process.kind.value}/{process.subject}"
