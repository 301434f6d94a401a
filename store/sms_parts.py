"""Parts that carriers took, by the ids they gave them; receipts that no part was found for yet."""

import datetime as dt

from sqlalchemy import BigInteger, Column, Identity, Index, SmallInteger
from sqlmodel import Field, SQLModel

from store.columns import moment, now


class SmsPart(SQLModel, table=True):
    """One part of one attempt: one `submit_sm` that was answered with an id."""

    __tablename__ = "sms_part"
    __table_args__ = (
        Index("sms_part_receipt", "gateway", "smsc_id"),
        Index("sms_part_submitted", "submitted_at", postgresql_using="brin"),
    )
    message_id: int = Field(sa_type=BigInteger, primary_key=True)
    attempt: int = Field(sa_type=SmallInteger, primary_key=True)
    part: int = Field(sa_type=SmallInteger, primary_key=True)
    """0-based."""
    gateway: int = Field(sa_type=SmallInteger)
    smsc_id: str
    submitted_at: dt.datetime = moment()
    state: str = ""
    """Of its final receipt (`domain.sms_transport.ReceiptState`); empty: none yet."""
    error: str = ""
    done_at: dt.datetime | None = moment(default=None)


class SmsReceipt(SQLModel, table=True):
    """A receipt that came before its part was recorded, or that belongs to nobody: kept until it is matched or old."""

    __tablename__ = "sms_receipt"
    __table_args__ = (Index("sms_receipt_id", "gateway", "smsc_id"), Index("sms_receipt_at", "arrived_at"))
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    gateway: int = Field(sa_type=SmallInteger)
    smsc_id: str
    phone: str
    state: str
    error: str = ""
    done_at: dt.datetime | None = moment(default=None)
    reference: int | None = None
    body: str = ""
    arrived_at: dt.datetime = moment(default_factory=now)
    fate: str = ""
    """Empty: waits. `unknown`: no message of ours in its time; `repeated`: its part had a final receipt."""
