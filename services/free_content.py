"""Which approved template free content is, and with which values (design §6).

Which versions are approved is asked every time; what a version says never changes, so it is compiled once and kept.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.errors import Refusal
from domain.free_content import Pattern, Written, subject_fits
from domain.senders import SendKind
from services.foundation import Foundation
from services.gathering import Gathering
from store import free_content as rows

MOST = 200
KEPT_SIZE = 32_000_000
"""Characters of compiled versions that one process keeps."""
KEPT_HINTS = 10_000


@dataclass(frozen=True)
class Matched:
    """A template's name and version, and the values that make it say what was written."""

    template: str
    kind: str
    version_id: UUID
    values: dict[str, str]


class FreeContent:
    """One per process."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._approved: Gathering[UUID, list[Any]] = Gathering(self._look_up, MOST)
        self._patterns: OrderedDict[UUID, Pattern] = OrderedDict()
        self._size = 0
        self._last: OrderedDict[tuple[UUID, SendKind | None], UUID] = OrderedDict()

    async def match(self, account: UUID, kind: SendKind | None, written: Written) -> Matched:
        """An approved template of this kind (None: of any) that says this. Raises `content_not_approved`."""
        candidates = [
            row
            for row in await self._approved.ask(account)
            if kind in (None, row["kind"]) and subject_fits(row["subject"], written.subject)
        ]
        hint = self._last.get((account, kind))
        for row in sorted(candidates, key=lambda row: row["version_id"] != hint):
            pattern = await self._pattern(account, row["version_id"])
            values = pattern.values(written) if pattern else None
            if values is not None:
                self._remember((account, kind), row["version_id"])
                return Matched(row["invoke_name"], row["kind"], row["version_id"], values)
        raise Refusal("content_not_approved", field="content")

    async def _look_up(self, accounts: list[UUID]) -> Sequence[list[Any]]:
        async with self._base.db.pool.acquire() as connection:
            found = await rows.approved(connection, list(set(accounts)))
        by_account: dict[UUID, list[Any]] = {account: [] for account in accounts}
        for row in found:
            by_account[row["account_id"]].append(row)
        return [by_account[account] for account in accounts]

    async def _pattern(self, account: UUID, version: UUID) -> Pattern | None:
        found = self._patterns.get(version)
        if found is not None:
            self._patterns.move_to_end(version)
            return found
        async with self._base.db.pool.acquire() as connection:
            row = await rows.content(connection, account, version)
        return self._keep(version, Pattern.of(*row.values())) if row else None

    def _keep(self, version: UUID, pattern: Pattern) -> Pattern:
        if version not in self._patterns:
            self._patterns[version] = pattern
            self._size += pattern.size
        while self._size > KEPT_SIZE and len(self._patterns) > 1:
            _, gone = self._patterns.popitem(last=False)
            self._size -= gone.size
        return pattern

    def _remember(self, who: tuple[UUID, SendKind | None], version: UUID) -> None:
        """What an account sent last it probably sends next."""
        self._last[who] = version
        self._last.move_to_end(who)
        if len(self._last) > KEPT_HINTS:
            self._last.popitem(last=False)
