"""Reads what the world sends back: failure reports, complaints, automatic answers, replies."""

from dataclasses import replace

from domain.reports import auto_replies, dsn, evidence, failure_text, feedback
from domain.reports.mime import Part, parts
from domain.reports.words import Report, ReportKind

Parts = tuple[Part, ...]


def read_report(raw: bytes) -> Report:
    """What a mail says about mails of ours. Never raises; its work is bounded whatever the bytes are.

    `raw` is the mail as it came, best with the `Return-Path` that its receiver writes on top (RFC 5321 §4.4): an empty
    one tells a server's notice from a person's mail. What it says is a stranger's word: whoever acts on it checks the
    return path's signature.
    """
    found = parts(raw)
    report = _status(found) or _complaint(found) or _notice(found) or _answer(found)
    return replace(report, message_ids=evidence.message_ids(found), return_paths=evidence.return_paths(found))


def _status(found: Parts) -> Report | None:
    """By its delivery status part; in a mail that is no report only a machine's is believed: people forward them."""
    is_machine = failure_text.from_machine(found[0].fields)
    trusted = [part for part in dsn.status_parts(found) if part.within == "multipart/report" or is_machine]
    words = failure_text.people_texts(found)
    recipients = tuple(each for part in trusted[: dsn.PARTS] for each in dsn.read_status(part, words))[: dsn.RECIPIENTS]
    kind = dsn.kind_of(recipients)
    return None if kind is None else Report(kind, recipients, source="dsn")


def _complaint(found: Parts) -> Report | None:
    told = feedback.read_feedback(found)
    return None if told is None else Report(told.kind, told.recipients, feedback_type=told.type, source="arf")


def _notice(found: Parts) -> Report | None:
    """By the text of a server's notice to people."""
    fields = found[0].fields
    if not failure_text.from_machine(fields) and not _is_receipt(found[0]):
        return None
    if auto_replies.is_vacation(fields) and not failure_text.calls_itself_failure(fields):
        return None
    words = failure_text.people_texts(found)
    for source, recipients in (
        ("flufl", failure_text.read_known(found, words)),
        ("text", failure_text.read_unknown(fields, words)),
    ):
        if kind := dsn.kind_of(recipients):
            return Report(kind, recipients, source=source)
    if not failure_text.calls_itself_failure(fields):
        return None
    return Report(ReportKind.DELAY if failure_text.is_delayed(fields, words) else ReportKind.BOUNCE, source="text")


def _is_receipt(root: Part) -> bool:
    """Mail filters refuse in the form of a receipt (RFC 5429, Dovecot's full mailboxes)."""
    return root.parameter("report-type").lower() == "disposition-notification"


def _answer(found: Parts) -> Report:
    if auto_replies.is_automatic(found):
        return Report(ReportKind.AUTO_REPLY, source="auto")
    return Report(ReportKind.REPLY)
