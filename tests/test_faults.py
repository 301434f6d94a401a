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
from demo.parties import Places
from demo.show import DemoResult, play
from services.audit import AuditReport, audit
from stack import Options, Stack, temporary_folder
from store.db import Database
from supervision.ports import free_base

ROLES = ("worker", "api", "temporal", "postgres")
SEED = 7
KILL_WITHIN = 0.8
"""Seconds after a step began; most steps take about that long."""


class Killer:
    """One SIGKILL per step, at a seeded moment, to a seeded part."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self._stack = stack
        self._random = random.Random(seed)
        self.killed: list[tuple[str, str]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def before_step(self, step: str) -> None:
        role = ROLES[len(self._tasks) % len(ROLES)]
        delay = self._random.uniform(0, KILL_WITHIN)
        self._tasks.append(asyncio.create_task(self._kill(step, role, delay)))

    async def _kill(self, step: str, role: str, delay: float) -> None:
        await asyncio.sleep(delay)
        pid = self._stack.pids().get(role)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self.killed.append((step, role))

    async def done(self) -> None:
        await asyncio.gather(*self._tasks)


def places(stack: Stack) -> Places:
    where = stack.addresses
    assert where.sandbox_url
    return Places(where.public_url, where.sandbox_url, where.temporal_address, where.temporal_ui_url)


async def books(stack: Stack) -> AuditReport:
    """The audit once everything is settled."""
    db = await Database.open(stack.addresses.database_url, connections=2)
    try:
        for _ in range(300):
            report = await audit(db)
            if report.totals["queued"] == 0:
                break
            await asyncio.sleep(0.2)
        return report
    finally:
        await db.close()


def explained(result: DemoResult) -> str:
    return "\n".join(f"{step.name}: {step.seconds:.1f} s, {step.evidence}" for step in result.steps)


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
    slots = 32
    assert len(report.possible_duplicates) <= slots * len(killer.killed)


@pytest.mark.timeout(180)
async def test_a_stalled_worker_wakes_up_to_find_its_page_taken_and_says_nothing_twice() -> None:
    """SIGSTOP for longer than the lease, while the worker that the supervisor started beside it takes over."""
    screen = Console(file=StringIO())
    async with temporary_folder() as folder, Stack(Options(folder, free_base()), screen.print) as stack:
        second = await stack.start_second_worker()
        stalled = stack.pids()["worker"]

        async def stall(step: str) -> None:
            if step.startswith("First send"):
                os.kill(stalled, signal.SIGSTOP)

        playing = asyncio.create_task(play(places(stack), load(None, None), screen, stall))
        await asyncio.sleep(35)
        os.kill(stalled, signal.SIGCONT)
        result = await playing
        report = await books(stack)
        second.terminate()
        await second.wait()
    assert result.passed, explained(result)
    assert report.clean, report.findings
