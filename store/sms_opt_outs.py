"""Numbers that an account's marketing must not reach any more (退订列表, seed 3.6 ③)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Index, delete
from sqlmodel import Field, SQLModel, col, func, select

from domain.ids import new_id
from domain.sms_opt_out import OptOutSource
from store.columns import holds, moment, now
from store.db import Connection, Session, by_column


class SmsOptOut(SQLModel, table=True):
    __tablename__ = "sms_opt_out"
    __table_args__ = (Index("sms_opt_out_newest", "account_id", "id", unique=True),)
    account_id: UUID = Field(foreign_key="account.id", primary_key=True)
    phone: str = Field(primary_key=True)
    id: UUID = Field(default_factory=new_id)
    """Names it in paths, where a number would be written to logs."""
    source: str
    """`domain.sms_opt_out.OptOutSource`."""
    word: str = ""
    reply_id: UUID | None = None
    created_at: dt.datetime = moment(default_factory=now)


_ENTER = """
INSERT INTO sms_opt_out (account_id, phone, id, source, word, reply_id, created_at)
SELECT $1, phone, id, $4, $5, $6, $7 FROM unnest($2::text[], $3::uuid[]) AS o (phone, id) ORDER BY phone
ON CONFLICT (account_id, phone) DO UPDATE SET source = excluded.source, word = excluded.word,
    reply_id = excluded.reply_id
WHERE excluded.source = 'reply' AND sms_opt_out.source <> 'reply'
RETURNING id = ANY($3) AS is_new
"""
_OPTED_OUT = "SELECT phone FROM sms_opt_out WHERE account_id = $1 AND phone = ANY($2::text[])"


async def enter(
    connection: Connection, account: UUID, phones: Sequence[str], source: OptOutSource, at: dt.datetime,
    *, word: str = "", reply: UUID | None = None,
) -> int:  # fmt: skip
    """From now on these E.164 numbers get no marketing of the account; how many did until now.

    What their owner said stands before what a member entered.
    """
    wanted = sorted(set(phones))
    if not wanted:
        return 0
    columns = by_column([(phone, new_id()) for phone in wanted])
    rows = await connection.fetch(_ENTER, account, *columns, source.value, word, reply, at)
    return sum(row["is_new"] for row in rows)


async def opted_out(connection: Connection, account: UUID, phones: Sequence[str]) -> set[str]:
    """Those of these E.164 numbers that get no marketing of the account. One statement."""
    return {row["phone"] for row in await connection.fetch(_OPTED_OUT, account, list(phones))}


@dataclass(frozen=True)
class Sought:
    """What a list is narrowed to; empty: all. `phone` is a part of the number."""

    phone: str = ""
    source: str = ""


async def page(session: Session, account: UUID, sought: Sought, after: UUID | None, limit: int) -> list[SmsOptOut]:
    """Newest first, older than `after`."""
    query = select(SmsOptOut).where(*_narrowed(account, sought))
    if after is not None:
        query = query.where(col(SmsOptOut.id) < after)
    return list(await session.exec(query.order_by(col(SmsOptOut.id).desc()).limit(limit)))


async def count(session: Session, account: UUID, sought: Sought) -> int:
    """How many there are."""
    return (await session.exec(select(func.count()).select_from(SmsOptOut).where(*_narrowed(account, sought)))).one()


async def find(session: Session, account: UUID, opt_out: UUID) -> SmsOptOut | None:
    """One entry of the account."""
    query = select(SmsOptOut).where(SmsOptOut.account_id == account, SmsOptOut.id == opt_out)
    return (await session.exec(query)).first()


async def remove(session: Session, account: UUID, opt_outs: Sequence[UUID]) -> dict[UUID, str]:
    """Delete entries; of each that was there who had made it (`OptOutSource`)."""
    gone = await session.exec(
        delete(SmsOptOut)
        .where(col(SmsOptOut.account_id) == account, col(SmsOptOut.id).in_(opt_outs))
        .returning(col(SmsOptOut.id), col(SmsOptOut.source))
    )
    return {row[0]: str(row[1]) for row in gone.all()}


def _narrowed(account: UUID, sought: Sought) -> list[ColumnElement[bool]]:
    rules: list[ColumnElement[bool]] = [col(SmsOptOut.account_id) == account]
    if sought.phone:
        rules.append(holds(col(SmsOptOut.phone), sought.phone))
    if sought.source:
        rules.append(col(SmsOptOut.source) == sought.source)
    return rules
