"""Operators of the platform and their sessions."""

import datetime as dt
from uuid import UUID

from sqlmodel import Field, SQLModel

from domain.ids import new_id
from store.columns import moment, now, text_list


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
