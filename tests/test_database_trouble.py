"""The embedded database has no room left, or is away: requests are refused, and nothing that was accepted is lost."""

import asyncio
import contextlib
import datetime as dt
import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from temporalio.testing import ActivityEnvironment

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.accounts import SYSTEM_ACCOUNT
from domain.errors import LeaseLost
from domain.ids import Kind, Process
from services.audit import audit
from store import pages
from store.db import DATABASE_TROUBLE, Database
from supervision import postgres
from supervision.children import leashed
from tests.conftest import build_schema, free_port
from tests.patience import until
from tests.sending_world import VAULT, FakeServers, make_customer, submit
from tests.sends_doors import Door, deliver_once, door
from worker import background

SMALL = {"shared_buffers": "16MB", "max_wal_size": "32MB", "min_wal_size": "32MB", "wal_recycle": "on"}
ROOM = 160 * 2**20
LEFT = 6 * 2**20
"""Bytes that are left before requests come in: some are accepted, then the disk is full."""
RECIPIENTS = 25
ENOUGH = 100
"""Requests of about 400 KB each: more than there is room for."""


@pytest.fixture(scope="module")
def small_disk() -> Iterator[Path]:
    """A file system of its own, of 160 MB; the machine's own disk is never filled."""
    folder = Path(tempfile.mkdtemp(prefix="songda-disk-"))
    options = f"size={ROOM},mode=711"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("a small disk cannot be mounted here: it needs root and the right to mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


@dataclass
class Server:
    """A PostgreSQL that can be stopped and started again."""

    cluster: postgres.Cluster
    folder: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    async def start(self) -> None:
        with (self.folder / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                leashed(self.cluster.command(), signal.SIGINT, self.cluster.owner),
                stdout=log, stderr=log, cwd="/", start_new_session=True,
            )  # fmt: skip
        await postgres.wait_ready(self.cluster, 60)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def crash(self) -> None:
        """SIGQUIT: no checkpoint, no farewell to clients."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)

    async def stand_up(self) -> None:
        """As the supervisor does: a server that ended by itself is started again, however late it ends: one that
        recovers on a full disk lives for a while yet."""
        async with asyncio.timeout(60):
            while not await postgres.answers(self.cluster):
                if self.process is not None and self.process.poll() is not None:
                    await self.start()
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def server(small_disk: Path) -> AsyncIterator[Server]:
    cluster = postgres.prepare(small_disk / "postgres", free_port(), print, SMALL)
    made = Server(cluster, Path(tempfile.mkdtemp(prefix="songda-test-")))
    try:
        await made.start()
        await postgres.ensure_database(cluster, "songda_full")
        await build_schema(cluster.url("songda_full"))
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.folder, ignore_errors=True)


@pytest.fixture
async def rows(server: Server) -> AsyncIterator[Database]:
    database = await Database.open(server.cluster.url("songda_full"), connections=4)
    yield database
    with contextlib.suppress(OSError):
        await database.close()


@contextlib.contextmanager
def nearly_full(disk: Path) -> Iterator[None]:
    """Something else has taken the room."""
    ballast = disk / "ballast"
    room = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - LEFT)
    try:
        yield
    finally:
        ballast.unlink()


async def ask(api: Door, number: int) -> httpx2.Response:
    recipients = [
        {"address": f"p{n}@d{number}.test", "variables": {"name": os.urandom(8_000).hex()}} for n in range(RECIPIENTS)
    ]
    return await api.http.post("/v1/sends", json=api.body(recipients=recipients))


async def test_a_full_disk_refuses_requests_and_loses_none(server: Server, small_disk: Path, rows: Database) -> None:
    async with door(rows) as api:
        await rows.pool.execute("UPDATE account SET daily_quota = 1000000, free_quota = 1000000")
        accepted = []
        with nearly_full(small_disk):
            for number in range(ENOUGH):
                answer = await ask(api, number)
                if answer.status_code != 202:
                    break
                accepted.append(answer.json()["id"])
            refused = await ask(api, ENOUGH)
        for each in (answer, refused):
            assert each.status_code == 503, each.text
            assert each.json()["code"] == "unavailable" and each.headers["retry-after"] == "5"
        await server.stand_up()
        again = await until(lambda: _accepted(api))
    assert accepted, "there was no room from the beginning"
    kept = await rows.pool.fetch("SELECT s.id, s.recipients, count(m.id) AS messages FROM submission s"
                                 " JOIN message m ON m.submission_id = s.id GROUP BY s.id")  # fmt: skip
    assert {str(row["id"]) for row in kept} >= {*accepted, again}
    assert all(row["recipients"] == row["messages"] for row in kept)
    await _deliver_all(rows)
    report = await audit(rows)
    assert report.clean and report.totals["queued"] == 0, report.findings


async def _accepted(api: Door) -> str | None:
    answer = await ask(api, ENOUGH + 1)
    return str(answer.json()["id"]) if answer.status_code == 202 else None


async def _deliver_all(rows: Database) -> None:
    while await rows.pool.fetchval("SELECT EXISTS (SELECT FROM due)"):
        await deliver_once(rows, FakeServers())


SLOTS, MAILS = 8, 150


async def test_a_restart_of_the_database_while_sending_loses_nothing(server: Server, rows: Database) -> None:
    """Killed as a crash does in the midst of a page: whoever is sent a mail twice was in an open connection, and is
    named."""
    await submit(rows, await make_customer(rows), [f"p{n}@d{n % 4}.restart.test" for n in range(MAILS)])
    servers, sender = FakeServers(delay=0.02), SenderProcess(rows, SLOTS)
    wire = Wire(servers, servers, Lanes.without_limits(rows, sender), per_destination=2, time_scale=60_000)
    work = DeliveryActivities(rows, sender, Renderer(rows, VAULT, "b.test"), wire)
    async with background(sender.run()):
        page = asyncio.create_task(_passes(rows, work))
        await until(lambda: _seen(servers, MAILS // 4))
        await asyncio.to_thread(server.crash)
        await server.stand_up()
        await page
    twice = {address for address, count in Counter(servers.seen).items() if count > 1}
    named = {row["address"] for row in await rows.pool.fetch("SELECT address FROM message WHERE possible_duplicate")}
    assert set(servers.seen) == {f"p{n}@d{n % 4}.restart.test" for n in range(MAILS)}
    assert twice <= named and len(named) <= SLOTS, (twice, named)
    report = await audit(rows, dt.timedelta(0))
    assert report.clean and report.totals["queued"] == 0, report.findings


async def _seen(servers: FakeServers, count: int) -> bool:
    return len(servers.seen) >= count


async def _passes(rows: Database, work: DeliveryActivities) -> None:
    """Claims and attempts, as the relay and Temporal repeat them until everything is settled."""
    while True:
        with contextlib.suppress(*DATABASE_TROUBLE, LeaseLost):
            await rows.pool.execute("UPDATE due SET due_at = now()")
            async with rows.raw() as connection:
                await pages.claim_batch(connection)
            opened = await rows.pool.fetch("SELECT id FROM page WHERE closed_at IS NULL")
            for row in opened:
                process = Process(Kind.DELIVERY, str(row["id"]), str(SYSTEM_ACCOUNT), 1)
                await ActivityEnvironment().run(work.deliver_page, process)
            if not await rows.pool.fetchval("SELECT EXISTS (SELECT FROM message WHERE state = 'queued')"):
                return
        await asyncio.sleep(0.1)


async def test_requests_are_refused_while_the_database_is_away_and_taken_when_it_is_back(
    server: Server, rows: Database
) -> None:
    async with door(rows) as api:
        assert (await api.http.post("/v1/sends", json=api.body("p@a.test"))).status_code == 202
        await asyncio.to_thread(server.stop)
        answer = await api.http.post("/v1/sends", json=api.body("p@a.test"))
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        await server.start()
        assert (await api.http.post("/v1/sends", json=api.body("p@a.test"))).status_code == 202
