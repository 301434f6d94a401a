"""Payments, for operators: look at one, and end a refund that the provider will never make (design §3, §5 *Money*)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.billing import PaymentState
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.operators import Duty, Operator, reason_of
from services.foundation import Foundation
from store import accounts, audit_log, clockwork
from store import billing as rows
from store.audit_log import AuditEntry
from store.billing import Payment
from store.columns import now

IN_HAND = dt.timedelta(minutes=1)
"""For so long after the provider was asked, its word may still come (an activity has 30 s)."""


@dataclass(frozen=True)
class PaymentCase:
    """A payment as finance sees it, with what is on record of it."""

    row: Payment
    account_name: str
    record: Sequence[AuditEntry]
    attention: str
    """Why its refund's process asks for a person; empty when it does not."""

    @property
    def wanted(self) -> bool:
        """The money shall go back, and has not yet."""
        return self.row.state == PaymentState.REFUND_WANTED

    @property
    def workflow_id(self) -> str:
        return workflow_id(Kind.REFUND, self.row.id)


class PaymentDesk:
    """Needs `Duty.MONEY`; raises `not_found` for a payment that is none."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def payment(self, operator: Operator, payment_id: UUID) -> PaymentCase:
        """One payment."""
        operator.require(Duty.MONEY)
        async with self._base.db.read() as session:
            row = await session.get(Payment, payment_id)
            if row is None:
                raise Refusal("not_found", what="payment")
            account = await accounts.account(session, row.account_id)
            record = await audit_log.about(session, row.account_id, f"payment/{payment_id}")
            process = await clockwork.find(session, workflow_id(Kind.REFUND, payment_id))
        attention = process.attention if process else None
        return PaymentCase(row, account.name if account else "", record, attention or "")

    async def end_refund(self, operator: Operator, payment_id: UUID, reason: str) -> None:
        """Record that the money went back in another way: the books once, whoever comes first, and the process ends.

        Raises `Refusal`: `required`, `text_too_long`, `refund_not_wanted`, `refund_in_hand`, `duty_forbidden`.
        """
        operator.require(Duty.MONEY)
        words = reason_of(reason)
        async with self._base.db.raw() as connection:
            at, row = now(), await rows.lock_payment(connection, payment_id)
            if row is None:
                raise Refusal("not_found", what="payment")
            if row["asked_at"] is not None and at - row["asked_at"] < IN_HAND:
                raise Refusal("refund_in_hand")
            if not await rows.note_refunded(connection, payment_id, at, operator.actor, reason=words):
                raise Refusal("refund_not_wanted")
            await clockwork.want_nudge_on(connection, workflow_id(Kind.REFUND, payment_id))
