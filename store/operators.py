"""Operators of the platform and their sessions."""

import datetime as dt
from uuid import UUID

from sqlmodel import Field, SQLModel, col, select, update

from domain.ids import new_id
from store.columns import moment, now, text_list
from store.db import Session


class OperatorRow(SQLModel, table=True):
    __tablename__ = "operator"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    name: str = Field(unique=True)
    """A handle, `[a-z][a-z0-9_-]{1,31}`: the audit log shows it."""
    password_hash: str
    roles: list[str] = text_list(default_factory=list)
    language: str = "zh"
    totp_secret: bytes | None = None
    """Sealed for `operator/<id>`."""
    totp_confirmed_at: dt.datetime | None = moment(default=None)
    totp_step: int = 0
    """The last time step whose code was used: none is taken twice."""
    recovery_digests: list[str] = text_list(default_factory=list)
    password_set_at: dt.datetime | None = moment(default=None)
    """None: the password was given out and must be changed at the first sign-in."""
    created_at: dt.datetime = moment(default_factory=now)
    disabled_at: dt.datetime | None = moment(default=None)

    @property
    def is_enrolled(self) -> bool:
        """With a password of their own and an authenticator."""
        return self.totp_confirmed_at is not None and self.password_set_at is not None


class OperatorSession(SQLModel, table=True):
    """A signed-in operator; only the HMAC of the token is stored."""

    __tablename__ = "operator_session"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    operator_id: UUID = Field(foreign_key="operator.id", index=True)
    digest: bytes = Field(unique=True)
    created_at: dt.datetime = moment(default_factory=now)
    last_seen_at: dt.datetime = moment(default_factory=now)
    expires_at: dt.datetime = moment()
    revoked_at: dt.datetime | None = moment(default=None)
    client: str = ""


async def by_name(session: Session, name: str) -> OperatorRow | None:
    """An operator who is not disabled."""
    query = select(OperatorRow).where(col(OperatorRow.name) == name, col(OperatorRow.disabled_at).is_(None))
    return (await session.exec(query)).one_or_none()


async def locked(session: Session) -> dict[UUID, OperatorRow]:
    """Every operator, locked in one order: changes of who may do what wait for each other."""
    rows = await session.exec(select(OperatorRow).order_by(col(OperatorRow.id)).with_for_update())
    return {row.id: row for row in rows}


async def one_locked(session: Session, operator: UUID) -> OperatorRow | None:
    """One of them, locked: whoever changes how they sign in waits."""
    return await session.get(OperatorRow, operator, with_for_update=True, populate_existing=True)


async def everybody(session: Session) -> list[OperatorRow]:
    """By name, the disabled last."""
    order = (col(OperatorRow.disabled_at).is_not(None), col(OperatorRow.name))
    return list(await session.exec(select(OperatorRow).order_by(*order)))


async def living(
    session: Session, digest: bytes, at: dt.datetime, idle: dt.timedelta
) -> tuple[OperatorSession, OperatorRow] | None:
    """The session with this digest and its operator, unless it ended, slept too long, or they were disabled."""
    query = (
        select(OperatorSession, OperatorRow)
        .join(OperatorRow, col(OperatorRow.id) == col(OperatorSession.operator_id))
        .where(col(OperatorSession.digest) == digest, col(OperatorSession.revoked_at).is_(None))
        .where(col(OperatorSession.expires_at) > at, col(OperatorSession.last_seen_at) > at - idle)
        .where(col(OperatorRow.disabled_at).is_(None))
    )
    return (await session.exec(query)).one_or_none()


async def sessions_of(session: Session, operator: UUID, at: dt.datetime, idle: dt.timedelta) -> list[OperatorSession]:
    """The living sessions of an operator, last used first."""
    query = (
        select(OperatorSession)
        .where(col(OperatorSession.operator_id) == operator, col(OperatorSession.revoked_at).is_(None))
        .where(col(OperatorSession.expires_at) > at, col(OperatorSession.last_seen_at) > at - idle)
    )
    return list(await session.exec(query.order_by(col(OperatorSession.last_seen_at).desc())))


async def touch(session: Session, session_id: UUID, at: dt.datetime) -> None:
    """Remember that a session was used."""
    await session.exec(update(OperatorSession).where(col(OperatorSession.id) == session_id).values(last_seen_at=at))


async def revoke(
    session: Session, operator: UUID, at: dt.datetime, only: UUID | None = None, spare: UUID | None = None
) -> int:
    """End all sessions of an operator, `only` one, or all but `spare`; returns how many lived."""
    ending = update(OperatorSession).where(
        col(OperatorSession.operator_id) == operator, col(OperatorSession.revoked_at).is_(None)
    )
    if only is not None:
        ending = ending.where(col(OperatorSession.id) == only)
    if spare is not None:
        ending = ending.where(col(OperatorSession.id) != spare)
    return int((await session.exec(ending.values(revoked_at=at))).rowcount)


async def revoke_token(session: Session, digest: bytes, at: dt.datetime) -> None:
    """End the session behind a token; a dead one is no error."""
    ending = update(OperatorSession).where(
        col(OperatorSession.digest) == digest, col(OperatorSession.revoked_at).is_(None)
    )
    await session.exec(ending.values(revoked_at=at))
