"""The sandbox as a process of its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import httpx2
import pytest

from sandbox.parts import Parts

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
    async with httpx2.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{unused_base + 1}/healthz")).json() == {"ready": True}
    process.send_signal(signal_)
    out, err = await asyncio.wait_for(process.communicate(), 10)
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_busy_port_is_one_clear_line(tmp_path: Path, parts: Parts) -> None:
    process = await start(tmp_path / "second", parts.config.web_port - 1)
    out, err = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 1
    assert err.decode().count("\n") == 1
    assert f"the page cannot listen on 127.0.0.1:{parts.config.web_port} (Address already in use)" in err.decode()
