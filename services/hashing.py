"""Argon2id hashes, made in threads and few at a time: each takes 19 MiB and some 30 ms."""

import asyncio
from dataclasses import dataclass

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from domain.passwords import LONGEST_TYPED, normal_form

AT_ONCE = 2


@dataclass(frozen=True)
class Cost:
    """What one hash takes."""

    kibibytes: int
    passes: int


COST = Cost(19_456, 2)
"""OWASP's parameters."""


class Hashing:
    """One per process."""

    def __init__(self) -> None:
        self._hash = PasswordHash((Argon2Hasher(COST.passes, COST.kibibytes, parallelism=1),))
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    async def make(self, password: str) -> str:
        """The hash to store."""
        async with self._slots:
            return await asyncio.to_thread(self._hash.hash, normal_form(password))

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether this is the password. Takes as long when there is none to compare with (`stored` is None)."""
        if self._nobody is None:
            self._nobody = await self.make("nobody's password")
        async with self._slots:
            typed = normal_form(password[:LONGEST_TYPED])  # no password is as long, so none matches by its beginning
            right = await asyncio.to_thread(self._hash.verify, typed, stored or self._nobody)
        return right and stored is not None
