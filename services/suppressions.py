"""Whom an account does not write to, and why: as its members see and change it."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import Caller
from domain.addresses import BadAddress, normalise_address
from domain.errors import Refusal
from domain.members import Right, require
from domain.recipients import LineProblem
from domain.spreadsheets import BOM, cell, csv_lines
from domain.suppression_file import ParsedEntries, parse_entries
from domain.suppressions import DEAD, MAX_ADDED, Entry, Held, Rule, SuppressionReason
from services.domains import actor
from services.foundation import Foundation
from store import dead_addresses
from store import suppressions as rows
from store.audit_log import note, note_on
from store.columns import now
from store.suppressions import Sought, Suppression

EXPORT_BATCH = 2000
EXPORT_COLUMNS = ("address", "reason", "scope", "until", "note", "created_at", "message_id")
AT_ONCE = 5_000
"""Entries of a file that one statement takes."""
USUAL = Rule()
EVERYTHING = Sought()


@dataclass(frozen=True)
class Entered:
    """`added` hold from now on, `known` did before; of those the wider scope and the later end hold."""

    added: int
    known: int


@dataclass(frozen=True)
class Imported:
    """What became of a file's lines: `ended` are of a time that is over, `problems` were not entered."""

    added: int
    known: int
    ended: int
    problems: tuple[LineProblem, ...]


@dataclass(frozen=True)
class Why:
    """What keeps an account from writing to an address. `dead`: there is no such mailbox, says its server."""

    address: str
    entries: tuple[Suppression, ...]
    dead: Held | None

    @property
    def is_held(self) -> bool:
        return bool(self.entries) or self.dead is not None


class Suppressions:
    """Every method is scoped to the caller's account."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def page(self, caller: Caller, sought: Sought, after: UUID | None, limit: int) -> list[Suppression]:
        """Newest first, older than `after`; with those that have ended."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, sought, after, limit)

    async def count(self, caller: Caller, sought: Sought) -> int:
        """How many there are in all."""
        async with self._base.db.read() as session:
            return await rows.count(session, caller.account_id, sought)

    async def get(self, caller: Caller, suppression: UUID) -> Suppression:
        """One entry. Raises `Refusal("suppression_unknown")`."""
        async with self._base.db.read() as session:
            found = await rows.find(session, caller.account_id, suppression)
        if found is None:
            raise Refusal("suppression_unknown")
        return found

    async def why(self, caller: Caller, address: str) -> Why:
        """Whether this address is written to just now, and what keeps it from being. Raises `BadAddress`."""
        known, at = normalise_address(address), now()
        async with self._base.db.read() as session:
            entries = await rows.holding(session, caller.account_id, known, at)
            dead = await dead_addresses.find(session, known)
        is_dead = dead is not None and dead.until > at
        return Why(known, tuple(entries), Held(DEAD, dead.until) if dead and is_dead else None)

    async def add(
        self, caller: Caller, addresses: Sequence[str], rule: Rule = USUAL, field: str = "addresses"
    ) -> Entered:
        """Enter addresses by hand: all, or none when one of them is wrong (`<field>[n]`)."""
        require(caller, Right.SEND)
        if not addresses:
            raise Refusal("required", field=field)
        if len(addresses) > MAX_ADDED:
            raise Refusal("suppressions_too_many", field=field, limit=MAX_ADDED)
        at = now()
        rule.check(at)
        wanted = [rule.entry(_address(text, f"{field}[{place}]")) for place, text in enumerate(addresses)]
        added = await self._enter(caller, wanted, "suppression.added", at)
        return Entered(added, len(wanted) - added)

    async def import_file(self, caller: Caller, data: bytes, rule: Rule = USUAL) -> Imported:
        """Enter what a file holds (`domain.suppression_file`), in one transaction; lines that are wrong are told.

        Raises `Refusal` on field `file` when it cannot be read at all; nothing is entered then.
        """
        require(caller, Right.SEND)
        if not data:
            raise Refusal("csv_empty", field="file")
        at = now()
        rule.check(at)
        parsed = await asyncio.to_thread(parse_entries, data, rule, at)
        added = await self._enter(caller, list(parsed.entries.values()), "suppression.imported", at)
        return _imported(parsed, added)

    async def _enter(self, caller: Caller, entries: Sequence[Entry], action: str, at: dt.datetime) -> int:
        """What is entered, and that it was; how many are new."""
        account = caller.account_id
        async with self._base.db.raw() as connection:
            added = 0
            in_one_order = sorted(entries, key=lambda one: (one.address, one.reason))  # of locks
            for some in _slices(in_one_order):
                added += await rows.enter(connection, account, some, at)
            if added:
                await note_on(connection, action, f"account/{account}", account, actor(caller), count=added)
        return added

    async def remove(self, caller: Caller, suppressions: Sequence[UUID], despite_complaint: bool = False) -> int:
        """From now on nothing of these keeps the account from writing there; how many there were.

        Raises `Refusal`: `suppression_unknown` when none is there, `suppression_complained` when a recipient reported
        a mail as spam and the caller did not say that this is known. It is on record who freed an address.
        """
        require(caller, Right.SEND)
        if len(suppressions) > MAX_ADDED:
            raise Refusal("suppressions_too_many", field="ids", limit=MAX_ADDED)
        async with self._base.db.begin() as session:
            gone = await rows.remove(session, caller.account_id, suppressions)
            if not gone:
                raise Refusal("suppression_unknown")
            complaints = [each for each in gone.values() if each == SuppressionReason.COMPLAINT]
            if complaints and not despite_complaint:
                raise Refusal("suppression_complained", field="despite_complaint", count=len(complaints))
            for each, reason in gone.items():
                subject = f"suppression/{each}"
                await note(session, actor(caller), "suppression.removed", subject, caller.account_id, reason=reason)
        return len(gone)

    async def export(self, caller: Caller, sought: Sought = EVERYTHING) -> AsyncIterator[bytes]:
        """All of them as CSV (UTF-8 with BOM, for spreadsheets), in pieces; memory stays flat."""
        yield BOM + csv_lines([EXPORT_COLUMNS])
        after: UUID | None = None
        while batch := await self.page(caller, sought, after, EXPORT_BATCH):
            yield csv_lines([cell(getattr(each, name)) for name in EXPORT_COLUMNS] for each in batch)
            after = batch[-1].id


def _imported(parsed: ParsedEntries, added: int) -> Imported:
    known = len(parsed.entries) - added + parsed.repeated
    return Imported(added, known, parsed.ended, tuple(parsed.problems))


def _slices(entries: Sequence[Entry]) -> Iterable[Sequence[Entry]]:
    return (entries[start : start + AT_ONCE] for start in range(0, len(entries), AT_ONCE))


def _address(text: str, field: str) -> str:
    try:
        return normalise_address(text)
    except BadAddress as problem:
        raise BadAddress(problem.code, field) from None
