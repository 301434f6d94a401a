"""Labels of SMS by number, as SendCloud's API names them (reference §7.4); a submission holds the label's name."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.columns import moment, now


class SmsLabel(SQLModel, table=True):
    __tablename__ = "sms_label"
    __table_args__ = (UniqueConstraint("account_id", "name"),)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(start=1001), primary_key=True))
    account_id: UUID = Field(foreign_key="account.id")
    name: str
    created_at: dt.datetime = moment(default_factory=now)
    updated_at: dt.datetime = moment(default_factory=now)
