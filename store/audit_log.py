"""The append-only record of operator acts and of changes to secrets (a trigger refuses UPDATE and DELETE)."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel, col, select

from store.columns import json_object, moment, now
from store.db import Connection, Session


class AuditEntry(SQLModel, table=True):
    __tablename__ = "audit_entry"
    __table_args__ = (Index("audit_entry_account", "account_id", "at"),)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=True))
    at: dt.datetime = moment(default_factory=now)
    actor: str
    """`member/<id>`, `operator/<name>`, `temporal-ui` (which has no identity), `visitor` (a refused sign-in) or
    `system`."""
    action: str
    account_id: UUID | None = None
    subject: str
    detail: dict[str, Any] = json_object(default_factory=dict)


async def note(
    session: Session, actor: str, action: str, subject: str, account: UUID | None = None, **detail: Any
) -> None:
    """Write one entry in the caller's transaction. `subject` is `kind/id`; no personal data, no secret."""
    session.add(AuditEntry(actor=actor, action=action, subject=subject, account_id=account, detail=detail))


async def note_on(
    connection: Connection, action: str, subject: str, account: UUID, actor: str = "system", **detail: Any
) -> None:
    """The same in a transaction on a plain connection."""
    await connection.execute(
        "INSERT INTO audit_entry (at, actor, action, account_id, subject, detail) VALUES (now(), $1, $2, $3, $4, $5)",
        *(actor, action, account, subject, detail),
    )


async def about(session: Session, account: UUID, subject: str) -> list[AuditEntry]:
    """What is on record of one thing of an account, in order."""
    mine = col(AuditEntry.account_id) == account, col(AuditEntry.subject) == subject
    return list(await session.exec(select(AuditEntry).where(*mine).order_by(col(AuditEntry.id))))
