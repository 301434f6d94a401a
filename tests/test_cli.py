"""Commands that cannot do their work end with one line and exit code 2."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli import shared_socket
from stack import numbered
from supervision import postgres
from supervision.errors import CannotStart
from supervision.ports import listens_on

CHECKOUT = Path(__file__).resolve().parent.parent
NOBODY_LISTENS = "127.0.0.1:1"
SECRET = "0123456789abcdef0123456789abcdef"


def songda(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One command in a bare environment."""
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=bare | environment, cwd="/", capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def complaint(run: subprocess.CompletedProcess[str]) -> str:
    """Its only line."""
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("songda: ")
    assert run.stderr.count("\n") == 1
    return run.stderr


@pytest.mark.parametrize("role", ["api", "worker", "migrate"])
def test_an_unreachable_database(role: str) -> None:
    url = f"postgresql://songda:hidden@{NOBODY_LISTENS}/songda"
    line = complaint(songda(role, DATABASE_URL=url, SONGDA_SECRET_KEY=SECRET))
    assert f"postgresql://songda:***@{NOBODY_LISTENS}/songda cannot be used" in line
    assert "DATABASE_URL" in line
    assert "hidden" not in line


async def test_a_database_without_tables(postgres_server: postgres.Cluster) -> None:
    line = complaint(songda("api", DATABASE_URL=postgres_server.url("postgres"), SONGDA_SECRET_KEY=SECRET))
    assert "songda migrate" in line


def test_a_worker_without_temporal(postgres_url: str) -> None:
    run = songda("worker", DATABASE_URL=postgres_url, SONGDA_SECRET_KEY=SECRET, TEMPORAL_ADDRESS=NOBODY_LISTENS)
    line = complaint(run)
    assert f"Temporal does not answer at {NOBODY_LISTENS}" in line
    assert "TEMPORAL_ADDRESS" in line


def test_a_missing_or_short_secret() -> None:
    assert "SONGDA_SECRET_KEY: Field required" in complaint(songda("migrate"))
    assert "SONGDA_SECRET_KEY" in complaint(songda("migrate", SONGDA_SECRET_KEY="short"))


def test_working_hours_and_lead_that_cannot_be_used() -> None:
    line = complaint(songda("migrate", SONGDA_SECRET_KEY=SECRET, SONGDA_WORKING_HOURS="9 to 5"))
    assert "SONGDA_WORKING_HOURS" in line and "look like 09:00-12:00,13:30-18:00, not 9 to 5" in line
    line = complaint(songda("worker", SONGDA_SECRET_KEY=SECRET, SONGDA_LEAD_EMAIL="the boss"))
    assert "SONGDA_LEAD_EMAIL" in line and "An address has an @" in line


def test_logs_of_a_folder_without_a_stack(tmp_path: Path) -> None:
    assert str(tmp_path / "logs" / "api.log") in complaint(songda("logs", "api", "--data", str(tmp_path)))


def test_processes_that_share_a_port_keep_others_out() -> None:
    with shared_socket("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        first.listen()
        with shared_socket("127.0.0.1", port) as second:
            second.listen()
            assert listens_on(os.getpid(), port)
            with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
                stranger.bind(("127.0.0.1", port))


def test_a_port_that_is_taken_alone_cannot_be_shared() -> None:
    with socket.socket() as alone:
        alone.bind(("127.0.0.1", 0))
        alone.listen()
        with pytest.raises(CannotStart, match="cannot listen on"):
            shared_socket("127.0.0.1", alone.getsockname()[1])


def test_processes_of_a_role_are_numbered_from_the_second() -> None:
    assert numbered("worker", 3) == ["worker", "worker-2", "worker-3"]
    assert numbered("api", 1) == ["api"]
