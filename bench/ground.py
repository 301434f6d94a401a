"""Where a bench runs: a stack of its own in a temporary folder, a sink that every receiving domain leads to."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from bench.sinks import Sink, sink
from domain.secrets import Vault
from sandbox.config import Record
from sandbox.providers import PROVIDERS
from stack import Options, Stack, temporary_folder
from store.db import Database
from store.lanes import lift_limits
from supervision.ports import LOOPBACK, Ports, free_base

Say = Callable[[str], None]
COMPANIES = tuple(f"box{number}.bench.example" for number in range(1, 4))
DOMAINS = (*(provider.domains[0] for provider in PROVIDERS if provider.name != "company"), *COMPANIES)
"""Receiving domains: those of the large providers, so that their lanes are used, and three of the long tail."""
SLOTS, PER_DESTINATION = 80, 16
TIME_SCALE = 60.0
SETTINGS = {
    "SONGDA_SENDER_SLOTS": str(SLOTS),
    "SONGDA_SLOTS_PER_DESTINATION": str(PER_DESTINATION),
    "SONGDA_PAID_DAILY_QUOTA": "10000000",
    "SONGDA_CALLS_PER_MINUTE": "100000000",
    "SONGDA_LOG_LEVEL": "warning",
}
MOST_PROCESSES = 4


def processes_here() -> int:
    """One sender process per core, within reason."""
    return max(1, min(os.cpu_count() or 1, MOST_PROCESSES))


@dataclass(frozen=True)
class Plan:
    """What a bench's stack is made of."""

    workers: int = 1
    apis: int = 1
    recording: bool = False
    """The sink is our own and keeps a line per mail."""


@dataclass
class Ground:
    """A running stack with its sink; `folder` goes when the bench ends."""

    folder: Path
    stack: Stack
    sink: Sink
    db: Database

    async def leave_the_machine_to_others(self) -> None:
        """Stop the stack before its time; the sink stays."""
        await self.db.close()
        await self.stack.stop()

    @property
    def secret(self) -> str:
        """The master secret of this stack."""
        return (self.stack.options.data / "secret-key").read_text().strip()

    @property
    def vault(self) -> Vault:
        return Vault(self.secret)

    @property
    def api_url(self) -> str:
        return self.stack.addresses.public_url

    def pids(self, role: str) -> list[int]:
        """Of all processes of that role."""
        return [pid for name, pid in self.stack.pids().items() if name.partition("-")[0] == role]

    def worker_rss_mb(self) -> float:
        """The most memory that any worker ever held (VmHWM), in MiB."""
        return max((high_water_mb(pid) for pid in self.pids("worker")), default=0.0)

    def client(self, key: str, **options: Any) -> httpx2.AsyncClient:
        """HTTP as that API user."""
        headers = {"Authorization": f"Bearer {key}"}
        return httpx2.AsyncClient(base_url=self.api_url, headers=headers, timeout=60, trust_env=False, **options)


def high_water_mb(pid: int) -> float:
    """Peak resident memory of a process in MiB; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else 0.0


@asynccontextmanager
async def ground(plan: Plan, say: Say) -> AsyncIterator[Ground]:
    """Everything is up inside the block, and gone after it."""
    async with AsyncExitStack() as exits:
        folder = await exits.enter_async_context(temporary_folder())
        base = free_base()
        target = await exits.enter_async_context(sink(folder, Ports(base).providers, recording=plan.recording))
        options = Options(folder / "stack", base, TIME_SCALE, workers=plan.workers, apis=plan.apis, settings=SETTINGS)
        made = await exits.enter_async_context(Stack(options, say))
        await lead_mail_to_sink(f"http://{LOOPBACK}:{made.ports.sandbox}")
        db = await Database.open(made.addresses.database_url, connections=4)
        exits.push_async_callback(db.close)
        async with db.raw() as connection:
            await lift_limits(connection, TIME_SCALE)  # the sink is nobody's mailbox provider
        yield Ground(folder, made, target, db)


async def lead_mail_to_sink(sandbox_url: str) -> None:
    """The pretend Internet's DNS names the sink's address for every mail server."""
    async with httpx2.AsyncClient(base_url=sandbox_url, timeout=20, trust_env=False) as http:
        await asyncio.gather(*(_publish(http, record) for record in records()))


def records() -> list[Record]:
    """The large providers' servers keep their names, and get the sink's address."""
    hosts = [host for provider in PROVIDERS for host in provider.hosts]
    exchanges = [Record(domain, "MX", (f"10 mx.{domain}.",)) for domain in COMPANIES]
    return exchanges + [Record(host, "A", (LOOPBACK,)) for host in (*hosts, *(f"mx.{each}" for each in COMPANIES))]


async def _publish(http: httpx2.AsyncClient, record: Record) -> None:
    body = {"name": record.name, "type": record.type, "values": list(record.values), "ttl": 300}
    answer = await http.put("/dns/records", json=body)
    answer.raise_for_status()
