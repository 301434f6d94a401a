"""What operators see of reports: counted by kind, listed newest first; addresses only masked."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text

from store.db import Session


@dataclass(frozen=True)
class ReportCount:
    """Reports of one kind in the last seven days, and how many of them corrected an outcome or held somebody back."""

    kind: str
    day: int
    """In the last 24 hours."""
    week: int
    effective: int


@dataclass(frozen=True)
class ReportLine:
    """One report. `address` is the message's recipient, whole: who shows it masks it."""

    id: int
    received_at: dt.datetime
    kind: str
    message_id: int | None
    account_id: UUID | None
    account: str | None
    address: str | None
    is_ours: bool | None
    status: str
    code: int
    diagnostic: str
    host: str
    source: str
    feedback_type: str
    reason: str
    effect: str


@dataclass(frozen=True)
class SealedLetter:
    received_at: dt.datetime
    fingerprint: bytes
    sealed: bytes


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed to: one kind, one message, those before a report (None: all)."""

    kind: str | None = None
    message: int | None = None
    before: int | None = None


_COUNTS = """
SELECT kind, (count(*) FILTER (WHERE received_at > now() - interval '1 day'))::int AS day, count(*)::int AS week,
       (count(*) FILTER (WHERE effect IN ('corrected', 'complained')))::int AS effective
FROM report WHERE received_at > now() - interval '7 days' GROUP BY kind
"""
_LINES = """
SELECT r.id, r.received_at, r.kind, r.message_id, r.account_id, a.name AS account, m.address, r.is_ours, r.status,
       r.code, r.diagnostic, r.host, r.source, r.feedback_type, r.reason, r.effect
FROM report r LEFT JOIN account a ON a.id = r.account_id LEFT JOIN message m ON m.id = r.message_id
WHERE true
"""


async def counts(session: Session) -> dict[str, ReportCount]:
    """By kind; a kind without any is absent."""
    return {row["kind"]: ReportCount(**row) for row in await _rows(session, _COUNTS, {})}


async def page(session: Session, wanted: Wanted, limit: int) -> list[ReportLine]:
    """Newest first."""
    where, parameters = "", {name: value for name, value in vars(wanted).items() if value is not None}
    where += " AND r.kind = :kind" if "kind" in parameters else ""
    where += " AND r.message_id = :message" if "message" in parameters else ""
    where += " AND r.id < :before" if "before" in parameters else ""
    found = await _rows(session, f"{_LINES}{where} ORDER BY r.id DESC LIMIT :limit", parameters | {"limit": limit})
    return [ReportLine(**row) for row in found]


async def letter(session: Session, report: int) -> SealedLetter | None:
    """One mail to the postmaster, as long as it is kept."""
    query = "SELECT received_at, fingerprint, sealed FROM report WHERE id = :report AND sealed IS NOT NULL"
    found = await _rows(session, query, {"report": report})
    return SealedLetter(**found[0]) if found else None


async def _rows(session: Session, query: str, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
    connection = await session.connection()
    return (await connection.execute(text(query), parameters)).mappings().all()
