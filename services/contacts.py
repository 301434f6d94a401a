"""Contact lists of SMS and their members: create, change, delete, look, export."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.accounts import Caller
from domain.contacts import (
    MAX_CHANGES,
    MAX_LISTS,
    PERSON_COLUMN,
    PHONE_COLUMN,
    Kept,
    NewContact,
    checked_contact,
    checked_description,
    checked_name,
    phone_of,
    searched,
    shown,
    storable,
)
from domain.errors import Refusal
from domain.members import Right, require
from domain.spreadsheets import BOM, cell, csv_lines
from services.foundation import Foundation
from store import audience_import
from store import contacts as rows
from store.accounts import Account
from store.columns import now
from store.contacts import ContactList, Person, Sought
from store.db import Connection, Session

EXPORT_BATCH = 2_000
CHOICES = 1_000
SAMPLE = BOM + csv_lines([[PHONE_COLUMN, PERSON_COLUMN, "code"], ["13800138000", "李雷", "123456"]])
"""A file as it is imported: a header, the column of numbers, a name, variables."""


@dataclass(frozen=True)
class ListChange:
    """What to change; None leaves a value as it is."""

    name: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class ContactPage:
    """`next_after` is None when these were the last."""

    contacts: list[Person]
    next_after: int | None


@dataclass(frozen=True)
class Changed:
    """What became of contacts that were written."""

    added: int
    updated: int


class Contacts:
    """Every method is scoped to the caller's account; another account's lists are `contact_list_not_found`."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def create(self, caller: Caller, name: str, description: str = "") -> ContactList:
        """A new, empty list. Names are unique in the account. Raises `Refusal` on the field."""
        require(caller, Right.SEND)
        row = ContactList(
            account_id=caller.account_id, name=checked_name(name), description=checked_description(description)
        )
        async with self._unique(row.name), self._base.db.begin() as session:
            await session.get(Account, row.account_id, with_for_update=True)  # two at once: one counts the other
            if await rows.count(session, row.account_id) >= MAX_LISTS:
                raise Refusal("too_many_contact_lists", limit=MAX_LISTS)
            session.add(row)
            await session.flush()
            await session.refresh(row)  # its number
        return row

    @asynccontextmanager
    async def _unique(self, name: str) -> AsyncIterator[None]:
        """The index tells, also when two ask for the same name at once."""
        try:
            yield
        except IntegrityError as error:
            if rows.NAME_TAKEN not in str(error.orig):
                raise
            raise Refusal("contact_list_exists", field="name", name=name) from error

    async def change(self, caller: Caller, list_id: UUID, change: ListChange) -> ContactList:
        """Rename or describe; running imports and tasks go on."""
        require(caller, Right.SEND)
        name = checked_name(change.name) if change.name is not None else None
        async with self._unique(name or ""), self._base.db.begin() as session:
            row = await self._require(session, caller, list_id, lock=True)
            row.name = name or row.name
            if change.description is not None:
                row.description = checked_description(change.description)
            row.updated_at = now()
        return row

    async def delete(self, caller: Caller, list_id: UUID) -> None:
        """With its contacts and what its imports refused. A task that is reading it finds nobody more."""
        require(caller, Right.SEND)
        async with self._base.db.begin() as session:
            row = await self._require(session, caller, list_id, lock=True)
            row.deleted_at, row.members = now(), 0
        await self._forget(caller.account_id)

    async def _forget(self, account: UUID) -> None:
        """In steps: millions of rows are too many for one transaction. Cut short, the next deletion goes on."""
        async with self._base.db.raw() as connection:
            await audience_import.forget_refused(connection, account)
        more = True
        while more:
            async with self._base.db.raw() as connection:
                more = await rows.forget_contacts(connection, account)

    async def page(self, caller: Caller, after: UUID | None = None, limit: int = 50) -> list[ContactList]:
        """The account's lists, newest first, older than `after`."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, after, limit)

    async def choices(self, caller: Caller) -> list[ContactList]:
        """What the forms of tasks offer: the account's lists, newest first, with their number of contacts."""
        return await self.page(caller, None, CHOICES)

    async def numbered(self, caller: Caller, name: str, start: int, limit: int) -> tuple[int, list[ContactList]]:
        """(how many, those from `start` on), newest first; `name`: only the one that is called so."""
        async with self._base.db.read() as session:
            return await rows.numbered(session, caller.account_id, storable(name), start, limit)

    async def get(self, caller: Caller, list_id: UUID) -> ContactList:
        """One list of the account; raises `Refusal("contact_list_not_found")`."""
        async with self._base.db.read() as session:
            return await self._require(session, caller, list_id)

    async def named(self, caller: Caller, name: str, field: str | None = None) -> ContactList:
        """One list of the account by its name; raises `Refusal("contact_list_not_found")`."""
        async with self._base.db.read() as session:
            row = await rows.by_name(session, caller.account_id, storable(name))
        if row is None:
            raise Refusal("contact_list_not_found", field=field)
        return row

    async def by_ref(self, caller: Caller, ref: str) -> ContactList | None:
        """One list of the account by its id, its number or its name; None: there is none any more."""
        async with self._base.db.raw() as connection:
            found = await rows.find_list(connection, caller.account_id, ref)
        async with self._base.db.read() as session:
            return await rows.find(session, caller.account_id, found) if found else None

    async def contacts(
        self, caller: Caller, list_id: UUID, prefix: str = "", after: int = 0, limit: int = 50
    ) -> ContactPage:
        """In the order they were added, after the contact with this id; `prefix`: numbers that begin so."""
        await self.get(caller, list_id)
        async with self._base.db.raw() as connection:
            found = await rows.search(connection, caller.account_id, list_id, searched(prefix), after, limit + 1)
        return ContactPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def numbered_contacts(self, caller: Caller, list_id: UUID, sought: Sought) -> tuple[int, list[Person]]:
        """(how many, those from `start` on); number and name are as somebody writes them."""
        phone = phone_of(sought.phone) if sought.phone.strip() else ""
        wanted = replace(sought, phone=phone, user_name=storable(sought.user_name))
        async with self._base.db.raw() as connection:
            return await rows.numbered_contacts(connection, caller.account_id, list_id, wanted)

    async def contact(self, caller: Caller, list_id: UUID, contact: int) -> Person:
        """One contact; raises `Refusal("contact_not_found")`."""
        await self.get(caller, list_id)
        async with self._base.db.raw() as connection:
            found = await rows.find_contact(connection, caller.account_id, list_id, contact)
        if found is None:
            raise Refusal("contact_not_found")
        return found

    async def put(self, caller: Caller, list_id: UUID, given: Sequence[NewContact]) -> Changed:
        """Add contacts or write over name and values of those that are there; all of them or, when refused, none.

        Raises `Refusal` on `contacts[n].phone`, `.user_name` or `.variables`.
        """
        require(caller, Right.SEND)
        kept = _checked(given)
        async with self._changing(caller, list_id) as connection:
            written = await rows.write(connection, caller.account_id, list_id, kept, now())
        return Changed(written.added, written.updated + written.again)

    async def put_one(self, caller: Caller, list_id: UUID, given: NewContact) -> tuple[Person, bool]:
        """Add one contact (True), or write over its name and values.

        Raises `Refusal` on `phone`, `user_name` or `variables`.
        """
        require(caller, Right.SEND)
        phone, kept = checked_contact(given)
        async with self._changing(caller, list_id) as connection:
            written = await rows.write(connection, caller.account_id, list_id, {phone: kept}, now())
            found = await rows.by_phone(connection, caller.account_id, list_id, phone)
        if found is None:
            raise Refusal("contact_not_found")
        return found, bool(written.added)

    async def remove(self, caller: Caller, list_id: UUID, phones: Sequence[str]) -> int:
        """Remove those of these numbers that are in the list; how many there were. Raises `Refusal` on `phones[n]`."""
        require(caller, Right.SEND)
        _require_some(phones, "phones")
        wanted = list(dict.fromkeys(_phone(each, f"phones[{n}]") for n, each in enumerate(phones)))
        async with self._changing(caller, list_id) as connection:
            return await rows.remove(connection, list_id, wanted)

    async def remove_one(self, caller: Caller, list_id: UUID, contact: int) -> None:
        """Remove one by its id; raises `Refusal("contact_not_found")`."""
        require(caller, Right.SEND)
        async with self._changing(caller, list_id) as connection:
            if not await rows.remove_one(connection, list_id, contact):
                raise Refusal("contact_not_found")

    @asynccontextmanager
    async def _changing(self, caller: Caller, list_id: UUID) -> AsyncIterator[Connection]:
        """A transaction in which contacts of the caller's list may change. Raises `Refusal`."""
        async with self._base.db.raw() as connection:
            if await rows.lock_contacts(connection, list_id) != caller.account_id:
                raise Refusal("contact_list_not_found")
            yield connection

    async def export(self, caller: Caller, list_id: UUID) -> AsyncIterator[bytes]:
        """All contacts as CSV (UTF-8 with BOM, for spreadsheets), in pieces; memory stays flat.

        The file can be imported again. Awaiting this checks the id; raises `Refusal` then, before the first piece.
        """
        await self.get(caller, list_id)
        async with self._base.db.raw() as connection:
            names = await rows.variable_names(connection, list_id)
        return self._pieces(caller, list_id, [n for n in names if n not in (PHONE_COLUMN, PERSON_COLUMN)])

    async def _pieces(self, caller: Caller, list_id: UUID, names: list[str]) -> AsyncIterator[bytes]:
        yield BOM + csv_lines([[PHONE_COLUMN, PERSON_COLUMN, *names]])
        after = 0
        while batch := await self._batch(caller, list_id, after):
            yield csv_lines(
                [shown_cell(each.phone), cell(each.user_name), *(cell(each.variables.get(n)) for n in names)]
                for each in batch
            )
            after = batch[-1].id

    async def _batch(self, caller: Caller, list_id: UUID, after: int) -> list[Person]:
        async with self._base.db.raw() as connection:
            return await rows.chunk(connection, caller.account_id, list_id, after, EXPORT_BATCH)

    async def _require(self, session: Session, caller: Caller, list_id: UUID, *, lock: bool = False) -> ContactList:
        row = await rows.find(session, caller.account_id, list_id, lock=lock)
        if row is None:
            raise Refusal("contact_list_not_found")
        return row


def shown_cell(phone: str) -> str:
    """A number as a spreadsheet takes it for no formula: Chinese ones bare, others as `00` and the country code."""
    number = shown(phone)
    return f"00{number[1:]}" if number.startswith("+") else number


def _phone(written: str, field: str) -> str:
    try:
        return phone_of(written)
    except Refusal as bad:
        raise Refusal(bad.code, field, **bad.params) from None


def _checked(given: Sequence[NewContact]) -> dict[str, Kept]:
    """By E.164."""
    _require_some(given, "contacts")
    kept: dict[str, Kept] = {}
    for number, each in enumerate(given):
        phone, values = checked_contact(each, f"contacts[{number}].")
        if phone in kept:
            raise Refusal("contact_repeated", field=f"contacts[{number}].phone")
        kept[phone] = values
    return kept


def _require_some(given: Sequence[object], field: str) -> None:
    if not given:
        raise Refusal("contact_no_phones", field=field)
    if len(given) > MAX_CHANGES:
        raise Refusal("contact_too_many_at_once", field=field, limit=MAX_CHANGES)
