"""`songda up` as its users meet it: a process, its exit codes, its one-line news, kill -9."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from supervision import temporal
from supervision.ports import INBOUND_ADDRESS, free_base

pytestmark = pytest.mark.stack
CHECKOUT = Path(__file__).resolve().parent.parent
TOO_LONG = 90.0


def until(condition: Callable[[], Any], what: str) -> None:
    """Poll, bounded."""
    deadline = time.monotonic() + TOO_LONG
    while not condition():
        assert time.monotonic() < deadline, f"not within {TOO_LONG:.0f} s: {what}"
        time.sleep(0.1)


def songda(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """One command, with this checkout's code."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments], env=environment, cwd="/", text=True,
        stdout=subprocess.PIPE, **options,
    )  # fmt: skip


class Up:
    """One data folder, and the `songda up` on it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.news = folder / "news"
        self.base = free_base()
        self.where: dict[str, Any] = {}
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        """Returns when it says that it is ready."""
        with self.news.open("a") as news:
            process = songda("up", "--json", "--data", str(self.data), "--port-base", str(self.base), stderr=news)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"it was never ready: {self.news.read_text()}"
        self.where = json.loads(line)
        return process

    def pids(self) -> dict[str, int]:
        """Role to pid, as the data folder notes it."""
        try:
            return {role: pid for role, (pid, _) in json.loads((self.data / "children.json").read_text()).items()}
        except FileNotFoundError:
            return {}

    def end(self) -> int:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(TOO_LONG)


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with tempfile.TemporaryDirectory(prefix="songda-test-") as folder:
        Path(folder).chmod(0o711)
        stack = Up(Path(folder))
        yield stack
        if stack.process.poll() is None:
            stack.end()


@pytest.fixture
async def rows(up: Up) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(up)
    yield connection
    await connection.close()


async def connect(up: Up) -> asyncpg.Connection:
    """Bounded: a server that was killed needs a moment to recover."""
    async with asyncio.timeout(TOO_LONG):
        while True:
            with contextlib.suppress(OSError, asyncpg.CannotConnectNowError):
                return await asyncpg.connect(up.where["database_url"])
            await asyncio.sleep(0.1)


def answers(url: str) -> bool:
    """Whether an HTTP GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def temporal_says(up: Up, *arguments: str) -> str:
    """Output of one `temporal` command; raises when it fails."""
    command = [str(temporal.find_binary()), *arguments, "--address", up.where["temporal_address"]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def refusal(*arguments: str) -> str:
    """The one line with which a command ends that cannot start."""
    process = songda("up", *arguments, stderr=subprocess.PIPE)
    output, news = process.communicate(timeout=TOO_LONG)
    assert (process.returncode, output) == (2, "")
    complaints = [line for line in news.splitlines() if "Starting on ports" not in line]
    assert len(complaints) == 1
    return complaints[0]


def greeting(host: str, port: int | str) -> str:
    with socket.create_connection((host, int(port)), timeout=TOO_LONG) as connection:
        return connection.makefile().readline()


def test_every_part_answers(up: Up) -> None:
    assert answers(f"{up.where['public_url']}/healthz")
    assert answers(f"{up.where['sandbox_url']}/healthz")
    assert answers(up.where["temporal_ui_url"])
    assert set(up.pids()) == {"postgres", "temporal", "sandbox", "api", "worker", "submission", "inbound"}
    assert greeting(*up.where["submission"].split(":")).startswith("220 ")
    assert greeting(INBOUND_ADDRESS, up.base + 6).startswith("220 ")
    assert (up.data / "secret-key").stat().st_mode & 0o077 == 0
    assert (up.data / "stack.json").stat().st_mode & 0o077 == 0


def test_temporal_is_set_up_as_the_design_says(up: Up) -> None:
    namespace = temporal_says(up, "operator", "namespace", "describe", "default", "-o", "json")
    assert json.loads(namespace)["config"]["workflowExecutionRetentionTtl"] == "259200s"
    attributes = temporal_says(up, "operator", "search-attribute", "list")
    assert all(each.split("=")[0] in attributes for each in temporal.SEARCH_ATTRIBUTES)
    assert (up.data / "temporal" / "temporal.db-wal").exists()


def test_a_folder_in_use_is_refused_and_names_its_holder(up: Up) -> None:
    line = refusal("--data", str(up.data), "--port-base", str(free_base()))
    assert f"{up.data} is in use" in line
    assert f"pid {up.process.pid}" in line
    assert "--data" in line


def test_a_busy_port_is_refused_and_names_its_holder(up: Up, tmp_path: Path) -> None:
    line = refusal("--data", str(tmp_path / "other"), "--port-base", str(up.base))
    assert f"Port {up.base} (API and pages) is in use by" in line
    assert f"pid {up.pids()['api']}" in line
    assert "--port-base" in line


@pytest.mark.parametrize("role", ["api", "postgres", "inbound"])
async def test_a_dead_child_is_started_again_and_reported(up: Up, role: str) -> None:
    before = up.pids()[role]
    os.kill(before, signal.SIGKILL)
    until(lambda: up.pids().get(role, before) != before, f"{role} has a new pid")
    until(lambda: answers(f"{up.where['public_url']}/healthz"), "the API answers")
    await (await connect(up)).close()
    assert f"{role} (pid {before}) was killed by SIGKILL; restarting in 0.2 s" in up.news.read_text()
    assert up.process.poll() is None


async def test_a_killed_stack_leaves_nobody_and_goes_on_with_its_data(up: Up, rows: asyncpg.Connection) -> None:
    await rows.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
    await rows.execute("INSERT INTO kept VALUES ('送达')")
    temporal_says(up, "workflow", "start", "--task-queue", "nobody", "--type", "Waiting", "--workflow-id", "kept")
    orphans = [psutil.Process(pid) for pid in up.pids().values()]
    os.kill(up.process.pid, signal.SIGKILL)
    up.process.wait()
    up.process = up.start()  # at once: it must not stumble over what is still ending
    assert not [process for process in orphans if process.is_running()]
    again = await connect(up)
    assert await again.fetchval("SELECT word FROM kept") == "送达"
    await again.close()
    described = json.loads(temporal_says(up, "workflow", "describe", "--workflow-id", "kept", "-o", "json"))
    assert described["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_RUNNING"


def test_ctrl_c_ends_everything_in_order(up: Up) -> None:
    children = [psutil.Process(pid) for pid in up.pids().values()]
    assert up.end() == 0
    assert not [process for process in children if process.is_running()]
    assert not (up.data / "stack.json").exists()
    assert "database system is shut down" in (up.data / "logs" / "postgres.log").read_text()[-300:]
