"""Uploaded papers are taken apart in a process of their own: a file that blows up its decoder ends that process alone.

Decoders of hostile formats are the likeliest place to be broken into or to be made to swallow all memory (an object
stream of 10 MB can unpack to 10 GB inside the PDF library, before any check of ours sees it). So the process gets one
file, no environment with secrets, limits on memory, time and files, and answers with a header line and the bytes.
"""

import asyncio
import json
import os
import resource
import sys
from typing import BinaryIO

import structlog

from domain.errors import Refusal
from domain.papers import FIELD, MAX_BYTES, Paper, PaperType, sanitise

log = structlog.get_logger(__name__)

AT_ONCE = 2
MEMORY = 1_280 * 2**20
CPU_SECONDS = 20
PATIENCE = 40.0
"""Seconds of real time; a machine that is busy may need more than the CPU's own."""
_PROGRAM = "from services.paper_process import main; main()"


class PaperWorkshop:
    """Few at once: each may need a gigabyte for a second."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)

    async def sanitise(self, data: bytes) -> Paper:
        """`domain.papers.sanitise`, walled off. Raises its refusals; `paper_damaged` when the process dies of it."""
        if not data or len(data) > MAX_BYTES:
            return sanitise(data)  # refuses, without any decoder
        async with self._room:
            answer = await _elsewhere(data)
        head, _, body = answer.partition(b"\n")
        if not head:
            raise Refusal("paper_damaged", field=FIELD)
        told = json.loads(head)
        if "refused" in told:
            raise Refusal(told["refused"], field=FIELD, **told["params"])
        return Paper(PaperType(told["type"]), body)


async def _elsewhere(data: bytes) -> bytes:
    """What the process answers; nothing when it died or took too long."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    try:
        answer, _ = await asyncio.wait_for(process.communicate(data), PATIENCE)
    except TimeoutError:
        answer = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        log.warning("paper_process_died", returncode=process.returncode, size=len(data))
        return b""
    return answer


def main() -> None:
    """The process: one file from standard input, the answer to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer(sys.stdin.buffer.read(), sys.stdout.buffer)


def answer(data: bytes, out: BinaryIO) -> None:
    """A JSON line, then the paper's bytes."""
    try:
        paper = sanitise(data)
    except Refusal as refusal:
        out.write(json.dumps({"refused": refusal.code, "params": refusal.params}).encode() + b"\n")
        return
    out.write(json.dumps({"type": paper.media_type.value}).encode() + b"\n")
    out.write(paper.data)
