"""Contact lists: phone numbers with names and values (地址列表 for SMS, reference §7.4).

Whoever changes contacts locks the list's row first (`lock_contacts`): that counts them right, and gives ids in the
order of commits, so that a task which reads a list from id to id misses nobody.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, func, text
from sqlmodel import Field, SQLModel, col, select

from domain.contacts import Kept, storable
from domain.ids import new_id
from store.audience import Written
from store.columns import json_object, moment, now
from store.db import Connection, Session, affected

NAME_TAKEN = "contact_list_name"
"""The unique index on names."""


class ContactList(SQLModel, table=True):
    __tablename__ = "contact_list"
    __table_args__ = (
        Index(NAME_TAKEN, "account_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(start=1001), unique=True))
    """SendCloud's contactListId."""
    account_id: UUID = Field(foreign_key="account.id")
    name: str
    description: str = ""
    members: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    created_at: dt.datetime = moment(default_factory=now)
    updated_at: dt.datetime = moment(default_factory=now)
    """Of the list or its contacts."""
    deleted_at: dt.datetime | None = moment(default=None)


class Contact(SQLModel, table=True):
    """`updated_at`: when it was written last; for an import that did so, the moment that import was made."""

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


@dataclass(frozen=True)
class Sought:
    """Which contacts of a list are looked for, and which page of them. `phone` in E.164; empty: all."""

    phone: str = ""
    user_name: str = ""
    start: int = 0
    limit: int = 100


@dataclass(frozen=True)
class Person:
    """One contact, as doors show it and tasks read it."""

    id: int
    phone: str
    user_name: str
    variables: dict[str, str]
    created_at: dt.datetime
    updated_at: dt.datetime


async def page(session: Session, account: UUID, after: UUID | None, limit: int) -> list[ContactList]:
    """The account's living lists, newest first, older than `after`."""
    query = select(ContactList).where(ContactList.account_id == account, col(ContactList.deleted_at).is_(None))
    if after is not None:
        query = query.where(col(ContactList.id) < after)
    return list(await session.exec(query.order_by(col(ContactList.id).desc()).limit(limit)))


async def numbered(session: Session, account: UUID, name: str, start: int, limit: int) -> tuple[int, list[ContactList]]:
    """(how many, those from `start` on) of the account's living lists, newest first; `name` empty: all."""
    query = select(ContactList).where(ContactList.account_id == account, col(ContactList.deleted_at).is_(None))
    if name:
        query = query.where(ContactList.name == name)
    total = (await session.exec(select(func.count()).select_from(query.subquery()))).one()
    return total, list(await session.exec(query.order_by(col(ContactList.id).desc()).offset(start).limit(limit)))


async def find(session: Session, account: UUID, list_id: UUID, *, lock: bool = False) -> ContactList | None:
    """One living list of the account. `lock`: nobody else changes it until the transaction ends."""
    query = select(ContactList).where(
        ContactList.id == list_id, ContactList.account_id == account, col(ContactList.deleted_at).is_(None)
    )
    found: ContactList | None = (await session.exec(query.with_for_update(key_share=True) if lock else query)).first()
    return found


async def by_name(session: Session, account: UUID, name: str) -> ContactList | None:
    """One living list of the account by its name."""
    query = select(ContactList).where(
        ContactList.account_id == account, ContactList.name == name, col(ContactList.deleted_at).is_(None)
    )
    found: ContactList | None = (await session.exec(query)).first()
    return found


async def find_list(connection: Connection, account: UUID, ref: str) -> UUID | None:
    """A living list of the account by its id, its number or its name, in this order."""
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM contact_list WHERE account_id = $1 AND deleted_at IS NULL"
        " AND $2 IN (id::text, number::text, name) ORDER BY id::text = $2 DESC, number::text = $2 DESC LIMIT 1",
        *(account, storable(ref)),
    )
    return found


