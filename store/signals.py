"""What receivers' answers say about a sender: counted per account, domain, address of ours and provider.

Who counts inserts a row and locks nothing; a task folds the rows into hours (`fold`), so no row is written by many.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, SmallInteger
from sqlmodel import Field, SQLModel

from domain.sending import MessageState, Reason
from store.columns import moment, now
from store.db import Connection, by_column


@dataclass
class Counts:
    """Messages, by what their receivers said. A correction counts what was counted before with a minus."""

    delivered: int = 0
    deferred: int = 0
    """Tries that were put off."""
    hard: int = 0
    """No such mailbox, no such domain, disabled."""
    refused: int = 0
    """For good, but not because of the recipient: content, our address, authentication, policy."""
    expired: int = 0
    complained: int = 0
    unsubscribed: int = 0


COUNTS = tuple(field.name for field in fields(Counts))
WIDTH = 4 + len(COUNTS)
"""Columns that `insert` takes."""


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


def insert(first: int) -> str:
    """The statement that keeps counts; its parameters are `WIDTH` columns from `$first` on."""
    keys = [f"${first}::uuid[]", f"${first + 1}::uuid[]", f"${first + 2}::smallint[]", f"${first + 3}::text[]"]
    counts = [f"${first + 4 + place}::int[]" for place in range(len(COUNTS))]
    return (
        f"INSERT INTO signal_tally (account_id, domain_id, egress, lane, {', '.join(COUNTS)}, at)"  # noqa: S608
        f" SELECT *, now() FROM unnest({', '.join(keys + counts)})"
    )


def of_outcomes(rows: Iterable[Any], lanes: Mapping[int, str]) -> list[tuple[Any, ...]]:
    """The columns of what these tries said; rows have `id`, `account_id`, `domain_id`, `egress`, `state`, `reason`."""
    found: dict[tuple[Any, ...], Counts] = {}
    for row in rows:
        if name := _counted(row["state"], row["reason"]):
            key = (row["account_id"], row["domain_id"], row["egress"], lanes.get(row["id"], ""))
            counts = found.setdefault(key, Counts())
            setattr(counts, name, getattr(counts, name) + 1)
    return [(*key, *astuple(counts)) for key, counts in found.items()]


def _counted(state: str, reason: str) -> str:
    """Which count a try belongs to; empty for what no receiver said."""
    if state == MessageState.DELIVERED:
        return "delivered"
    if state == MessageState.QUEUED:
        return "" if reason == Reason.UNCERTAIN else "deferred"
    if state != MessageState.BOUNCED:
        return ""
    if reason == Reason.EXPIRED:
        return "expired"
    return "hard" if reason.startswith("hard.") else "refused"


@dataclass(frozen=True)
class Signal:
    """Counts of one sender at one provider."""

    account_id: UUID
    domain_id: UUID
    egress: int
    lane: str
    counts: Counts


async def note(connection: Connection, signals: Iterable[Signal]) -> None:
    """Keep these counts, in the caller's transaction."""
    rows = [(one.account_id, one.domain_id, one.egress, one.lane, *astuple(one.counts)) for one in signals]
    if rows:
        await connection.execute(insert(1), *by_column(rows))
