"""Every mail the pretend Internet received, in the order it came, in SQLite."""

from __future__ import annotations

import email.errors
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from typing import Any

from aiosmtpd.smtp import Envelope, Session

from sandbox.database import BatchWriter, Database

# Where SQL below is put together, the pieces are constants of this file; values are always bound.
_HEADER_LIMIT = 256 * 1024
_LIST_COLUMNS = (
    "id, received_at, provider, peer, ehlo, mail_from, header_from, subject, message_id, size, dkim,"
    " (SELECT group_concat(recipient, ', ') FROM deliveries WHERE message = id) AS recipients"
)


@dataclass(frozen=True)
class Message:
    """One received mail: ``received_at`` in seconds since the epoch, ``raw`` as it came after DATA."""

    provider: str
    peer: str
    ehlo: str
    mail_from: str
    recipients: tuple[str, ...]
    header_from: str
    subject: str
    message_id: str
    raw: bytes
    received_at: float
    id: int = 0


@dataclass(frozen=True)
class Selection:
    """Which mails: an address or a part of one, a provider, ids above ``after`` or below ``before``."""

    to: str = ""
    provider: str = ""
    message_id: str = ""
    after: int | None = None
    before: int | None = None

    def where(self) -> tuple[str, list[Any]]:
        """An SQL condition over ``messages`` and its values."""
        parts = dict(self._parts())
        return " AND ".join(parts) or "1", [value for values in parts.values() for value in values]

    def _parts(self) -> Iterator[tuple[str, list[Any]]]:
        to = self.to.strip().lower()
        if "@" in to.strip("@") and not to.startswith("@"):
            yield "id IN (SELECT message FROM deliveries WHERE recipient = ?)", [to]
        elif to:
            yield "id IN (SELECT message FROM deliveries WHERE instr(recipient, ?))", [to]
        if self.provider:
            yield "provider = ?", [self.provider]
        if self.message_id:
            yield "message_id = ?", [self.message_id]
        if self.after is not None:
            yield "id > ?", [self.after]
        if self.before is not None:
            yield "id < ?", [self.before]


@dataclass
class Totals:
    """Counts over a selection; ``duplicates`` are further copies of one Message-ID at one recipient."""

    messages: int = 0
    deliveries: int = 0
    recipients: int = 0
    duplicates: int = 0
    by_provider: dict[str, int] = field(default_factory=dict)
    by_dkim: dict[str, int] = field(default_factory=dict)
    per_recipient: list[dict[str, Any]] = field(default_factory=list)