async def count(session: Session, account: UUID) -> int:
    """Living lists of an account."""
    query = select(func.count()).where(ContactList.account_id == account, col(ContactList.deleted_at).is_(None))
    return (await session.exec(query)).one()


_LIVING = "SELECT account_id FROM contact_list WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"


async def lock_contacts(connection: Connection, list_id: UUID) -> UUID | None:
    """Lock the list's row until the transaction ends: whose list it is. None: it is gone."""
    account: UUID | None = await connection.fetchval(_LIVING, list_id)
    return account


_KNOWN = """
SELECT count(*) AS known, count(*) FILTER (WHERE updated_at = $3) AS again
FROM contact WHERE list_id = $1 AND phone = ANY($2::text[])
"""
_WRITE = """
INSERT INTO contact (list_id, account_id, phone, user_name, variables, created_at, updated_at)
SELECT $1, $2, given.phone, given.user_name, given.variables::jsonb, now(), $6
FROM unnest($3::text[], $4::text[], $5::text[]) AS given (phone, user_name, variables)
ON CONFLICT (list_id, phone) DO UPDATE SET user_name = EXCLUDED.user_name, variables = EXCLUDED.variables,
    updated_at = EXCLUDED.updated_at
"""
_COUNT = "UPDATE contact_list SET members = members + $2, updated_at = $3 WHERE id = $1"


async def write(
    connection: Connection, account: UUID, list_id: UUID, rows: Mapping[str, Kept], at: dt.datetime
) -> Written:
    """Add these contacts by number, or write over names and values, and count them; the caller has locked the list.

    `at` names the act that writes them: those that it wrote before are counted as `again`, not as updated.
    """
    phones = list(rows)
    kept = list(rows.values())
    seen = await connection.fetchrow(_KNOWN, list_id, phones, at)
    await connection.execute(
        _WRITE, list_id, account, phones, [each.user_name for each in kept], [each.variables for each in kept], at
    )
    added = len(rows) - seen["known"]
    await connection.execute(_COUNT, list_id, added, now())
    return Written(added, seen["known"] - seen["again"], seen["again"])


async def remove(connection: Connection, list_id: UUID, phones: Sequence[str]) -> int:
    """Remove those of these numbers that are in the list, and count; the caller has locked it."""
    done = await connection.execute(
        "DELETE FROM contact WHERE list_id = $1 AND phone = ANY($2::text[])", list_id, list(phones)
    )
    return await _uncount(connection, list_id, done)


async def remove_one(connection: Connection, list_id: UUID, contact: int) -> int:
    """Remove one by its id, and count; the caller has locked the list."""
    done = await connection.execute("DELETE FROM contact WHERE list_id = $1 AND id = $2", list_id, contact)
    return await _uncount(connection, list_id, done)


async def _uncount(connection: Connection, list_id: UUID, done: str) -> int:
    gone = affected(done)
    await connection.execute(_COUNT, list_id, -gone, now())
    return gone


_PEOPLE = """
SELECT c.id, c.phone, c.user_name, c.variables, c.created_at, c.updated_at
FROM contact c JOIN contact_list l ON l.id = c.list_id AND l.deleted_at IS NULL
WHERE l.account_id = $1 AND c.list_id = $2
"""


async def find_contact(connection: Connection, account: UUID, list_id: UUID, contact: int) -> Person | None:
    """One contact of a living list of the account."""
    row = await connection.fetchrow(
        f"{_PEOPLE} AND c.id = $3",
        *(account, list_id, contact),
    )
    return Person(*row) if row else None


async def by_phone(connection: Connection, account: UUID, list_id: UUID, phone: str) -> Person | None:
    """One contact of a living list of the account by its number in E.164."""
    row = await connection.fetchrow(
        f"{_PEOPLE} AND c.phone = $3",
        *(account, list_id, phone),
    )
    return Person(*row) if row else None


