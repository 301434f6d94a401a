"""API users, the domains they may send from, and their keys."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record
from sqlalchemy import ColumnElement, delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col, or_, select, update

from domain.ids import new_id
from store.columns import moment, now
from store.db import Connection, Session


class ApiUser(SQLModel, table=True):
    __tablename__ = "api_user"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    name: str = Field(unique=True)
    """Unique on the whole platform: it is the login of SMTP submission and of SendCloud's API."""
    kind: str
    is_test: bool = False
    resend_uncertain: bool = True
    """Design §4.6: re-send an uncertain message once, or leave it `unknown`."""
    track_clicks: bool = False
    """Links of its mails lead through the platform (`domain.tracked_links`)."""
    track_opens: bool = False
    """Its mails hold an invisible picture."""
    created_at: dt.datetime = moment(default_factory=now)
    disabled_at: dt.datetime | None = moment(default=None)


class ApiUserDomain(SQLModel, table=True):
    """An API user sends only from domains it is bound to."""

    __tablename__ = "api_user_domain"
    api_user_id: UUID = Field(foreign_key="api_user.id", primary_key=True)
    domain_id: UUID = Field(foreign_key="sender_domain.id", primary_key=True)


class ApiKey(SQLModel, table=True):
    """Shown once; stored as an HMAC with the server's pepper. After a reset the old key works until `expires_at`."""

    __tablename__ = "api_key"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    api_user_id: UUID = Field(foreign_key="api_user.id", index=True)
    prefix: str
    """The first characters, so that a person recognises it in a list."""
    digest: bytes = Field(unique=True)
    created_at: dt.datetime = moment(default_factory=now)
    expires_at: dt.datetime | None = moment(default=None)
    revoked_at: dt.datetime | None = moment(default=None)


async def page(session: Session, account: UUID, after: UUID | None, limit: int) -> list[ApiUser]:
    """An account's API users, newest first, older than `after`."""
    query = select(ApiUser).where(col(ApiUser.account_id) == account).order_by(col(ApiUser.id).desc()).limit(limit)
    if after is not None:
        query = query.where(col(ApiUser.id) < after)
    return list((await session.exec(query)).all())


async def find(session: Session, account: UUID, api_user_id: UUID, *, lock: bool = False) -> ApiUser | None:
    """One API user of the account, locked on request."""
    query = select(ApiUser).where(col(ApiUser.account_id) == account, col(ApiUser.id) == api_user_id)
    return (await session.exec(query.with_for_update() if lock else query)).one_or_none()


async def name_taken(session: Session, name: str) -> bool:
    """Whether an API user of any account has this name."""
    return (await session.exec(select(ApiUser.id).where(col(ApiUser.name) == name))).one_or_none() is not None


async def count_enabled(session: Session, account: UUID) -> int:
    """The account's enabled API users, without the test one."""
    query = select(func.count()).where(
        col(ApiUser.account_id) == account, col(ApiUser.disabled_at).is_(None), col(ApiUser.is_test).is_(False)
    )
    return (await session.exec(query)).one()


async def bind(session: Session, api_user_id: UUID, domain_id: UUID) -> None:
    """Allow an API user to send from a domain; a repeat changes nothing."""
    row = {"api_user_id": api_user_id, "domain_id": domain_id}
    await session.exec(insert(ApiUserDomain).values(row).on_conflict_do_nothing())


async def unbind(session: Session, api_user_id: UUID, domain_id: UUID) -> bool:
    """Forbid an API user to send from a domain; False when it was not bound."""
    gone = await session.exec(
        delete(ApiUserDomain)
        .where(col(ApiUserDomain.api_user_id) == api_user_id, col(ApiUserDomain.domain_id) == domain_id)
        .returning(col(ApiUserDomain.domain_id))
    )
    return gone.scalar_one_or_none() is not None


async def unbind_all(session: Session, domain_id: UUID) -> None:
    """Remove the bindings of a domain that goes."""
    await session.exec(delete(ApiUserDomain).where(col(ApiUserDomain.domain_id) == domain_id))


async def bindings(session: Session, api_user_ids: Sequence[UUID]) -> list[ApiUserDomain]:
    """The bindings of some API users; the caller knows that it may see them."""
    query = select(ApiUserDomain).where(col(ApiUserDomain.api_user_id).in_(api_user_ids))
    return list((await session.exec(query)).all())


async def keys(session: Session, api_user_ids: Sequence[UUID], at: dt.datetime) -> list[ApiKey]:
    """The keys of some API users that work at this moment, newest first."""
    query = select(ApiKey).where(col(ApiKey.api_user_id).in_(api_user_ids), _works(at))
    return list((await session.exec(query.order_by(col(ApiKey.id).desc()))).all())


_HOLDERS = """
SELECT k.digest, k.account_id, k.api_user_id, u.name, u.kind
FROM api_key k JOIN api_user u ON u.id = k.api_user_id JOIN account a ON a.id = k.account_id
WHERE k.digest = ANY($1::bytea[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)
  AND u.disabled_at IS NULL AND a.state = 'active'
"""


async def key_holders(connection: Connection, digests: list[bytes], at: dt.datetime) -> list[Record]:
    """Of the keys with these digests that work now: digest, account_id, api_user_id, its name and kind."""
    found: list[Record] = await connection.fetch(_HOLDERS, digests, at)
    return found


async def expire_keys(session: Session, api_user_id: UUID, at: dt.datetime) -> None:
    """Let every key of an API user end at `at`, or earlier where it ends earlier already."""
    await session.exec(
        update(ApiKey)
        .where(
            col(ApiKey.api_user_id) == api_user_id,
            col(ApiKey.revoked_at).is_(None),
            or_(col(ApiKey.expires_at).is_(None), col(ApiKey.expires_at) > at),
        )
        .values(expires_at=at)
    )


def _works(at: dt.datetime) -> ColumnElement[bool]:
    return col(ApiKey.revoked_at).is_(None) & or_(col(ApiKey.expires_at).is_(None), col(ApiKey.expires_at) > at)