class Mailbox:
    """Stores mails in batches and reads them back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = BatchWriter(database, _insert)
        self._last_id = 0

    async def load(self) -> None:
        """Continue the numbering of an earlier run."""
        self._last_id = await self._database.run(_last_id)

    async def add(self, message: Message) -> int:
        """Store ``message`` and return its id once it is committed; raises sqlite3.Error."""
        self._last_id += 1
        number = self._last_id
        await self._writer.add(replace(message, id=number))
        return number

    async def messages(self, selection: Selection, limit: int) -> list[dict[str, Any]]:
        """Newest first; oldest first when ``selection.after`` is given, so that a poller misses nothing."""
        return await self._database.run(_list, selection, limit)

    async def get(self, number: int) -> dict[str, Any] | None:
        """One mail with its ``raw`` bytes, or None."""
        return await self._database.run(_get, number)

    async def totals(self, selection: Selection, limit: int) -> Totals:
        """Counts, and copies per recipient for at most ``limit`` recipients in alphabetical order."""
        return await self._database.run(_totals, selection, limit)

    async def delete(self, selection: Selection) -> int:
        """Delete the selected mails; returns how many went."""
        return await self._database.run(_delete, selection)

    async def unverified(self, limit: int) -> list[tuple[int, bytes]]:
        """Ids and sources of mails whose signature was not looked at yet."""
        return await self._database.run(_unverified, limit)

    async def set_dkim(self, results: list[tuple[str, str, int]]) -> None:
        """Store (result, detail, id) of verified mails."""
        await self._database.run(_set_dkim, results)

    async def flush(self) -> None:
        """Wait until everything handed in is committed."""
        await self._writer.flush()


def receive(provider: str, session: Session, envelope: Envelope) -> Message:
    """What aiosmtpd holds after the final dot as a Message."""
    raw = envelope.original_content or b""
    headers = BytesHeaderParser().parsebytes(_header_block(raw))
    return Message(
        provider=provider,
        peer=str(session.peer[0]) if session.peer else "",
        ehlo=session.host_name or "",
        mail_from=(envelope.mail_from or "").removeprefix("<>"),  # so aiosmtpd calls the null sender
        recipients=tuple(dict.fromkeys(address.lower() for address in envelope.rcpt_tos)),
        header_from=readable(headers.get("From")),
        subject=readable(headers.get("Subject")),
        message_id=str(headers.get("Message-ID", "")).strip(),
        raw=raw,
        received_at=time.time(),
    )


def readable(value: object) -> str:
    """A header value with its encoded words decoded (RFC 2047); broken ones stay as they are."""
    text = re.sub(r"[\r\n]+\s*", " ", str(value or ""))
    try:
        return str(make_header(decode_header(text)))
    except (email.errors.HeaderParseError, LookupError, ValueError):
        return text


def _header_block(raw: bytes) -> bytes:
    ends = [at for at in (raw.find(b"\r\n\r\n"), raw.find(b"\n\n")) if at >= 0]
    return raw[: min(ends, default=len(raw))][:_HEADER_LIMIT]


def _last_id(db: sqlite3.Connection) -> int:
    number = db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0]
    return int(number)


def _insert(db: sqlite3.Connection, messages: list[Message]) -> None:
    db.executemany(
        "INSERT INTO messages (id, received_at, provider, peer, ehlo, mail_from, header_from, subject,"
        " message_id, size, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(m.id, m.received_at, m.provider, m.peer, m.ehlo, m.mail_from),
                *(_clean(m.header_from), _clean(m.subject), _clean(m.message_id), len(m.raw), m.raw),
            )
            for m in messages
        ],
    )
    db.executemany(
        "INSERT INTO deliveries (recipient, message) VALUES (?, ?)",
        [(_clean(recipient), m.id) for m in messages for recipient in m.recipients],
    )


def _clean(text: str) -> str:
    # Headers may hold bytes that are no text at all (surrogates); SQLite takes only real Unicode.
    return text.encode("utf-8", "replace").decode()


def _list(db: sqlite3.Connection, selection: Selection, limit: int) -> list[dict[str, Any]]:
    condition, values = selection.where()
    order = "ASC" if selection.after is not None else "DESC"
    rows = db.execute(
        f"SELECT {_LIST_COLUMNS} FROM messages WHERE {condition} ORDER BY id {order} LIMIT ?",  # noqa: S608
        [*values, limit],
    )
    return [_row(row) for row in rows]


def _get(db: sqlite3.Connection, number: int) -> dict[str, Any] | None:
    row = db.execute(
        f"SELECT {_LIST_COLUMNS}, dkim_detail, raw FROM messages WHERE id = ?",  # noqa: S608
        (number,),
    ).fetchone()
    return _row(row) if row else None


def _row(row: sqlite3.Row) -> dict[str, Any]:
    values = dict(row)
    values["recipients"] = (values["recipients"] or "").split(", ")
    return values


def _totals(db: sqlite3.Connection, selection: Selection, limit: int) -> Totals:
    condition, values = selection.where()
    db.execute("DROP TABLE IF EXISTS temp.chosen")
    db.execute(
        "CREATE TEMP TABLE chosen AS SELECT recipient, id, provider, coalesce(dkim, 'pending') AS dkim,"  # noqa: S608
        " iif(message_id = '', 'id:' || id, message_id) AS message_id"
        f" FROM messages JOIN deliveries ON message = id WHERE {condition}",
        values,
    )
    if selection.to:
        db.execute("DELETE FROM temp.chosen WHERE NOT instr(recipient, ?)", (selection.to.strip().lower(),))
    count = (
        "SELECT count(DISTINCT id), count(*), count(DISTINCT recipient),"
        " count(*) - (SELECT count(*) FROM (SELECT DISTINCT recipient, message_id FROM temp.chosen))"
        " FROM temp.chosen"
    )
    per = (
        "SELECT recipient, count(*) AS copies, count(DISTINCT message_id) AS messages,"
        " sum(dkim = 'pass') AS dkim_pass FROM temp.chosen GROUP BY recipient ORDER BY recipient LIMIT ?"
    )
    totals = Totals(*db.execute(count).fetchone())
    for by, column in ((totals.by_provider, "provider"), (totals.by_dkim, "dkim")):
        rows = db.execute(f"SELECT {column}, count(DISTINCT id) FROM temp.chosen GROUP BY 1")  # noqa: S608
        by.update(rows.fetchall())
    totals.per_recipient = [dict(row) for row in db.execute(per, (limit,))]
    db.execute("DROP TABLE temp.chosen")
    return totals


def _delete(db: sqlite3.Connection, selection: Selection) -> int:
    condition, values = selection.where()
    # Ids first: the condition on recipients reads the very rows that go next.
    rows = db.execute(f"SELECT id FROM messages WHERE {condition}", values)  # noqa: S608
    chosen = [row[0] for row in rows]
    db.executemany("DELETE FROM deliveries WHERE message = ?", ((each,) for each in chosen))
    db.executemany("DELETE FROM messages WHERE id = ?", ((each,) for each in chosen))
    return len(chosen)


def _unverified(db: sqlite3.Connection, limit: int) -> list[tuple[int, bytes]]:
    rows = db.execute("SELECT id, raw FROM messages WHERE dkim IS NULL ORDER BY id LIMIT ?", (limit,))
    return [(row["id"], row["raw"]) for row in rows]


def _set_dkim(db: sqlite3.Connection, results: list[tuple[str, str, int]]) -> None:
    db.executemany("UPDATE messages SET dkim = ?, dkim_detail = ? WHERE id = ?", results)
