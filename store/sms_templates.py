"""SMS templates and their versions."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from domain.ids import new_id
from domain.reviews import ReviewState
from store.columns import moment, now, text_list


class SmsTemplate(SQLModel, table=True):
    __tablename__ = "sms_template"
    __table_args__ = (
        Index("sms_template_name", "account_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(start=1001), unique=True))
    """SendCloud's templateId."""
    account_id: UUID = Field(foreign_key="account.id")
    name: str
    is_builtin: bool = False
    """Made and approved by the platform: of `sendCode`, of quick tests. Not listed, does not count for onboarding."""
    created_at: dt.datetime = moment(default_factory=now)
    updated_at: dt.datetime = moment(default_factory=now)
    deleted_at: dt.datetime | None = moment(default=None)


class SmsTemplateVersion(SQLModel, table=True):
    """Nothing in it changes after submission; an edit makes the next version. Only an approved one is sent."""

    __tablename__ = "sms_template_version"
    __table_args__ = (
        UniqueConstraint("template_id", "number"),
        Index("sms_template_one_draft", "template_id", unique=True, postgresql_where=text("state = 'draft'")),
        Index("sms_template_one_submitted", "template_id", unique=True, postgresql_where=text("state = 'submitted'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    template_id: UUID = Field(foreign_key="sms_template.id")
    account_id: UUID
    number: int
    kind: str
    """`domain.sms.SmsKind`."""
    market: str
    """`domain.sms.Market`: the signature's."""
    signature_id: UUID = Field(foreign_key="sms_signature.id")
    signature_last: bool = False
    """The signature stands behind the text."""
    content: str
    """With `%name%` for variables; without signature; opt-out words included."""
    variables: list[str] = text_list(default_factory=list)
    state: str = ReviewState.DRAFT.value
    row_version: int = 1
    created_at: dt.datetime = moment(default_factory=now)
    submitted_at: dt.datetime | None = moment(default=None)
    due_at: dt.datetime | None = moment(default=None)
    due_provisional: bool = False
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str | None = None
    reason: str | None = None
