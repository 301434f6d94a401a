"""Addresses that a receiver's server said do not exist: for a while nobody on this platform writes to them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Field, SQLModel, col, delete, func, select

from domain.suppressions import suppression_key
from store.columns import moment, now
from store.db import Connection, Session

MOST_COUNTED = 100_000


class DeadAddress(SQLModel, table=True):
    """`address` is a `suppression_key`. Held back until `until`: 2^`failures` hours, at most 30 days (reference §9)."""

    __tablename__ = "dead_address"
    address: str = Field(primary_key=True)
    failures: int
    first_at: dt.datetime = moment(default_factory=now)
    last_at: dt.datetime = moment(default_factory=now)
    until: dt.datetime = moment()


@dataclass(frozen=True)
class DeadCounts:
    """How many there are, none counted past `MOST_COUNTED`; `held` of them are held back just now."""

    known: int
    held: int


# `domain.suppressions.dead_for` in SQL. In the order of the addresses, so that two transactions wait for each other in
# one order.
_LEARN = """
INSERT INTO dead_address AS d (address, failures, first_at, last_at, until)
SELECT address, 1, now(), now(), now() + interval '2 hours' FROM unnest($1::text[]) AS a (address) ORDER BY address
ON CONFLICT (address) DO UPDATE SET failures = least(d.failures + 1, 30), last_at = now(),
    until = now() + least(interval '30 days', interval '1 hour' * power(2, least(d.failures + 1, 30)))
"""
# Who is at work on one of them at this moment has the last word, and is not waited for: `learn` came first here, and
# two transactions that each learn what the other forgets would wait for each other.
_FORGET = """
WITH taken AS MATERIALIZED (
    SELECT address FROM dead_address WHERE address = ANY($1::text[]) FOR UPDATE SKIP LOCKED
)
DELETE FROM dead_address USING taken WHERE dead_address.address = taken.address
"""


async def learn(connection: Connection, addresses: Sequence[str]) -> None:
    """These normalised addresses do not exist, says their server; in the caller's transaction."""
    if addresses:
        await connection.execute(_LEARN, sorted({suppression_key(address) for address in addresses}))


async def forget(connection: Connection, addresses: Sequence[str]) -> None:
    """These took a mail; in the caller's transaction, after `learn`."""
    if addresses:
        await connection.execute(_FORGET, sorted({suppression_key(address) for address in addresses}))


async def find(session: Session, address: str) -> DeadAddress | None:
    """What is known of a normalised address; it may be held back no more."""
    return await session.get(DeadAddress, suppression_key(address))


async def free(session: Session, address: str) -> int | None:
    """Forget what is known of a normalised address; how often it failed, None when nothing is known."""
    query = delete(DeadAddress).where(col(DeadAddress.address) == suppression_key(address))
    gone = await session.exec(query.returning(col(DeadAddress.failures)))
    failures: int | None = gone.scalar_one_or_none()
    return failures


async def counts(session: Session) -> DeadCounts:
    """Of the whole platform."""
    few = select(DeadAddress.until).limit(MOST_COUNTED).subquery()
    held = func.count().filter(few.c.until > func.now())
    known, now_held = (await session.exec(select(func.count(), held).select_from(few))).one()
    return DeadCounts(known, now_held)
