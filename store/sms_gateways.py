"""Carriers that take our SMS over SMPP, and which of them takes what."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, SmallInteger, func, text
from sqlmodel import Field, SQLModel, col, select

from domain.ids import new_id
from domain.sms_carriers import GatewaySight, GatewayState, ReplyPiece
from store.columns import moment, now
from store.db import Connection, Session
from store.lanes import Lane

SEEN_WITHIN = dt.timedelta(minutes=2)
"""What a process said longer ago is not believed: it is gone."""
PIECES_WAIT = dt.timedelta(minutes=10)
"""For the other parts of a long text, since the first one came; then it is given out with gaps."""
GIVEN_AGAIN = dt.timedelta(minutes=5)
"""After which a text that somebody took to give out, and did not, is given out by another."""


class SmsGateway(SQLModel, table=True):
    """One carrier's SMSC and how it is spoken to. Its lane is `sms-{number}`."""

    __tablename__ = "sms_gateway"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(SmallInteger, Identity(), unique=True))
    """What messages, parts and lanes name it by."""
    name: str = Field(unique=True)
    host: str
    port: int
    system_id: str
    sealed_password: bytes
    """Bound to `sms-gateway/{id}`."""
    system_type: str = ""
    tls: str = "none"
    """`domain.transport.Tls`: none, required or verified."""
    bind: str = "transceiver"
    """Or `pair`: a transmitter and a receiver."""
    binds: int = Field(default=1, sa_type=SmallInteger)
    """Of each process."""
    window: int = Field(default=32, sa_type=SmallInteger)
    """`submit_sm` without an answer, of each bind."""
    rate_per_s: int | None = None
    """Parts a second, of all processes together; None: no limit."""
    source: str = ""
    """`source_addr` (接入号), to which replies come."""
    id_form: str = "as_is"
    """How ids of `submit_sm_resp` become those of receipts: as_is, hex_to_decimal, decimal_to_hex."""
    clock_offset_minutes: int = Field(default=480, sa_type=SmallInteger)
    """Of the times in its receipts, from UTC."""
    enquire_seconds: int = Field(default=30, sa_type=SmallInteger)
    state: str = "enabled"
    """Or `paused`, or `removed`."""
    reason: str = ""
    """Why an operator paused it."""
    created_at: dt.datetime = moment(default_factory=now)
    changed_at: dt.datetime = moment(default_factory=now)


