"""What the benches' receivers have in common: a process that listens, counts in a file, and ends when told to."""

import argparse
import asyncio
import signal
from collections.abc import Callable
from pathlib import Path


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Where to listen, and the files to count and to record in."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--counters", type=Path, required=True)
    parser.add_argument("--record", type=Path)
    return parser


async def serve(host: str, port: int, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(protocol, host, port, backlog=1024)
    async with server:
        await stop.wait()
