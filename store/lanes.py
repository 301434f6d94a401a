"""Lanes: which receiving domain belongs to which provider, and the limits that all workers keep together (§4.7).

Tables, then what worker processes ask of them (asyncpg). A process leases tokens and connections in small shares:
whoever deals them out holds the lane's row, and connections count as long as their process's sender lease lives.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from domain.lanes import (
    BACK_OFF,
    CLEAN_FOR,
    EXPRESS_WAITS_BELOW,
    NEWS_AFTER,
    PROVIDERS,
    RECOVERY,
    SLOWEST,
    TRUSTED_FOR,
    Neighbour,
    Seats,
    Stand,
    connections_at,
    refill,
    seats,
    spare,
)
from store.columns import moment, now
from store.db import Connection


class RecipientDomain(SQLModel, table=True):
    """What the MX records of a receiving domain said last: its lane, and the group of servers it shares."""

    __tablename__ = "recipient_domain"
    domain: str = Field(primary_key=True)
    lane: str
    destination: str
    looked_up_at: dt.datetime = moment(default_factory=now)


class Lane(SQLModel, table=True):
    """A mailbox provider as all workers see it. Its limits are operators' (None: none), the rest is its state."""

    __tablename__ = "lane"
    name: str = Field(primary_key=True)
    rate_per_s: float | None = None
    burst: int
    connections: int | None = None
    per_site: int | None = None
    per_connection: int | None = None
    tokens: float
    """In the bucket at `tokens_at`; what processes hold is out of it already."""
    tokens_at: dt.datetime = moment(default_factory=now)
    pace: float = 1.0
    """Of the rate: halved by a back-off, risen again by clean minutes."""
    backoff_at: dt.datetime | None = moment(default=None)
    """The last one."""
    backoff_until: dt.datetime | None = moment(default=None)
    """Until then campaigns wait."""
    express_until: dt.datetime | None = moment(default=None)
    """Until then single mails wait, too."""
    recovered_at: dt.datetime | None = moment(default=None)
    """When the pace rose last."""
    slow_since: dt.datetime | None = moment(default=None)
    paused_at: dt.datetime | None = moment(default=None)
    paused_by: str = ""
    pause_reason: str = ""
    """Customers read it."""
    row_version: int = 0
    """Of what operators decide: limits and pause."""


class LaneShare(SQLModel, table=True):
    """Connections that one sender process holds in a lane, or (with a `site`) to one group of servers of it."""

    __tablename__ = "lane_share"
    sender_id: UUID = Field(primary_key=True)
    lane: str = Field(primary_key=True)
    site: str = Field(primary_key=True)
    bulk: int
    express: int
    wanting: int
    """How many more it was refused: who holds more than a fair part then gives back."""


@dataclass(frozen=True)
class LaneNow:
    """A lane as a worker reads it; what is closed, in seconds from now on the database's clock."""

    name: str
    rate_per_s: float | None
    """At its pace."""
    burst: int
    connections: int | None
    per_site: int | None
    per_connection: int | None
    pace: float
    paused: bool
    bulk_closed: float
    express_closed: float


@dataclass(frozen=True)
class TokenOrder:
    """What a process wants of a lane's tokens, and what it gives back unused."""

    lane: str
    bulk: int = 0
    express: int = 0
    returned: int = 0


@dataclass(frozen=True)
class TokenGrant:
    """Tokens leased, and what is left in the bucket."""

    bulk: int
    express: int
    left: float


@dataclass(frozen=True)
class SeatOrder:
    """Connections that a process uses and wants to hold: of a lane, or of one site when `site` is not empty."""

    lane: str
    site: str
    used: Stand
    wanted: Stand

    @property
    def key(self) -> tuple[str, str]:
        return self.lane, self.site


@dataclass(frozen=True)
class Dealt:
    """The answer to one round of orders."""

    tokens: dict[str, TokenGrant]
    seats: dict[tuple[str, str], Seats]


async def ensure_lanes(connection: Connection, scale: float) -> None:
    """Rows of the providers that have none yet, with the rates they start at times `scale`."""
    limits = [(provider.lane, provider.limits.scaled(scale)) for provider in PROVIDERS]
    await connection.executemany(
        "INSERT INTO lane (name, rate_per_s, burst, connections, per_site, per_connection, tokens, tokens_at, pace,"
        " paused_by, pause_reason, row_version) VALUES ($1, $2, $3::int, $4, $5, $6, $3::int, now(), 1, '', '', 0)"
        " ON CONFLICT DO NOTHING",
        [(lane, x.rate_per_s, x.burst, x.connections, x.per_site, x.per_connection) for lane, x in limits],
    )


