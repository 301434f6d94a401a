"""Who is behind an API key. Asked of the database every time, so that a revoked key ends with its next use; keys of
requests that come at once are looked up together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncpg import Record

from domain.accounts import Caller
from domain.senders import SendKind
from services.foundation import Foundation
from services.gathering import Gathering
from store.columns import now
from store.senders import key_holders

MOST = 500


@dataclass(frozen=True)
class Holder:
    """An API user of an active account whose key works."""

    caller: Caller
    name: str
    kind: SendKind


class ApiKeys:
    """One per process."""

    def __init__(self, base: Foundation, behind: Gathering[Any, Any] | None = None) -> None:
        """`behind`: where those who have a key probably go next."""
        self._base = base
        self._looked_up: Gathering[bytes, Holder | None] = Gathering(self._look_up, MOST, behind)

    async def holder(self, key: str) -> Holder | None:
        """The API user whose key this is."""
        return await self._looked_up.ask(self._base.vault.digest(key))

    async def _look_up(self, digests: list[bytes]) -> Sequence[Holder | None]:
        async with self._base.db.pool.acquire() as connection:
            rows = await key_holders(connection, list(set(digests)), now())
        found = {row["digest"]: _holder(row) for row in rows}
        return [found.get(digest) for digest in digests]


def _holder(row: Record) -> Holder:
    caller = Caller(row["account_id"], api_user_id=row["api_user_id"])
    return Holder(caller, row["name"], SendKind(row["kind"]))
