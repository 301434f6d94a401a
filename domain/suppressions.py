"""Whom mails are held back from: why, for how long, and how addresses are compared (reference §9)."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from domain.errors import Refusal

MAX_ADDED = 1000
"""Addresses that one request may add by hand, and entries that one may remove."""
MAX_IMPORTED = 100_000
"""Lines of one file."""
MAX_NOTE = 200
LONGEST = dt.timedelta(days=3660)
"""An end that is further away is no date that anybody meant: for ever is said by none."""
COMPLAINT_HOLDS = dt.timedelta(days=180)
DEAD_AT_MOST = dt.timedelta(days=30)
DEAD = "dead"
"""Why nobody on this platform writes to an address: its server said that it does not exist. No account's entry."""


class SuppressionReason(StrEnum):
    """In the order in which they are said: a complaint outranks all."""

    COMPLAINT = "complaint"
    """The recipient reported a mail of the account as spam."""
    UNSUBSCRIBE = "unsubscribe"
    """The recipient asked, by the link of a mail."""
    MANUAL = "manual"
    """A member of the account entered it."""


class SuppressionScope(StrEnum):
    """Which mails an entry holds back."""

    BATCH = "batch"
    """Campaigns and API users of kind batch."""
    ALL = "all"
    """Trigger mails, too."""


class Entry(NamedTuple):
    """What is to be entered: a normalised address and why, which mails, until when."""

    address: str
    reason: str = SuppressionReason.MANUAL.value
    scope: str = SuppressionScope.BATCH.value
    until: dt.datetime | None = None
    """None: for ever."""
    note: str = ""


@dataclass(frozen=True)
class Rule:
    """How addresses that a member enters are held back, where a line of a file says nothing else."""

    scope: SuppressionScope = SuppressionScope.BATCH
    until: dt.datetime | None = None
    note: str = ""

    def check(self, at: dt.datetime) -> None:
        """Raise `Refusal` on field `until` or `note`."""
        if self.until is not None and not at < self.until <= at + LONGEST:
            raise Refusal("suppression_until", field="until")
        if len(self.note) > MAX_NOTE:
            raise Refusal("text_too_long", field="note", limit=MAX_NOTE)
        if not self.note.isprintable():
            raise Refusal("invalid", field="note", reason="No control characters.")

    def entry(self, address: str) -> Entry:
        return Entry(address, SuppressionReason.MANUAL.value, self.scope.value, self.until, self.note)


class Consent(StrEnum):
    """How the recipient of one mail stands with its sender."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"
    """By this very mail, which can take it back."""
    SUPPRESSED = "suppressed"
    """By another mail, or by the sender."""


@dataclass(frozen=True)
class Held:
    """Why an address must not be written to: a `SuppressionReason`, or `DEAD`. `until`: None is for ever."""

    reason: str
    until: dt.datetime | None = None


_RANKS = {reason: rank for rank, reason in enumerate((*SuppressionReason, DEAD))}


def first_said(one: Held, other: Held) -> Held:
    """Which of two reasons is said where one is: the account's own before the platform's."""
    return min(one, other, key=lambda held: _RANKS[held.reason])


def dead_for(failures: int) -> dt.timedelta:
    """How long an address is held back after so many mails that its server refused as unknown: 2^n hours."""
    return min(DEAD_AT_MOST, dt.timedelta(hours=2 ** min(failures, 10)))


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def suppression_key(address: str) -> str:
    """A normalised address as it is compared here: A–Z lower-cased in the local part, too.

    Only ASCII letters, so that Python and PostgreSQL (`lower(address COLLATE "C") COLLATE "default"`) agree whatever
    the database's locale is. RFC 5321 lets `Li` and `li` be two mailboxes; who unsubscribed as one is not written to
    as the other.
    """
    return address.translate(_LOWER)
