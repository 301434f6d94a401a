"""What came in at the inbound door, as facts: of what kind, about which message, and what became of it.

The mails themselves are not kept: they quote what customers wrote to people. What counts is kept, with addresses
masked. Only letters to the postmaster are, sealed, until somebody has had time to read them.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, text
from sqlmodel import Field, SQLModel

from domain.corrections import Effect, Facts
from domain.reports import ReportKind
from store.columns import moment, now
from store.db import Connection

KEPT = dt.timedelta(days=30)
"""Letters, and reports that are about no message. Those about messages stay as long as the messages."""
MOST_OF_ONE = 100
"""Reports that are kept of one message: who got a mail may write to its return path for ever."""


class InboundReport(SQLModel, table=True):
    """`fingerprint` is of the mail and the message: a peer that repeats a mail adds nothing."""

    __tablename__ = "report"
    __table_args__ = (
        Index("report_fingerprint", "fingerprint", unique=True),
        Index("report_message", "message_id", postgresql_where=text("message_id IS NOT NULL")),
        Index("report_kind", "kind", "id"),
        Index("report_received", "received_at"),
        Index("report_passing", "received_at", postgresql_where=text("message_id IS NULL")),
        Index("report_waiting", "id", postgresql_where=text("effect = 'waiting'")),
    )
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    received_at: dt.datetime = moment(default_factory=now)
    kind: str
    """`domain.reports.ReportKind`, or `letter`."""
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    account_id: UUID | None = None
    is_ours: bool | None = None
    """Whether the recipient it names is the message's; null: it names none."""
    status: str = ""
    code: int = 0
    diagnostic: str = ""
    host: str = ""
    source: str = ""
    feedback_type: str = ""
    reason: str = ""
    """What it was classified as, where it corrected an outcome."""
    effect: str
    fingerprint: bytes
    sealed: bytes | None = None
    """The beginning of a letter (`domain.secrets.Vault`, binding `report/<fingerprint in hex>`)."""


@dataclass(frozen=True)
class NewReport:
    """`message` and `account` are None for what is about no message of ours."""

    kind: str
    fingerprint: bytes
    message: int | None = None
    account: UUID | None = None
    facts: Facts | None = None
    effect: str = Effect.WAITING
    sealed: bytes | None = None


_KEEP = """
INSERT INTO report (received_at, kind, message_id, account_id, is_ours, status, code, diagnostic, host, source,
                    feedback_type, reason, effect, fingerprint, sealed)
VALUES (now(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11, $12, $13)
ON CONFLICT (fingerprint) DO NOTHING RETURNING id
"""
_RIPE = """
SELECT r.id, r.message_id FROM report r JOIN message m ON m.id = r.message_id
WHERE r.effect = 'waiting' AND r.id > $1 AND m.state <> 'queued' ORDER BY r.id LIMIT $2
"""
_WAITING = """
SELECT kind, is_ours, status, code, diagnostic, host, source, feedback_type FROM report
WHERE id = $1 AND effect = 'waiting' FOR UPDATE
"""
_EXPIRE = """
WITH old AS MATERIALIZED (
    SELECT id FROM report WHERE received_at < $1 AND message_id IS NULL ORDER BY received_at LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM report USING old WHERE report.id = old.id RETURNING report.id
"""


async def keep(connection: Connection, new: NewReport) -> int | None:
    """Its id; None when the same mail was kept for the same message before."""
    facts = new.facts
    said: Sequence[Any] = (None, "", 0, "", "", "", "")
    if facts is not None:
        said = (
            facts.is_ours, facts.status, facts.code, facts.diagnostic, facts.host, facts.source, facts.feedback_type,
        )  # fmt: skip
    about = (new.kind, new.message, new.account)
    found = await connection.fetchval(_KEEP, *about, *said, str(new.effect), new.fingerprint, new.sealed)
    return None if found is None else int(found)


async def has_room(connection: Connection, message: int) -> bool:
    """Whether one more may be kept of this message, which the caller has locked."""
    query = "SELECT count(*) FROM (SELECT FROM report WHERE message_id = $1 LIMIT $2) AS few"
    return int(await connection.fetchval(query, message, MOST_OF_ONE)) < MOST_OF_ONE


async def finish(connection: Connection, report: int, effect: Effect, reason: str) -> None:
    """What became of it."""
    await connection.execute("UPDATE report SET effect = $2, reason = $3 WHERE id = $1", report, effect.value, reason)


async def ripe(connection: Connection, after: int, limit: int) -> list[tuple[int, int]]:
    """(report, message) of those behind `after` whose message has its outcome by now, oldest first."""
    return [(row["id"], row["message_id"]) for row in await connection.fetch(_RIPE, after, limit)]


async def waiting(connection: Connection, report: int) -> Facts | None:
    """What a report says, locked; None when somebody else has dealt with it."""
    row = await connection.fetchrow(_WAITING, report)
    return None if row is None else Facts(**dict(row) | {"kind": ReportKind(row["kind"])})


async def has_complained(connection: Connection, message: int) -> bool:
    """Whether a complaint about this message has counted."""
    query = "SELECT EXISTS (SELECT FROM report WHERE message_id = $1 AND effect = 'complained')"
    return bool(await connection.fetchval(query, message))


async def forget_old(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Delete letters and what is about no message; how many."""
    return len(await connection.fetch(_EXPIRE, before, limit))
