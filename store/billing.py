"""Recharge orders, payments that arrived, and notifications that were refused."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel, col, func, select, update

from domain.accounts import AccountState
from domain.billing import (
    Channel,
    CloseReason,
    Fate,
    NoticeFault,
    NoticeRefused,
    OrderFacts,
    PaymentNotice,
    PaymentState,
    RechargeState,
    fate,
    order_id,
    require_fit,
)
from domain.ids import Kind, new_id, workflow_id
from domain.ledger import PREPAID, JournalKind, NewJournal
from store import audit_log, clockwork, ledger
from store.accounts import Account
from store.columns import moment, now
from store.db import Connection, Session

CLEARING = "clearing:alipay"
REFUNDS = "refunds"
ANYBODYS = frozenset({NoticeFault.SIGNATURE, NoticeFault.NOT_OFFERED})
"""Reasons to refuse a notification before anything proves that it is the provider's."""
REFUSALS_A_MINUTE = 100
"""What is kept of those, per reason: whoever floods us shall not fill the disk."""
REFUSALS_KEPT = dt.timedelta(days=7)
"""And for how long."""


class Recharge(SQLModel, table=True):
    """An order to recharge. Its `out_trade_no` at the provider is the id in hex."""

    __tablename__ = "recharge"
    __table_args__ = (Index("recharge_account", "account_id", "created_at"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    member_id: UUID | None = None
    channel: str
    amount_fen: int = Field(sa_type=BigInteger)
    state: str = RechargeState.OPEN.value
    created_at: dt.datetime = moment(default_factory=now)
    expires_at: dt.datetime = moment()
    credited_at: dt.datetime | None = moment(default=None)
    closed_at: dt.datetime | None = moment(default=None)
    close_reason: str = ""
    """`timeout` or `member`."""
    close_wanted_at: dt.datetime | None = moment(default=None)
    """A member asked; the process closes it at the provider first."""


class Payment(SQLModel, table=True):
    """Money that arrived, as the provider named it: one row per provider's transaction, whatever became of it."""

    __tablename__ = "payment"
    __table_args__ = (UniqueConstraint("channel", "transaction"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    recharge_id: UUID = Field(foreign_key="recharge.id", index=True)
    account_id: UUID = Field(foreign_key="account.id")
    channel: str
    transaction: str
    amount_fen: int = Field(sa_type=BigInteger)
    paid_at: dt.datetime | None = moment(default=None)
    seen_at: dt.datetime = moment(default_factory=now)
    late: bool = False
    """Arrived when the order was closed."""
    state: str
    refunded_at: dt.datetime | None = moment(default=None)
    why: str = ""
    asked_at: dt.datetime | None = moment(default=None)
    """When the provider was last asked to give it back: written before, so that nobody does it by hand meanwhile."""


class RefusedNotice(SQLModel, table=True):
    """A payment notification that was not believed."""

    __tablename__ = "refused_notice"
    __table_args__ = (
        Index("refused_notice_at", "at"),
        Index("refused_notice_reason", "reason", "at"),
        Index("refused_notice_digest", "digest"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    channel: str
    at: dt.datetime = moment(default_factory=now)
    reason: str
    recharge_id: UUID | None = None
    digest: bytes
    """SHA-256 of the body; where the provider was asked (`query-…`), of its transaction."""


async def lock_account(session: Session, account_id: UUID) -> None:
    """One opener of orders at a time, so that the limit holds."""
    await session.exec(select(Account.id).where(col(Account.id) == account_id).with_for_update(key_share=True))


async def count_open(session: Session, account_id: UUID) -> int:
    """Orders that wait to be paid."""
    query = select(func.count()).select_from(Recharge)
    return (await session.exec(query.where(_own(account_id), col(Recharge.state) == RechargeState.OPEN.value))).one()


async def recharge_of(session: Session, account_id: UUID, key: UUID) -> Recharge | None:
    """An order of this account."""
    return (await session.exec(select(Recharge).where(_own(account_id), col(Recharge.id) == key))).first()


async def recharges_of(session: Session, account_id: UUID, before: UUID | None, limit: int) -> list[Recharge]:
    """The account's orders, newest first (ids are ordered by time)."""
    query = select(Recharge).where(_own(account_id)).order_by(col(Recharge.id).desc()).limit(limit)
    return list(await session.exec(query if before is None else query.where(col(Recharge.id) < before)))


async def payments_of(session: Session, orders: list[UUID]) -> list[Payment]:
    """What arrived for these orders, in the order of arrival."""
    query = select(Payment).where(col(Payment.recharge_id).in_(orders)).order_by(col(Payment.id))
    return list(await session.exec(query))


async def want_close(session: Session, account_id: UUID, key: UUID, at: dt.datetime) -> bool:
    """Ask the order's process to close it; False when it is not open."""
    result = await session.exec(
        update(Recharge)
        .where(_own(account_id), col(Recharge.id) == key, col(Recharge.state) == RechargeState.OPEN.value)
        .values(close_wanted_at=func.coalesce(Recharge.close_wanted_at, at))
    )
    return bool(result.rowcount)


def _own(account_id: UUID) -> Any:
    return col(Recharge.account_id) == account_id


_ORDER = """
SELECT r.id, r.account_id, r.amount_fen, r.state, a.state AS account_state
FROM recharge r JOIN account a ON a.id = r.account_id
WHERE r.id = $1 AND r.channel = $2 FOR NO KEY UPDATE OF r
"""
_ARRIVED = """
INSERT INTO payment (id, recharge_id, account_id, channel, transaction, amount_fen, paid_at, seen_at, late, state, why)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (channel, transaction) DO NOTHING RETURNING id
"""


async def settle(connection: Connection, notice: PaymentNotice, at: dt.datetime) -> PaymentState | None:
    """Account for a payment, once: credit it or have it refunded. None: it was accounted for before.

    All in the caller's transaction. Raises `NoticeRefused` when it does not fit an order of ours.
    """
    order = await _locked_order(connection, notice.number)
    require_fit(notice, _facts(order))
    decided = fate(_facts(order))
    payment = await _arrive(connection, order, notice, decided, at)
    if payment is None:
        return None
    if decided.state is PaymentState.CREDITED:
        await _credit(connection, order, payment, at)
    else:
        await _owe_back(connection, order, payment)
    await audit_log.note_on(connection, f"payment.{decided.state.value}", f"payment/{payment}", order["account_id"])
    return decided.state


async def _locked_order(connection: Connection, number: str) -> asyncpg.Record:
    """The order's row; payments of one order are accounted for one after the other."""
    key = order_id(number)
    order = await connection.fetchrow(_ORDER, key, Channel.ALIPAY.value) if key else None
    if order is None:
        raise NoticeRefused(NoticeFault.ORDER)
    return order


def _facts(order: asyncpg.Record) -> OrderFacts:
    active = order["account_state"] == AccountState.ACTIVE.value
    return OrderFacts(order["amount_fen"], RechargeState(order["state"]), active)


async def _arrive(
    connection: Connection, order: asyncpg.Record, notice: PaymentNotice, decided: Fate, at: dt.datetime
) -> UUID | None:
    """The new payment's id; None when it is known. Raises `NoticeRefused` when it is known of another order."""
    made: UUID | None = await connection.fetchval(
        _ARRIVED, new_id(), order["id"], order["account_id"], Channel.ALIPAY.value, notice.transaction,
        notice.amount_fen, notice.paid_at, at, decided.late, decided.state.value, decided.why,
    )  # fmt: skip
    if made is None:
        query = "SELECT recharge_id FROM payment WHERE channel = $1 AND transaction = $2"
        if await connection.fetchval(query, Channel.ALIPAY.value, notice.transaction) != order["id"]:
            raise NoticeRefused(NoticeFault.TRANSACTION)
    return made


async def _credit(connection: Connection, order: asyncpg.Record, payment: UUID, at: dt.datetime) -> None:
    changed = await connection.fetchval(
        "UPDATE recharge SET state = $3, credited_at = $4 WHERE id = $1 AND state = $2 RETURNING id",
        *(order["id"], order["state"], RechargeState.CREDITED.value, at),
    )
    if changed is None:
        raise LookupError("the order changed under its lock")
    amount = order["amount_fen"]
    lines = ((CLEARING, None, -amount), (PREPAID, order["account_id"], amount))
    await _post(connection, JournalKind.RECHARGE, payment, order["account_id"], lines)
    await clockwork.want_nudge_on(connection, workflow_id(Kind.RECHARGE, order["id"]))
    await clockwork.want_nudge_on(connection, workflow_id(Kind.ONBOARDING, order["account_id"]))


async def _owe_back(connection: Connection, order: asyncpg.Record, payment: UUID) -> None:
    amount = order["amount_fen"]
    lines = ((CLEARING, None, -amount), (REFUNDS, None, amount))
    await _post(connection, JournalKind.REFUND_DUE, payment, None, lines)
    await clockwork.enlist_on(connection, Kind.REFUND, payment, order["account_id"])


async def _post(
    connection: Connection,
    kind: JournalKind,
    payment: UUID,
    account: UUID | None,
    lines: Sequence[tuple[str, UUID | None, int]],
) -> None:
    if not await ledger.post(connection, NewJournal(kind.value, payment, 0, account, Channel.ALIPAY.value, lines)):
        raise LookupError("a payment was posted before it arrived")


async def close_order(connection: Connection, key: UUID, reason: CloseReason, at: dt.datetime) -> bool:
    """Compare-and-set from open to closed; False when it is not open any more."""
    changed = await connection.fetchval(
        "UPDATE recharge SET state = $2, closed_at = $4, close_reason = $5 WHERE id = $1 AND state = $3"
        " RETURNING account_id",
        *(key, RechargeState.CLOSED.value, RechargeState.OPEN.value, at, reason.value),
    )
    return changed is not None


async def lock_payment(connection: Connection, key: UUID) -> asyncpg.Record | None:
    """When the provider was last asked to refund it; whoever wants to change it waits for us."""
    return await connection.fetchrow("SELECT asked_at FROM payment WHERE id = $1 FOR NO KEY UPDATE", key)


async def note_asked(connection: Connection, key: UUID) -> bool:
    """The provider is about to be asked to give a payment back; False when that is no longer wanted."""
    query = "UPDATE payment SET asked_at = now() WHERE id = $1 AND state = $2 RETURNING id"
    return await connection.fetchval(query, key, PaymentState.REFUND_WANTED.value) is not None


async def note_refunded(
    connection: Connection, key: UUID, at: dt.datetime, actor: str = "system", **detail: str
) -> bool:
    """A payment went back: compare-and-set and the books together. False: noted before.

    By the provider, or as an operator says, in whatever way it was done.
    """
    row = await connection.fetchrow(
        "UPDATE payment SET state = $2, refunded_at = $4 WHERE id = $1 AND state = $3 RETURNING account_id, amount_fen",
        *(key, PaymentState.REFUNDED.value, PaymentState.REFUND_WANTED.value, at),
    )
    if row is None:
        return False
    lines = ((REFUNDS, None, -row["amount_fen"]), (CLEARING, None, row["amount_fen"]))
    await _post(connection, JournalKind.REFUND, key, None, lines)
    subject, account = f"payment/{key}", row["account_id"]
    await audit_log.note_on(connection, "payment.refunded", subject, account, actor, **detail)
    return True


_REFUSE = """
INSERT INTO refused_notice (id, channel, at, reason, recharge_id, digest)
SELECT $1, $2, now(), $3::varchar, (SELECT id FROM recharge WHERE id = $4), $5
"""
_BELOW_THE_CAP = """
WHERE (SELECT count(*) FROM refused_notice WHERE reason = $3::varchar AND at > now() - interval '1 minute') < $6
"""
_NOT_YET = """
WHERE NOT EXISTS (SELECT FROM refused_notice WHERE digest = $5 AND reason = $3::varchar
                  AND recharge_id IS NOT DISTINCT FROM (SELECT id FROM recharge WHERE id = $4))
"""


async def note_refused(connection: Connection, reason: str, number: str, digest: bytes) -> None:
    """Keep what was not believed. What anybody can send: at most so often a minute, and for days.

    What the provider signed is about money: it is kept whatever else arrives, the same thing once.
    """
    values = (new_id(), Channel.ALIPAY.value, reason, order_id(number), digest)
    if reason not in ANYBODYS:
        await connection.execute(_REFUSE + _NOT_YET, *values)
        return
    await connection.execute(_REFUSE + _BELOW_THE_CAP, *values, REFUSALS_A_MINUTE)
    query = "DELETE FROM refused_notice WHERE reason = $1 AND at < now() - $2::interval"
    await connection.execute(query, reason, REFUSALS_KEPT)
