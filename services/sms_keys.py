"""Who is behind an SMS key, and what an SMS user's requests are signed with.

Asked of the database every time, so that a revoked key ends with its next use; questions that come at once are answered
together.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from asyncpg import Record
from cryptography.fernet import InvalidToken

from domain.accounts import Caller
from domain.secrets import Vault
from services.foundation import Foundation
from services.gathering import Gathering
from store.columns import now
from store.sms_users import key_holders, signers

MOST = 500


@dataclass(frozen=True)
class Signer:
    """A named SMS user of an active account, with every key that its requests may be signed with now."""

    caller: Caller
    name: str
    disabled: bool
    """Then it has no keys."""
    keys: tuple[str, ...]
    """In the clear, newest first: never into a log, a message or a history."""

    def __repr__(self) -> str:
        return f"Signer({self.name!r}, keys={len(self.keys)})"


def binding(key_id: object) -> str:
    """What ties a sealed key to its row."""
    return f"sms-key/{key_id}"


class SmsKeys:
    """One per process."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._holders: Gathering[bytes, Caller | None] = Gathering(self._find_holders, MOST)
        self._signers: Gathering[str, Signer | None] = Gathering(self._find_signers, MOST)

    async def holder(self, key: str) -> Caller | None:
        """The SMS user whose key this is."""
        return await self._holders.ask(self._base.vault.digest(key))

    async def signer(self, name: str) -> Signer | None:
        """The SMS user of this name; None: there is none, or its account is not active."""
        return await self._signers.ask(name) if "\x00" not in name and name.isascii() else None

    async def _find_holders(self, digests: list[bytes]) -> Sequence[Caller | None]:
        async with self._base.db.pool.acquire() as connection:
            rows = await key_holders(connection, list(set(digests)), now())
        found = {row["digest"]: Caller(row["account_id"], sms_user_id=row["sms_user_id"]) for row in rows}
        return [found.get(digest) for digest in digests]

    async def _find_signers(self, names: list[str]) -> Sequence[Signer | None]:
        async with self._base.db.pool.acquire() as connection:
            rows = await signers(connection, list(set(names)), now())
        of_name: dict[str, list[Record]] = defaultdict(list)
        for row in rows:
            of_name[row["name"]].append(row)
        found = {name: _signer(self._base.vault, own) for name, own in of_name.items()}
        return [found.get(name) for name in names]


def _signer(vault: Vault, rows: list[Record]) -> Signer:
    keys = [_opened(vault, row) for row in rows if row["key_id"] is not None]
    caller = Caller(rows[0]["account_id"], sms_user_id=rows[0]["sms_user_id"])
    return Signer(caller, rows[0]["name"], rows[0]["disabled"], tuple(key for key in keys if key))


def _opened(vault: Vault, row: Record) -> str:
    """The key; empty when it was sealed with another master key, or moved: then it signs nothing."""
    try:
        return vault.unseal(row["sealed"], binding(row["key_id"])).decode()
    except InvalidToken:
        return ""