async def lift_limits(connection: Connection, scale: float) -> None:
    """No lane limits anything: for measurements of the engine on one machine."""
    await ensure_lanes(connection, scale)
    await connection.execute(
        "UPDATE lane SET rate_per_s = NULL, connections = NULL, per_site = NULL, per_connection = NULL,"
        " row_version = row_version + 1"
    )


async def read_lanes(connection: Connection) -> list[LaneNow]:
    """Every lane as it is now."""
    rows = await connection.fetch(
        """
        SELECT name, rate_per_s * pace AS rate_per_s, burst, connections, per_site, per_connection, pace,
               paused_at IS NOT NULL AS paused,
               coalesce(extract(epoch FROM backoff_until - clock_timestamp()), 0)::float8 AS bulk_closed,
               coalesce(extract(epoch FROM express_until - clock_timestamp()), 0)::float8 AS express_closed
        FROM lane
        """
    )
    return [LaneNow(**dict(row) | {"connections": connections_at(row["pace"], row["connections"])}) for row in rows]


async def back_off(connection: Connection, lanes: Iterable[str], scale: float) -> None:
    """Their providers refused mails for the rate: halve the pace, and let campaigns wait the longer the slower it is.

    What came with the last refusal is no news: however many connections and workers heard it, it counts once.
    """
    await connection.executemany(
        """
        UPDATE lane SET pace = greatest(pace / 2, $2), backoff_at = clock_timestamp(), recovered_at = NULL,
            slow_since = coalesce(slow_since, clock_timestamp()),
            backoff_until = clock_timestamp() + $3::interval / greatest(pace / 2, $2),
            express_until = CASE WHEN pace / 2 < $4
                THEN clock_timestamp() + $3::interval / greatest(pace / 2, $2) / 4 ELSE express_until END
        WHERE name = $1 AND (backoff_at IS NULL OR backoff_at < clock_timestamp() - $5::interval)
        """,
        [(lane, SLOWEST, BACK_OFF / scale, EXPRESS_WAITS_BELOW, NEWS_AFTER / scale) for lane in sorted(lanes)],
    )


async def recover(connection: Connection, scale: float) -> None:
    """Raise the pace of every lane that was clean for long enough."""
    await connection.execute(
        """
        UPDATE lane SET pace = least(1, pace * $1), recovered_at = clock_timestamp(),
            slow_since = CASE WHEN pace * $1 >= 1 THEN NULL ELSE slow_since END
        WHERE name IN (
            SELECT name FROM lane WHERE pace < 1 AND backoff_until < clock_timestamp()
                AND greatest(backoff_until, recovered_at) < clock_timestamp() - $2::interval
            ORDER BY name FOR NO KEY UPDATE SKIP LOCKED)
        """,
        RECOVERY,
        CLEAN_FOR / scale,
    )


async def deal(
    connection: Connection, sender: UUID, tokens: Sequence[TokenOrder], seating: Sequence[SeatOrder]
) -> Dealt:
    """Deal out shares, one process after the other. A process whose lease is over gets none, and its word is void."""
    rows = await _lock(connection, {order.lane for order in tokens} | {order.lane for order in seating})
    alive = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM sender WHERE id = $1 AND lease_until > clock_timestamp())", sender
    )
    if not alive:
        return Dealt({}, {})
    granted = {order.lane: _tokens(rows[order.lane], order) for order in tokens if order.lane in rows}
    await _write_tokens(connection, rows, granted)
    seated = await _seats(connection, sender, rows, [order for order in seating if order.lane in rows])
    return Dealt(granted, seated)


async def _lock(connection: Connection, lanes: set[str]) -> dict[str, Any]:
    """In one order, so that two processes never wait for each other."""
    rows = await connection.fetch(
        "SELECT name, rate_per_s * pace AS rate, pace, burst, connections, per_site, tokens,"
        " clock_timestamp() AS moment,"
        " extract(epoch FROM clock_timestamp() - tokens_at)::float8 AS seconds"
        " FROM lane WHERE name = ANY($1::text[]) ORDER BY name FOR NO KEY UPDATE",
        list(lanes),
    )
    return {row["name"]: row for row in rows}


