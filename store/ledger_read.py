"""What can be read of a customer's money, always within one account: balance, statement, holds, prices."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from domain.ledger import EMAIL, PREPAID, PriceRow, available_micro
from domain.money import MICRO_PER_FEN
from store.db import Session


@dataclass(frozen=True)
class Purse:
    """The prepaid money of one account."""

    balance_fen: int
    carry_micro: int
    held_micro: int

    @property
    def available_fen(self) -> int:
        """What may still be held; a part of a fen is not shown."""
        return available_micro(self.balance_fen, self.carry_micro, self.held_micro) // MICRO_PER_FEN


@dataclass(frozen=True)
class Standing:
    """The day's quota of one account, and its money (None for whom it is not shown to)."""

    purse: Purse | None
    free_quota: int
    daily_quota: int
    used: int
    """Messages of the day, free and paid, without those of test API users."""

    @property
    def free_used(self) -> int:
        return min(self.used, self.free_quota)

    @property
    def free_left(self) -> int:
        return self.free_quota - self.free_used


@dataclass(frozen=True)
class StatementLine:
    """One movement of the prepaid balance. `id` grows in the order of the balances."""

    id: int
    at: dt.datetime
    kind: str
    amount_fen: int
    balance_after_fen: int
    memo: str
    reference: UUID
    """The submission of a charge, the payment of a recharge."""
    recharge_id: UUID | None
    """The order that the payment was for."""
    channel: str | None
    """`domain.channels.Channel` of a charge's submission."""


@dataclass(frozen=True)
class OpenHold:
    """Money reserved for a submission whose messages are not all settled. `settled` of `messages` are."""

    submission_id: UUID
    opened_at: dt.datetime
    unit_micro: int
    messages: int
    settled: int
    channel: str | None

    @property
    def held_micro(self) -> int:
        return (self.messages - self.settled) * self.unit_micro


@dataclass(frozen=True)
class ListedPrice:
    """A row of the price list, as operators see it."""

    id: UUID
    item: str
    account_id: UUID | None
    account_name: str | None
    unit_micro: int
    effective_from: dt.datetime
    set_by: str
    set_at: dt.datetime


_STANDING = """
SELECT coalesce(l.balance_fen, 0) AS balance_fen, coalesce(l.carry_micro, 0) AS carry_micro,
       coalesce(l.held_micro, 0) AS held_micro, a.free_quota, a.daily_quota, coalesce(q.used, 0) AS used
FROM account a
LEFT JOIN ledger_account l ON l.account_id = a.id AND l.name = :prepaid
LEFT JOIN quota_use q ON q.account_id = a.id AND q.day = :day AND NOT q.is_test
WHERE a.id = :account
"""
_LINES = """
SELECT e.id, j.at, j.kind, e.amount_fen, e.balance_after_fen, j.memo,
    coalesce(c.submission_id, j.reference) AS reference, p.recharge_id, s.channel
FROM ledger_account l
JOIN entry e ON e.ledger_account_id = l.id
JOIN journal j ON j.id = e.journal_id
LEFT JOIN payment p ON p.id = j.reference AND p.account_id = :account AND j.kind = 'recharge'
LEFT JOIN correction c ON c.id = j.reference AND c.account_id = :account AND j.kind = 'adjustment'
LEFT JOIN submission s ON s.id = coalesce(c.submission_id, j.reference) AND s.account_id = :account
WHERE l.account_id = :account AND l.name = :prepaid
"""
_HOLDS = """
SELECT submission_id, opened_at, unit_micro, messages, sent + unsent AS settled,
    (SELECT channel FROM submission s WHERE s.id = hold.submission_id) AS channel
FROM hold WHERE account_id = :account AND closed_at IS NULL ORDER BY opened_at DESC, submission_id DESC LIMIT :limit
"""
_PRICES = """
SELECT unit_micro, effective_from, account_id IS NOT NULL AS own FROM price
WHERE item = :item AND (account_id = :account OR account_id IS NULL) ORDER BY id
"""
_LISTED = """
SELECT p.id, p.item, p.account_id, a.name AS account_name, p.unit_micro, p.effective_from, p.set_by, p.set_at
FROM price p LEFT JOIN account a ON a.id = p.account_id ORDER BY p.effective_from DESC, p.id DESC LIMIT :limit
"""


async def standing(session: Session, account: UUID, day: dt.date) -> Standing:
    """Balance and quota of that day."""
    row = (await _rows(session, _STANDING, {"account": account, "day": day, "prepaid": PREPAID}))[0]
    purse = Purse(row["balance_fen"], row["carry_micro"], row["held_micro"])
    return Standing(purse, row["free_quota"], row["daily_quota"], row["used"])


async def lines(
    session: Session, account: UUID, kind: str | None, window: tuple[int | None, int]
) -> list[StatementLine]:
    """Movements of the balance, newest first. `window`: (the line before which to begin or None, limit)."""
    before, limit = window
    parameters: dict[str, Any] = {"account": account, "prepaid": PREPAID, "limit": limit}
    where = ""
    if kind is not None:
        where, parameters["kind"] = " AND j.kind = :kind", kind
    if before is not None:
        where, parameters["before"] = where + " AND e.id < :before", before
    rows = await _rows(session, f"{_LINES}{where} ORDER BY e.id DESC LIMIT :limit", parameters)
    return [StatementLine(**row) for row in rows]


async def open_holds(session: Session, account: UUID, limit: int) -> list[OpenHold]:
    """Newest first."""
    return [OpenHold(**row) for row in await _rows(session, _HOLDS, {"account": account, "limit": limit})]


async def prices(session: Session, account: UUID, item: str = EMAIL) -> list[PriceRow]:
    """Whatever was ever set for this account or for everybody, in the order of setting."""
    return [PriceRow(**row) for row in await _rows(session, _PRICES, {"account": account, "item": item})]


async def listed_prices(session: Session, limit: int) -> list[ListedPrice]:
    """The whole price list, latest to begin first."""
    return [ListedPrice(**row) for row in await _rows(session, _LISTED, {"limit": limit})]


async def _rows(session: Session, query: str, parameters: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    connection = await session.connection()
    return [dict(row) for row in (await connection.execute(text(query), parameters)).mappings()]
