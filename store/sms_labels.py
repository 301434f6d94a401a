"""Labels of SMS by number, as SendCloud's API names them (reference §7.4); a submission holds the label's name."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, UniqueConstraint
from sqlmodel import Field, SQLModel, col, func, select

from store.columns import moment, now
from store.db import Session

NAME_TAKEN = "sms_label_account_id_name_key"
"""The unique constraint on names."""


class SmsLabel(SQLModel, table=True):
    __tablename__ = "sms_label"
    __table_args__ = (UniqueConstraint("account_id", "name"),)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(start=1001), primary_key=True))
    account_id: UUID = Field(foreign_key="account.id")
    name: str
    created_at: dt.datetime = moment(default_factory=now)
    updated_at: dt.datetime = moment(default_factory=now)


async def page(session: Session, account: UUID, name: str, start: int, limit: int) -> tuple[int, list[SmsLabel]]:
    """(how many, those from `start` on) of the account's labels, newest first; `name` empty: all."""
    query = select(SmsLabel).where(SmsLabel.account_id == account)
    if name:
        query = query.where(SmsLabel.name == name)
    total = (await session.exec(select(func.count()).select_from(query.subquery()))).one()
    return total, list(await session.exec(query.order_by(col(SmsLabel.id).desc()).offset(start).limit(limit)))


async def find(session: Session, account: UUID, label: int, *, lock: bool = False) -> SmsLabel | None:
    """One label of the account."""
    query = select(SmsLabel).where(SmsLabel.id == label, SmsLabel.account_id == account)
    found: SmsLabel | None = (await session.exec(query.with_for_update() if lock else query)).first()
    return found
