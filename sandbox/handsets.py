"""Texts that pretend carriers took, by the handset they are for, and what its owner answered."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sandbox.database import Database
from sandbox.smsc import Behaviour, Smsc, Taken
from sandbox.smsc_carriers import CARRIERS

_INSERT = (
    "INSERT INTO texts (at, carrier, phone, source, content, concatenation, part, total, reference, smsc_id,"
    " from_handset) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Handsets:
    """Taken texts are written in batches, without the carrier waiting for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Any, ...]] = []
        self._writing: asyncio.Task[None] | None = None

    def keep(self, taken: Taken) -> None:
        """One part that a carrier took."""
        text = taken.text
        self._add(
            *(taken.at, taken.carrier, text.phone, text.source, text.content, text.concatenation, text.part),
            *(text.total, text.reference, taken.smsc_id, 0),
        )

    def answered(self, carrier: str, phone: str, source: str, content: str) -> None:
        """What a handset wrote to `source`."""
        self._add(time.time(), carrier, phone, source, content, 0, 1, 1, None, "", 1)

    def _add(self, *row: Any) -> None:
        self._waiting.append(row)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            with contextlib.suppress(sqlite3.Error):  # no room on the disk: the carrier goes on, its page does not
                await self._database.run(_insert, batch)

    async def flush(self) -> None:
        """Wait for everything handed in so far."""
        if self._writing is not None:
            await self._writing

    async def messages(self, to: str, after: int | None, limit: int) -> list[dict[str, Any]]:
        """Whole messages: newest first; with ``after`` (an id) oldest first. ``to`` is a number or the end of one."""
        await self.flush()
        rows = await self._database.run(_read, to, after, limit)
        whole = assembled(rows if after is not None else rows[::-1])
        return whole if after is not None else whole[::-1]

    async def totals(self, limit: int) -> dict[str, Any]:
        """Parts, numbers, and numbers that got the same part more than once (at most ``limit`` of them)."""
        await self.flush()
        return await self._database.run(_totals, limit)

    async def source_of(self, phone: str) -> tuple[str, str] | None:
        """Carrier and source of the last text to a number: where its answer goes."""
        await self.flush()
        return await self._database.run(_source, phone)

    async def delete(self) -> int:
        """Forget all texts."""
        await self.flush()
        return await self._database.run(_delete)


def assembled(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts (oldest first) put together. A part that came before belongs to another message."""
    found: list[dict[str, Any]] = []
    waiting: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = (row["carrier"], row["phone"], row["source"], row["concatenation"], row["total"])
        message = waiting.get(key)
        if message is None or row["part"] in message["texts"]:
            message = {
                **{name: row[name] for name in ("id", "at", "carrier", "phone", "source", "total", "reference")},
                "from_handset": bool(row["from_handset"]),
                "texts": {},
                "smsc_ids": [],
            }
            found.append(message)
            waiting[key] = message
        message["texts"][row["part"]] = row["content"]
        message["smsc_ids"].append(row["smsc_id"])
        if len(message["texts"]) == row["total"]:
            del waiting[key]
    for message in found:
        texts = message.pop("texts")
        message["parts"] = len(texts)
        message["content"] = "".join(texts[part] for part in sorted(texts))
    return found


def _insert(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    db.executemany(_INSERT, rows)


def _read(db: sqlite3.Connection, to: str, after: int | None, limit: int) -> list[dict[str, Any]]:
    order = "id DESC" if after is None else "id"
    pattern = to if to.startswith("+") else f"%{to}"
    rows = db.execute(
        f"SELECT * FROM texts WHERE phone LIKE ? AND id > ? ORDER BY {order} LIMIT ?",  # noqa: S608 - one of two
        (pattern, after or 0, limit),
    )
    return [dict(row) for row in rows]


def _totals(db: sqlite3.Connection, limit: int) -> dict[str, Any]:
    parts, numbers = db.execute("SELECT count(*), count(DISTINCT phone) FROM texts WHERE NOT from_handset").fetchone()
    whole = db.execute("SELECT count(*) FROM texts WHERE NOT from_handset AND part = 1").fetchone()[0]
    repeated = db.execute(
        "SELECT phone, content, part, count(*) AS times FROM texts WHERE NOT from_handset"
        " GROUP BY phone, content, part, total HAVING count(*) > 1 ORDER BY phone LIMIT ?",
        (limit,),
    )
    return {"parts": parts, "messages": whole, "numbers": numbers, "repeated": [dict(row) for row in repeated]}


def _source(db: sqlite3.Connection, phone: str) -> tuple[str, str] | None:
    row = db.execute("SELECT carrier, source FROM texts WHERE phone = ? ORDER BY id DESC LIMIT 1", (phone,)).fetchone()
    return (row["carrier"], row["source"]) if row else None


def _delete(db: sqlite3.Connection) -> int:
    return db.execute("DELETE FROM texts").rowcount


@dataclass(frozen=True)
class Where:
    """Carriers listen on ``ip_base`` + their number, at one port."""

    ip_base: str
    port: int


class Smscs:
    """All pretend carriers, started and stopped together."""

    def __init__(self, where: Where, handsets: Handsets) -> None:
        self.by_name = {
            carrier.name: Smsc(
                *(carrier, f"{where.ip_base}{carrier.number}", where.port, Behaviour(), handsets.keep),
                said=partial(handsets.answered, carrier.name),
            )
            for carrier in CARRIERS
        }

    async def start(self) -> None:
        """Listen; raises PortBusy."""
        for smsc in self.by_name.values():
            await smsc.start()

    async def stop(self) -> None:
        for smsc in self.by_name.values():
            await smsc.stop()

    def reply(self, carrier: str, phone: str, destination: str, content: str) -> None:
        """A handset's owner writes."""
        self.by_name[carrier].reply(phone, destination, content)
