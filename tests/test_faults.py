"""kill −9 of every part during the demo: it completes, nobody is lost, the books close, and nothing private is left
where others read.

One stack of its own in a temporary folder, on free ports; only processes that it started are killed.
"""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from temporalio.client import Client

from demo.scene import Step
from demo.show import DemoResult, play
from domain.ids import Kind
from stack import Options, Stack, temporary_folder
from supervision.ports import free_base
from tests.faults_world import SLOTS, books, explained, places
from tests.left_behind import MATERIAL, check_processes, leaks, newcomer, secrets_of, strangers

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


@dataclass(frozen=True)
class Run:
    """What it came to, and the parts that were killed."""

    stack: Stack
    result: DemoResult
    killed: list[tuple[str, str]]


@pytest.fixture(scope="module")
async def whole_run() -> AsyncIterator[Run]:
    """Both tests look at one: it takes a minute and a half."""
    screen = Console(file=StringIO())
    async with temporary_folder() as folder, Stack(Options(folder, free_base()), screen.print) as stack:
        killer = Killer(stack, SEED)
        result = await play(places(stack), MATERIAL, screen, killer.before_step)
        await killer.done()
        yield Run(stack, result, killer.killed)


@pytest.mark.stack
@pytest.mark.timeout(420)
async def test_the_demo_completes_although_each_step_loses_a_part(whole_run: Run) -> None:
    report = await books(whole_run.stack)
    assert whole_run.result.passed, explained(whole_run.result)
    assert {role for _, role in whole_run.killed} == set(ROLES)
    assert report.clean, report.findings
    assert len(report.possible_duplicates) <= SLOTS * len(whole_run.killed)


@pytest.mark.stack
@pytest.mark.timeout(420)
async def test_it_leaves_nothing_private_behind(whole_run: Run) -> None:
    where = whole_run.stack.addresses
    assert whole_run.result.passed and where.sandbox_url
    await strangers(where.public_url, whole_run.result)
    client = await Client.connect(where.temporal_address)
    private = secrets_of(whole_run.result, where.sandbox_url)
    private += await newcomer(where.public_url, where.sandbox_url)
    assert await check_processes(client, private) == {kind.value for kind in Kind}, "every kind of process ran"
    for role in ("api", "worker"):
        log = Path(where.logs, f"{role}.log").read_text()
        assert log, f"{role} wrote no log: there was nothing to look at"
        assert leaks(log, private) == [], role
