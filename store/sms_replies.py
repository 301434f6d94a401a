"""What handsets send us (seed 3.6 ②), and whose message each answers."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Index, SmallInteger, text
from sqlmodel import Field, SQLModel, col, func, select

from domain.ids import new_id
from domain.sending import MessageState
from store.columns import holds, moment, now
from store.db import Connection, Session
from store.sending import Message


class SmsReply(SQLModel, table=True):
    __tablename__ = "sms_reply"
    __table_args__ = (
        Index("sms_reply_account", "account_id", "id"),
        Index("sms_reply_phone", "phone", "id"),
        Index("sms_reply_message", "message_id"),
        Index("sms_reply_unmatched", "id", postgresql_where=text("account_id IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID | None = None
    """Whose message it answers; None: nobody's of the last days."""
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    phone: str
    """E.164, of the handset."""
    recipient: str
    gateway: int = Field(sa_type=SmallInteger)
    content: str
    is_opt_out: bool = False
    at: dt.datetime = moment(default_factory=now)


class Answered(NamedTuple):
    """The message that a reply answers."""

    account: UUID
    message: int


# One reply at a time of one handset: a carrier that repeats itself may do so on two binds at once.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('sms-reply/' || $1, 0))"
_KNOWN = """
SELECT EXISTS (SELECT FROM sms_reply WHERE phone = $1 AND gateway = $2 AND content = $3 AND at > $4)
"""
# A carrier may have two gateways for one number, to which alone the handset can answer. `egress` 0: its process died
# while it spoke, and nobody knows to whom.
_ANSWERED = f"""
SELECT m.account_id, m.id FROM message m JOIN submission s ON s.id = m.submission_id
WHERE m.address = $1 AND left(m.address, 1) = '+' AND m.state <> ALL('{{{MessageState.QUEUED},{MessageState.DROPPED}}}')
  AND (m.egress IN (0, $2) OR m.egress IN (SELECT number FROM sms_gateway WHERE source = $3 AND source <> ''))
  AND m.attempted_at > $4 AND ($5 = '' OR s.kind = $5)
ORDER BY m.attempted_at DESC, m.id DESC LIMIT 1
"""  # noqa: S608 - constants of ours
_KEEP = """
INSERT INTO sms_reply (id, account_id, message_id, phone, recipient, gateway, content, is_opt_out, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING *
"""


async def alone(connection: Connection, phone: str) -> None:
    """Wait for whoever keeps a reply of the same handset; until the end of the transaction."""
    await connection.execute(_ALONE, phone)


async def is_known(connection: Connection, phone: str, gateway: int, content: str, since: dt.datetime) -> bool:
    """Whether the same was kept since then."""
    return bool(await connection.fetchval(_KNOWN, phone, gateway, content, since))


async def answered(
    connection: Connection, phone: str, gateway: int, recipient: str, since: dt.datetime, kind: str = ""
) -> Answered | None:
    """The last message (of that kind) that went to this handset by this gateway, or by another one with the number
    `recipient`, and not before `since`."""
    row = await connection.fetchrow(_ANSWERED, phone, gateway, recipient, since, kind)
    return Answered(row["account_id"], row["id"]) if row else None


async def keep(connection: Connection, reply: SmsReply) -> Mapping[str, Any]:
    """Insert it; the row."""
    row: Mapping[str, Any] = await connection.fetchrow(
        _KEEP, reply.id, reply.account_id, reply.message_id, reply.phone, reply.recipient, reply.gateway,
        reply.content, reply.is_opt_out, reply.at,
    )  # fmt: skip
    return row


@dataclass(frozen=True)
class Sought:
    """What a list of replies is narrowed to; `phone` and `content` are parts of them, empty: all."""

    phone: str = ""
    content: str = ""
    opt_out: bool | None = None


async def page(
    session: Session, account: UUID | None, sought: Sought, after: UUID | None, limit: int
) -> list[SmsReply]:
    """Newest first, older than `after`. Account None: replies that match nobody."""
    query = select(SmsReply).where(*_narrowed(account, sought))
    if after is not None:
        query = query.where(col(SmsReply.id) < after)
    return list(await session.exec(query.order_by(col(SmsReply.id).desc()).limit(limit)))


async def sends_of(session: Session, account: UUID, messages: Collection[int]) -> dict[int, UUID]:
    """The submissions of these messages of the account, as far as they are still kept."""
    query = select(Message.id, Message.submission_id)
    found = await session.exec(query.where(Message.account_id == account, col(Message.id).in_(messages)))
    return {message: send for message, send in found if message is not None}


async def count(session: Session, account: UUID | None, sought: Sought) -> int:
    """How many there are."""
    return (await session.exec(select(func.count()).select_from(SmsReply).where(*_narrowed(account, sought)))).one()


async def find(session: Session, account: UUID, reply: UUID) -> SmsReply | None:
    """One reply of the account."""
    return (await session.exec(select(SmsReply).where(SmsReply.account_id == account, SmsReply.id == reply))).first()


def _narrowed(account: UUID | None, sought: Sought) -> list[ColumnElement[bool]]:
    owner = col(SmsReply.account_id)
    rules: list[ColumnElement[bool]] = [owner.is_(None) if account is None else owner == account]
    if sought.phone:
        rules.append(holds(col(SmsReply.phone), sought.phone))
    if sought.content:
        rules.append(holds(col(SmsReply.content), sought.content))
    if sought.opt_out is not None:
        rules.append(col(SmsReply.is_opt_out) == sought.opt_out)
    return rules
