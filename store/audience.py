"""Address lists and their members (seed 3.4): the tables."""

import datetime as dt
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from domain.ids import new_id
from store.columns import json_object, moment, now


class AddressList(SQLModel, table=True):
    """A customer's list; `alias` is the address that stands for it, unique among living lists."""

    __tablename__ = "address_list"
    __table_args__ = (
        Index("address_list_alias", "alias", unique=True, postgresql_where=text("deleted_at IS NULL")),
        Index("address_list_account", "account_id", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    alias: str
    name: str
    description: str = ""
    members: int = 0
    created_at: dt.datetime = moment(default_factory=now)
    changed_at: dt.datetime = moment(default_factory=now)
    deleted_at: dt.datetime | None = moment(default=None)


class ListMember(SQLModel, table=True):
    """One address of a list. The key begins with the domain, so that a campaign walks a list provider by provider."""

    __tablename__ = "list_member"
    list_id: UUID = Field(primary_key=True)
    domain: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    variables: dict[str, str] = json_object(default_factory=dict)
    created_at: dt.datetime = moment(default_factory=now)


class ListFreeze(SQLModel, table=True):
    """While it exists a campaign copies the list, and its members must not change."""

    __tablename__ = "list_freeze"
    list_id: UUID = Field(primary_key=True)
    campaign_id: UUID = Field(primary_key=True)
