"""What recipients did with a mail: opened it, clicked, unsubscribed, reported it as spam."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger
from sqlmodel import Field, SQLModel, col, func, select

from domain.link_tokens import LinkToken
from domain.tracking import Act
from domain.webhooks import message_data
from store.columns import moment, now
from store.db import Connection, Session


class Engagement(SQLModel, table=True):
    """One kind of act by one message's recipient; `link` is the number of the link in the mail, 0 for other kinds."""

    __tablename__ = "engagement"
    __table_args__ = (Index("engagement_submission", "submission_id", "kind"),)
    message_id: int = Field(sa_type=BigInteger, primary_key=True)
    kind: str = Field(primary_key=True)
    link: int = Field(sa_type=SmallInteger, primary_key=True)
    submission_id: UUID
    account_id: UUID
    first_at: dt.datetime = moment(default_factory=now)
    last_at: dt.datetime = moment(default_factory=now)
    times: int = 1


@dataclass(frozen=True)
class SentMail:
    """What a link of a mail needs to know of its message; `version_id` is the content that was sent last."""

    id: int
    submission_id: UUID
    account_id: UUID
    ordinal: int
    address: str
    variables: dict[str, str]
    label: str
    sender: str
    sender_name: str
    version_id: UUID

    def event_data(self) -> dict[str, Any]:
        """What every event of a message says of it."""
        return message_data(self.submission_id, self.id, self.ordinal, self.address, self.label)


@dataclass(frozen=True)
class Recorded:
    """What an act was on record: `first` of its kind (and link), or when the one `before` it was."""

    first: bool
    before: dt.datetime | None


@dataclass(frozen=True)
class Count:
    """`messages` on which something was done at least once, and how many `times` in all."""

    messages: int = 0
    times: int = 0


_SENT = """
SELECT m.id, m.submission_id, m.account_id, m.ordinal, m.address, m.variables, s.label, s.sender, s.sender_name,
       COALESCE(r.template_version_id, s.template_version_id) AS version_id
FROM message m
JOIN submission s ON s.id = m.submission_id
LEFT JOIN campaign_revision r ON m.revision > 0 AND r.campaign_id = s.id AND r.number = m.revision
WHERE m.id = $1
"""
_RECORD = """
WITH earlier AS (SELECT last_at FROM engagement WHERE message_id = $1 AND kind = $2 AND link = $3)
INSERT INTO engagement AS e (message_id, kind, link, submission_id, account_id, first_at, last_at, times)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
ON CONFLICT (message_id, kind, link) DO UPDATE
SET times = least(e.times::bigint + excluded.times, 2147483647), last_at = greatest(e.last_at, excluded.last_at)
RETURNING times = $7 AS first, (SELECT last_at FROM earlier) AS before
"""


async def sent_mail(connection: Connection, message: int) -> SentMail | None:
    """The message that a token names; None when it is gone."""
    row = await connection.fetchrow(_SENT, message)
    return SentMail(**dict(row)) if row else None


async def html_of(connection: Connection, version: UUID) -> str:
    """The HTML of a template version, as it was written; empty when there is none."""
    return str(await connection.fetchval("SELECT html FROM template_version WHERE id = $1", version) or "")


async def record(connection: Connection, mail: SentMail, token: LinkToken, at: dt.datetime, times: int = 1) -> Recorded:
    """Count an act, in one statement: nobody waits for anybody but for the row itself."""
    row = await connection.fetchrow(
        _RECORD, mail.id, token.kind.value, token.link, mail.submission_id, mail.account_id, at, times
    )
    return Recorded(row["first"], row["before"])


async def complained(connection: Connection, message: int, submission: UUID, account: UUID, at: dt.datetime) -> None:
    """Count that this message was reported as spam."""
    await connection.execute(_RECORD, message, Act.COMPLAINT.value, 0, submission, account, at, 1)


async def counts(session: Session, account: UUID, submissions: Sequence[UUID]) -> dict[UUID, dict[Act, Count]]:
    """What was done with the mails of each of these submissions (or campaigns) of the account; every kind is named."""
    counted = {submission: dict.fromkeys(Act, Count()) for submission in submissions}
    query = (
        select(
            Engagement.submission_id,
            Engagement.kind,
            func.count(func.distinct(col(Engagement.message_id))),
            func.sum(Engagement.times),
        )
        .where(col(Engagement.submission_id).in_(submissions), col(Engagement.account_id) == account)
        .group_by(col(Engagement.submission_id), col(Engagement.kind))
    )
    for submission, kind, messages, times in await session.exec(query):
        counted[submission][Act(kind)] = Count(messages, int(times))
    return counted
