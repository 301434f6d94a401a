"""Contact lists: phone numbers with names and values (地址列表 for SMS, reference §7.4)."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, text
from sqlmodel import Field, SQLModel

from domain.ids import new_id
from store.columns import json_object, moment, now


class ContactList(SQLModel, table=True):
    __tablename__ = "contact_list"
    __table_args__ = (
        Index("contact_list_name", "account_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(start=1001), unique=True))
    """SendCloud's contactListId."""
    account_id: UUID = Field(foreign_key="account.id")
    name: str
    description: str = ""
    created_at: dt.datetime = moment(default_factory=now)
    updated_at: dt.datetime = moment(default_factory=now)
    deleted_at: dt.datetime | None = moment(default=None)


class Contact(SQLModel, table=True):
    __tablename__ = "contact"
    __table_args__ = (Index("contact_phone", "list_id", "phone", unique=True), Index("contact_order", "list_id", "id"))
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    list_id: UUID = Field(foreign_key="contact_list.id")
    account_id: UUID
    phone: str
    """E.164."""
    user_name: str = ""
    variables: dict[str, str] = json_object(default_factory=dict)
    created_at: dt.datetime = moment(default_factory=now)
    updated_at: dt.datetime = moment(default_factory=now)
