"""How often an account wrote to a number lately (domain-rules §4.1)."""

import datetime as dt
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel


class SmsRecent(SQLModel, table=True):
    """The acceptances of the last day, of one kind to one number; locked while a request is accepted."""

    __tablename__ = "sms_recent"
    account_id: UUID = Field(primary_key=True)
    phone: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    """`domain.sms.SmsKind`."""
    at: list[dt.datetime] = Field(sa_type=ARRAY(DateTime(timezone=True)))
    last_content: bytes = b""
    """Digest of the last text, so that the same one is not sent twice at once."""
