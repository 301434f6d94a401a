"""Parts that carriers took, by the ids they gave them; receipts that no part was found for yet; what is uncertain."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, SmallInteger, text
from sqlmodel import Field, SQLModel

from domain.ids import new_id
from store.columns import moment, now


class SmsPart(SQLModel, table=True):
    """One part of one attempt: one `submit_sm` that was answered with an id, or that its receipt proved."""

    __tablename__ = "sms_part"
    __table_args__ = (
        Index("sms_part_receipt", "gateway", "smsc_id"),
        Index("sms_part_waiting", "submitted_at", postgresql_where=text("state = ''")),
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
    __table_args__ = (
        Index("sms_receipt_id", "gateway", "smsc_id"),
        Index("sms_receipt_at", "arrived_at"),
        Index("sms_receipt_waiting", "id", postgresql_where=text("fate = ''")),
    )
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


class SmsUncertain(SQLModel, table=True):
    """A message whose dialogue with a carrier broke before its answer: a receipt without a known id may be its own."""

    __tablename__ = "sms_uncertain"
    __table_args__ = (Index("sms_uncertain_phone", "phone"),)
    message_id: int = Field(sa_type=BigInteger, primary_key=True)
    phone: str
    gateway: int = Field(sa_type=SmallInteger)
    """0: its process died, and nobody knows which gateway it spoke to."""
    attempt: int = Field(sa_type=SmallInteger)
    since: dt.datetime = moment()
    settled_at: dt.datetime | None = moment(default=None)
    """It ended as `unknown`: a receipt that still comes corrects it."""


class SmsCorrection(SQLModel, table=True):
    """What a receipt changed that came after its message had ended without one."""

    __tablename__ = "sms_correction"
    __table_args__ = (Index("sms_correction_message", "message_id"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    message_id: int = Field(sa_type=BigInteger)
    account_id: UUID
    submission_id: UUID
    at: dt.datetime = moment(default_factory=now)
    from_state: str
    from_reason: str
    from_at: dt.datetime | None = moment(default=None)
    to_state: str
    """The same as before, while not every part is known."""
    to_reason: str
    segments: int = Field(sa_type=SmallInteger)
    """That the receipt proved to have been taken, and that were not counted as charged."""
    charging: str
    """`domain.corrections.Charging`."""
