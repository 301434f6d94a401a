"""What a mail that comes back can tell."""

from dataclasses import dataclass
from enum import StrEnum


class ReportKind(StrEnum):
    """What came back."""

    BOUNCE = "bounce"
    """At least one recipient will not get the mail."""
    DELAY = "delay"
    """Not yet delivered, still being tried: no failure."""
    DELIVERED = "delivered"
    """A success report: delivered, relayed to a server that reports no further, or expanded to a list."""
    COMPLAINT = "complaint"
    """A recipient called the mail spam, fraud, or wants no more."""
    AUTO_REPLY = "auto_reply"
    """A program answered: out of office, a challenge, a receipt, a list; also reports that are no complaint."""
    REPLY = "reply"
    """A person, or anything else."""


@dataclass(frozen=True)
class Reported:
    """One recipient of a report.

    `action`: failed, delayed, delivered, relayed, expanded (RFC 3464 §2.3.3); `status`: enhanced code (RFC 3463);
    `code`: the basic SMTP code in the diagnostic text, 0 when there is none; `host`: who refused, else who reports.
    """

    address: str = ""
    """Normalised; empty when it is redacted, absent, or no address that we could have sent to."""
    action: str = ""
    status: str = ""
    code: int = 0
    diagnostic: str = ""
    host: str = ""


@dataclass(frozen=True)
class Report:
    """A mail that came back, read.

    `message_ids` are without angle brackets, best evidence first: those of the returned mail, then those that the text
    or the reference fields name; they may be anybody's. `return_paths` are addresses in places where our return path
    stands when it is about our mail. `source`: dsn (RFC 3464), flufl (a known server's text), text (any other
    failure notice), arf (RFC 5965), auto; empty for a person's mail.
    """

    kind: ReportKind
    recipients: tuple[Reported, ...] = ()
    message_ids: tuple[str, ...] = ()
    return_paths: tuple[str, ...] = ()
    feedback_type: str = ""
    source: str = ""
