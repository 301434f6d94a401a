"""Whom an account does not write to in batch, as its members see and change it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import Caller
from domain.addresses import BadAddress, normalise_address
from domain.errors import Refusal
from domain.members import Right, require
from domain.spreadsheets import BOM, cell, csv_lines
from domain.suppressions import MAX_ADDED
from services.domains import actor
from services.foundation import Foundation
from store import suppressions as rows
from store.audit_log import note
from store.suppressions import Sought, Suppression

EXPORT_BATCH = 2000
EXPORT_COLUMNS = ("address", "reason", "created_at", "message_id")


@dataclass(frozen=True)
class Entered:
    """`added` are new, `known` were there already."""

    added: int
    known: int


class Suppressions:
    """Every method is scoped to the caller's account."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def page(self, caller: Caller, sought: str, after: UUID | None, limit: int) -> list[Suppression]:
        """Newest first, older than `after`; `sought` is a part of the address."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, Sought(sought.strip()), after, limit)

    async def count(self, caller: Caller) -> int:
        """How many there are in all."""
        async with self._base.db.read() as session:
            return await rows.count(session, caller.account_id, Sought())

    async def add(self, caller: Caller, addresses: Sequence[str], field: str = "addresses") -> Entered:
        """Enter addresses by hand: all, or none when one of them is wrong (`<field>[n]`)."""
        require(caller, Right.SEND)
        if not addresses:
            raise Refusal("required", field=field)
        if len(addresses) > MAX_ADDED:
            raise Refusal("suppressions_too_many", field=field, limit=MAX_ADDED)
        wanted = [_address(text, f"{field}[{place}]") for place, text in enumerate(addresses)]
        async with self._base.db.begin() as session:
            added = await rows.add(session, caller.account_id, wanted)
            if added:
                subject = f"account/{caller.account_id}"
                await note(session, actor(caller), "suppression.added", subject, caller.account_id, count=added)
        return Entered(added, len(wanted) - added)

    async def remove(self, caller: Caller, suppression: UUID) -> None:
        """From now on the address can be written to again. Raises `Refusal("suppression_unknown")`.

        It is on record who freed an address that its owner had unsubscribed.
        """
        require(caller, Right.SEND)
        async with self._base.db.begin() as session:
            gone = await rows.remove(session, caller.account_id, [suppression])
            if not gone:
                raise Refusal("suppression_unknown")
            reason = gone[suppression]
            subject = f"suppression/{suppression}"
            await note(session, actor(caller), "suppression.removed", subject, caller.account_id, reason=reason)

    async def export(self, caller: Caller) -> AsyncIterator[bytes]:
        """All of them as CSV (UTF-8 with BOM, for spreadsheets), in pieces; memory stays flat."""
        yield BOM + csv_lines([EXPORT_COLUMNS])
        after: UUID | None = None
        while batch := await self.page(caller, "", after, EXPORT_BATCH):
            yield csv_lines([cell(getattr(each, name)) for name in EXPORT_COLUMNS] for each in batch)
            after = batch[-1].id


def _address(text: str, field: str) -> str:
    try:
        return normalise_address(text)
    except BadAddress as problem:
        raise BadAddress(problem.code, field) from None
