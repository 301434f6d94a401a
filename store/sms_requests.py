"""Answers that were given under a key of the caller: a repeat gets the first one (reference §7.3, sendRequestId)."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from store.columns import json_object, moment, now


class SmsRequestKey(SQLModel, table=True):
    __tablename__ = "sms_request_key"
    account_id: UUID = Field(foreign_key="account.id", primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: bytes
    answer: dict[str, Any] = json_object(default_factory=dict)
    at: dt.datetime = moment(default_factory=now)
