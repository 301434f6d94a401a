"""One supervised child process: its log, its restarts with growing pauses, its end."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from supervision.errors import CannotStart
from supervision.postgres import Owner

LEASH = Path(__file__).with_name("leash.py")
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
LONG_ENOUGH = 30.0
"""Seconds after which a child counts as healthy, and its next death starts with the first pause again."""
LARGEST_LOG = 10_000_000

Report = Callable[[str], None]
Probe = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Program:
    """What to run, and how it likes to be stopped."""

    role: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    """What it gets when we are killed. Not SIGTERM: whoever finishes in peace then finds the database gone."""
    patience: float = 15.0
    owner: Owner = field(default_factory=Owner)


def leashed(command: list[str], death_signal: signal.Signals, owner: Owner) -> list[str]:
    """The command line that runs `command` as that owner and signals it when this process dies."""
    who = ["-", "-"] if owner.uid is None else [str(owner.uid), str(owner.gid)]
    return [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(death_signal.value), *who, *command]


def describe_end(returncode: int) -> str:
    """`ended with exit code 3` or `was killed by SIGKILL`."""
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-returncode).name}"
    return f"was killed by signal {-returncode}"


class Child:
    """Start it, wait until it is ready, then `watch` it; `stop` ends it for good."""

    def __init__(self, program: Program, log: Path, report: Report, started: Callable[[], None]) -> None:
        """`started` is called after every start and restart, when `pid` is new."""
        self.program = program
        self.log = log
        self.restarts = 0
        self._report = report
        self._started = started
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._started_at = 0.0
        self._spawning = asyncio.Lock()
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """None while it is down."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The running process; raises `CannotStart` when there never was one."""
        if self._process is None:
            raise CannotStart(f"{self.program.role} was not started.")
        return self._process

    async def start(self) -> None:
        """Spawn the program; its output is appended to the log. Does nothing after `stop`."""
        # Shielded: a caller that is cancelled in the middle would leave a process that nobody knows.
        await asyncio.shield(asyncio.create_task(self._spawn()))

    async def _spawn(self) -> None:
        async with self._spawning:
            if self._stopped:
                return
            with self.log.open("ab") as output:
                self._process = await asyncio.create_subprocess_exec(
                    *leashed(self.program.command, self.program.death_signal, self.program.owner),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    env={**os.environ, **self.program.environment},
                    start_new_session=True,  # so that Ctrl-C reaches us only, and we stop them in order
                )
            self._started_at = time.monotonic()
            self._started()

    async def wait(self) -> int:
        """Its exit status, negative for a signal; -SIGKILL if it never ran."""
        return -signal.SIGKILL if self._process is None else await self._process.wait()

    async def until_ready(self, probe: Probe, seconds: float, every: float = 0.05) -> None:
        """Probe until it succeeds; raises `CannotStart` when the child ends before that, or when it takes too long."""
        try:
            async with asyncio.timeout(seconds):
                while not await probe():
                    self._still_runs()
                    await asyncio.sleep(every)
        except TimeoutError:
            raise CannotStart(
                f"{self.program.role} gave no sign of life within {seconds:.0f} s: see {self.log}."
            ) from None

    def _still_runs(self) -> None:
        if self._process is not None and self._process.returncode is not None:
            raise CannotStart(
                f"{self.program.role} {describe_end(self._process.returncode)}: {self.last_line()} (see {self.log})"
            )

    def last_line(self) -> str:
        """What the log ends with: the last line that speaks of an error, else the last one."""
        lines = [line.strip() for line in self.log.read_text(errors="replace")[-8000:].splitlines() if line.strip()]
        telling = [line for line in lines if "Error" in line or "FATAL" in line or line.startswith("songda:")]
        return (telling or lines or ["it said nothing"])[-1][:300]

    def watch(self) -> None:
        """From now on a death is reported and followed by a restart."""
        self._watch = asyncio.create_task(self._keep_alive(), name=f"watch {self.program.role}")

    async def _keep_alive(self) -> None:
        pause = FIRST_PAUSE
        while True:
            pid, returncode = self.pid, await self.wait()
            if self._stopped:
                return
            pause = FIRST_PAUSE if time.monotonic() - self._started_at > LONG_ENOUGH else pause
            end = f"{self.program.role} (pid {pid}) {describe_end(returncode)}"
            self._report(f"{end}; restarting in {pause:.1f} s. Log: {self.log}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            self.restarts += 1
            await self.start()

    async def stop(self) -> None:
        """Ask it to end, insist when its patience is over. Harmless when it is down."""
        async with self._spawning:
            self._stopped = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(self.program.stop_signal)
        try:
            await asyncio.wait_for(self._process.wait(), self.program.patience)
        except TimeoutError:
            self._report(f"{self.program.role} did not end within {self.program.patience:.0f} s: killed.")
            self._kill_group()
            await self._process.wait()

    def _kill_group(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def rotate(log: Path) -> None:
    """Keep one older log once this one has grown large."""
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
