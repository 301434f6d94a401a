"""A registered customer whose path is looked at through the application on a port, without a worker."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2

from store.db import Database
from tests.accounts_world import House, house
from tests.browsing import on_a_port
from tests.path_rows import Customer


@dataclass
class Traveller(Customer):
    """A customer that the registration made, with a session token and the base URL of the application."""

    token: str = ""
    base: str = ""

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


@contextlib.asynccontextmanager
async def travelling(db: Database) -> AsyncIterator[tuple[Traveller, House]]:
    made = await house(db)
    signed = await made.member()
    async with on_a_port(made.app) as base:
        yield Traveller(db, signed.caller.account_id, signed.token, base), made


def client(traveller: Traveller, **headers: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=traveller.base, headers=traveller.bearer | headers, timeout=30)
