"""What handsets send us: replies, and those of them that say stop (seed 3.6 ②③)."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger
from sqlmodel import Field, SQLModel

from domain.ids import new_id
from store.columns import moment, now


class SmsReply(SQLModel, table=True):
    __tablename__ = "sms_reply"
    __table_args__ = (Index("sms_reply_account", "account_id", "id"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID | None = None
    """Whose message it answers; None: nobody's of the last days."""
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    phone: str
    """E.164, of the handset."""
    recipient: str
    gateway: int = Field(sa_type=SmallInteger)
    content: str
    is_opt_out: bool = False
    at: dt.datetime = moment(default_factory=now)


class SmsOptOut(SQLModel, table=True):
    """A number that an account's marketing must not reach any more (退订列表)."""

    __tablename__ = "sms_opt_out"
    __table_args__ = (Index("sms_opt_out_newest", "account_id", "id", unique=True),)
    account_id: UUID = Field(foreign_key="account.id", primary_key=True)
    phone: str = Field(primary_key=True)
    id: UUID = Field(default_factory=new_id)
    """Names it in paths, where a number would be written to logs."""
    source: str
    """`reply`, or `member`: entered by hand."""
    word: str = ""
    reply_id: UUID | None = None
    created_at: dt.datetime = moment(default_factory=now)
