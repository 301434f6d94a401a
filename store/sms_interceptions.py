"""The interception list: numbers that failed, whom they are blocked for and how long (seed 3.6 ①, reference §7.7)."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.ids import new_id
from store.columns import moment, now


class SmsInterception(SQLModel, table=True):
    """The latest failure of one kind of one number, with the account whose message met it."""

    __tablename__ = "sms_interception"
    __table_args__ = (
        UniqueConstraint("account_id", "phone", "code"),
        Index("sms_interception_phone", "phone", "until"),
        Index("sms_interception_newest", "account_id", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    """The source (来源)."""
    phone: str
    """E.164."""
    code: int = Field(sa_type=SmallInteger)
    """500 to 590, see `domain.sms_results`."""
    scope: str
    """`global`: for everybody; `local`: for the source."""
    until: dt.datetime | None = moment(default=None)
    """It blocks until then; None: it is listed and blocks nothing."""
    times: int = 1
    error: str = ""
    """What the carrier said last."""
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    created_at: dt.datetime = moment(default_factory=now)
    updated_at: dt.datetime = moment(default_factory=now)
    removed_at: dt.datetime | None = moment(default=None)
    removed_by: str | None = None


class SmsUnblockRequest(SQLModel, table=True):
    """A customer asks support to lift a global interception that is not theirs (seed 3.6 ①)."""

    __tablename__ = "sms_unblock_request"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    phone: str
    note: str = ""
    created_at: dt.datetime = moment(default_factory=now)
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str | None = None
    lifted: bool = False
    reason: str = ""
