"""kill −9 of every part during the demo: it completes, nobody is lost, the books close (issue: bad input and faults).

One stack of its own in a temporary folder, on free ports; only processes that it started are killed.
"""

import asyncio
import contextlib
import os
import random
import signal
from io import StringIO

import pytest
from rich.console import Console

from demo.material import load
from demo.parties import Places
from demo.scene import Material, Step
from demo.show import DemoResult, play
from demo.story import TO_THE_FIRST_SEND
from services.audit import AuditReport, audit
from stack import Options, Stack, temporary_folder
from store.db import DATABASE_TROUBLE, Database
from supervision.ports import free_base

ROLES = ("worker", "api", "temporal", "postgres")
SEED = 7
SLOTS = 32
"""Connections a worker may have open (`Settings.sender_slots`)."""
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


def places(stack: Stack) -> Places:
    where = stack.addresses
    assert where.sandbox_url
    return Places(where.public_url, where.sandbox_url, where.temporal_address, where.temporal_ui_url, where.data)


async def books(stack: Stack) -> AuditReport:
    """The audit once everything is settled; the last part killed may still be coming back."""
    report: AuditReport | None = None
    for _ in range(300):
        with contextlib.suppress(*DATABASE_TROUBLE):
            report = await look(stack)
            if report.totals["queued"] == 0:
                return report
        await asyncio.sleep(0.3)
    assert report is not None, "the database never came back"
    return report


async def look(stack: Stack) -> AuditReport:
    db = await Database.open(stack.addresses.database_url, connections=2)
    try:
        return await audit(db)
    finally:
        await db.close()


def explained(result: DemoResult) -> str:
    return "\n".join(f"{step.name}: {step.seconds:.1f} s, {step.evidence}" for step in result.steps)


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


SLOW = 5
"""Seconds that a slow receiver takes for RCPT: long enough to stop its sender inside the dialogue."""


def slow_material() -> Material:
    people = [f"p{n}@company.example" for n in range(40)] + [f"slow{n}+{SLOW}@qq.com" for n in range(3)]
    return Material("\n".join(["email", *people]).encode(), "<title>Slow</title><p>Hello</p>")


async def stop_a_busy_sender(stack: Stack) -> int:
    """SIGSTOP the worker that is inside a dialogue with a slow receiver; returns its pid."""
    db = await Database.open(stack.addresses.database_url, connections=2)
    busy = (
        "SELECT s.pid FROM slot JOIN sender s ON s.id = slot.sender_id JOIN message m ON m.id = slot.message_id"
        " WHERE m.address LIKE 'slow%'"
    )
    try:
        while (pid := await db.pool.fetchval(busy)) is None:
            await asyncio.sleep(0.02)
        os.kill(pid, signal.SIGSTOP)
        return int(pid)
    finally:
        await db.close()


@pytest.mark.stack
@pytest.mark.timeout(240)
async def test_a_stalled_worker_wakes_up_to_find_its_page_taken_and_says_nothing_twice() -> None:
    """SIGSTOP inside a dialogue until another worker has settled it and delivered the page; then SIGCONT."""
    screen = Console(file=StringIO())
    async with temporary_folder() as folder, Stack(Options(folder, free_base()), screen.print) as stack:
        await stack.start_second_worker()
        stopping = asyncio.create_task(stop_a_busy_sender(stack))
        result = await play(places(stack), slow_material(), screen, chapters=TO_THE_FIRST_SEND)
        before = await books(stack)
        os.kill(await stopping, signal.SIGCONT)
        await asyncio.sleep(2 * SLOW)  # the dialogues that it was in end now, and it wants to say so
        after = await books(stack)
    assert result.passed, explained(result)
    assert 1 <= len(before.possible_duplicates) <= SLOTS, "the dialogues it was in were settled as uncertain"
    assert before.clean and after.clean, (before.findings, after.findings)
    assert after.totals == before.totals
