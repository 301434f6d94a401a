"""Answers that are owed or were sent, in the sandbox's file."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Any

WAITING = 10_000
"""More answers than these do not wait: a campaign to complainers shall not fill the disk."""
KEPT = 10_000
"""So many of the latest are remembered."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY, message INTEGER NOT NULL, kind TEXT NOT NULL, host TEXT NOT NULL, address TEXT NOT NULL,
    mail_from TEXT NOT NULL, rcpt_to TEXT NOT NULL, raw BLOB NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, due_at REAL, said TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS answers_due ON answers (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS answers_message ON answers (message);
"""


class Kind(StrEnum):
    """What is written."""

    BOUNCE = "bounce"
    DELAY = "delay"
    COMPLAINT = "complaint"
    VACATION = "vacation"
    REPLY = "reply"


@dataclass(frozen=True)
class Answer:
    """One mail to send back, ``wait`` seconds from now; an empty ``mail_from`` is the null sender."""

    kind: Kind
    mail_from: str
    rcpt_to: str
    raw: bytes
    wait: float


@dataclass(frozen=True)
class Sender:
    """The mail server that answers: its name and the loopback address that it speaks from."""

    host: str
    address: str


@dataclass(frozen=True)
class Errand:
    """One answer that is due."""

    id: int
    sender: Sender
    mail_from: str
    rcpt_to: str
    raw: bytes
    tries: int


def owe(db: sqlite3.Connection, message: int, sender: Sender, answers: Sequence[Answer]) -> None:
    waiting = db.execute("SELECT count(*) FROM answers WHERE due_at IS NOT NULL").fetchone()[0]
    db.executemany(
        "INSERT INTO answers (message, kind, host, address, mail_from, rcpt_to, raw, due_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (message, each.kind, *astuple(sender), each.mail_from, each.rcpt_to, each.raw, time.time() + each.wait)
            for each in answers[: max(0, WAITING - waiting)]
        ],
    )
    newest = db.execute("SELECT max(id) FROM answers").fetchone()[0] or 0
    db.execute("DELETE FROM answers WHERE due_at IS NULL AND id <= ?", (newest - KEPT,))


def due(db: sqlite3.Connection, now: float, limit: int) -> list[Errand]:
    rows = db.execute("SELECT * FROM answers WHERE due_at <= ? ORDER BY due_at, id LIMIT ?", (now, limit))
    return [
        Errand(
            row["id"], Sender(row["host"], row["address"]), row["mail_from"], row["rcpt_to"], row["raw"], row["tries"]
        )
        for row in rows
    ]


def following(db: sqlite3.Connection) -> float | None:
    found: float | None = db.execute("SELECT min(due_at) FROM answers WHERE due_at IS NOT NULL").fetchone()[0]
    return found


def note(db: sqlite3.Connection, answer: int, said: str, again: float | None) -> None:
    """What was sent is not needed any more: its text goes."""
    db.execute(
        "UPDATE answers SET tries = tries + 1, said = ?, due_at = ?, raw = iif(? IS NULL, x'', raw) WHERE id = ?",
        (said[:200], again, again, answer),
    )


def sent(db: sqlite3.Connection, message: int) -> list[dict[str, Any]]:
    rows = db.execute(
        "SELECT id, kind, mail_from, rcpt_to, tries, said, due_at FROM answers WHERE message = ? ORDER BY id",
        (message,),
    )
    return [dict(row) for row in rows]
