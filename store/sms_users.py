"""SMS users, and the keys that their requests are signed with (seed 3.3, reference §7.1)."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record
from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Field, SQLModel, col, select, update

from domain.ids import new_id
from store.columns import moment, now
from store.db import Connection, Session


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


async def page(session: Session, account: UUID, after: UUID | None, limit: int) -> list[SmsUser]:
    """The account's SMS users, newest first, older than `after`."""
    query = select(SmsUser).where(col(SmsUser.account_id) == account).order_by(col(SmsUser.id).desc()).limit(limit)
    if after is not None:
        query = query.where(col(SmsUser.id) < after)
    return list((await session.exec(query)).all())


async def find(session: Session, account: UUID, sms_user_id: UUID, *, lock: bool = False) -> SmsUser | None:
    """One SMS user of the account, locked on request."""
    query = select(SmsUser).where(col(SmsUser.account_id) == account, col(SmsUser.id) == sms_user_id)
    return (await session.exec(query.with_for_update() if lock else query)).one_or_none()


async def name_taken(session: Session, name: str) -> bool:
    """Whether an SMS user of any account has this name."""
    return (await session.exec(select(SmsUser.id).where(col(SmsUser.name) == name))).one_or_none() is not None


async def count_enabled(session: Session, account: UUID) -> int:
    """The account's enabled SMS users."""
    query = select(func.count()).where(col(SmsUser.account_id) == account, col(SmsUser.disabled_at).is_(None))
    return (await session.exec(query)).one()


async def keys(session: Session, sms_user_ids: Sequence[UUID], at: dt.datetime) -> list[SmsKey]:
    """The keys of some SMS users that work at this moment, newest first; the caller knows that it may see them."""
    query = select(SmsKey).where(col(SmsKey.sms_user_id).in_(sms_user_ids), _works(at))
    return list((await session.exec(query.order_by(col(SmsKey.id).desc()))).all())


async def expire_keys(session: Session, sms_user_id: UUID, at: dt.datetime) -> None:
    """Let every key of an SMS user end at `at`, or earlier where it ends earlier already."""
    await session.exec(
        update(SmsKey)
        .where(
            col(SmsKey.sms_user_id) == sms_user_id,
            col(SmsKey.revoked_at).is_(None),
            or_(col(SmsKey.expires_at).is_(None), col(SmsKey.expires_at) > at),
        )
        .values(expires_at=at)
    )


def _works(at: dt.datetime) -> ColumnElement[bool]:
    return col(SmsKey.revoked_at).is_(None) & or_(col(SmsKey.expires_at).is_(None), col(SmsKey.expires_at) > at)


_HOLDERS = """
SELECT k.digest, k.account_id, k.sms_user_id
FROM sms_key k JOIN sms_user u ON u.id = k.sms_user_id JOIN account a ON a.id = k.account_id
WHERE k.digest = ANY($1::bytea[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)
  AND u.disabled_at IS NULL AND a.state = 'active'
"""


async def key_holders(connection: Connection, digests: list[bytes], at: dt.datetime) -> list[Record]:
    """Of the keys with these digests that work now: digest, account_id, sms_user_id."""
    found: list[Record] = await connection.fetch(_HOLDERS, digests, at)
    return found


_SIGNERS = """
SELECT u.name, u.id AS sms_user_id, u.account_id, u.disabled_at IS NOT NULL AS disabled, k.id AS key_id, k.sealed
FROM sms_user u JOIN account a ON a.id = u.account_id
LEFT JOIN sms_key k ON k.sms_user_id = u.id AND u.disabled_at IS NULL AND k.revoked_at IS NULL
                       AND (k.expires_at IS NULL OR k.expires_at > $2)
WHERE u.name = ANY($1::text[]) AND a.state = 'active'
ORDER BY k.id DESC
"""


async def signers(connection: Connection, names: list[str], at: dt.datetime) -> list[Record]:
    """SMS users of active accounts by name, a row for each key that works now, newest first (none: `key_id` null)."""
    found: list[Record] = await connection.fetch(_SIGNERS, names, at)
    return found
