"""Addresses that we send from, and what each machine says of them. Tables, then what workers ask (asyncpg)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import SmallInteger, func
from sqlmodel import Field, SQLModel, col, select

from domain.egress import EgressState
from store.columns import moment, now
from store.db import Connection, Session

SEEN_WITHIN = dt.timedelta(minutes=3)
"""What a machine said longer ago is not believed: its workers are gone."""


class EgressAddress(SQLModel, table=True):
    """One address of ours. `number` is what messages and attempts remember, and is never used again."""

    __tablename__ = "egress_address"
    number: int = Field(primary_key=True, sa_type=SmallInteger, sa_column_kwargs={"autoincrement": False})
    source: str
    """What a socket is bound to."""
    ehlo_name: str
    host: str = ""
    """The machine that it belongs to; empty: every one that has it."""
    public: str = ""
    """What the Internet sees, where a router translates; empty: `source`."""
    state: str = "active"
    note: str = ""
    row_version: int = 0
    created_at: dt.datetime = moment(default_factory=now)


_KEPT = col(EgressAddress.state) != EgressState.REMOVED.value


class EgressSight(SQLModel, table=True):
    """Whether a machine can send from an address, as its workers found by binding a socket to it."""

    __tablename__ = "egress_sight"
    number: int = Field(primary_key=True, sa_type=SmallInteger, foreign_key="egress_address.number")
    host: str = Field(primary_key=True)
    problem: str = ""
    """Why it cannot; empty: it can."""
    seen_at: dt.datetime = moment(default_factory=now)


@dataclass(frozen=True)
class ActiveAddress:
    """What a worker needs of an address; `host` as in the table."""

    number: int
    source: str
    ehlo_name: str
    host: str


async def active_addresses(connection: Connection) -> list[ActiveAddress] | None:
    """Those that are not paused; None when there is no address at all, and the system chooses."""
    rows = await connection.fetch(
        "SELECT number, source, ehlo_name, host, state FROM egress_address WHERE state <> 'removed' ORDER BY number"
    )
    if not rows:
        return None
    return [
        ActiveAddress(row["number"], row["source"], row["ehlo_name"], row["host"])
        for row in rows
        if row["state"] == "active"
    ]


async def say_seen(connection: Connection, host: str, found: Sequence[tuple[int, str]]) -> None:
    """What this machine found: (number, problem)."""
    await connection.executemany(
        "INSERT INTO egress_sight (number, host, problem, seen_at) SELECT number, $2, $3, clock_timestamp()"
        " FROM egress_address WHERE number = $1 ON CONFLICT (number, host)"
        " DO UPDATE SET problem = excluded.problem, seen_at = excluded.seen_at",
        [(number, host, problem) for number, problem in sorted(found)],
    )


async def every_address(session: Session) -> list[EgressAddress]:
    """By number; what was removed is not among them."""
    return list(await session.exec(select(EgressAddress).where(_KEPT).order_by(col(EgressAddress.number))))


async def lock_address(session: Session, number: int) -> EgressAddress | None:
    """One that was not removed."""
    query = select(EgressAddress).where(col(EgressAddress.number) == number, _KEPT)
    return (await session.exec(query.with_for_update())).first()


async def next_number(session: Session) -> int:
    """Two who add at once get the same one, and the second is refused by the key."""
    highest = (await session.exec(select(func.max(EgressAddress.number)))).one()
    return int(highest or 0) + 1


async def sights(session: Session) -> list[EgressSight]:
    """What machines said of late."""
    fresh = col(EgressSight.seen_at) > func.now() - SEEN_WITHIN
    return list(await session.exec(select(EgressSight).where(fresh).order_by(col(EgressSight.host))))


async def address_used(session: Session, source: str, host: str, but: int = 0) -> bool:
    """Whether another number has this address on this machine."""
    same = select(EgressAddress).where(col(EgressAddress.source) == source, col(EgressAddress.host) == host)
    return (await session.exec(same.where(col(EgressAddress.number) != but, _KEPT).limit(1))).first() is not None
