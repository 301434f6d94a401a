"""What receivers' answers say about a sender: counted per account, domain, address of ours and provider.

Who counts inserts a row and locks nothing; a task folds the rows into hours (`fold`), so no row is written by many.
Hours become days, and days years (`roll_up`): the table stays small, and its sums stay what the messages say.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, SmallInteger
from sqlmodel import Field, SQLModel

from domain.lanes import OTHER
from domain.sending import MessageState, OutcomeKind, Reason
from domain.signals import COUNTS, Counts, Span
from store.columns import moment, now
from store.db import Connection, by_column

WIDTH = 4 + len(COUNTS)
"""Columns that `insert` takes."""
LOCK = 0x50_6E_67_16
"""PostgreSQL advisory lock: one folds or rolls up at a time, so nobody waits for a row."""
AT_ONCE = 5000
"""Rows of one transaction."""


class SignalTally(SQLModel, table=True):
    """Counts that are not folded yet."""

    __tablename__ = "signal_tally"
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    account_id: UUID
    domain_id: UUID
    egress: int = Field(sa_type=SmallInteger)
    lane: str
    at: dt.datetime = moment(default_factory=now)
    delivered: int = 0
    deferred: int = 0
    hard: int = 0
    refused: int = 0
    expired: int = 0
    complained: int = 0
    unsubscribed: int = 0


class SignalCount(SQLModel, table=True):
    """Counts of an hour, a Shanghai day or a Shanghai year, by where it begins. Days begin where their hours do."""

    __tablename__ = "signal_count"
    __table_args__ = (Index("signal_count_age", "span", "starts_at"),)
    account_id: UUID = Field(primary_key=True)
    starts_at: dt.datetime = moment(primary_key=True)
    span: str = Field(primary_key=True)
    domain_id: UUID = Field(primary_key=True)
    egress: int = Field(sa_type=SmallInteger, primary_key=True)
    lane: str = Field(primary_key=True)
    delivered: int = Field(default=0, sa_type=BigInteger)
    deferred: int = Field(default=0, sa_type=BigInteger)
    hard: int = Field(default=0, sa_type=BigInteger)
    refused: int = Field(default=0, sa_type=BigInteger)
    expired: int = Field(default=0, sa_type=BigInteger)
    complained: int = Field(default=0, sa_type=BigInteger)
    unsubscribed: int = Field(default=0, sa_type=BigInteger)


_INTO = f"INSERT INTO signal_tally (account_id, domain_id, egress, lane, {', '.join(COUNTS)}, at)"


def _unnested(first: int) -> str:
    keys = [f"${first}::uuid[]", f"${first + 1}::uuid[]", f"${first + 2}::smallint[]", f"${first + 3}::text[]"]
    return ", ".join([*keys, *(f"${first + 4 + place}::int[]" for place in range(len(COUNTS)))])


def insert(first: int) -> str:
    """The statement that keeps counts; its parameters are `WIDTH` columns from `$first` on."""
    return f"{_INTO} SELECT *, now() FROM unnest({_unnested(first)})"  # noqa: S608 - a constant of ours


def of_outcomes(rows: Iterable[Any], lanes: Mapping[int, str]) -> list[tuple[Any, ...]]:
    """The columns of what these tries said, for every group commit.

    Rows have `id`, `account_id`, `domain_id`, `egress`, `state`, `kind`, `reason`; `lanes` are by the message's id.
    """
    found: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        place = _place(row["state"], row["kind"], row["reason"])
        if place is not None:
            key = (row["account_id"], row["domain_id"], row["egress"], lanes.get(row["id"]) or OTHER)
            counts = found.get(key)
            if counts is None:
                counts = found[key] = [0] * len(COUNTS)
            counts[place] += 1
    return [(*key, *counts) for key, counts in found.items()]


_DELIVERED, _DEFERRED, _HARD, _REFUSED, _EXPIRED = range(5)
"""Places in `COUNTS`."""


def _place(state: str, kind: str, reason: str) -> int | None:
    """Which count a try belongs to; None for what no receiver said."""
    if state == MessageState.DELIVERED:
        return _DELIVERED
    if state == MessageState.QUEUED:
        return _DEFERRED if kind == OutcomeKind.DEFERRED else None
    if state != MessageState.BOUNCED:
        return None
    if reason == Reason.EXPIRED:
        return _EXPIRED
    return _HARD if reason.startswith("hard.") else _REFUSED


@dataclass(frozen=True)
class Signal:
    """Counts of one sender at one provider. `at`: when that was; a correction counts when the first count did."""

    account_id: UUID
    domain_id: UUID
    egress: int
    lane: str
    counts: Counts
    at: dt.datetime | None = None


_NOTE = (
    f"{_INTO} SELECT k, d, e, l, {', '.join(COUNTS)}, coalesce(a, now())"  # noqa: S608 - a constant of ours
    f" FROM unnest({_unnested(1)}, ${WIDTH + 1}::timestamptz[]) AS t (k, d, e, l, {', '.join(COUNTS)}, a)"
)
_NOTE_OF = (
    f"{_INTO} SELECT m.account_id, s.domain_id, m.egress, coalesce(r.lane, 'other'),"  # noqa: S608 - as above
    f" {', '.join(f'${2 + place}::int' for place in range(len(COUNTS)))}, coalesce(${2 + len(COUNTS)}, now())"
    " FROM message m JOIN submission s ON s.id = m.submission_id"
    " LEFT JOIN recipient_domain r ON r.domain = split_part(m.address, '@', -1)"
    " WHERE m.id = $1 AND s.channel = 'email'"
)


async def note(connection: Connection, signals: Iterable[Signal]) -> None:
    """Keep these counts, in the caller's transaction."""
    rows = [(one.account_id, one.domain_id, one.egress, one.lane, *astuple(one.counts), one.at) for one in signals]
    if rows:
        await connection.execute(_NOTE, *by_column(rows))


