"""SIGSTOP of a worker inside a dialogue: another takes its page over, and nothing is said twice when it wakes."""

import asyncio
import os
import signal
from io import StringIO

import pytest
from rich.console import Console

from demo.scene import Material
from demo.show import play
from demo.story import TO_THE_FIRST_SEND
from stack import Options, Stack, temporary_folder
from store.db import Database
from supervision.ports import free_base
from tests.faults_world import SLOTS, books, explained, last_lines, places

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
        told = "\n".join([explained(result), *last_lines(stack)])
    assert result.passed, told
    assert 1 <= len(before.possible_duplicates) <= SLOTS, "the dialogues it was in were settled as uncertain"
    assert before.clean and after.clean, (before.findings, after.findings)
    assert after.totals == before.totals
