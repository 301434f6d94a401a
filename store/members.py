"""The members of one account, those who are invited included."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from store.accounts import LinkToken, LoginSession, Member
from store.db import Session

INVITE = "invite"
"""Purpose of the link in an invitation."""


@dataclass(frozen=True)
class Known:
    """A member with the end of the latest invitation and the last use of any session."""

    row: Member
    invited_until: dt.datetime | None
    last_seen_at: dt.datetime | None


async def listed(session: Session, account: UUID) -> list[Known]:
    """Everybody who belongs to the account or is invited to it, the first first."""
    until = (
        select(func.max(LinkToken.expires_at))
        .where(col(LinkToken.member_id) == col(Member.id), col(LinkToken.purpose) == INVITE)
        .scalar_subquery()
    )
    seen = (
        select(func.max(LoginSession.last_seen_at))
        .where(col(LoginSession.member_id) == col(Member.id))
        .scalar_subquery()
    )
    query = (
        select(Member, until, seen)
        .where(col(Member.account_id) == account, col(Member.removed_at).is_(None))
        .order_by(col(Member.created_at), col(Member.id))
    )
    return [Known(*row) for row in await session.exec(query)]


async def present(session: Session, account: UUID, member: UUID) -> Member | None:
    """One member or invited person of the account who is not removed, locked."""
    query = (
        select(Member)
        .where(col(Member.id) == member, col(Member.account_id) == account, col(Member.removed_at).is_(None))
        .with_for_update()
    )
    return (await session.exec(query)).one_or_none()


async def by_address(session: Session, account: UUID, email: str) -> Member | None:
    """The member or invited person of the account with this address."""
    query = select(Member).where(
        col(Member.account_id) == account,
        func.lower(Member.email) == email.lower(),
        col(Member.removed_at).is_(None),
    )
    return (await session.exec(query)).first()


async def count(session: Session, account: UUID) -> int:
    """Members and open invitations."""
    query = select(func.count()).select_from(Member)
    own = (col(Member.account_id) == account, col(Member.removed_at).is_(None))
    return (await session.exec(query.where(*own))).one()
