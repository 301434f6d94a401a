"""A registered customer whose path is looked at through the application on a port, without a worker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import uvicorn

from store.db import Database
from tests.accounts_world import House, house
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
async def on_a_port(made: House) -> AsyncIterator[str]:
    """The application over HTTP: its base URL."""
    config = uvicorn.Config(
        made.app, port=0, lifespan="off", log_level="warning", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def travelling(db: Database) -> AsyncIterator[tuple[Traveller, House]]:
    made = await house(db)
    signed = await made.member()
    async with on_a_port(made) as base:
        yield Traveller(db, signed.caller.account_id, signed.token, base), made


def client(traveller: Traveller, **headers: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=traveller.base, headers=traveller.bearer | headers, timeout=10)
