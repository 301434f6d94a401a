"""Submissions and their messages; who waits, who is being sent, by whom (design §4).

The tables are declared here; the statements of the hot path are in `store/accepting.py`, `store/pages.py`
and `store/dialogues.py`.
"""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from domain.channels import Channel, DueLine
from domain.ids import new_id
from domain.sending import MessageState
from store.columns import json_object, moment, now


class Submission(SQLModel, table=True):
    """One accepted request. Its counts of outcomes are derived from its messages."""

    __tablename__ = "submission"
    __table_args__ = (
        Index(
            "submission_idempotency",
            "account_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        Index("submission_account", "account_id", "accepted_at"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID
    channel: str = Field(default=Channel.EMAIL.value, sa_column_kwargs={"server_default": Channel.EMAIL.value})
    api_user_id: UUID
    """Of SMS: the SMS user."""
    template_version_id: UUID
    """Of SMS: `sms_template_version.id`."""
    domain_id: UUID | None = None
    """Of mail."""
    kind: str
    """`domain.senders.SendKind`; of SMS `domain.sms.SmsKind`."""
    is_test: bool = False
    """Sent by a test API user, with a sample template, or by the platform: does not count for onboarding."""
    sender: str
    sender_name: str = ""
    reply_to: str = ""
    label: str = ""
    accepted_at: dt.datetime = moment(default_factory=now)
    expires_at: dt.datetime = moment()
    recipients: int
    duplicates: int = 0
    rejected: list[dict[str, Any]] = json_object(default_factory=list)
    idempotency_key: str | None = None
    fingerprint: bytes | None = None
    """SHA-256 of the request, to tell a repeat from a reuse of the idempotency key."""
    is_campaign: bool = False
    """Then its id is the campaign's, its messages are numbered lane by lane, and pages take them by range."""
    headers: dict[str, str] = json_object(default_factory=dict, sa_column_kwargs={"server_default": "{}"})
    """Fields of the customer's own that its mails carry (`domain.custom_headers`)."""
    country: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """Of SMS: ISO 3166 of all its numbers, which is what they cost."""
    tag: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """Of SMS: the customer's own words, which its hook hears again."""
    task_id: UUID | None = None
    """Of SMS: the run of a scheduled task that asked for it."""
    charged_from: int | None = None
    """Messages from this ordinal on are charged, see `store.ledger.Hold`; None: the free quota covers them all."""


class Message(SQLModel, table=True):
    """One recipient, one outcome. No index depends on `state` (design §4, traps)."""

    __tablename__ = "message"
    __table_args__ = (
        Index("message_submission", "submission_id", "ordinal", unique=True),
        Index("message_phone", "address", "id", postgresql_where=text("\"left\"(address, 1) = '+'")),
    )
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    submission_id: UUID
    account_id: UUID
    ordinal: int
    """0-based place in the submission."""
    address: str
    variables: dict[str, str] = json_object(default_factory=dict)
    state: str = MessageState.QUEUED.value
    attempts: int = 0
    round: int = 0
    """Raised whenever a page gives the message back, so that an old page cannot send it again."""
    next_at: dt.datetime | None = moment(default=None)
    """When a deferred message is tried again."""
    attempted_at: dt.datetime | None = moment(default=None)
    finished_at: dt.datetime | None = moment(default=None)
    reason: str = ""
    code: int = 0
    enhanced: str = ""
    reply: str = ""
    host: str = ""
    possible_duplicate: bool = False
    revision: int = Field(default=0, sa_type=SmallInteger)
    """Which content was sent last: 0 the submission's own version, else `campaign_revision.number`."""
    egress: int = Field(default=0, sa_type=SmallInteger)
    """Which of our addresses spoke last (`egress_address.number`); 0: the system chose. Of SMS: which gateway."""
    segments: int = Field(default=1, sa_type=SmallInteger, sa_column_kwargs={"server_default": "1"})
    """Parts that an SMS is sent in, and what it costs; of a mail 1."""
    submitted: int = Field(default=0, sa_type=SmallInteger, sa_column_kwargs={"server_default": "0"})
    """Of SMS: parts that carriers took."""


class Attempt(SQLModel, table=True):
    """A try that did not settle its message. The last, settling try is on the message row itself."""

    __tablename__ = "attempt"
    message_id: int = Field(sa_type=BigInteger, primary_key=True)
    number: int = Field(primary_key=True)
    started_at: dt.datetime = moment()
    ended_at: dt.datetime = moment()
    kind: str
    reason: str = ""
    code: int = 0
    enhanced: str = ""
    reply: str = ""
    host: str = ""
    egress: int = Field(default=0, sa_type=SmallInteger)


class Due(SQLModel, table=True):
    """A message that waits: for the relay, or with a `campaign_id` for the next round of its campaign."""

    __tablename__ = "due"
    __table_args__ = (
        Index("due_account", "line", "account_id", "due_at", postgresql_where=text("campaign_id IS NULL")),
        Index("due_campaign", "campaign_id", "lane", "due_at", postgresql_where=text("campaign_id IS NOT NULL")),
    )
    message_id: int = Field(sa_type=BigInteger, primary_key=True)
    account_id: UUID
    campaign_id: UUID | None = None
    lane: str | None = None
    line: int = Field(
        default=DueLine.MAIL.value, sa_type=SmallInteger, sa_column_kwargs={"server_default": str(DueLine.MAIL.value)}
    )
    """Which relay takes it: `domain.channels.DueLine`."""
    due_at: dt.datetime = moment(default_factory=now)


class Page(SQLModel, table=True):
    """What one attempt of a delivering activity takes, by raising `epoch`: messages by name, or a campaign's range."""

    __tablename__ = "page"
    __table_args__ = (
        Index("page_open", "created_at", postgresql_where=text("closed_at IS NULL")),
        Index(
            "page_runner",
            "campaign_id",
            "lane",
            "runner",
            unique=True,
            postgresql_where=text("closed_at IS NULL AND campaign_id IS NOT NULL"),
        ),
        Index("page_campaign", "campaign_id", postgresql_where=text("campaign_id IS NOT NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    channel: str = Field(default=Channel.EMAIL.value, sa_column_kwargs={"server_default": Channel.EMAIL.value})
    """Of all its messages."""
    line: int = Field(
        default=DueLine.MAIL.value, sa_type=SmallInteger, sa_column_kwargs={"server_default": str(DueLine.MAIL.value)}
    )
    """Of `due`, from which its messages came and to which they go back."""
    epoch: int = 0
    messages: list[int] = Field(sa_type=ARRAY(BigInteger))
    rounds: list[int] = Field(sa_type=ARRAY(Integer))
    """`message.round` of each at the time it was taken from `due`."""
    campaign_id: UUID | None = None
    lane: str | None = None
    runner: int | None = Field(default=None, sa_type=SmallInteger)
    """Of a campaign's lane: whose page it is. A runner has one open page at a time."""
    first_ordinal: int | None = None
    end_ordinal: int | None = None
    """Of a range: the messages with these ordinals (`end_ordinal` excluded) that were never tried."""
    created_at: dt.datetime = moment(default_factory=now)
    closed_at: dt.datetime | None = moment(default=None)
    delivered: int = 0
    deferred: int = 0
    bounced: int = 0
    dropped: int = 0
    uncertain: int = 0
    """Tries that ended without an answer."""
    unknown: int = 0
    """Messages that such a try settled."""


class Sender(SQLModel, table=True):
    """A sender process and its lease on the database's clock. A dead one's slots are settled by whoever is alive."""

    __tablename__ = "sender"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    lease_until: dt.datetime = moment()
    host: str
    pid: int
    started_at: dt.datetime = moment(default_factory=now)


class Slot(SQLModel, table=True):
    """One connection of one sender process, and the message it may be speaking about right now."""

    __tablename__ = "slot"
    sender_id: UUID = Field(foreign_key="sender.id", primary_key=True)
    number: int = Field(primary_key=True)
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    page_id: UUID | None = None
    attempt: int = 0
    revision: int = Field(default=0, sa_type=SmallInteger)
    """Of the content that it may be sending."""
    intent_at: dt.datetime | None = moment(default=None)


class QuotaUse(SQLModel, table=True):
    """Messages accepted per account and day (Asia/Shanghai); `is_test` rows count test API users."""

    __tablename__ = "quota_use"
    account_id: UUID = Field(primary_key=True)
    day: dt.date = Field(primary_key=True)
    is_test: bool = Field(primary_key=True)
    used: int = 0
