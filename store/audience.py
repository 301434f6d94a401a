"""Address lists and their members (seed 2.6 ②): tables, then queries.

Whoever changes members locks the list's row first (`lock_members`): that counts them right, and keeps the copy of a
campaign whole, which takes the row `FOR UPDATE` before it freezes the list.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, func, text
from sqlmodel import Field, SQLModel, col, select

from domain.addresses import domain_of
from domain.ids import new_id
from store.columns import json_object, moment, now
from store.db import Connection, Session, affected

ALIAS_TAKEN = "address_list_alias"
"""The unique index on alias addresses."""


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
    """One address of a list. The key begins with the domain, so that a campaign walks a list provider by provider.

    `changed_at`: when it was added or written over last; for an import that did so, the moment that import was made.
    """

    __tablename__ = "list_member"
    list_id: UUID = Field(primary_key=True)
    domain: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    variables: dict[str, str] = json_object(default_factory=dict)
    created_at: dt.datetime = moment(default_factory=now)
    changed_at: dt.datetime = moment(default_factory=now, sa_column_kwargs={"server_default": text("now()")})


class ListFreeze(SQLModel, table=True):
    """While it exists a campaign copies the list, and its members must not change."""

    __tablename__ = "list_freeze"
    list_id: UUID = Field(primary_key=True)
    campaign_id: UUID = Field(primary_key=True)


class Stand(StrEnum):
    """Whether the members of a list may change now."""

    OPEN = "open"
    FREEZING = "freezing"
    GONE = "gone"


@dataclass(frozen=True)
class Member:
    """One member, as doors show it."""

    address: str
    variables: dict[str, str]
    created_at: dt.datetime
    changed_at: dt.datetime


@dataclass(frozen=True)
class Written:
    """What became of addresses that were written: `again` of them had been written by the same act before."""

    added: int
    updated: int
    again: int


async def page(session: Session, account: UUID, after: UUID | None, limit: int) -> list[AddressList]:
    """The account's living lists, newest first, older than `after`."""
    query = select(AddressList).where(AddressList.account_id == account, col(AddressList.deleted_at).is_(None))
    if after is not None:
        query = query.where(col(AddressList.id) < after)
    return list(await session.exec(query.order_by(col(AddressList.id).desc()).limit(limit)))


async def find(session: Session, account: UUID, list_id: UUID, *, lock: bool = False) -> AddressList | None:
    """One living list of the account. `lock`: no campaign and nobody else changes it until the transaction ends."""
    query = select(AddressList).where(
        AddressList.id == list_id, AddressList.account_id == account, col(AddressList.deleted_at).is_(None)
    )
    found: AddressList | None = (await session.exec(query.with_for_update(key_share=True) if lock else query)).first()
    return found


async def count(session: Session, account: UUID) -> int:
    """Living lists of an account."""
    query = select(func.count()).where(AddressList.account_id == account, col(AddressList.deleted_at).is_(None))
    return (await session.exec(query)).one()


async def alias_taken(session: Session, alias: str) -> bool:
    """Whether a living list, anybody's, has this alias address."""
    query = select(AddressList.id).where(AddressList.alias == alias, col(AddressList.deleted_at).is_(None))
    return (await session.exec(query)).first() is not None


async def is_freezing(session: Session, list_id: UUID) -> bool:
    """Whether a campaign is copying the list."""
    return (await session.exec(select(ListFreeze.campaign_id).where(ListFreeze.list_id == list_id))).first() is not None


_LIVING = "SELECT id FROM address_list WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
_FREEZING = "SELECT EXISTS (SELECT FROM list_freeze WHERE list_id = $1)"


async def lock_members(connection: Connection, list_id: UUID) -> Stand:
    """Lock the list's row until the transaction ends, and tell whether its members may change.

    Stronger than the `FOR SHARE` that would keep campaigns out: changers wait for each other, too, since each of them
    counts into this row, and two who share it would wait for each other for ever.
    """
    if not await connection.fetch(_LIVING, list_id):
        return Stand.GONE
    # A statement of its own: it sees what was committed while we waited for the row.
    return Stand.FREEZING if await connection.fetchval(_FREEZING, list_id) else Stand.OPEN


_KNOWN = """
SELECT count(known.at) AS known, count(*) FILTER (WHERE known.at = $4) AS again
FROM unnest($2::text[], $3::text[]) AS given (domain, address)
CROSS JOIN LATERAL (
    SELECT (SELECT m.changed_at FROM list_member m
            WHERE m.list_id = $1 AND m.domain = given.domain AND m.address = given.address) AS at
) AS known
"""
_WRITE = """
INSERT INTO list_member (list_id, domain, address, variables, created_at, changed_at)
SELECT $1, given.domain, given.address, given.variables::jsonb, now(), $5
FROM unnest($2::text[], $3::text[], $4::text[]) AS given (domain, address, variables)
ON CONFLICT (list_id, domain, address) DO UPDATE SET variables = EXCLUDED.variables, changed_at = EXCLUDED.changed_at
"""
_COUNT = "UPDATE address_list SET members = members + $2, changed_at = $3 WHERE id = $1"


