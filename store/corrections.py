"""Corrections of outcomes by later reports: what a message was before, what it is now, by which report.

Pages' totals stay what the dialogues said: whoever shows numbers of campaigns adds the corrections to them.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.corrections import Charging
from domain.ids import new_id
from domain.sending import MessageState
from store.columns import moment, now
from store.db import Connection


class Correction(SQLModel, table=True):
    """One step forwards of one message; each is made at most once."""

    __tablename__ = "correction"
    __table_args__ = (
        UniqueConstraint("message_id", "from_state"),
        Index("correction_submission", "submission_id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    message_id: int = Field(sa_type=BigInteger)
    account_id: UUID
    submission_id: UUID
    lane: str
    """Of the campaign, where its page counted the message; empty for other messages."""
    report_id: int = Field(sa_type=BigInteger)
    at: dt.datetime = moment(default_factory=now)
    from_state: str
    from_reason: str
    from_code: int
    from_enhanced: str
    from_reply: str
    from_host: str
    from_at: dt.datetime | None = moment(default=None)
    """When the message had become what it was."""
    to_state: str
    to_reason: str
    to_code: int
    charging: str
    """`domain.corrections.Charging`."""


@dataclass(frozen=True)
class Subject:
    """A message that a report is about, locked, with what is needed of its submission."""

    id: int
    account_id: UUID
    submission_id: UUID
    ordinal: int
    address: str
    state: str
    reason: str
    code: int
    host: str
    attempts: int
    finished_at: dt.datetime | None
    label: str
    charged_from: int | None
    lane: str

    @property
    def costs(self) -> bool:
        """Whether it is charged once it is handed over."""
        return self.charged_from is not None and self.ordinal >= self.charged_from


@dataclass(frozen=True)
class Step:
    """What a message becomes."""

    state: MessageState
    reason: str
    code: int
    enhanced: str
    reply: str
    host: str


_LOCK = """
SELECT m.id, m.account_id, m.submission_id, m.ordinal, m.address, m.state, m.reason, m.code, m.host, m.attempts,
    m.finished_at, s.label, s.charged_from, coalesce(
        (SELECT l.lane FROM campaign_lane l WHERE s.is_campaign AND l.campaign_id = s.id
           AND m.ordinal >= l.first_ordinal AND m.ordinal < l.end_ordinal), '') AS lane
FROM message m JOIN submission s ON s.id = m.submission_id WHERE m.id = $1 AND s.channel = 'email'
FOR NO KEY UPDATE OF m
"""
_CORRECT = """
WITH before AS (
    INSERT INTO correction (id, message_id, account_id, submission_id, lane, report_id, at, from_state, from_reason,
        from_code, from_enhanced, from_reply, from_host, from_at, to_state, to_reason, to_code, charging)
    SELECT $2, m.id, m.account_id, m.submission_id, $3, $4, now(), m.state, m.reason, m.code, m.enhanced, m.reply,
        m.host, m.finished_at, $5, $6, $7, $8
    FROM message m WHERE m.id = $1
)
UPDATE message SET state = $5, reason = $6, code = $7, enhanced = $9, reply = $10, host = $11, finished_at = now()
WHERE id = $1 RETURNING finished_at
"""
_STEPS = """
SELECT c.*, r.is_ours FROM correction c JOIN report r ON r.id = c.report_id
WHERE c.message_id = ANY($1::bigint[]) ORDER BY c.message_id, c.at
"""


async def lock(connection: Connection, message: int) -> Subject | None:
    """The message, kept as it is until the caller's transaction ends; None when there is none (any more)."""
    row = await connection.fetchrow(_LOCK, message)
    return None if row is None else Subject(**dict(row))


async def correct(
    connection: Connection, subject: Subject, step: Step, report: int, charging: Charging, correction: UUID
) -> dt.datetime:
    """Make this step of a message that the caller has locked, and keep what it was; when that is."""
    at: dt.datetime = await connection.fetchval(
        _CORRECT, subject.id, correction, subject.lane, report, step.state.value, step.reason, step.code,
        charging.value, step.enhanced, step.reply, step.host,
    )  # fmt: skip
    return at


_SAID = ("state", "reason", "code", "enhanced", "reply")


async def ends(connection: Connection, messages: Mapping[int, Any]) -> list[dict[str, Any]]:
    """Everything that these messages (rows by id, with `ended_at`) have become, in order, each as such a row.

    Behind the first, which is the end of the message's own dialogue, they have `corrects` (the state before) and
    `is_ours`, as the report said.
    """
    steps: dict[int, list[Any]] = {message: [] for message in messages}
    for step in await connection.fetch(_STEPS, list(messages)):
        steps[step["message_id"]].append(step)
    found: list[dict[str, Any]] = []
    for message, row in messages.items():
        more: dict[str, Any] = {"corrects": None}
        for step in steps[message]:
            found.append({**row, **{name: step[f"from_{name}"] for name in _SAID}, "ended_at": step["from_at"], **more})
            more = {"corrects": step["from_state"], "is_ours": step["is_ours"]}
        found.append({**row, **more})
    return found
