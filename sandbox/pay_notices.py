"""Asynchronous notifications of the pretend Alipay: posted until the merchant answers ``success``, on its schedule."""

from __future__ import annotations

import ipaddress
import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx2

from sandbox.database import Database
from sandbox.due import Errands

RETRIES = (240, 600, 600, 3600, 7200, 21_600, 54_000)
"""Seconds between the tries: Alipay's 4 m, 10 m, 10 m, 1 h, 2 h, 6 h, 15 h."""
ANSWER_SECONDS = 15.0


@dataclass(frozen=True)
class Notice:
    """One notification that is owed."""

    id: int
    url: str
    form: Mapping[str, str]
    tries: int


def is_loopback(url: str) -> bool:
    """The sandbox talks to this machine only."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        return False
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return False


class Notifier:
    """Sends what is due; survives a restart, since what is owed is in the file."""

    def __init__(self, database: Database, time_scale: float) -> None:
        self._database = database
        self._scale = time_scale
        self._errands = Errands(database, _due, _next)

    async def owe(self, number: str, url: str, manner: str, forms: Sequence[Mapping[str, str]]) -> None:
        """Have these sent now."""
        if url:
            await self._database.run(_owe, number, url, manner, [json.dumps(dict(form)) for form in forms])
            self._errands.wake()

    async def sent(self, number: str) -> list[dict[str, Any]]:
        """The notifications of one order: manner, tries, what the merchant answered last, when the next try is."""
        return await self._database.run(_sent, number)

    async def run(self) -> None:
        """Until cancelled."""
        async with httpx2.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as http:
            await self._errands.run(partial(self._send, http))

    async def _send(self, http: httpx2.AsyncClient, notice: Notice) -> None:
        try:
            answer = await http.post(notice.url, data=dict(notice.form))
            said = answer.text.strip()[:100] if answer.status_code == 200 else f"HTTP {answer.status_code}"
        except httpx2.HTTPError as problem:
            said = type(problem).__name__
        await self._database.run(_note, notice.id, said, self._again(notice.tries, said))

    def _again(self, tries: int, said: str) -> float | None:
        if said == "success" or tries >= len(RETRIES):
            return None
        return time.time() + RETRIES[tries] / self._scale


def _owe(db: sqlite3.Connection, number: str, url: str, manner: str, forms: list[str]) -> None:
    db.executemany(
        "INSERT INTO pay_notices (out_trade_no, url, form, manner, due_at) VALUES (?, ?, ?, ?, ?)",
        [(number, url, form, manner, time.time()) for form in forms],
    )


def _due(db: sqlite3.Connection, now: float, limit: int) -> list[Notice]:
    rows = db.execute("SELECT * FROM pay_notices WHERE due_at <= ? ORDER BY due_at, id LIMIT ?", (now, limit))
    return [Notice(row["id"], row["url"], json.loads(row["form"]), row["tries"]) for row in rows]


def _next(db: sqlite3.Connection) -> float | None:
    found: float | None = db.execute("SELECT min(due_at) FROM pay_notices WHERE due_at IS NOT NULL").fetchone()[0]
    return found


def _note(db: sqlite3.Connection, notice: int, said: str, again: float | None) -> None:
    db.execute("UPDATE pay_notices SET tries = tries + 1, answered = ?, due_at = ? WHERE id = ?", (said, again, notice))


def _sent(db: sqlite3.Connection, number: str) -> list[dict[str, Any]]:
    rows = db.execute(
        "SELECT id, manner, tries, answered, due_at FROM pay_notices WHERE out_trade_no = ? ORDER BY id", (number,)
    )
    return [dict(row) for row in rows]