async def write_members(connection: Connection, list_id: UUID, rows: Mapping[str, str], at: dt.datetime) -> Written:
    """Add these members or write over their variables (JSON), and count them; the list is locked by the caller.

    `at` names the act that writes them: members that it wrote before are counted as `again`, not as updated.
    """
    keys = sorted((domain_of(address), address) for address in rows)
    domains, addresses = [domain for domain, _ in keys], [address for _, address in keys]
    seen = await connection.fetchrow(_KNOWN, list_id, domains, addresses, at)
    await connection.execute(_WRITE, list_id, domains, addresses, [rows[address] for address in addresses], at)
    added = len(rows) - seen["known"]
    await connection.execute(_COUNT, list_id, added, now())
    return Written(added, seen["known"] - seen["again"], seen["again"])


_REMOVE = """
DELETE FROM list_member m USING unnest($2::text[], $3::text[]) AS given (domain, address)
WHERE m.list_id = $1 AND m.domain = given.domain AND m.address = given.address
RETURNING m.address
"""


async def remove_members(connection: Connection, list_id: UUID, addresses: Sequence[str]) -> list[str]:
    """Remove these and count; which of them were there. The list is locked by the caller."""
    found = await connection.fetch(_REMOVE, list_id, [domain_of(each) for each in addresses], list(addresses))
    await connection.execute(_COUNT, list_id, -len(found), now())
    return [row["address"] for row in found]


async def find_member(connection: Connection, list_id: UUID, address: str) -> Member | None:
    """One member by its normalised address."""
    row = await connection.fetchrow(
        "SELECT address, variables, created_at, changed_at FROM list_member"
        " WHERE list_id = $1 AND domain = $2 AND address = $3",
        *(list_id, domain_of(address), address),
    )
    return Member(**row) if row else None


_NEXT = """
SELECT address, variables, created_at, changed_at FROM list_member
WHERE list_id = $1 AND (domain, address) > ($2, $3) ORDER BY domain, address LIMIT $4
"""
_SEARCH = """
WITH RECURSIVE each (domain) AS (
    (SELECT domain FROM list_member WHERE list_id = $1 AND domain >= $2 ORDER BY domain LIMIT 1)
    UNION ALL
    SELECT (SELECT m.domain FROM list_member m WHERE m.list_id = $1 AND m.domain > each.domain
            ORDER BY m.domain LIMIT 1)
    FROM each WHERE each.domain IS NOT NULL
)
SELECT found.* FROM each CROSS JOIN LATERAL (
    SELECT m.domain, m.address, m.variables, m.created_at, m.changed_at FROM list_member m
    WHERE m.list_id = $1 AND m.domain = each.domain AND (m.domain, m.address) > ($2, $3)
      AND m.address >= $5 AND starts_with(m.address, $5)
    ORDER BY m.address LIMIT $4
) AS found
ORDER BY found.domain, found.address LIMIT $4
"""
"""The key begins with the domain: so each domain of the list is looked at once, and within it a range of the key."""


async def page_members(
    connection: Connection, list_id: UUID, prefix: str, after: str | None, limit: int
) -> list[Member]:
    """Members whose address begins with `prefix`, by domain and address, after the address `after`."""
    start = (domain_of(after), after) if after else ("", "")
    if prefix:
        rows = await connection.fetch(_SEARCH, list_id, *start, limit, prefix)
    else:
        rows = await connection.fetch(_NEXT, list_id, *start, limit)
    return [Member(row["address"], row["variables"], row["created_at"], row["changed_at"]) for row in rows]


async def variable_names(connection: Connection, list_id: UUID) -> list[str]:
    """Every variable that any member of a list has (a million members take about a second)."""
    rows = await connection.fetch(
        "SELECT DISTINCT jsonb_object_keys(variables) AS name FROM list_member WHERE list_id = $1 ORDER BY name",
        list_id,
    )
    return [row["name"] for row in rows]


_FORGET = """
DELETE FROM list_member m USING (
    SELECT m.list_id, m.domain, m.address FROM address_list l JOIN list_member m ON m.list_id = l.id
    WHERE l.account_id = $1 AND l.deleted_at IS NOT NULL LIMIT $2
) AS old
WHERE m.list_id = old.list_id AND m.domain = old.domain AND m.address = old.address
"""


async def forget_members(connection: Connection, account: UUID, limit: int = 20_000) -> bool:
    """Delete members of the account's deleted lists, so many at a time; True while there may be more."""
    done = await connection.execute(_FORGET, account, limit)
    return affected(done) == limit
