"""Money as a customer sees it: balance, statement, what is held, prices."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from domain.accounts import Caller
from domain.ledger import EMAIL, JournalKind, price_at, price_steps
from domain.members import Right, may, require
from domain.money import CURRENCY, plain_yuan
from domain.spreadsheets import BOM, cell, csv_lines
from domain.times import SHANGHAI, business_day
from services.foundation import Foundation
from store import ledger_read as rows
from store.columns import now
from store.ledger_read import OpenHold, Standing, StatementLine

EXPORT_BATCH = 2000
EXPORT_COLUMNS = ("time", "kind", "amount", "balance_after", "currency", "memo", "reference")


@dataclass(frozen=True)
class Balance:
    """`unit_micro`: what one mail beyond the free quota costs now, in micro-yuan."""

    standing: Standing
    unit_micro: int


@dataclass(frozen=True)
class PriceStep:
    """A price, and since or from when it holds; None: it holds now."""

    item: str
    unit_micro: int
    begins: dt.datetime | None


class Ledger:
    """Every method is scoped to the caller's account."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def balance(self, caller: Caller) -> Balance:
        """Today's quota, the price, and what there is and is held: for members who may see it, and for API users."""
        moment = now()
        async with self._base.db.read() as session:
            standing = await rows.standing(session, caller.account_id, business_day(moment))
            known = await rows.prices(session, caller.account_id)
        if caller.member_id is not None and not may(caller, Right.MONEY):
            standing = replace(standing, purse=None)
        return Balance(standing, price_at(known, moment, self._base.policy.email_price_micro))

    async def statement(
        self, caller: Caller, kind: JournalKind | None, before: int | None, limit: int
    ) -> list[StatementLine]:
        """Movements of the balance, newest first; `before` is the last line of the page before."""
        require(caller, Right.MONEY)
        async with self._base.db.read() as session:
            return await rows.lines(session, caller.account_id, kind and kind.value, (before, limit))

    async def export(self, caller: Caller, kind: JournalKind | None = None) -> AsyncIterator[bytes]:
        """The whole statement as CSV (UTF-8 with BOM), newest first, in pieces; memory stays flat.

        Awaiting this checks the right; raises `Refusal` then, before the first piece.
        """
        require(caller, Right.MONEY)
        return self._pieces(caller, kind)

    async def _pieces(self, caller: Caller, kind: JournalKind | None) -> AsyncIterator[bytes]:
        yield BOM + csv_lines([EXPORT_COLUMNS])
        before = None
        while batch := await self.statement(caller, kind, before, EXPORT_BATCH):
            yield csv_lines(_cells(line) for line in batch)
            before = batch[-1].id

    async def holds(self, caller: Caller, limit: int) -> list[OpenHold]:
        """Money reserved for what is being sent, newest first."""
        require(caller, Right.MONEY)
        async with self._base.db.read() as session:
            return await rows.open_holds(session, caller.account_id, limit)

    async def prices(self, caller: Caller) -> list[PriceStep]:
        """What the caller pays now, and every change that is announced."""
        async with self._base.db.read() as session:
            known = await rows.prices(session, caller.account_id)
        steps = price_steps(known, now(), self._base.policy.email_price_micro)
        return [PriceStep(EMAIL, unit, begins) for begins, unit in steps]


def _cells(line: StatementLine) -> Sequence[str]:
    """Times of Asia/Shanghai; amounts in yuan, as numbers."""
    return (
        line.at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        line.kind,
        plain_yuan(line.amount_fen),
        plain_yuan(line.balance_after_fen),
        CURRENCY,
        cell(line.memo),
        str(shown_reference(line)),
    )


def shown_reference(line: StatementLine) -> UUID:
    """What a customer knows the line by: the send, or the order that was paid."""
    return line.recharge_id or line.reference