async def chunk(connection: Connection, account: UUID, list_id: UUID, after: int, limit: int) -> list[Person]:
    """Contacts of a living list of the account by id, those after `after` (0: from the first).

    None of them are left when the list was deleted meanwhile. A contact that is written over keeps its id; one that is
    added later has a greater one, also when it was in the list before: see `last`.
    """
    return await search(connection, account, list_id, "", after, limit)


async def last(connection: Connection, account: UUID, list_id: UUID) -> int | None:
    """The greatest id of a living list of the account, 0 when it is empty; None: it is gone.

    A task that reads no further than this reads whom the list held when it began.
    """
    row = await connection.fetchrow(
        "SELECT (SELECT max(c.id) FROM contact c WHERE c.list_id = l.id) AS last FROM contact_list l"
        " WHERE l.id = $2 AND l.account_id = $1 AND l.deleted_at IS NULL",
        *(account, list_id),
    )
    return None if row is None else row["last"] or 0


_OF_NAME = f"{_PEOPLE} AND c.user_name = $3"
_COUNT_OF_NAME = f"SELECT count(*) FROM ({_OF_NAME}) AS found"  # noqa: S608 - constants of ours
_SEARCH = f"{_PEOPLE} AND c.id > $3 AND c.phone >= $4 AND starts_with(c.phone, $4) ORDER BY c.id LIMIT $5"
_NEXT = f"{_PEOPLE} AND c.id > $3 ORDER BY c.id LIMIT $4"


async def search(
    connection: Connection, account: UUID, list_id: UUID, prefix: str, after: int, limit: int
) -> list[Person]:
    """The same, of numbers that begin so."""
    if prefix:
        rows = await connection.fetch(_SEARCH, account, list_id, after, prefix, limit)
    else:
        rows = await connection.fetch(_NEXT, account, list_id, after, limit)
    return [Person(*row) for row in rows]


async def numbered_contacts(
    connection: Connection, account: UUID, list_id: UUID, sought: Sought
) -> tuple[int, list[Person]]:
    """(how many, those from `start` on) of a living list of the account."""
    page = (sought.start, sought.limit)
    if sought.phone:
        found = await by_phone(connection, account, list_id, sought.phone)
        fits = [found] if found is not None and sought.user_name in ("", found.user_name) else []
        return len(fits), fits[sought.start : sought.start + sought.limit]
    if sought.user_name:
        of_name = (account, list_id, sought.user_name)
        total = await connection.fetchval(_COUNT_OF_NAME, *of_name)
        rows = await connection.fetch(f"{_OF_NAME} ORDER BY c.id OFFSET $4 LIMIT $5", *of_name, *page)
        return total, [Person(*row) for row in rows]
    total = await connection.fetchval(
        "SELECT members FROM contact_list WHERE id = $2 AND account_id = $1 AND deleted_at IS NULL", account, list_id
    )
    rows = await connection.fetch(f"{_PEOPLE} ORDER BY c.id OFFSET $3 LIMIT $4", account, list_id, *page)
    return total or 0, [Person(*row) for row in rows]


async def variable_names(connection: Connection, list_id: UUID) -> list[str]:
    """Every variable that any contact of a list has (a million contacts take about a second)."""
    rows = await connection.fetch(
        "SELECT DISTINCT jsonb_object_keys(variables) AS name FROM contact WHERE list_id = $1 ORDER BY name", list_id
    )
    return [row["name"] for row in rows]


_FORGET = """
DELETE FROM contact WHERE id = ANY(ARRAY(
    SELECT c.id FROM contact_list l JOIN contact c ON c.list_id = l.id
    WHERE l.account_id = $1 AND l.deleted_at IS NOT NULL LIMIT $2))
"""


async def forget_contacts(connection: Connection, account: UUID, limit: int = 20_000) -> bool:
    """Delete contacts of the account's deleted lists, so many at a time; True while there may be more."""
    done = await connection.execute(_FORGET, account, limit)
    return affected(done) == limit
