"""kill −9 of every part during the demo: it completes, nobody is lost, the books close (issue: bad input and faults).

One stack of its own in a temporary folder, on free ports; only processes that it started are killed.
"""

import asyncio
import os
import random
import signal
from io import StringIO

import pytest
from rich.console import Console

from demo.material import load
from demo.scene import Step
from demo.show import play
from stack import Options, Stack, temporary_folder
from supervision.ports import free_base
from tests.faults_world import SLOTS, books, explained, places

ROLES = ("worker", "submission", "api", "temporal", "inbound", "postgres")
SEED = 7
KILL_WITHIN = 0.8
"""Seconds after a step began; most steps take about that long."""


class Killer:
    """One SIGKILL per step that changes something, at a seeded moment, to each part in turn.

    Steps that only look are left out, so that the test ends in time: what was killed before is still coming back then.
    """

    def __init__(self, stack: Stack, seed: int) -> None:
        self._stack = stack
        self._random = random.Random(seed)
        self.killed: list[tuple[str, str]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def before_step(self, step: Step) -> None:
        if step.looks:
            return
        role = ROLES[len(self._tasks) % len(ROLES)]
        delay = self._random.uniform(0, KILL_WITHIN)
        self._tasks.append(asyncio.create_task(self._kill(step.name, role, delay)))

    async def _kill(self, step: str, role: str, delay: float) -> None:
        await asyncio.sleep(delay)
        pid = self._stack.pids().get(role)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self.killed.append((step, role))

    async def done(self) -> None:
        await asyncio.gather(*self._tasks)


@pytest.mark.stack
@pytest.mark.timeout(420)
async def test_the_demo_completes_although_each_step_loses_a_part() -> None:
    screen = Console(file=StringIO())
    async with temporary_folder() as folder, Stack(Options(folder, free_base()), screen.print) as stack:
        killer = Killer(stack, SEED)
        result = await play(places(stack), load(None, None), screen, killer.before_step)
        await killer.done()
        report = await books(stack)
    assert result.passed, explained(result)
    assert {role for _, role in killer.killed} == set(ROLES)
    assert report.clean, report.findings
    assert len(report.possible_duplicates) <= SLOTS * len(killer.killed)
