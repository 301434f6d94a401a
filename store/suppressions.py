"""Whom an account must not write to in batch: the table."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from store.columns import moment, now


class Suppression(SQLModel, table=True):
    """`address` is normalised and lower-cased as a whole. It holds for batch sends, not for trigger mails."""

    __tablename__ = "suppression"
    account_id: UUID = Field(primary_key=True)
    address: str = Field(primary_key=True)
    reason: str
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    created_at: dt.datetime = moment(default_factory=now)
