"""Signatures of SMS: the name in 【】 that every text begins or ends with, and its review."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, text
from sqlmodel import Field, SQLModel

from domain.ids import new_id
from domain.reviews import ReviewState
from store.columns import moment, now


class SmsSignature(SQLModel, table=True):
    """Its text never changes after submission; another text is another signature."""

    __tablename__ = "sms_signature"
    __table_args__ = (
        Index(
            "sms_signature_text",
            "account_id",
            "market",
            "text",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(start=1001), unique=True))
    """SendCloud's signId."""
    account_id: UUID = Field(foreign_key="account.id")
    text: str
    """Without the brackets."""
    market: str
    """`domain.sms.Market`."""
    source: str
    """What it stands for: company, website, app, trademark …"""
    note: str = ""
    """The customer's words to the reviewer."""
    paper_id: UUID | None = None
    """The proof, in the store of papers."""
    is_builtin: bool = False
    """The platform's own, for test sends."""
    state: str = ReviewState.DRAFT.value
    row_version: int = 1
    created_at: dt.datetime = moment(default_factory=now)
    submitted_at: dt.datetime | None = moment(default=None)
    due_at: dt.datetime | None = moment(default=None)
    due_provisional: bool = False
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str | None = None
    reason: str | None = None
    deleted_at: dt.datetime | None = moment(default=None)