class SmsRoute(SQLModel, table=True):
    """Which gateway takes numbers of a country and texts of a kind; the lowest rank that is ready is asked first."""

    __tablename__ = "sms_route"
    __table_args__ = (Index("sms_route_order", "country", "kind", "rank"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    gateway_id: UUID = Field(foreign_key="sms_gateway.id")
    country: str = ""
    """ISO 3166 of the number (`CN`); empty: every country that has no route of its own."""
    kind: str = ""
    """`domain.sms.SmsKind`; empty: every kind."""
    rank: int = Field(default=10, sa_type=SmallInteger)
    cost_micro: int = Field(default=0, sa_type=BigInteger)
    """What the carrier takes for a segment, for operators to compare."""
    created_at: dt.datetime = moment(default_factory=now)


_KEPT = col(SmsGateway.state) != GatewayState.REMOVED.value


class SmsGatewaySight(SQLModel, table=True):
    """How many binds a process has of a gateway, as it said last."""

    __tablename__ = "sms_gateway_sight"
    number: int = Field(primary_key=True, sa_type=SmallInteger)
    process: str = Field(primary_key=True)
    bound: int = Field(sa_type=SmallInteger)
    problem: str = ""
    """Why those that are missing are not up."""
    seen_at: dt.datetime = moment(default_factory=now)


class PieceOfAnother(Exception):
    """A handset numbered two long texts alike, and the first one still waits: this part has to come once more."""


class SmsReplyPiece(SQLModel, table=True):
    """A part of a long text from a handset that waits for the others, which can come to other processes."""

    __tablename__ = "sms_reply_piece"
    __table_args__ = (Index("sms_reply_piece_at", "arrived_at"),)
    key: str = Field(primary_key=True)
    """`domain.sms_carriers.ReplyPiece.key`."""
    part: int = Field(sa_type=SmallInteger, primary_key=True)
    """1-based, of `total`."""
    total: int = Field(sa_type=SmallInteger)
    gateway: int = Field(sa_type=SmallInteger)
    sender: str
    recipient: str
    reference: int
    content: str
    arrived_at: dt.datetime = moment()
    given_at: dt.datetime | None = moment(default=None)
    """When somebody took it to give it out."""


async def enabled_gateways(connection: Connection) -> list[Any]:
    """Rows of those that are to be bound to, by number."""
    rows: list[Any] = await connection.fetch("SELECT * FROM sms_gateway WHERE state = 'enabled' ORDER BY number")
    return rows


async def say_seen(connection: Connection, process: str, sights: Sequence[GatewaySight]) -> None:
    """What this process has of each gateway; it has none of those that are not named."""
    async with connection.transaction():
        await connection.execute("DELETE FROM sms_gateway_sight WHERE process = $1", process)
        await connection.execute(
            "DELETE FROM sms_gateway_sight WHERE seen_at < clock_timestamp() - $1::interval", SEEN_WITHIN
        )
        await connection.executemany(
            "INSERT INTO sms_gateway_sight (number, process, bound, problem, seen_at)"
            " VALUES ($1, $2, $3, $4, clock_timestamp())",
            [(sight.number, process, sight.bound, sight.problem[:200]) for sight in sights],
        )


async def keep_piece(connection: Connection, piece: ReplyPiece) -> list[ReplyPiece]:
    """Durable when this returns: all parts, for whoever brought the last one; else none. One at a time for each text,
    so that of two processes one sees the whole. Raises `PieceOfAnother`."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 20))", piece.key)
        await connection.execute(
            "INSERT INTO sms_reply_piece"
            " (key, part, total, gateway, sender, recipient, reference, content, arrived_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (key, part) DO NOTHING",
            *(piece.key, piece.index, piece.total, piece.gateway, piece.sender, piece.recipient, piece.reference),
            *(piece.content, piece.at),
        )
        rows = await connection.fetch("SELECT * FROM sms_reply_piece WHERE key = $1 ORDER BY part", piece.key)
        if any(row["part"] == piece.index and row["content"] != piece.content for row in rows):
            raise PieceOfAnother
        if len(rows) < piece.total:
            return []
        await connection.execute("UPDATE sms_reply_piece SET given_at = clock_timestamp() WHERE key = $1", piece.key)
        return [piece_of(row) for row in rows]


async def take_overdue(connection: Connection) -> list[ReplyPiece]:
    """Parts of texts that wait for too long, or that somebody took and did not give out. They are ours for a while."""
    rows = await connection.fetch(
        "UPDATE sms_reply_piece AS piece SET given_at = clock_timestamp()"
        " FROM (SELECT key FROM sms_reply_piece GROUP BY key"
        "  HAVING min(arrived_at) < clock_timestamp() - $1::interval"
        "  AND coalesce(max(given_at) < clock_timestamp() - $2::interval, true) LIMIT 100) AS old"
        " WHERE piece.key = old.key"
        " AND coalesce(piece.given_at < clock_timestamp() - $2::interval, true) RETURNING piece.*",
        PIECES_WAIT,
        GIVEN_AGAIN,
    )
    return [piece_of(row) for row in rows]


async def drop_pieces(connection: Connection, key: str) -> None:
    """The whole was given out."""
    await connection.execute("DELETE FROM sms_reply_piece WHERE key = $1", key)


def piece_of(row: Any) -> ReplyPiece:
    """A row in domain words."""
    where = (row["gateway"], row["sender"], row["recipient"], row["reference"], row["part"], row["total"])
    return ReplyPiece(*where, row["content"], row["arrived_at"])


async def every_gateway(session: Session) -> list[SmsGateway]:
    """By number; what was removed is not among them."""
    return list(await session.exec(select(SmsGateway).where(_KEPT).order_by(col(SmsGateway.number))))


async def lock_gateway(session: Session, number: int) -> SmsGateway | None:
    """One that was not removed."""
    return (
        await session.exec(select(SmsGateway).where(col(SmsGateway.number) == number, _KEPT).with_for_update())
    ).first()


async def name_used(session: Session, name: str, but: int = 0) -> bool:
    """Whether another gateway, perhaps a removed one, has this name."""
    same = select(SmsGateway.id).where(col(SmsGateway.name) == name, col(SmsGateway.number) != but)
    return (await session.exec(same.limit(1))).first() is not None


async def sights(session: Session) -> list[SmsGatewaySight]:
    """What processes said of late."""
    fresh = col(SmsGatewaySight.seen_at) > func.now() - SEEN_WITHIN
    return list(await session.exec(select(SmsGatewaySight).where(fresh).order_by(col(SmsGatewaySight.process))))


# Its index finds the day; of each gateway the newest says in which form it writes ids.
_UNOWNED = text("""
SELECT found.gateway, found.receipts, newest.smsc_id
FROM (SELECT gateway, count(*) AS receipts, max(id) AS id FROM sms_receipt
      WHERE fate = 'unknown' AND arrived_at > now() - interval '1 day' GROUP BY gateway) found
JOIN sms_receipt newest ON newest.id = found.id
""")


async def unowned_receipts(session: Session) -> dict[int, tuple[int, str]]:
    """By gateway: how many receipts of the last day belong to no message, and the id of the newest."""
    connection = await session.connection()
    return {row.gateway: (row.receipts, row.smsc_id) for row in await connection.execute(_UNOWNED)}


async def every_route(session: Session) -> list[tuple[SmsRoute, SmsGateway]]:
    """In the order in which they are asked; those of removed gateways are not among them."""
    query = select(SmsRoute, SmsGateway).join(SmsGateway, col(SmsRoute.gateway_id) == col(SmsGateway.id)).where(_KEPT)
    order = (col(SmsRoute.country).desc(), col(SmsRoute.kind).desc(), col(SmsRoute.rank), col(SmsRoute.id))
    return [(route, gateway) for route, gateway in await session.exec(query.order_by(*order))]


async def lock_route(session: Session, route_id: UUID) -> SmsRoute | None:
    return (await session.exec(select(SmsRoute).where(col(SmsRoute.id) == route_id).with_for_update())).first()


async def gateway_named(session: Session, name: str) -> SmsGateway | None:
    """Removed ones, too."""
    return (await session.exec(select(SmsGateway).where(col(SmsGateway.name) == name).with_for_update())).first()


async def one_at_a_time(session: Session) -> None:
    """Until the transaction ends nobody else enters a gateway or renames one."""
    await session.exec(select(func.pg_advisory_xact_lock(20_20)))


async def route_exists(session: Session, gateway_id: UUID, country: str, kind: str) -> bool:
    same = select(SmsRoute.id).where(
        col(SmsRoute.gateway_id) == gateway_id, col(SmsRoute.country) == country, col(SmsRoute.kind) == kind
    )
    return (await session.exec(same.limit(1))).first() is not None


async def drop_routes(session: Session, gateway_id: UUID) -> None:
    """Of a gateway that is removed."""
    for row in await session.exec(select(SmsRoute).where(col(SmsRoute.gateway_id) == gateway_id)):
        await session.delete(row)


BURST_SECONDS, LEAST_BURST = 1, 20
"""Of a gateway's rate, at once."""


async def write_lane(session: Session, number: int, rate_per_s: int | None) -> None:
    """The gateway's lane has its rate; what else operators decided of the lane stays."""
    burst = max(LEAST_BURST, BURST_SECONDS * (rate_per_s or 0))
    lane = (await session.exec(select(Lane).where(col(Lane.name) == f"sms-{number}").with_for_update())).first()
    if lane is None:
        session.add(Lane(name=f"sms-{number}", rate_per_s=rate_per_s, burst=burst, tokens=float(burst)))
        return
    lane.rate_per_s, lane.burst, lane.row_version = rate_per_s, burst, lane.row_version + 1
    lane.tokens = min(lane.tokens, float(burst))
