"""Recharge orders, payments that arrived, and notifications that were refused."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.billing import RechargeState
from domain.ids import new_id
from store.columns import moment, now


class Recharge(SQLModel, table=True):
    """An order to recharge. Its `out_trade_no` at the provider is the id in hex."""

    __tablename__ = "recharge"
    __table_args__ = (Index("recharge_account", "account_id", "created_at"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    member_id: UUID | None = None
    channel: str
    amount_fen: int = Field(sa_type=BigInteger)
    state: str = RechargeState.OPEN.value
    created_at: dt.datetime = moment(default_factory=now)
    expires_at: dt.datetime = moment()
    credited_at: dt.datetime | None = moment(default=None)
    closed_at: dt.datetime | None = moment(default=None)
    close_reason: str = ""
    """`timeout` or `member`."""


class Payment(SQLModel, table=True):
    """Money that arrived, as the provider named it: one row per provider's transaction, whatever became of it."""

    __tablename__ = "payment"
    __table_args__ = (UniqueConstraint("channel", "transaction"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    recharge_id: UUID = Field(foreign_key="recharge.id", index=True)
    account_id: UUID = Field(foreign_key="account.id")
    channel: str
    transaction: str
    amount_fen: int = Field(sa_type=BigInteger)
    paid_at: dt.datetime | None = moment(default=None)
    seen_at: dt.datetime = moment(default_factory=now)
    late: bool = False
    """Arrived when the order was closed."""
    state: str
    refunded_at: dt.datetime | None = moment(default=None)
    why: str = ""


class RefusedNotice(SQLModel, table=True):
    """A payment notification that was not believed."""

    __tablename__ = "refused_notice"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    channel: str
    at: dt.datetime = moment(default_factory=now)
    reason: str
    recharge_id: UUID | None = None
    digest: bytes
    """SHA-256 of the body."""
