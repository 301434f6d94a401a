"""Who is stopped is woken, whenever the chaos ends."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from typing import cast

import psutil
import pytest

from bench.ground import Ground
from bench.killer import Killer, family
from tests.patience import until


class Sinkless:
    """Stands for a running stack where only the killer is looked at."""

    class sink:  # noqa: N801 - an attribute of the ground
        @staticmethod
        def open_connections() -> int:
            return 3


@pytest.fixture
async def pid() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    yield process.pid
    if process.returncode is None:
        process.kill()
    await process.wait()


def killer() -> Killer:
    return Killer(cast(Ground, Sinkless()), 1)


async def becomes(pid: int, status: str) -> None:
    async def look() -> bool:
        return (psutil.Process(pid).status() == psutil.STATUS_STOPPED) == (status == "stopped")

    await until(look)


async def test_a_stopped_process_is_woken_at_its_time(pid: int) -> None:
    one = killer()
    one.strike("worker-2", pid, 0.3)
    await becomes(pid, "stopped")
    await becomes(pid, "running")
    assert [(blow.name, blow.signal, blow.open_connections) for blow in one.blows] == [("worker-2", "SIGSTOP", 3)]
    assert one.counted() == {"worker SIGSTOP": 1}


async def test_the_last_one_stopped_is_woken_when_everything_ends_at_once(pid: int) -> None:
    one = killer()
    one.strike("worker", pid, 60.0)
    await one.wake()
    await becomes(pid, "running")


async def test_a_killed_process_is_gone(pid: int) -> None:
    one = killer()
    one.strike("worker", pid, 0.0)

    async def gone() -> bool:
        return not family(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    await until(gone)
    assert one.blows[0].signal == signal.SIGKILL.name
