"""Customers, for operators: look at one, grant a paying one its quota, read and settle what visitors write."""

from uuid import UUID

from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.onboarding import Fact
from domain.operators import Duty, Operator, reason_of
from services.foundation import Foundation
from store import accounts, audit_log, clockwork, customers, onboarding
from store.accounts import Account, ContactRequest
from store.columns import now
from store.customers import CustomerRow
from store.db import Session

MOST_A_DAY = 10_000_000


class AccountDesk:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def customer(self, operator: Operator, account_id: UUID) -> CustomerRow:
        """One account. Raises `not_found`."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.read() as session:
            found = await customers.customer(session, account_id)
        if found is None:
            raise Refusal("not_found", what="account")
        return found

    async def is_paying(self, operator: Operator, account_id: UUID) -> bool:
        """Certified, with a credited recharge (design §5)."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.read() as session:
            return Fact.PAID in await onboarding.facts(session, account_id)

    async def grant_quota(self, operator: Operator, account_id: UUID, quota: int, reason: str) -> None:
        """Messages a day for a paying account, from the next look of its onboarding on (seconds)."""
        operator.require(Duty.ACCOUNTS)
        words = reason_of(reason)
        if not 0 < quota <= MOST_A_DAY:
            raise Refusal("bad_quota", field="quota", limit=MOST_A_DAY)
        async with self._base.db.begin() as session:
            account = await self._paying(session, account_id)
            before, account.granted_quota = account.granted_quota, quota
            await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, account_id))
            detail = {"before": before, "quota": quota, "reason": words}
            subject = f"account/{account_id}"
            await audit_log.note(session, operator.actor, "account.quota_granted", subject, account_id, **detail)

    async def _paying(self, session: Session, account_id: UUID) -> Account:
        account = await accounts.account(session, account_id, lock=True)
        if account is None:
            raise Refusal("not_found", what="account")
        if Fact.PAID not in await onboarding.facts(session, account_id):
            raise Refusal("not_paying", field="quota")
        return account

    async def letter(self, operator: Operator, letter_id: UUID) -> ContactRequest:
        """What somebody wrote on the public form. Raises `not_found`."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.read() as session:
            row = await session.get(ContactRequest, letter_id)
        if row is None:
            raise Refusal("not_found", what="contact request")
        return row

    async def settle_letter(self, operator: Operator, letter_id: UUID) -> None:
        """Mark it as answered; a second time changes nothing."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.begin() as session:
            row = await session.get(ContactRequest, letter_id, with_for_update=True)
            if row is None:
                raise Refusal("not_found", what="contact request")
            if row.handled_at is None:
                row.handled_at = now()
                await audit_log.note(session, operator.actor, "contact.handled", f"contact-request/{letter_id}")
