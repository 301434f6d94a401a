"""Whom an account must not write to in batch."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from domain.suppressions import suppression_key
from store.columns import moment, now
from store.db import Connection


class Suppression(SQLModel, table=True):
    """`address` is normalised and lower-cased as a whole. It holds for batch sends, not for trigger mails."""

    __tablename__ = "suppression"
    account_id: UUID = Field(primary_key=True)
    address: str = Field(primary_key=True)
    """`domain.suppressions.suppression_key` of it; in SQL `lower(address COLLATE "C")`."""
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
