"""Accounts, members, sessions, link tokens, contact requests."""

import datetime as dt
from uuid import UUID

from sqlalchemy import Index, and_, func, not_, text
from sqlmodel import Field, SQLModel, col, select, update

from domain.accounts import AccountState, Role
from domain.ids import new_id
from domain.quota import Quota
from store.columns import moment, now
from store.db import Session


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
    daily_quota: int = 0
    """Messages a day, by Asia/Shanghai days (seed 2.3). The onboarding process sets it, see `domain/quota.py`."""
    free_quota: int = 0
    """The first so many of a day cost nothing."""
    granted_quota: int | None = None
    """What an operator granted a paying customer, instead of the platform's usual (seed 2.3: by ticket)."""


class Member(SQLModel, table=True):
    """A person who signs in.

    An address is unique among confirmed members only: anybody may type anybody's address into the form, and whoever
    reads that mailbox decides which registration counts.
    """

    __tablename__ = "member"
    __table_args__ = (
        Index(
            "member_email", text("lower(email)"), unique=True, postgresql_where=text("email_confirmed_at IS NOT NULL")
        ),
        Index("member_by_email", text("lower(email)")),
        Index("member_phone", "phone", postgresql_where=text("phone IS NOT NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    email: str
    email_confirmed_at: dt.datetime | None = moment(default=None)
    password_hash: str
    """Empty while an invitation is open: nothing matches it."""
    role: str = Role.OWNER.value
    invited_by: UUID | None = None
    removed_at: dt.datetime | None = moment(default=None)
    created_at: dt.datetime = moment(default_factory=now)
    phone: str | None = None
    """E.164, confirmed by a code (`store.phone_codes`): nobody signs in with it, support knows its owner by it."""
    phone_confirmed_at: dt.datetime | None = moment(default=None)


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
    """A single-use link in a mail: purpose `confirm`, `reset` or `invite`."""

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


class Registration(SQLModel, table=True):
    """An account that waits for its address to be confirmed; the row of the Registration process."""

    __tablename__ = "registration"
    account_id: UUID = Field(foreign_key="account.id", primary_key=True)
    member_id: UUID = Field(foreign_key="member.id")
    handle: bytes = Field(unique=True)
    """HMAC of the token with which the person at the form may resend and correct."""
    mails_wanted: int = 1
    mails_sent: int = 0
    wanted_at: dt.datetime = moment(default_factory=now)
    """When the latest mail was asked for."""
    expires_at: dt.datetime = moment()


class ContactRequest(SQLModel, table=True):
    """What a visitor wrote to support on the public form."""

    __tablename__ = "contact_request"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    email: str
    subject: str
    body: str
    created_at: dt.datetime = moment(default_factory=now)
    handled_at: dt.datetime | None = moment(default=None)


async def confirmed_member(session: Session, email: str) -> Member | None:
    """Whoever owns this address."""
    query = select(Member).where(func.lower(Member.email) == email.lower(), col(Member.email_confirmed_at).is_not(None))
    return (await session.exec(query)).one_or_none()


async def pending_member(session: Session, email: str) -> Member | None:
    """The latest registration with this address that still waits."""
    query = (
        select(Member)
        .join(Account, col(Account.id) == col(Member.account_id))
        .where(func.lower(Member.email) == email.lower(), col(Account.state) == AccountState.PENDING)
    )
    return (await session.exec(query.order_by(col(Member.id).desc()).limit(1))).one_or_none()


async def member(session: Session, account: UUID, member_id: UUID, *, lock: bool = False) -> Member | None:
    """One member of the account, locked on request."""
    query = select(Member).where(col(Member.id) == member_id, col(Member.account_id) == account)
    return (await session.exec(query.with_for_update() if lock else query)).one_or_none()


async def account(session: Session, account_id: UUID, *, lock: bool = False) -> Account | None:
    """One account, locked on request: changes of its state wait for each other."""
    query = select(Account).where(col(Account.id) == account_id)
    return (await session.exec(query.with_for_update() if lock else query)).one_or_none()


async def login_session(session: Session, digest: bytes, at: dt.datetime) -> tuple[LoginSession, str] | None:
    """(session, the member's role) for this digest, if it lives, the account is active and the member belongs to it."""
    query = (
        select(LoginSession, Member.role)
        .join(Account, col(Account.id) == col(LoginSession.account_id))
        .join(Member, col(Member.id) == col(LoginSession.member_id))
        .where(col(LoginSession.digest) == digest, col(LoginSession.expires_at) > at)
        .where(col(LoginSession.revoked_at).is_(None), col(Account.state) == AccountState.ACTIVE)
        .where(col(Member.removed_at).is_(None))
    )
    return (await session.exec(query)).one_or_none()


async def touch(session: Session, session_id: UUID, at: dt.datetime) -> None:
    """Remember that a session was used."""
    await session.exec(update(LoginSession).where(col(LoginSession.id) == session_id).values(last_seen_at=at))


async def login_sessions(session: Session, member_id: UUID, at: dt.datetime) -> list[LoginSession]:
    """The living sessions of a member, last used first."""
    query = select(LoginSession).where(
        col(LoginSession.member_id) == member_id,
        col(LoginSession.expires_at) > at,
        col(LoginSession.revoked_at).is_(None),
    )
    return list((await session.exec(query.order_by(col(LoginSession.last_seen_at).desc()))).all())


async def revoke_sessions(
    session: Session, member_id: UUID, at: dt.datetime, *, only: UUID | None = None, spare: UUID | None = None
) -> int:
    """End a member's sessions: all, `only` one, or all but `spare`; returns how many lived."""
    query = update(LoginSession).where(col(LoginSession.member_id) == member_id, col(LoginSession.revoked_at).is_(None))
    if only is not None:
        query = query.where(col(LoginSession.id) == only)
    if spare is not None:
        query = query.where(col(LoginSession.id) != spare)
    return int((await session.exec(query.values(revoked_at=at))).rowcount)


async def link(session: Session, digest: bytes, purpose: str, *, lock: bool = False) -> LinkToken | None:
    """The link with this digest, used or not, locked on request."""
    query = select(LinkToken).where(col(LinkToken.digest) == digest, col(LinkToken.purpose) == purpose)
    return (await session.exec(query.with_for_update() if lock else query)).one_or_none()


async def void_links(session: Session, member_id: UUID, purpose: str, at: dt.datetime) -> None:
    """No unused link of this purpose works after `at`."""
    await session.exec(
        update(LinkToken)
        .where(col(LinkToken.member_id) == member_id, col(LinkToken.purpose) == purpose)
        .where(col(LinkToken.used_at).is_(None), col(LinkToken.expires_at) > at)
        .values(expires_at=at)
    )


async def set_quota(session: Session, account: UUID, quota: Quota) -> None:
    """What the account may send a day, and how much of that is free; nothing is written when it is so already."""
    same = and_(col(Account.daily_quota) == quota.daily, col(Account.free_quota) == quota.free)
    await session.exec(
        update(Account)
        .where(col(Account.id) == account, not_(same))
        .values(daily_quota=quota.daily, free_quota=quota.free)
    )
