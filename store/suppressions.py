"""Whom an account must not write to, and why: what its recipients said, what its members entered."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Index, and_, delete, or_
from sqlmodel import Field, SQLModel, col, func, select

from domain.ids import new_id
from domain.suppressions import (
    COMPLAINT_HOLDS,
    DEAD,
    Entry,
    Held,
    SuppressionReason,
    SuppressionScope,
    first_said,
    suppression_key,
)
from store.columns import holds, moment, now
from store.db import Connection, Session, by_column


class Suppression(SQLModel, table=True):
    """One reason why an account must not write to an address. An address can have several: each ends by itself."""

    __tablename__ = "suppression"
    __table_args__ = (Index("suppression_newest", "account_id", "id", unique=True),)
    account_id: UUID = Field(primary_key=True)
    address: str = Field(primary_key=True)
    """`domain.suppressions.suppression_key` of it; in SQL `lower(address COLLATE "C") COLLATE "default"`."""
    reason: str = Field(primary_key=True)
    id: UUID = Field(default_factory=new_id)
    """Names it in paths, where an address would be written to logs; grows with time."""
    scope: str = Field(default=SuppressionScope.BATCH.value, sa_column_kwargs={"server_default": "batch"})
    until: dt.datetime | None = moment(default=None)
    """From then on it holds nothing back; None: for ever."""
    note: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """Of whoever entered it."""
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    """The mail whose link was used, or that was reported."""
    created_at: dt.datetime = moment(default_factory=now)


class Wanted(NamedTuple):
    """A normalised address that an account wants to write to."""

    account: UUID
    address: str
    batch: bool


# Two joins of their own, each by its whole key; `domain.suppressions.first_said` chooses among what they find.
_HELD_BACK = f"""
WITH wanted AS MATERIALIZED (
    SELECT account, address, batch, n
    FROM unnest($1::uuid[], $2::text[], $3::bool[]) WITH ORDINALITY AS w (account, address, batch, n)
)
SELECT w.n, s.reason, s.until FROM wanted w JOIN suppression s ON s.account_id = w.account AND s.address = w.address
WHERE (s.until IS NULL OR s.until > $4) AND (w.batch OR s.scope = '{SuppressionScope.ALL}')
UNION ALL
SELECT w.n, '{DEAD}', d.until FROM wanted w JOIN dead_address d ON d.address = w.address WHERE d.until > $4
"""  # noqa: S608 - constants of ours


FIRST_SAID = f"array_position(ARRAY{[reason.value for reason in SuppressionReason]}, reason)"
"""The rank of a row's reason, as `domain.suppressions.first_said` has it."""


async def held_back(connection: Connection, wanted: Sequence[Wanted], at: dt.datetime) -> dict[Wanted, Held]:
    """Those who must not be written to, each with the reason that is said first. One statement."""
    asked = list(dict.fromkeys(wanted))
    if not asked:
        return {}
    keys = [(one.account, suppression_key(one.address), one.batch) for one in asked]
    held: dict[Wanted, Held] = {}
    for row in await connection.fetch(_HELD_BACK, *by_column(keys), at):
        one, why = asked[row["n"] - 1], Held(row["reason"], row["until"])
        held[one] = first_said(held[one], why) if one in held else why
    return held


_COMPLAIN = """
INSERT INTO suppression AS s (account_id, address, id, reason, scope, until, message_id, created_at)
VALUES ($1, $2, $3, 'complaint', 'all', $5::timestamptz + $6::interval, $4, $5)
ON CONFLICT (account_id, address, reason) DO UPDATE SET
    until = CASE WHEN s.until IS NOT NULL THEN greatest(s.until, excluded.until) END,
    message_id = excluded.message_id, scope = 'all',
    id = CASE WHEN s.until <= $5 THEN excluded.id ELSE s.id END,
    created_at = CASE WHEN s.until <= $5 THEN excluded.created_at ELSE s.created_at END
WHERE s.message_id IS DISTINCT FROM excluded.message_id OR s.until <= $5
RETURNING id
"""


async def complain(connection: Connection, account: UUID, address: str, message_id: int, at: dt.datetime) -> bool:
    """The recipient reported this message as spam: for 180 days the account writes to this address in no way.

    True when no complaint held it back before. The report of another message begins the 180 days anew, that of the
    same message changes nothing.
    """
    fresh = new_id()
    key = suppression_key(address)
    kept = await connection.fetchval(_COMPLAIN, account, key, fresh, message_id, at, COMPLAINT_HOLDS)
    return bool(kept == fresh)


_WITHDRAW = """
INSERT INTO suppression AS s (account_id, address, id, reason, message_id, created_at)
VALUES ($1, $2, $3, 'unsubscribe', $4, $5)
ON CONFLICT (account_id, address, reason) DO UPDATE SET id = excluded.id, message_id = excluded.message_id,
    created_at = excluded.created_at, until = NULL
WHERE s.until IS NOT NULL
RETURNING true
"""


