"""SMS users, and the keys that their requests are signed with (seed 3.3, reference §7.1)."""

import datetime as dt
from uuid import UUID

from sqlmodel import Field, SQLModel

from domain.ids import new_id
from store.columns import moment, now


class SmsUser(SQLModel, table=True):
    __tablename__ = "sms_user"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    name: str = Field(unique=True)
    """Unique on the whole platform: `smsUser` of SendCloud's API."""
    created_at: dt.datetime = moment(default_factory=now)
    disabled_at: dt.datetime | None = moment(default=None)


class SmsKey(SQLModel, table=True):
    """Shown once. It signs requests, so it is kept sealed; its digest finds it when it is used as a bearer of `/v1`."""

    __tablename__ = "sms_key"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    sms_user_id: UUID = Field(foreign_key="sms_user.id", index=True)
    prefix: str
    sealed: bytes
    """Bound to `sms-key/{id}`."""
    digest: bytes = Field(unique=True)
    created_at: dt.datetime = moment(default_factory=now)
    expires_at: dt.datetime | None = moment(default=None)
    revoked_at: dt.datetime | None = moment(default=None)
