"""Addresses that a receiver's server said do not exist: for a while nobody on this platform writes to them."""

import datetime as dt
from collections.abc import Sequence

from sqlmodel import Field, SQLModel

from domain.suppressions import suppression_key
from store.columns import moment, now
from store.db import Connection


class DeadAddress(SQLModel, table=True):
    """`address` is a `suppression_key`. Held back until `until`: 2^`failures` hours, at most 30 days (reference §9)."""

    __tablename__ = "dead_address"
    address: str = Field(primary_key=True)
    failures: int
    first_at: dt.datetime = moment(default_factory=now)
    last_at: dt.datetime = moment(default_factory=now)
    until: dt.datetime = moment()


# In the order of the addresses, so that two transactions wait for each other in one order.
_LEARN = """
INSERT INTO dead_address AS d (address, failures, first_at, last_at, until)
SELECT address, 1, now(), now(), now() + interval '2 hours' FROM unnest($1::text[]) AS a (address) ORDER BY address
ON CONFLICT (address) DO UPDATE SET failures = least(d.failures + 1, 30), last_at = now(),
    until = now() + least(interval '30 days', interval '1 hour' * power(2, least(d.failures + 1, 30)))
"""


async def learn(connection: Connection, addresses: Sequence[str]) -> None:
    """These normalised addresses do not exist, says their server; in the caller's transaction."""
    if addresses:
        await connection.execute(_LEARN, sorted({suppression_key(address) for address in addresses}))


async def forget(connection: Connection, addresses: Sequence[str]) -> None:
    """These took a mail."""
    if addresses:
        keys = sorted({suppression_key(address) for address in addresses})
        await connection.execute("DELETE FROM dead_address WHERE address = ANY($1::text[])", keys)
