"""Address lists and their members: create, change, delete, look, export."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.accounts import Caller
from domain.audience import (
    MAX_CHANGES,
    MAX_LISTS,
    address_at,
    checked_address,
    checked_alias,
    checked_description,
    checked_name,
    checked_variables,
    cursor_of,
    own_alias,
)
from domain.errors import Refusal
from domain.ids import new_id
from domain.members import Right, require
from domain.spreadsheets import BOM, cell, csv_lines
from services.foundation import Foundation
from store import audience as rows
from store import audience_import
from store.accounts import Account
from store.audience import AddressList, Member, Stand
from store.columns import now
from store.db import Connection, Session

EXPORT_BATCH = 2_000
CHOICES = 1_000
ADDRESS_COLUMN = "email"
"""What the column of addresses is called in exports."""


@dataclass(frozen=True)
class ListChange:
    """What to change; None leaves a value as it is."""

    name: str | None = None
    alias: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class MemberPage:
    """`next_cursor` is None when these were the last."""

    members: list[Member]
    next_cursor: str | None


@dataclass(frozen=True)
class Changed:
    """What became of members that were written."""

    added: int
    updated: int


class Audience:
    """Every method is scoped to the caller's account; another account's lists are `list_not_found`."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def create(self, caller: Caller, name: str, alias: str = "", description: str = "") -> AddressList:
        """A new, empty list; without an `alias` it gets one of its own. Raises `Refusal` on the field."""
        require(caller, Right.SEND)
        policy, list_id = self._base.policy, new_id()
        row = AddressList(
            id=list_id,
            account_id=caller.account_id,
            name=checked_name(name),
            alias=checked_alias(alias, policy) if alias.strip() else own_alias(list_id, policy),
            description=checked_description(description),
        )
        async with self._unique_alias(row.alias), self._base.db.begin() as session:
            await session.get(Account, row.account_id, with_for_update=True)  # two at once: one counts the other
            if await rows.count(session, row.account_id) >= MAX_LISTS:
                raise Refusal("too_many_lists", limit=MAX_LISTS)
            if await rows.alias_taken(session, row.alias):
                raise Refusal("list_alias_taken", field="alias", alias=row.alias)
            session.add(row)
        return row

    @asynccontextmanager
    async def _unique_alias(self, alias: str) -> AsyncIterator[None]:
        """Two ask for the same alias at once: the index tells."""
        try:
            yield
        except IntegrityError as error:
            if rows.ALIAS_TAKEN not in str(error.orig):
                raise
            raise Refusal("list_alias_taken", field="alias", alias=alias) from error

    async def change(self, caller: Caller, list_id: UUID, change: ListChange) -> AddressList:
        """Rename, or give another alias address or description; running imports and campaigns go on."""
        require(caller, Right.SEND)
        alias = checked_alias(change.alias, self._base.policy) if change.alias is not None else None
        async with self._unique_alias(alias or ""), self._base.db.begin() as session:
            row = await self._require(session, caller, list_id, lock=True)
            if change.name is not None:
                row.name = checked_name(change.name)
            if change.description is not None:
                row.description = checked_description(change.description)
            if alias is not None and alias != row.alias:
                if await rows.alias_taken(session, alias):
                    raise Refusal("list_alias_taken", field="alias", alias=alias)
                row.alias = alias
            row.changed_at = now()
        return row

    async def delete(self, caller: Caller, list_id: UUID) -> None:
        """With its members and what its imports refused. Refused (`list_freezing`) while a campaign copies it."""
        require(caller, Right.SEND)
        async with self._base.db.begin() as session:
            row = await self._require(session, caller, list_id, lock=True)
            if await rows.is_freezing(session, list_id):
                raise Refusal("list_freezing")
            row.deleted_at, row.members = now(), 0
        await self._forget(caller.account_id)

    async def _forget(self, account: UUID) -> None:
        """In steps: millions of rows are too many for one transaction. Cut short, the next deletion goes on."""
        async with self._base.db.raw() as connection:
            await audience_import.forget_refused(connection, account)
        more = True
        while more:
            async with self._base.db.raw() as connection:
                more = await rows.forget_members(connection, account)

    async def page(self, caller: Caller, after: UUID | None = None, limit: int = 50) -> list[AddressList]:
        """The account's lists, newest first, older than `after`."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, after, limit)

    async def choices(self, caller: Caller) -> list[AddressList]:
        """What the forms of campaigns offer: the account's lists, newest first, with alias and number of members."""
        return await self.page(caller, None, CHOICES)

    async def get(self, caller: Caller, list_id: UUID) -> AddressList:
        """One list of the account; raises `Refusal("list_not_found")`."""
        async with self._base.db.read() as session:
            return await self._require(session, caller, list_id)

    async def members(
        self, caller: Caller, list_id: UUID, prefix: str = "", cursor: str | None = None, limit: int = 50
    ) -> MemberPage:
        """Members by domain and address, those whose address begins with `prefix`."""
        await self.get(caller, list_id)
        after = address_at(cursor) if cursor else None
        async with self._base.db.raw() as connection:
            found = await rows.page_members(connection, list_id, prefix.strip(), after, limit + 1)
        return MemberPage(found[:limit], cursor_of(found[limit - 1].address) if len(found) > limit else None)

    async def member(self, caller: Caller, list_id: UUID, address: str) -> Member:
        """One member; raises `Refusal("member_not_found")`."""
        await self.get(caller, list_id)
        normalised = checked_address(address, "address")
        async with self._base.db.raw() as connection:
            found = await rows.find_member(connection, list_id, normalised)
        if found is None:
            raise Refusal("member_not_found", field="address")
        return found

    async def put_members(
        self, caller: Caller, list_id: UUID, given: Sequence[tuple[str, Mapping[str, str]]]
    ) -> Changed:
        """Add members or write over the variables of those that are there; all of them or, when refused, none.

        Raises `Refusal` on `members[n].address` or `members[n].variables`.
        """
        require(caller, Right.SEND)
        members = _checked(given)
        async with self._changing(caller, list_id) as connection:
            written = await rows.write_members(connection, list_id, members, now())
        return Changed(written.added, written.updated + written.again)

    async def put_member(self, caller: Caller, list_id: UUID, address: str, variables: Mapping[str, str]) -> Member:
        """Add one member, or write over its variables. Raises `Refusal` on `address` or `variables`."""
        require(caller, Right.SEND)
        one = {checked_address(address, "address"): checked_variables(variables, "variables")}
        async with self._changing(caller, list_id) as connection:
            await rows.write_members(connection, list_id, one, now())
        return await self.member(caller, list_id, address)

    async def remove_members(self, caller: Caller, list_id: UUID, addresses: Sequence[str]) -> int:
        """Remove those of these addresses that are in the list; how many there were."""
        require(caller, Right.SEND)
        _require_some(addresses)
        wanted = list(dict.fromkeys(checked_address(each, f"addresses[{n}]") for n, each in enumerate(addresses)))
        async with self._changing(caller, list_id) as connection:
            return len(await rows.remove_members(connection, list_id, wanted))

    async def remove_member(self, caller: Caller, list_id: UUID, address: str) -> None:
        """Remove one; raises `Refusal("member_not_found")`."""
        require(caller, Right.SEND)
        wanted = checked_address(address, "address")
        if not await self.remove_members(caller, list_id, [wanted]):
            raise Refusal("member_not_found", field="address")

    @asynccontextmanager
    async def _changing(self, caller: Caller, list_id: UUID) -> AsyncIterator[Connection]:
        """A transaction in which members of the caller's list may change. Raises `Refusal`."""
        await self.get(caller, list_id)
        async with self._base.db.raw() as connection:
            stand = await rows.lock_members(connection, list_id)
            if stand is Stand.GONE:
                raise Refusal("list_not_found")
            if stand is Stand.FREEZING:
                raise Refusal("list_freezing")
            yield connection

    async def export(self, caller: Caller, list_id: UUID) -> AsyncIterator[bytes]:
        """All members as CSV (UTF-8 with BOM, for spreadsheets), in pieces; memory stays flat.

        The file can be imported: a variable `email` is left out, since the column of addresses is called so.

        Awaiting this checks the id; raises `Refusal` then, before the first piece.
        """
        await self.get(caller, list_id)
        async with self._base.db.raw() as connection:
            names = await rows.variable_names(connection, list_id)
        return self._pieces(list_id, [name for name in names if name != ADDRESS_COLUMN])

    async def _pieces(self, list_id: UUID, names: list[str]) -> AsyncIterator[bytes]:
        yield BOM + csv_lines([[ADDRESS_COLUMN, *names]])
        after: str | None = None
        while batch := await self._batch(list_id, after):
            yield csv_lines([cell(each.address), *(cell(each.variables.get(n)) for n in names)] for each in batch)
            after = batch[-1].address

    async def _batch(self, list_id: UUID, after: str | None) -> list[Member]:
        async with self._base.db.raw() as connection:
            return await rows.page_members(connection, list_id, "", after, EXPORT_BATCH)

    async def _require(self, session: Session, caller: Caller, list_id: UUID, *, lock: bool = False) -> AddressList:
        row = await rows.find(session, caller.account_id, list_id, lock=lock)
        if row is None:
            raise Refusal("list_not_found")
        return row


def _checked(given: Sequence[tuple[str, Mapping[str, str]]]) -> dict[str, str]:
    """Address → variables as JSON."""
    _require_some(given)
    members: dict[str, str] = {}
    for number, (written, variables) in enumerate(given):
        address = checked_address(written, f"members[{number}].address")
        if address in members:
            raise Refusal("member_repeated", field=f"members[{number}].address", address=address)
        members[address] = checked_variables(variables, f"members[{number}].variables")
    return members


def _require_some(given: Sequence[object]) -> None:
    if not given:
        raise Refusal("no_members", field="members")
    if len(given) > MAX_CHANGES:
        raise Refusal("too_many_members_at_once", field="members", limit=MAX_CHANGES)