def _tokens(row: Any, order: TokenOrder) -> TokenGrant:
    """Single mails first: campaigns leave them the reserve. Without a limit, what is asked."""
    if row["rate"] is None:
        return TokenGrant(order.bulk, order.express, float(row["burst"]))
    there = min(float(row["burst"]), refill(row["tokens"], row["seconds"], row["rate"], row["burst"]) + order.returned)
    express = min(order.express, spare(there, row["burst"], express=True))
    bulk = min(order.bulk, spare(there - express, row["burst"], express=False))
    return TokenGrant(bulk, express, there - express - bulk)


async def _write_tokens(connection: Connection, rows: dict[str, Any], granted: dict[str, TokenGrant]) -> None:
    await connection.executemany(
        "UPDATE lane SET tokens = $2, tokens_at = $3 WHERE name = $1",
        [(lane, grant.left, rows[lane]["moment"]) for lane, grant in granted.items()],
    )


_OTHERS = """
SELECT s.lane, s.site, s.bulk, s.express, s.wanting
FROM lane_share s JOIN sender p ON p.id = s.sender_id AND p.lease_until > clock_timestamp()
JOIN unnest($2::text[], $3::text[]) AS k (lane, site) ON k.lane = s.lane AND k.site = s.site
WHERE s.sender_id <> $1
"""


async def _seats(
    connection: Connection, sender: UUID, rows: dict[str, Any], orders: list[SeatOrder]
) -> dict[tuple[str, str], Seats]:
    if not orders:
        return {}
    others: dict[tuple[str, str], list[Neighbour]] = {order.key: [] for order in orders}
    for row in await connection.fetch(_OTHERS, sender, [o.lane for o in orders], [o.site for o in orders]):
        others[row["lane"], row["site"]].append(Neighbour(Stand(row["bulk"], row["express"]), row["wanting"]))
    granted = {order.key: _seat(rows[order.lane], order, others[order.key]) for order in orders}
    await _write_shares(connection, sender, orders, granted)
    return granted


def _seat(row: Any, order: SeatOrder, others: list[Neighbour]) -> Seats:
    cap = row["per_site"] if order.site else connections_at(row["pace"], row["connections"])
    return seats(cap, order.used, order.wanted, others)


async def _write_shares(
    connection: Connection, sender: UUID, orders: list[SeatOrder], granted: dict[tuple[str, str], Seats]
) -> None:
    keep, drop = [], []
    for order in orders:
        held = granted[order.key].held
        wanting = max(0, order.wanted.bulk - held.bulk)
        row = (sender, order.lane, order.site, held.bulk, held.express, wanting)
        keep.append(row) if held.total or wanting else drop.append(row[:3])
    await connection.executemany(
        "INSERT INTO lane_share (sender_id, lane, site, bulk, express, wanting) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (sender_id, lane, site) DO UPDATE SET bulk = excluded.bulk, express = excluded.express,"
        " wanting = excluded.wanting",
        keep,
    )
    await connection.executemany("DELETE FROM lane_share WHERE sender_id = $1 AND lane = $2 AND site = $3", drop)


async def return_tokens(connection: Connection, held: Mapping[str, int]) -> None:
    """What a process has left when it ends."""
    await connection.executemany(
        "UPDATE lane SET tokens = least(burst, tokens + $2::int) WHERE name = $1", sorted(held.items())
    )


async def forget_shares(connection: Connection, sender: UUID | None = None) -> None:
    """Delete the shares of processes that are gone, and of this one when it ends in order."""
    await connection.execute(
        "DELETE FROM lane_share WHERE sender_id = $1"
        " OR NOT EXISTS (SELECT FROM sender WHERE id = sender_id AND lease_until > clock_timestamp())",
        sender,
    )


async def known_lanes(connection: Connection, domains: Sequence[str]) -> dict[str, str]:
    """Lanes of those domains whose MX was asked lately enough."""
    rows = await connection.fetch(
        "SELECT domain, lane FROM recipient_domain"
        " WHERE domain = ANY($1::text[]) AND looked_up_at > now() - $2::interval",
        domains,
        TRUSTED_FOR,
    )
    return {row["domain"]: row["lane"] for row in rows}


async def remember_lanes(connection: Connection, found: Iterable[tuple[str, str, str]]) -> None:
    """What their MX said: (domain, lane, destination)."""
    await connection.executemany(
        "INSERT INTO recipient_domain (domain, lane, destination, looked_up_at) VALUES ($1, $2, $3, now())"
        " ON CONFLICT (domain) DO UPDATE SET lane = excluded.lane, destination = excluded.destination,"
        " looked_up_at = excluded.looked_up_at",
        sorted(found),
    )
