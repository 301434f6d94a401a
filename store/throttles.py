"""Sliding-window limits, kept in rows: all API processes together keep one limit, and a restart forgets nothing."""

import datetime as dt

from sqlalchemy import BigInteger, Column, Index, delete, func
from sqlmodel import Field, SQLModel, col, select

from store.columns import moment
from store.db import Session


class ThrottleHit(SQLModel, table=True):
    """One counted act. `key` is an HMAC: neither addresses nor IPs stand here in clear."""

    __tablename__ = "throttle_hit"
    __table_args__ = (Index("throttle_hit_key", "key", "at"), Index("throttle_hit_at", "at"))
    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True, autoincrement=True))
    key: bytes
    at: dt.datetime = moment()


async def take(session: Session, key: bytes, limit: int, window: dt.timedelta, at: dt.datetime) -> float:
    """Count one act unless `limit` of them lie in the window. Returns 0, or the seconds until one more is possible."""
    lock = select(func.pg_advisory_xact_lock(func.hashtextextended(key.hex(), 7)))
    await session.exec(lock)
    await session.exec(delete(ThrottleHit).where(col(ThrottleHit.key) == key, col(ThrottleHit.at) <= at - window))
    count, oldest = (
        await session.exec(select(func.count(), func.min(col(ThrottleHit.at))).where(col(ThrottleHit.key) == key))
    ).one()
    if count >= limit:
        return float(max(1.0, (oldest + window - at).total_seconds()))
    session.add(ThrottleHit(key=key, at=at))
    return 0.0


async def forget(session: Session, key: bytes) -> None:
    """Forgive what was counted, after the right password."""
    await session.exec(delete(ThrottleHit).where(col(ThrottleHit.key) == key))


async def sweep(session: Session, before: dt.datetime) -> None:
    """Delete what no window reaches any more."""
    await session.exec(delete(ThrottleHit).where(col(ThrottleHit.at) < before))
