"""The webhook catcher: keeps what is posted to it and answers as scripted."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from sandbox.database import BatchWriter, Database


@dataclass(frozen=True)
class HookScript:
    """What a hook answers: ``status`` for ``times`` requests (None: always), then 200; after a delay."""

    status: int = 200
    body: str = ""
    delay_seconds: float = 0.0
    times: int | None = None


@dataclass(frozen=True)
class HookRequest:
    """One caught request: header names and values as they came."""

    hook: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    received_at: float
    answered: int
    id: int = 0


class HookCatcher:
    """Stores requests in batches; scripts survive a restart, the count of ``times`` does not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = BatchWriter(database, _insert)
        self._scripts: dict[str, HookScript] = {}
        self._left: dict[str, int] = {}
        self._last_id = 0

    async def load(self) -> None:
        """Read the scripts and continue the numbering of an earlier run."""
        self._last_id, scripts = await self._database.run(_read)
        for name, text in scripts.items():
            self._install(name, HookScript(**json.loads(text)))

    async def catch(self, hook: str, query: str, headers: list[tuple[str, str]], body: bytes) -> HookScript:
        """Store one request and return what to answer."""
        script = self._next_answer(hook)
        self._last_id += 1
        request = HookRequest(hook, query, headers, body, time.time(), script.status, self._last_id)
        await self._writer.add(request)
        return script

    def script(self, hook: str) -> HookScript:
        """The script in force, ``times`` counting down."""
        script = self._scripts.get(hook, HookScript())
        return replace(script, times=self._left.get(hook)) if script.times is not None else script

    async def set_script(self, hook: str, script: HookScript) -> None:
        """Answer by ``script`` from now on."""
        await self._database.run(_write_script, hook, json.dumps(asdict(script)))
        self._install(hook, script)

    async def requests(self, hook: str, after: int, limit: int) -> list[dict[str, Any]]:
        """Caught requests with ids above ``after``, oldest first."""
        return await self._database.run(_list, hook, after, limit)

    async def latest(self, hook: str, limit: int) -> list[dict[str, Any]]:
        """The newest requests, newest first."""
        return await self._database.run(_latest, hook, limit)

    async def names(self) -> list[dict[str, Any]]:
        """Every hook that caught something or has a script, with its count and last time."""
        seen = {row["hook"]: row for row in await self._database.run(_names)}
        for name in self._scripts:
            seen.setdefault(name, {"hook": name, "requests": 0, "last_at": None})
        return [seen[name] for name in sorted(seen)]

    async def delete(self, hook: str) -> int:
        """Forget what ``hook`` caught; returns how many requests went."""
        return await self._database.run(_delete, hook)

    async def flush(self) -> None:
        """Wait until everything handed in is committed."""
        await self._writer.flush()

    def _install(self, hook: str, script: HookScript) -> None:
        self._scripts[hook] = script
        self._left.pop(hook, None)
        if script.times is not None:
            self._left[hook] = script.times

    def _next_answer(self, hook: str) -> HookScript:
        left = self._left.get(hook)
        if left is None:
            return self._scripts.get(hook, HookScript())
        if left == 0:
            return HookScript()
        self._left[hook] = left - 1
        return self._scripts[hook]


def _read(db: sqlite3.Connection) -> tuple[int, dict[str, str]]:
    last = db.execute("SELECT coalesce(max(id), 0) FROM hook_requests").fetchone()[0]
    rows = db.execute("SELECT name, script FROM scripts WHERE kind = 'hook'").fetchall()
    return int(last), {row["name"]: row["script"] for row in rows}


def _write_script(db: sqlite3.Connection, hook: str, text: str) -> None:
    db.execute("INSERT OR REPLACE INTO scripts (kind, name, script) VALUES ('hook', ?, ?)", (hook, text))


def _insert(db: sqlite3.Connection, requests: list[HookRequest]) -> None:
    db.executemany(
        "INSERT INTO hook_requests (id, hook, received_at, query, headers, body, answered)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(r.id, r.hook, r.received_at, r.query, json.dumps(r.headers), r.body, r.answered) for r in requests],
    )


def _list(db: sqlite3.Connection, hook: str, after: int, limit: int) -> list[dict[str, Any]]:
    rows = db.execute("SELECT * FROM hook_requests WHERE hook = ? AND id > ? ORDER BY id LIMIT ?", (hook, after, limit))
    return [_row(row) for row in rows]


def _latest(db: sqlite3.Connection, hook: str, limit: int) -> list[dict[str, Any]]:
    rows = db.execute("SELECT * FROM hook_requests WHERE hook = ? ORDER BY id DESC LIMIT ?", (hook, limit))
    return [_row(row) for row in rows]


def _row(row: sqlite3.Row) -> dict[str, Any]:
    body = bytes(row["body"]).decode("utf-8", "replace")
    return {**dict(row), "headers": json.loads(row["headers"]), "body": body}


def _names(db: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = db.execute("SELECT hook, count(*) AS requests, max(received_at) AS last_at FROM hook_requests GROUP BY hook")
    return [dict(row) for row in rows]


def _delete(db: sqlite3.Connection, hook: str) -> int:
    return db.execute("DELETE FROM hook_requests WHERE hook = ?", (hook,)).rowcount
