"""Temporal cannot be reached for a while, or hangs: requests are accepted all the time, delivered when it is back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from services.audit import audit
from services.clockwork import Clockwork
from store.accepting import ping_relay
from store.db import Database
from tests.patience import until
from tests.sending_world import make_customer, submit
from tests.services.test_relay import delivered, engine, settled
from worker import background

REQUESTS, BETWEEN = 12, 0.25
"""While it is away: three seconds. For the engine it makes no difference how many minutes they stand for."""


class Line:
    """What stands between the worker and Temporal: it can be cut, or swallow everything."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._flows: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.refuses = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.close()
            return
        there, back = await asyncio.open_connection(self._host, self._port)
        for source, target in ((reader, back), (there, writer)):
            self._flows.add(asyncio.create_task(self._carry(source, target)))

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65_536):
                    await self._open.wait()
                    target.write(data)
                    await target.drain()
        finally:
            target.close()

    def cut(self) -> None:
        """As when the server is killed: connections end, new ones are refused."""
        self.refuses = True
        for flow in self._flows:
            flow.cancel()
        self._flows.clear()

    def hang(self) -> None:
        """As when the server is stopped: connections stay, nothing comes back."""
        self._open.clear()

    def mend(self) -> None:
        self.refuses = False
        self._open.set()


@contextlib.asynccontextmanager
async def line_to(address: str) -> AsyncIterator[tuple[Line, str]]:
    line = Line(address)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    try:
        yield line, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        line.mend()
        line.cut()
        server.close()


@pytest.mark.parametrize("fault", ["cut", "hang"])
async def test_requests_are_accepted_while_temporal_is_away(
    db: Database, dev_temporal: WorkflowEnvironment, fault: str
) -> None:
    customer, slowest = await make_customer(db), 0.0
    async with line_to(dev_temporal.client.service_client.config.target_host) as (line, address):
        client = await Client.connect(address)
        async with engine(db, client) as running, background(Clockwork(db, client).run(0.2)):
            await submit(db, customer, ["before@a.test"])
            await until(lambda: delivered(db, 1))
            getattr(line, fault)()
            for number in range(REQUESTS):
                begun = time.monotonic()
                await submit(db, customer, [f"p{number}@a.test"])
                await ping_relay(db)
                slowest = max(slowest, time.monotonic() - begun)
                await asyncio.sleep(BETWEEN)
            known = await db.pool.fetchval("SELECT count(*) FROM message WHERE state = 'queued'")
            line.mend()
            await until(lambda: delivered(db, REQUESTS + 1))
            await until(lambda: settled(db))
    assert known == REQUESTS, "it was away: nothing can have been delivered meanwhile"
    assert slowest < 2
    assert sorted(running.servers.seen) == sorted({*running.servers.seen}), "nobody got it twice"
    report = await audit(db)
    assert report.clean and not report.possible_duplicates, report.findings
