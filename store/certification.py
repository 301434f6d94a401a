"""Certifications and what was handed in with them."""

import datetime as dt
from uuid import UUID

from sqlalchemy import Date, Index, text
from sqlmodel import Field, SQLModel

from domain.certification import CertificationState
from domain.ids import new_id
from store.columns import json_object, moment, now


class Certification(SQLModel, table=True):
    """One application. A rejected one is corrected in a new row, which keeps the parts that were not objected to."""

    __tablename__ = "certification"
    __table_args__ = (
        Index("certification_one_draft", "account_id", unique=True, postgresql_where=text("state = 'draft'")),
        Index("certification_one_submitted", "account_id", unique=True, postgresql_where=text("state = 'submitted'")),
        Index("certification_account", "account_id", "created_at"),
        Index("certification_waiting", "due_at", postgresql_where=text("state = 'submitted'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    kind: str
    number: int = 1
    """1, 2, … within the account."""
    corrects: UUID | None = None
    """The rejected application that this one corrects."""
    details: bytes = b""
    """JSON of the typed parts, sealed for `certification/<id>`: names and numbers of people."""
    exception: bool = False
    """Without a website: support decides."""
    valid_until: dt.date | None = Field(default=None, sa_type=Date)
    state: str = CertificationState.DRAFT.value
    row_version: int = 1
    """Raised by each change of state: what `decide` compares."""
    created_at: dt.datetime = moment(default_factory=now)
    created_by: UUID | None = None
    submitted_at: dt.datetime | None = moment(default=None)
    due_at: dt.datetime | None = moment(default=None)
    due_provisional: bool = False
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str | None = None
    reason: str | None = None
    part_reasons: dict[str, str] = json_object(default_factory=dict)
    """`Part` to what is wrong with it."""


class Document(SQLModel, table=True):
    """A file behind a certification's part. The bytes are in the document store, sealed, under `storage_key`."""

    __tablename__ = "document"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    certification_id: UUID = Field(foreign_key="certification.id", index=True)
    part: str
    storage_key: str
    """Random; says nothing of its owner."""
    media_type: str
    size: int
    sha256: bytes
    created_at: dt.datetime = moment(default_factory=now)
    deleted_at: dt.datetime | None = moment(default=None)
