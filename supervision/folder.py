"""The data folder of one stack: who may use it, its secrets, and what a killed predecessor left running."""

import contextlib
import fcntl
import json
import os
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from supervision.errors import CannotStart

LEFTOVER_PATIENCE = 20.0


@dataclass(frozen=True)
class Folder:
    """Paths inside the data folder. What is in it is readable by us only; the folder itself may be walked through."""

    root: Path

    logs = property(lambda self: self.root / "logs")
    postgres = property(lambda self: self.root / "postgres")
    temporal = property(lambda self: self.root / "temporal")
    sandbox = property(lambda self: self.root / "sandbox")
    lock = property(lambda self: self.root / "lock")
    children = property(lambda self: self.root / "children.json")
    addresses = property(lambda self: self.root / "stack.json")

    def make(self) -> None:
        """Create what is missing; raises `CannotStart` when that is not allowed."""
        try:
            if not self.root.exists():
                self.root.mkdir(parents=True)
                # As root, PostgreSQL runs as another user, who must be able to walk to its part.
                self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for part in (self.logs, self.temporal, self.sandbox):
                part.mkdir(mode=0o700, exist_ok=True)
        except OSError as problem:
            raise CannotStart(
                f"Cannot write to {self.root} ({problem.strerror}): choose another folder with --data DIR."
            ) from problem

    def log(self, role: str) -> Path:
        """Where that child's output goes."""
        return Path(self.logs / f"{role}.log")


def hold(folder: Folder) -> IO[str]:
    """Lock the folder until the returned file is closed (or we are killed); raises `CannotStart` when it is in use."""
    try:
        file = folder.lock.open("a+")
    except OSError as problem:
        raise CannotStart(
            f"Cannot write to {folder.root} ({problem.strerror}): choose another folder with --data DIR."
        ) from problem
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise CannotStart(
            f"The data folder {folder.root} is in use by another songda up (pid {holder}): "
            "stop that one, or choose another folder with --data DIR."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def is_held(folder: Folder) -> bool:
    """Whether a stack runs on it."""
    try:
        with folder.lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


def kept_secret(path: Path) -> str:
    """A secret made at the first start, readable by us only, and the same ever after."""
    if path.exists():
        return path.read_text().strip()
    secret = secrets.token_urlsafe(48)
    write_private(path, secret)
    return secret


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step, mode 600: a kill in the middle leaves the old one."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def remember_children(folder: Folder, pids: dict[str, int]) -> None:
    """Note each child's pid and birth, since numbers are reused."""
    born = {}
    for role, pid in pids.items():
        with contextlib.suppress(psutil.Error):
            born[role] = [pid, psutil.Process(pid).create_time()]
    write_private(folder.children, json.dumps(born))


def end_leftovers(folder: Folder, report: Callable[[str], None]) -> None:
    """End children of a killed `up` that still run: they hold the ports and the data."""
    leftovers = []
    for pid, born in read_children(folder).values():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if abs(process.create_time() - born) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                leftovers.append(process)
    if not leftovers:
        return
    report(f"The last run was killed: ending {len(leftovers)} of its processes first.")
    for process in leftovers:
        with contextlib.suppress(psutil.Error):
            # PostgreSQL shuts down fast at SIGINT, and should; the others are made to be killed.
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGKILL)
    _, stubborn = psutil.wait_procs(leftovers, timeout=LEFTOVER_PATIENCE)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=5)


def read_children(folder: Folder) -> dict[str, tuple[int, float]]:
    """Role to pid and birth; empty when the note is missing or torn."""
    try:
        noted = json.loads(folder.children.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {role: (int(pid), float(born)) for role, (pid, born) in noted.items()}
