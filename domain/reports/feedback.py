"""Complaints: feedback loops of mailbox providers (RFC 5965, 6650) and their older forms."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.outcomes import bounded
from domain.reports.diagnosis import address_of, host_of
from domain.reports.evidence import addresses, returned_mails
from domain.reports.mime import Fields, Part, blocks
from domain.reports.words import Reported, ReportKind

FEEDBACK = "message/feedback-report"
NO_COMPLAINT = frozenset({"not-spam", "auth-failure", "dmarc"})
"""Somebody took a mail out of the spam folder; a signature failed (RFC 6591)."""
RECIPIENTS = 20

_JUNK_REPORT = re.compile(
    r"^(?:complaint about message|abuse report|spam (?:report|complaint)|投诉|垃圾邮件投诉|举报)", re.IGNORECASE
)
_TYPE_LINE = re.compile(r"^Feedback-Type:[ \t]{0,20}[A-Za-z-]{1,40}[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_HOTMAIL = "x-hmxmroriginalrecipient"
_TOLD = ("original-rcpt-to", "removal-recipient")


@dataclass(frozen=True)
class Feedback:
    """`type`: abuse, fraud, opt-out, not-spam, other, … in lower case."""

    type: str
    recipients: tuple[Reported, ...]

    @property
    def kind(self) -> ReportKind:
        return ReportKind.AUTO_REPLY if self.type in NO_COMPLAINT else ReportKind.COMPLAINT


def read_feedback(parts: Sequence[Part]) -> Feedback | None:
    """What a feedback loop says, or None when this is no such mail."""
    returned = returned_mails(parts)
    report = _report(parts, returned)
    if report is None:
        return None
    told = [*(value for name in _TOLD for value in report.all(name))]
    told += [value for fields in returned for value in fields.all(_HOTMAIL)]
    told += [value for fields in returned for value in (fields.text("to"), fields.text("cc"))]
    host = host_of(report.first("reporting-mta")) or _sender_domain(parts[0].fields)
    kind = bounded(report.first("feedback-type")).lower()[:40] or "other"
    return Feedback(kind, tuple(Reported(address, host=host) for address in _named(told)))


def _report(parts: Sequence[Part], returned: list[Fields]) -> Fields | None:
    """The fields of the report: in their own part, in a text part, or (Hotmail) told by what is enclosed."""
    for part in parts:
        if part.type == FEEDBACK:
            return _merged(part.decoded())
    if not returned:
        return None
    for part in parts:
        if part.type == "text/plain" and (match := _TYPE_LINE.search(part.text)):
            return _merged(part.text[match.start() :].encode())
    is_junk_report = any(fields.first(_HOTMAIL) for fields in returned) or _JUNK_REPORT.match(_subject(parts))
    return Fields((("feedback-type", "abuse"),)) if is_junk_report else None


def _merged(content: bytes) -> Fields:
    return Fields(tuple(item for group in blocks(content, 3) for item in group.items))


def _subject(parts: Sequence[Part]) -> str:
    return parts[0].fields.text("subject").strip()


def _sender_domain(fields: Fields) -> str:
    sender = next(iter(addresses(fields.text("from"))), "")
    return host_of(sender.rpartition("@")[2])


def _named(values: list[str]) -> Iterator[str]:
    """The first value that holds an address: the more exact ones come first, and are often redacted."""
    for value in values:
        found = [known for each in addresses(value) if (known := address_of(each))]
        if found:
            yield from dict.fromkeys(found[:RECIPIENTS])
            return
