"""The opt-out list of SMS (退订列表): whom an account's marketing does not reach, as its members see and change it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import Caller
from domain.contacts import phone_of
from domain.errors import Refusal
from domain.members import Right, require
from domain.recipients import LineProblem
from domain.sms_interceptions import checked_count
from domain.sms_number_file import parse_numbers
from domain.sms_opt_out import OptOutSource
from domain.spreadsheets import BOM, cell, csv_lines
from services.domains import actor
from services.foundation import Foundation
from store import sms_opt_outs as rows
from store.audit_log import note, note_on
from store.columns import now
from store.sms_opt_outs import SmsOptOut, Sought

EXPORT_BATCH = 2_000
EXPORT_COLUMNS = ("phone", "source", "word", "created_at")
AT_ONCE = 5_000
"""Numbers of a file that one statement takes."""
EVERYTHING = Sought()


@dataclass(frozen=True)
class OptedOut:
    """`added` get no marketing from now on, `known` did not before; `problems` are lines that were not entered."""

    added: int
    known: int
    problems: tuple[LineProblem, ...] = ()


class SmsOptOuts:
    """Every method is scoped to the caller's account."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def page(self, caller: Caller, sought: Sought, after: UUID | None, limit: int) -> list[SmsOptOut]:
        """Newest first, older than `after`."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, sought, after, limit)

    async def count(self, caller: Caller, sought: Sought) -> int:
        """How many there are in all."""
        async with self._base.db.read() as session:
            return await rows.count(session, caller.account_id, sought)

    async def get(self, caller: Caller, opt_out: UUID) -> SmsOptOut:
        """One entry. Raises `Refusal("sms_opt_out_unknown")`."""
        async with self._base.db.read() as session:
            found = await rows.find(session, caller.account_id, opt_out)
        if found is None:
            raise Refusal("sms_opt_out_unknown")
        return found

    async def add(self, caller: Caller, phones: Sequence[str]) -> OptedOut:
        """Enter numbers by hand: all, or none when one of them is wrong (`phones[n]`)."""
        require(caller, Right.SEND)
        checked_count(len(phones), "phones")
        wanted = [_phone(text, f"phones[{place}]") for place, text in enumerate(phones)]
        added = await self._enter(caller, wanted, "sms_opt_out.added")
        return OptedOut(added, len(wanted) - added)

    async def import_file(self, caller: Caller, data: bytes) -> OptedOut:
        """Enter the numbers of a file, in one transaction; lines that are wrong are told.

        Raises `Refusal` on field `file` when it cannot be read at all; nothing is entered then.
        """
        require(caller, Right.SEND)
        parsed = await asyncio.to_thread(parse_numbers, data)
        added = await self._enter(caller, list(parsed.phones), "sms_opt_out.imported")
        return OptedOut(added, len(parsed.phones) - added + parsed.repeated, tuple(parsed.problems))

    async def remove(self, caller: Caller, opt_outs: Sequence[UUID], despite_reply: bool = False) -> int:
        """Marketing reaches these again; how many there were. It is on record who did it.

        Raises `Refusal`: `sms_opt_out_unknown` when none is there, `sms_opted_out_by_owner` when the owner of a number
        opted out and the caller did not say that this is known.
        """
        require(caller, Right.SEND)
        checked_count(len(opt_outs), "ids")
        async with self._base.db.begin() as session:
            gone = await rows.remove(session, caller.account_id, opt_outs)
            if not gone:
                raise Refusal("sms_opt_out_unknown")
            by_owner = [source for source in gone.values() if source == OptOutSource.REPLY]
            if by_owner and not despite_reply:
                raise Refusal("sms_opted_out_by_owner", field="despite_reply", count=len(by_owner))
            for each, source in gone.items():
                subject = f"sms-opt-out/{each}"
                await note(session, actor(caller), "sms_opt_out.removed", subject, caller.account_id, source=source)
        return len(gone)

    async def export(self, caller: Caller, sought: Sought = EVERYTHING) -> AsyncIterator[bytes]:
        """All of them as CSV (UTF-8 with BOM, for spreadsheets), in pieces; memory stays flat."""
        yield BOM + csv_lines([EXPORT_COLUMNS])
        after: UUID | None = None
        while batch := await self.page(caller, sought, after, EXPORT_BATCH):
            yield csv_lines([cell(getattr(each, name)) for name in EXPORT_COLUMNS] for each in batch)
            after = batch[-1].id

    async def _enter(self, caller: Caller, phones: Sequence[str], action: str) -> int:
        """What is entered, and that it was; how many are new. In one order of locks, whoever else enters some."""
        account, at = caller.account_id, now()
        wanted = sorted(set(phones))
        async with self._base.db.raw() as connection:
            added = 0
            for start in range(0, len(wanted), AT_ONCE):
                some = wanted[start : start + AT_ONCE]
                added += await rows.enter(connection, account, some, OptOutSource.MEMBER, at)
            if added:
                await note_on(connection, action, f"account/{account}", account, actor(caller), count=added)
        return added


def _phone(text: str, field: str) -> str:
    try:
        return phone_of(text)
    except Refusal as bad:
        raise Refusal(bad.code, field, **bad.params) from None
