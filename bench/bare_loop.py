"""The bare loop: the same mails, filled, signed and sent by the same code over as many connections, and nothing else.

No database, no Temporal, no rows: what remains of Songda when all that makes it safe is taken away. Each process is
`python -m bench.bare_loop` with its share of the messages; it says `ready`, waits for a line, and says how it went.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from bench.material import Rendering, load
from domain.sending import Outcome, OutcomeKind
from domain.transport import MailHost, MailRoute
from gateways.smtp import SmtpOptions, SmtpTransport
from stack import SAME_SOURCE
from store.pages import PageMessage
from supervision.children import leashed
from supervision.errors import CannotStart
from supervision.ports import LOOPBACK
from supervision.postgres import Owner

TIMEOUT = 600.0


@dataclass(frozen=True)
class Loop:
    """How one process did; moments in seconds since 1970."""

    delivered: int
    failed: int
    began: float
    ended: float


async def run(material: Path, processes: int, connections: int, port: int) -> float:
    """Mails per second of so many processes together, from the first's begin to the last's end.

    Raises `CannotStart` when a mail was not taken: the figure would mean something else.
    """
    command = [sys.executable, "-m", "bench.bare_loop", "--material", str(material), "--connections", str(connections)]
    command += ["--port", str(port)]
    started = [
        await asyncio.create_subprocess_exec(
            *leashed([*command, "--share", f"{number}/{processes}"], signal.SIGKILL, Owner()),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={**os.environ, **SAME_SOURCE},
        )
        for number in range(processes)
    ]  # fmt: skip
    try:
        async with asyncio.timeout(TIMEOUT):
            await asyncio.gather(*(_ready(process) for process in started))
            ended = await asyncio.gather(*(_go(process) for process in started))
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
            await process.wait()
    return rate(ended)


def rate(loops: list[Loop]) -> float:
    """Of all together. Raises `CannotStart` when one of them failed."""
    if failed := sum(loop.failed for loop in loops):
        raise CannotStart(f"The bare loop: {failed} mails were not taken by the sink.")
    seconds = max(loop.ended for loop in loops) - min(loop.began for loop in loops)
    return sum(loop.delivered for loop in loops) / seconds


async def _ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None  # noqa: S101 - for mypy
    if await process.stdout.readline() != b"ready\n":
        raise CannotStart("A process of the bare loop did not start.")


async def _go(process: asyncio.subprocess.Process) -> Loop:
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - for mypy
    process.stdin.write(b"go\n")
    await process.stdin.drain()
    return Loop(**json.loads(await process.stdout.readline()))


class Sending:
    """One process's connections, which share a queue."""

    def __init__(self, rendering: Rendering, messages: list[PageMessage], port: int) -> None:
        self._rendering = rendering
        self._queue = deque(messages)
        self._transport = SmtpTransport(SmtpOptions(port, "bare.bench.example", 30.0))
        self._delivered = self._failed = 0

    async def run(self, connections: int) -> Loop:
        """Until the queue is empty."""
        began = time.time()
        await asyncio.gather(*(self._connection() for _ in range(connections)))
        return Loop(self._delivered, self._failed + len(self._queue), began, time.time())

    async def _connection(self) -> None:
        route = MailRoute("bench.example", (MailHost("sink", (LOOPBACK,)),))
        wire = await self._transport.connect(route)
        if isinstance(wire, Outcome):
            return
        while self._queue and wire.alive:
            outcome = await wire.deliver(self._rendering.mail(self._queue.popleft()))
            if outcome.kind is OutcomeKind.DELIVERED:
                self._delivered += 1
            else:
                self._failed += 1
        await wire.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--material", type=Path, required=True)
    options.add_argument("--connections", type=int, required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--share", required=True, help="N/M: the N-th of M, from 0")
    given = options.parse_args()
    number, _, of = given.share.partition("/")
    material = load(given.material)
    messages = material.messages[int(number) :: int(of)]
    rendering = material.renderer()
    rendering.mail(messages[0])  # imports and keys are not what is measured
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    loop = uvloop.run(Sending(rendering, messages, given.port).run(given.connections))
    sys.stdout.write(json.dumps(asdict(loop)) + "\n")


if __name__ == "__main__":
    main()
