"""The sink as a process of the bench: Postfix's `smtp-sink` when it is installed, else our own."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.sink import Counters
from stack import SAME_SOURCE
from supervision.children import leashed
from supervision.errors import CannotStart
from supervision.ports import LOOPBACK, listens_on
from supervision.postgres import Owner

OURS = "bench/sink.py"
PATIENCE = 15.0
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class Sink:
    """A sink that listens. `counters` and `record` are our own sink's: `smtp-sink` tells nobody what it took."""

    name: str
    port: int
    counters: Counters | None = None
    record: Path | None = None

    def mails(self) -> int | None:
        """How many it took so far; None when it does not say."""
        return None if self.counters is None else self.counters.read()[0]

    def open_connections(self) -> int:
        """Now; 0 when it does not say."""
        return 0 if self.counters is None else self.counters.read()[1]

    def most_connections(self) -> int:
        return 0 if self.counters is None else self.counters.read()[2]

    def records(self, prefix: str = "") -> list[tuple[float, str, str]]:
        """(arrival, recipient, Message-ID) of every mail whose recipient begins so, in the order they were taken."""
        if self.record is None or not self.record.exists():
            return []
        # By one pattern over the bytes: among a million lines it finds a few hundred at once.
        pattern = rb"(?m)^(\S+) (%s\S*) (.*)$" % re.escape(prefix.encode())
        found = re.findall(pattern, self.record.read_bytes())
        return [(float(arrival), recipient.decode(), name.decode()) for arrival, recipient, name in found]


def find(program: str) -> str | None:
    """A program of Postfix, which Debian keeps where only root's path leads."""
    return shutil.which(program, path=_PATH)


@asynccontextmanager
async def sink(folder: Path, port: int, *, recording: bool = False) -> AsyncIterator[Sink]:
    """Listens on loopback until the block ends. A recording one is our own, since it has to survive kills by heart."""
    other = None if recording else find("smtp-sink")
    made, command = _foreign(other, port) if other else _own(folder, port, recording)
    async with listening(command, port):
        if made is None:
            counters = Counters(folder / "sink-counters")
            made = Sink(OURS, port, counters, folder / "sink-record" if recording else None)
        yield made


@asynccontextmanager
async def listening(command: list[str], port: int) -> AsyncIterator[None]:
    """A process of the bench that listens on that port inside the block, and ends with it."""
    process = await asyncio.create_subprocess_exec(
        *leashed(command, signal.SIGKILL, Owner()), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, env={**os.environ, **SAME_SOURCE},
    )  # fmt: skip
    try:
        await _until_it_listens(process, port)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _foreign(program: str, port: int) -> tuple[Sink, list[str]]:
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    return Sink("smtp-sink", port), [program, *user, "-4", "-m", "1000", f"{LOOPBACK}:{port}", "1000"]


def _own(folder: Path, port: int, recording: bool) -> tuple[None, list[str]]:
    arguments = ["--host", LOOPBACK, "--port", str(port), "--counters", str(folder / "sink-counters")]
    arguments += ["--record", str(folder / "sink-record")] if recording else []
    return None, [sys.executable, "-m", "bench.sink", *arguments]


async def _until_it_listens(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if process.returncode is not None:
                raise CannotStart(f"A sink ended with exit code {process.returncode}: is port {port} free?")
            if listens_on(process.pid, port):  # and not another program that has the port
                return
            await asyncio.sleep(0.05)
