"""Accounts, members, sessions, link tokens, contact requests."""

import datetime as dt
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from domain.accounts import AccountState
from domain.ids import new_id
from store.columns import moment, now


class Account(SQLModel, table=True):
    __tablename__ = "account"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    name: str
    state: str = AccountState.PENDING.value
    language: str = "zh"
    created_at: dt.datetime = moment(default_factory=now)
    confirmed_at: dt.datetime | None = moment(default=None)
    confirmed_by: str | None = None
    """`link`, or the operator who confirmed it (quick registration)."""
    daily_quota: int = 50
    """Messages a day, by Asia/Shanghai days (seed 2.3)."""


class Member(SQLModel, table=True):
    """A person who signs in. The e-mail address is unique among confirmed and pending members."""

    __tablename__ = "member"
    __table_args__ = (Index("member_email", text("lower(email)"), unique=True),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    email: str
    email_confirmed_at: dt.datetime | None = moment(default=None)
    password_hash: str
    role: str = "owner"
    created_at: dt.datetime = moment(default_factory=now)


class LoginSession(SQLModel, table=True):
    """A signed-in browser or client; only the HMAC of its token is stored."""

    __tablename__ = "login_session"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id", index=True)
    account_id: UUID
    digest: bytes = Field(unique=True)
    created_at: dt.datetime = moment(default_factory=now)
    last_seen_at: dt.datetime = moment(default_factory=now)
    expires_at: dt.datetime = moment()
    revoked_at: dt.datetime | None = moment(default=None)
    client: str = ""
    """A short description of the browser, for the list of sessions."""


class LinkToken(SQLModel, table=True):
    """A single-use link in a mail: purpose `confirm` or `reset`."""

    __tablename__ = "link_token"
    __table_args__ = (Index("link_token_member", "member_id", "purpose", "created_at"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    member_id: UUID = Field(foreign_key="member.id")
    purpose: str
    email: str
    digest: bytes = Field(unique=True)
    created_at: dt.datetime = moment(default_factory=now)
    expires_at: dt.datetime = moment()
    used_at: dt.datetime | None = moment(default=None)


class ContactRequest(SQLModel, table=True):
    """What a visitor wrote to support on the public form."""

    __tablename__ = "contact_request"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    email: str
    subject: str
    body: str
    created_at: dt.datetime = moment(default_factory=now)
    handled_at: dt.datetime | None = moment(default=None)
