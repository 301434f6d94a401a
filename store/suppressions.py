"""Whom an account must not write to in batch."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import BigInteger, Index, delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col, func, select

from domain.ids import new_id
from domain.suppressions import SuppressionReason, suppression_key
from store.columns import moment, now
from store.db import Connection, Session


class Suppression(SQLModel, table=True):
    """`address` is normalised and lower-cased as a whole. It holds for batch sends, not for trigger mails."""

    __tablename__ = "suppression"
    __table_args__ = (Index("suppression_newest", "account_id", "id", unique=True),)
    account_id: UUID = Field(primary_key=True)
    address: str = Field(primary_key=True)
    """`domain.suppressions.suppression_key` of it; in SQL `lower(address COLLATE "C") COLLATE "default"`."""
    id: UUID = Field(default_factory=new_id)
    """Names it in paths, where an address would be written to logs; grows with time."""
    reason: str
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    """The mail whose link was used."""
    created_at: dt.datetime = moment(default_factory=now)


async def suppressed(connection: Connection, account: UUID, addresses: Sequence[str]) -> set[str]:
    """Which of these normalised addresses, as they are given, the account must not write to in batch."""
    keys = {address: suppression_key(address) for address in addresses}
    found = await connection.fetch(
        "SELECT address FROM suppression WHERE account_id = $1 AND address = ANY($2::text[])",
        account,
        list(set(keys.values())),
    )
    held = {row["address"] for row in found}
    return {address for address, key in keys.items() if key in held}


_WITHDRAW = """
INSERT INTO suppression AS s (account_id, address, id, reason, message_id, created_at)
VALUES ($1, $2, $3, 'unsubscribe', $4, $5)
ON CONFLICT (account_id, address) DO UPDATE SET reason = 'unsubscribe', message_id = excluded.message_id
WHERE s.reason = 'manual'
RETURNING true
"""


async def of_address(connection: Connection, account: UUID, address: str) -> tuple[str, int | None] | None:
    """(reason, message) of what keeps the account from writing to this normalised address."""
    row = await connection.fetchrow(
        "SELECT reason, message_id FROM suppression WHERE account_id = $1 AND address = $2",
        account,
        suppression_key(address),
    )
    return (row["reason"], row["message_id"]) if row else None


async def withdraw(connection: Connection, account: UUID, address: str, message: int, at: dt.datetime) -> bool:
    """The recipient of this message unsubscribes; False when that was so already.

    The recipient's own word takes the place of what a member entered: whoever deletes that entry must see it.
    """
    key = suppression_key(address)
    return bool(await connection.fetchval(_WITHDRAW, account, key, new_id(), message, at))


async def take_back(connection: Connection, account: UUID, address: str, message: int) -> None:
    """Undo what `withdraw` did for this message, and nothing else."""
    await connection.execute(
        "DELETE FROM suppression WHERE account_id = $1 AND address = $2 AND message_id = $3 AND reason = 'unsubscribe'",
        account,
        suppression_key(address),
        message,
    )


async def page(session: Session, account: UUID, sought: str, after: UUID | None, limit: int) -> list[Suppression]:
    """Newest first, older than `after`; `sought` is a part of the address (empty: all)."""
    query = select(Suppression).where(Suppression.account_id == account)
    if sought:
        query = query.where(func.strpos(col(Suppression.address), suppression_key(sought)) > 0)
    if after is not None:
        query = query.where(col(Suppression.id) < after)
    return list(await session.exec(query.order_by(col(Suppression.id).desc()).limit(limit)))


async def count(session: Session, account: UUID) -> int:
    """How many addresses an account must not write to."""
    query = select(func.count()).select_from(Suppression).where(col(Suppression.account_id) == account)
    return (await session.exec(query)).one()


async def add(session: Session, account: UUID, addresses: Sequence[str]) -> int:
    """Enter normalised addresses by hand; what is there stays as it is. How many are new."""
    rows = [
        {
            "account_id": account,
            "address": address,
            "id": new_id(),
            "reason": SuppressionReason.MANUAL.value,
            "created_at": now(),
        }
        for address in dict.fromkeys(suppression_key(address) for address in addresses)
    ]
    entered = insert(Suppression).values(rows).on_conflict_do_nothing().returning(col(Suppression.id))
    return len((await session.exec(entered)).all())


async def remove(session: Session, account: UUID, suppression: UUID) -> str | None:
    """Free an address; the reason that it was there for, None when it was not."""
    gone = await session.exec(
        delete(Suppression)
        .where(col(Suppression.account_id) == account, col(Suppression.id) == suppression)
        .returning(col(Suppression.reason))
    )
    found = gone.scalar_one_or_none()
    return None if found is None else str(found)
