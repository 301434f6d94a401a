"""The sandbox as a process of its own."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

import httpx2
import pytest

from sandbox.__main__ import main

ROOT = Path(__file__).parents[2]


async def start(data_dir: Path, port_base: int) -> asyncio.subprocess.Process:
    arguments = ["-m", "sandbox", "--data-dir", str(data_dir), "--port-base", str(port_base)]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, stdout=pipe, stderr=pipe)


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
async def test_ready_line_then_a_clean_end(tmp_path: Path, unused_base: int, signal_: signal.Signals) -> None:
    process = await start(tmp_path, unused_base)
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 10)).decode()
    assert line.startswith(f"sandbox ready: pages http://127.0.0.1:{unused_base + 1}/")
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        assert (await client.get(f"http://127.0.0.1:{unused_base + 1}/healthz")).json() == {"ready": True}
    process.send_signal(signal_)
    out, err = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_a_busy_port_is_one_clear_line(
    tmp_path: Path, unused_base: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sandbox", "--data-dir", str(tmp_path), "--port-base", str(unused_base)])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", unused_base + 1))
        taken.listen()
        assert main() == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"the page cannot listen on 127.0.0.1:{unused_base + 1} (Address already in use)" in err