async def note_of(connection: Connection, message: int, counts: Counts, at: dt.datetime | None = None) -> None:
    """Keep what was heard of one message, in the caller's transaction; a message that is gone counts nothing."""
    await connection.execute(_NOTE_OF, message, *astuple(counts), at)


_KEY = "account_id, starts_at, span, domain_id, egress, lane"
_SUMS = ", ".join(f"sum({name})" for name in COUNTS)
_ADD = (
    f"INSERT INTO signal_count AS c ({_KEY}, {', '.join(COUNTS)}) SELECT {_KEY}, {_SUMS} FROM gone GROUP BY {_KEY}"  # noqa: S608
    f" ON CONFLICT ({_KEY}) DO UPDATE SET {', '.join(f'{name} = c.{name} + excluded.{name}' for name in COUNTS)}"
)
# One statement each: rows are gone from one table when, and only when, they are in the other.
_FOLD = f"""
WITH taken AS (
    DELETE FROM signal_tally WHERE id IN (SELECT id FROM signal_tally ORDER BY id LIMIT $1) RETURNING *
), gone AS (
    SELECT *, date_trunc('hour', at) AS starts_at, '{Span.HOUR}' AS span FROM taken
), added AS ({_ADD})
SELECT count(*)::int FROM taken
"""  # noqa: S608 - constants of ours
_ROLL_UP = f"""
WITH old AS MATERIALIZED (
    SELECT {_KEY} FROM signal_count WHERE span = $1 AND starts_at < $3 ORDER BY starts_at LIMIT $4
), taken AS (
    DELETE FROM signal_count t USING old o
    WHERE (t.account_id, t.starts_at, t.span, t.domain_id, t.egress, t.lane)
        = (o.account_id, o.starts_at, o.span, o.domain_id, o.egress, o.lane)
    RETURNING t.*
), gone AS (
    SELECT account_id, date_trunc($2, starts_at, 'Asia/Shanghai') AS starts_at, $2 AS span, domain_id, egress, lane,
        {", ".join(COUNTS)} FROM taken
), added AS ({_ADD})
SELECT count(*)::int FROM taken
"""  # noqa: S608 - constants of ours


async def fold(connection: Connection, limit: int = AT_ONCE) -> int:
    """Add what was counted to its hours, in the caller's transaction; how many rows, 0 while another one folds."""
    return await _counted(connection, _FOLD, limit)


async def roll_up(connection: Connection, old: Span, new: Span, before: dt.datetime, limit: int = AT_ONCE) -> int:
    """Add counts of the one span that began before that instant to the other's; as `fold`."""
    return await _counted(connection, _ROLL_UP, old.value, new.value, before, limit)


async def _counted(connection: Connection, statement: str, *args: object) -> int:
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
        return 0
    return int(await connection.fetchval(statement, *args))
