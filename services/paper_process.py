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
from typing import BinaryIO, cast

import structlog

from domain.errors import Refusal
from domain.papers import FIELD, MAX_BYTES, Paper, PaperType, sanitise

log = structlog.get_logger(__name__)

AT_ONCE = 2
MEMORY = 1_280 * 2**20
CPU_SECONDS = 20
PATIENCE = 40.0
"""Seconds of real time; a machine that is busy may need more than the CPU's own."""
HEAD = 1_024
"""Bytes that the answer's first line may have."""
LONGEST = HEAD + MAX_BYTES
"""Bytes of an answer."""
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
        try:
            return _understood(answer)
        except (ValueError, LookupError, TypeError) as error:  # no words of ours: it died, or is ours no longer
            raise Refusal("paper_damaged", field=FIELD) from error


def _understood(answer: bytes) -> Paper:
    """The paper that the answer brings. Raises its refusal, and whatever else when it is no answer of ours."""
    head, _, body = answer.partition(b"\n")
    if len(head) > HEAD:
        raise ValueError("no first line")
    told = json.loads(head)
    if "refused" in told:
        raise Refusal(told["refused"], field=FIELD, **told["params"])
    return Paper(PaperType(told["type"]), body)


async def _elsewhere(data: bytes) -> bytes:
    """What the process answers; nothing when it died, took too long or would not stop."""
    transport, talk = await asyncio.get_running_loop().subprocess_exec(
        _Talk, sys.executable, "-c", _PROGRAM, stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    try:
        talk.give(data)
        await asyncio.wait([talk.ended], timeout=PATIENCE)
    finally:
        transport.close()  # ends the process, if it is there still
        await talk.ended
    if transport.get_returncode() or len(talk.answer) > LONGEST:
        log.warning("paper_process_died", returncode=transport.get_returncode(), size=len(data), said=len(talk.answer))
        return b""
    return bytes(talk.answer)


class _Talk(asyncio.SubprocessProtocol):
    """A file goes in, the answer comes out. A process that says more than any paper needs is ended at once: what
    `communicate()` would collect is bounded by nothing."""

    def __init__(self) -> None:
        self.answer = bytearray()
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)

    def give(self, data: bytes) -> None:
        pipe = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        pipe.write(data)
        pipe.close()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if len(self.answer) <= LONGEST:
            self.answer += data
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(None)


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
