"""A carrier as a process of a bench: the sandbox's SMSC, which takes every number and writes down what it took.

`python -m bench.carrier --port 2775 --record FILE`: a line `phone reference part total` for each part, written before
its submission is answered.
"""

import argparse
import asyncio
import os
import signal
from pathlib import Path

import uvloop

from sandbox.smsc import Behaviour, Smsc, Taken
from sandbox.smsc_carriers import CARRIERS
from supervision.ports import LOOPBACK


class Record:
    """What was taken, line by line; nothing is written without a file."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def keep(self, taken: Taken) -> None:
        if self._file is not None:
            text = taken.text
            os.write(self._file, f"{text.phone} {text.reference or 0} {text.part} {text.total}\n".encode())


async def serve(port: int, record: Path | None, delay: float) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    behaviour = Behaviour(receipt_delay=delay, scripted=False)
    server = Smsc(CARRIERS[0], LOOPBACK, port, behaviour, Record(record).keep)
    await server.start()
    await stop.wait()
    await server.stop()


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--record", type=Path)
    options.add_argument("--receipt-delay", type=float, default=0.5)
    given = options.parse_args()
    uvloop.run(serve(given.port, given.record, given.receipt_delay))


if __name__ == "__main__":
    main()
