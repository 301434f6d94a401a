"""Children of /bin/sh: restarts, logs, stubbornness, and the leash."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from supervision.children import Child, Program, describe_end, leashed
from supervision.errors import CannotStart
from supervision.postgres import Owner


class Watched:
    """A child of a shell script, and what was said about it."""

    def __init__(self, folder: Path, script: str, patience: float = 5.0) -> None:
        self.said: list[str] = []
        self.starts = 0
        program = Program("part", ["/bin/sh", "-c", script], {"WORD": "from outside"}, patience=patience)
        self.child = Child(program, folder / "part.log", self.said.append, self.count)

    def count(self) -> None:
        self.starts += 1


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def test_output_and_environment(tmp_path: Path) -> None:
    part = Watched(tmp_path, 'echo "$WORD"; echo oh >&2')
    await part.child.start()
    assert await part.child.wait() == 0
    assert (tmp_path / "part.log").read_text() == "from outside\noh\n"


async def test_restarts_with_growing_pauses_until_stopped(tmp_path: Path) -> None:
    part = Watched(tmp_path, "exit 3")
    await part.child.start()
    part.child.watch()
    await until(lambda: len(part.said) >= 3)
    await part.child.stop()
    pauses = [line.split("restarting in ")[1].split(" s")[0] for line in part.said[:3]]
    assert pauses == ["0.2", "0.4", "0.8"]
    assert "part (pid " in part.said[0]
    assert "ended with exit code 3" in part.said[0]
    starts = part.starts
    await asyncio.sleep(1.0)
    assert part.starts == starts


async def test_a_kill_is_reported_as_such(tmp_path: Path) -> None:
    part = Watched(tmp_path, "sleep 60")
    await part.child.start()
    part.child.watch()
    first = part.child.pid
    assert first is not None
    psutil.Process(first).kill()
    await until(lambda: part.child.restarts == 1 and part.child.pid)
    assert "was killed by SIGKILL" in part.said[0]
    assert part.child.pid != first
    await part.child.stop()
    assert part.child.pid is None


async def test_a_stubborn_child_is_killed_when_its_patience_is_over(tmp_path: Path) -> None:
    part = Watched(tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.1; done", patience=0.3)
    await part.child.start()
    await until(lambda: "ready" in (tmp_path / "part.log").read_text())
    await part.child.stop()
    assert part.said == ["part did not end within 0 s: killed."]
    assert part.child.pid is None


async def test_death_before_readiness_says_the_last_words(tmp_path: Path) -> None:
    part = Watched(tmp_path, "echo FATAL: the disk is gone; echo more; exit 1")
    await part.child.start()

    async def never() -> bool:
        return False

    with pytest.raises(CannotStart, match=r"part ended with exit code 1: FATAL: the disk is gone \(see .*part.log\)"):
        await part.child.until_ready(never, 10)


async def test_silence_is_not_readiness(tmp_path: Path) -> None:
    part = Watched(tmp_path, "sleep 60")
    await part.child.start()

    async def never() -> bool:
        return False

    with pytest.raises(CannotStart, match="gave no sign of life"):
        await part.child.until_ready(never, 0.2)
    await part.child.stop()


async def test_stop_during_a_pause_prevents_the_restart(tmp_path: Path) -> None:
    part = Watched(tmp_path, "exit 0")
    await part.child.start()
    part.child.watch()
    await until(lambda: part.said)
    await part.child.stop()
    await part.child.start()
    assert part.starts == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the leash is Linux's")
def test_a_leashed_program_dies_with_its_parent() -> None:
    parent = (
        "import subprocess, sys, time, signal; from supervision.children import leashed, Owner;"
        "child = subprocess.Popen(leashed(['/bin/sleep', '60'], signal.SIGTERM, Owner()), start_new_session=True);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    sleeper = psutil.Process(int(process.stdout.readline()))
    deadline = time.monotonic() + 10
    while sleeper.name() != "sleep":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    _, alive = psutil.wait_procs([sleeper], timeout=5)
    assert not alive


def test_the_leash_refuses_an_orphan() -> None:
    command = leashed(["/bin/echo", "ran"], signal.SIGTERM, Owner())
    command[4] = "1"  # a parent that is not ours: it died between fork and prctl
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")


def test_how_an_end_is_described() -> None:
    assert describe_end(-15) == "was killed by SIGTERM"
    assert describe_end(7) == "ended with exit code 7"
    assert describe_end(-200) == "was killed by signal 200"
