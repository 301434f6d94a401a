"""One SQLite file holds what the sandbox must remember over a restart."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, TypeVar

from sandbox import answer_rows, pay_orders
from sandbox.config import SandboxError

T = TypeVar("T")
P = ParamSpec("P")

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    name TEXT NOT NULL, type TEXT NOT NULL, ttl INTEGER NOT NULL, value_list TEXT NOT NULL,
    PRIMARY KEY (name, type));
CREATE TABLE IF NOT EXISTS dns_faults (
    name TEXT PRIMARY KEY, fault TEXT NOT NULL, times INTEGER);
CREATE TABLE IF NOT EXISTS scripts (
    kind TEXT NOT NULL, name TEXT NOT NULL, script TEXT NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, received_at REAL NOT NULL, provider TEXT NOT NULL, peer TEXT NOT NULL,
    ehlo TEXT NOT NULL, mail_from TEXT NOT NULL, header_from TEXT NOT NULL, subject TEXT NOT NULL,
    message_id TEXT NOT NULL, size INTEGER NOT NULL, dkim TEXT, dkim_detail TEXT, raw BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS messages_unverified ON messages (id) WHERE dkim IS NULL;
CREATE TABLE IF NOT EXISTS deliveries (
    recipient TEXT NOT NULL, message INTEGER NOT NULL REFERENCES messages (id),
    PRIMARY KEY (recipient, message)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_message ON deliveries (message);
CREATE TABLE IF NOT EXISTS hook_requests (
    id INTEGER PRIMARY KEY, hook TEXT NOT NULL, received_at REAL NOT NULL, query TEXT NOT NULL,
    headers TEXT NOT NULL, body BLOB NOT NULL, answered INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS hook_requests_by_hook ON hook_requests (hook, id);
"""
TEXTS = """
CREATE TABLE IF NOT EXISTS texts (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, carrier TEXT NOT NULL, phone TEXT NOT NULL, source TEXT NOT NULL,
    content TEXT NOT NULL, concatenation INTEGER NOT NULL, part INTEGER NOT NULL, total INTEGER NOT NULL,
    reference INTEGER, smsc_id TEXT NOT NULL, from_handset INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS texts_phone ON texts (phone, id);
"""


class Database:
    """A SQLite connection on a thread of its own, so that the event loop never waits for a disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-db")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open or create the file; raises SandboxError when it cannot be used."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connect)
        except (OSError, sqlite3.Error) as problem:
            raise SandboxError(f"sandbox: cannot use {self._path} ({problem}); choose another data folder") from None

    def _connect(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, check_same_thread=False, timeout=5)
        connection.row_factory = sqlite3.Row
        # A killed process loses nothing in this mode; only a power cut could, which a sandbox may suffer.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(SCHEMA + pay_orders.SCHEMA + answer_rows.SCHEMA + TEXTS)
        self._connection = connection

    async def run(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``work(connection, …)`` on the database thread inside one transaction."""

        def transaction() -> T:
            if self._connection is None:
                raise sqlite3.ProgrammingError("the database is not open")
            with self._connection:
                return work(self._connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)

    async def close(self) -> None:
        """Close the file after the work already handed in."""
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)


class BatchWriter(Generic[T]):
    """Writes what arrives while the last batch is being written as the next batch: one commit for many."""

    def __init__(self, database: Database, write: Callable[[sqlite3.Connection, list[T]], None]) -> None:
        self._database = database
        self._write = write
        self._waiting: list[tuple[T, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Return when ``item`` is committed; raises sqlite3.Error when it is not."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        await done

    async def flush(self) -> None:
        """Wait for everything handed in so far."""
        if self._task is not None:
            await self._task

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            problem: sqlite3.Error | None = None
            try:
                await self._database.run(self._write, [item for item, _ in batch])
            except sqlite3.Error as error:
                problem = error
            for _, done in batch:
                _settle(done, problem)


def _settle(done: asyncio.Future[None], problem: sqlite3.Error | None) -> None:
    # The waiting SMTP session may have been cancelled because its client hung up.
    if done.done():
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(problem)