async def withdraw(connection: Connection, account: UUID, address: str, message: int, at: dt.datetime) -> bool:
    """The recipient of this message unsubscribes; False when that was so already.

    It is for ever, and stands beside a complaint and what a member entered: whoever deletes those must see it.
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


async def of_address(connection: Connection, account: UUID, address: str, at: dt.datetime) -> list[Any]:
    """(reason, message_id) of what keeps the account from writing to this normalised address at that time."""
    return list(
        await connection.fetch(
            "SELECT reason, message_id FROM suppression"
            " WHERE account_id = $1 AND address = $2 AND (until IS NULL OR until > $3)",
            account,
            suppression_key(address),
            at,
        )
    )


@dataclass(frozen=True)
class Sought:
    """What a list of entries is narrowed to; empty: all. `text` is a part of the address."""

    text: str = ""
    reason: str = ""
    scope: str = ""


async def page(session: Session, account: UUID, sought: Sought, after: UUID | None, limit: int) -> list[Suppression]:
    """Newest first, older than `after`; with those that have ended."""
    query = select(Suppression).where(*_narrowed(account, sought))
    if after is not None:
        query = query.where(col(Suppression.id) < after)
    return list(await session.exec(query.order_by(col(Suppression.id).desc()).limit(limit)))


async def count(session: Session, account: UUID, sought: Sought) -> int:
    """How many entries there are."""
    query = select(func.count()).select_from(Suppression).where(*_narrowed(account, sought))
    return (await session.exec(query)).one()


def _narrowed(account: UUID, sought: Sought) -> list[ColumnElement[bool]]:
    rules: list[ColumnElement[bool]] = [col(Suppression.account_id) == account]
    if sought.text:
        rules.append(holds(col(Suppression.address), suppression_key(sought.text)))
    if sought.reason:
        rules.append(col(Suppression.reason) == sought.reason)
    if sought.scope:
        rules.append(col(Suppression.scope) == sought.scope)
    return rules


async def find(session: Session, account: UUID, suppression: UUID) -> Suppression | None:
    """One entry of the account."""
    query = select(Suppression).where(Suppression.account_id == account, Suppression.id == suppression)
    return (await session.exec(query)).first()


async def holding(session: Session, account: UUID, address: str, at: dt.datetime) -> list[Suppression]:
    """Every entry that holds this normalised address back at that time, the first-said reason first."""
    query = select(Suppression).where(
        Suppression.account_id == account,
        Suppression.address == suppression_key(address),
        or_(col(Suppression.until).is_(None), col(Suppression.until) > at),
    )
    order = list(SuppressionReason)
    return sorted(await session.exec(query), key=lambda one: order.index(SuppressionReason(one.reason)))


# Entering never frees anybody: of two scopes the wider holds, of two ends the later. What has ended begins anew.
_ENTER = """
WITH asked AS (
    SELECT DISTINCT ON (address, reason) * FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[],
                                                       $6::text[], $7::uuid[])
        AS e (address, reason, scope, until, note, id)
    ORDER BY address, reason, id DESC
), entered AS (
    INSERT INTO suppression AS s (account_id, address, reason, scope, until, note, id, created_at)
    SELECT $1, address, reason, scope, until, note, id, $8 FROM asked ORDER BY address, reason
    ON CONFLICT (account_id, address, reason) DO UPDATE SET
        scope = CASE WHEN s.until <= $8 OR s.scope = 'batch' THEN excluded.scope ELSE s.scope END,
        until = CASE WHEN s.until <= $8 THEN excluded.until
                     WHEN s.until IS NULL OR excluded.until IS NULL THEN NULL
                     ELSE greatest(s.until, excluded.until) END,
        note = CASE WHEN excluded.note = '' AND (s.until IS NULL OR s.until > $8) THEN s.note ELSE excluded.note END,
        message_id = CASE WHEN s.until <= $8 THEN NULL ELSE s.message_id END,
        id = CASE WHEN s.until <= $8 THEN excluded.id ELSE s.id END,
        created_at = CASE WHEN s.until <= $8 THEN excluded.created_at ELSE s.created_at END
    RETURNING id
)
SELECT count(*) FROM entered JOIN asked USING (id)
"""


async def enter(connection: Connection, account: UUID, entries: Sequence[Entry], at: dt.datetime) -> int:
    """Have these hold from `at` on; how many did not before. Of an address that is named twice the last one counts."""
    if not entries:
        return 0
    columns = by_column([(suppression_key(one.address), *one[1:], new_id()) for one in entries])
    return int(await connection.fetchval(_ENTER, account, *columns, at))


async def remove(session: Session, account: UUID, suppressions: Sequence[UUID]) -> dict[UUID, str]:
    """Delete entries; of each that was there the reason."""
    gone = await session.exec(
        delete(Suppression)
        .where(and_(col(Suppression.account_id) == account, col(Suppression.id).in_(suppressions)))
        .returning(col(Suppression.id), col(Suppression.reason))
    )
    return {row[0]: str(row[1]) for row in gone.all()}
