"""Makes trouble by the seed: at random moments a random part of the stack is killed, or stopped and woken later.

Only processes that the stack started are touched: children, and children of those.
"""

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil

from bench.ground import Ground
from supervision.errors import CannotStart

ROLES = ("worker", "api", "temporal", "postgres", "submission", "inbound")
STOP_SHARE = 0.3
"""How often a part is stopped and woken instead of killed."""
SHORTEST_STOP, LONGEST_STOP = 1.0, 14.0
"""Seconds; a sender's lease is 10 s, so both sides of it are met."""
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 4.0
UP_WITHIN = 90.0


@dataclass(frozen=True)
class Plan:
    """What the seed says: after `pause` seconds the process at the share `which` of the role's is killed, or stopped
    for `stop` seconds when that is not 0."""

    pause: float
    role: str
    which: float
    stop: float


def plans(chance: random.Random, kills: int) -> list[Plan]:
    """Every part has its turn before one has its next."""
    deck = [role for _ in range(-(-kills // len(ROLES))) for role in chance.sample(ROLES, len(ROLES))]
    return [_plan(chance, role) for role in deck[:kills]]


def _plan(chance: random.Random, role: str) -> Plan:
    stop = chance.uniform(SHORTEST_STOP, LONGEST_STOP) if chance.random() < STOP_SHARE else 0.0
    return Plan(chance.uniform(SHORTEST_PAUSE, LONGEST_PAUSE), role, chance.random(), stop)


@dataclass(frozen=True)
class Blow:
    """One of them: `open_connections` at the sink, just before."""

    at: float
    name: str
    signal: str
    open_connections: int


@dataclass
class Killer:
    """`await Killer(place, seed).run(kills)`; `wake` afterwards, whatever happened."""

    place: Ground
    seed: int
    blows: list[Blow] = field(default_factory=list)
    _asleep: dict[asyncio.Task[None], list[psutil.Process]] = field(default_factory=dict)

    async def run(self, kills: int) -> None:
        """So many blows. Raises `CannotStart` when a part does not come back."""
        for plan in plans(random.Random(self.seed), kills):
            await asyncio.sleep(plan.pause)
            name, pid = await self._victim(plan.role, plan.which)
            self.strike(name, pid, plan.stop)

    async def _victim(self, role: str, which: float) -> tuple[str, int]:
        """One of the role's processes, once one is up."""
        end = time.monotonic() + UP_WITHIN
        while True:
            found = sorted((n, p) for n, p in self.place.stack.pids().items() if n.partition("-")[0] == role)
            if found:
                return found[int(which * len(found))]
            if time.monotonic() > end:
                raise CannotStart(f"{role} did not come back within {UP_WITHIN:.0f} s.")
            await asyncio.sleep(0.05)

    def strike(self, name: str, pid: int, seconds: float) -> None:
        """For good, or for so many seconds."""
        number = signal.SIGSTOP if seconds else signal.SIGKILL
        self.blows.append(Blow(time.time(), name, number.name, self.place.sink.open_connections()))
        struck = family(pid) if seconds else family(pid)[:1]
        send(struck, number)
        if seconds:
            task = asyncio.create_task(_wake_later(struck, seconds))
            self._asleep[task] = struck
            task.add_done_callback(lambda done: self._asleep.pop(done, None))

    async def wake(self) -> None:
        """Everybody who is still stopped, now."""
        for task, processes in list(self._asleep.items()):
            task.cancel()
            send(processes, signal.SIGCONT)
            await asyncio.gather(task, return_exceptions=True)

    def counted(self) -> dict[str, int]:
        """`worker SIGKILL` to how often."""
        return dict(Counter(f"{blow.name.partition('-')[0]} {blow.signal}" for blow in self.blows))


def family(pid: int) -> list[psutil.Process]:
    """The process and its descendants: PostgreSQL works in children; whoever is gone is left out."""
    with contextlib.suppress(psutil.Error):
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    return []


def send(processes: list[psutil.Process], number: signal.Signals) -> None:
    """psutil sends nothing to a process that merely has the number of one that ended."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


async def _wake_later(processes: list[psutil.Process], seconds: float) -> None:
    await asyncio.sleep(seconds)
    send(processes, signal.SIGCONT)
