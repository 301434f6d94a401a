"""Quick registration at the console (seed 1): an operator stands for what neither mail nor SMS could prove."""

from dataclasses import dataclass
from hmac import compare_digest
from uuid import UUID

from domain.accounts import AccountState
from domain.errors import Refusal
from domain.masking import mask_phone
from domain.operators import Duty, Operator, reason_of
from domain.phone_codes import PhoneStage
from services.foundation import Foundation
from store import accounts, audit_log, phone_codes, registration
from store.columns import now
from store.db import Session


@dataclass(frozen=True)
class WaitingNumber:
    """A number that a member gave and has not proved; masked, for the operator compares what is told on the phone."""

    member_id: UUID
    email: str
    phone: str
    codes_sent: int
    mark: str
    """Stands for this very number: its owner may give another one while the operator looks at it."""


@dataclass(frozen=True)
class Openings:
    """What an operator could confirm of an account."""

    is_pending: bool
    mails: int
    numbers: list[WaitingNumber]


class RegistrationDesk:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def openings(self, operator: Operator, account_id: UUID) -> Openings:
        """What waits for a proof."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.read() as session:
            held = await registration.case(session, account_id)
            numbers = [
                WaitingNumber(
                    member.id, member.email, mask_phone(row.phone), row.codes_sent, self._mark(member, row.phone)
                )
                for member, row in await phone_codes.waiting(session, account_id)
            ]
        pending = held is not None and held.account.state == AccountState.PENDING
        return Openings(pending, held.row.mails_sent if held else 0, numbers)

    async def open_account(self, operator: Operator, account_id: UUID, reason: str, mark: str = "") -> None:
        """As if the link had been followed, and with the `mark` of a number as if its code had been typed, too.

        Raises `registration_over`, `address_in_use`, `phone_missing`, `phone_taken`, `phone_changed`.
        """
        operator.require(Duty.ACCOUNTS)
        words, base = reason_of(reason), self._base
        async with base.db.begin() as session:
            held = await registration.case(session, account_id, lock=True)
            if held is None or held.account.state != AccountState.PENDING:
                raise Refusal("registration_over")
            if mark:
                await self._vouch(session, held.member, mark)
            process = await registration.activate(session, held, operator.actor, base.vault, base.policy, now())
            detail = {"reason": words, "through": "console", "phone": bool(mark)}
            subject = f"account/{account_id}"
            await audit_log.note(session, operator.actor, "registration.quick", subject, account_id, **detail)
        await base.clockwork.start(process)

    async def confirm_phone(
        self, operator: Operator, account_id: UUID, member_id: UUID, reason: str, mark: str
    ) -> None:
        """The number that a member gave, and that the operator saw, counts as proved.

        Raises `not_found`, `phone_missing`, `phone_taken`, `phone_changed`.
        """
        operator.require(Duty.ACCOUNTS)
        words = reason_of(reason)
        async with self._base.db.begin() as session:
            member = await _active_member(session, account_id, member_id)
            if member.phone is None or await _is_waiting(session, member):
                await self._vouch(session, member, mark)
                subject = f"member/{member_id}"
                await audit_log.note(session, operator.actor, "phone.vouched", subject, account_id, reason=words)

    async def _vouch(self, session: Session, member: accounts.Member, mark: str) -> None:
        row = await phone_codes.of_member(session, member.id, lock=True)
        if row is not None and row.phone and not compare_digest(self._mark(member, row.phone).encode(), mark.encode()):
            raise Refusal("phone_changed", field="phone")
        await phone_codes.vouch(session, member, now())

    def _mark(self, member: accounts.Member, phone: str) -> str:
        return self._base.vault.digest(f"waiting-number/{member.id}/{phone}").hex()[:32]


async def _active_member(session: Session, account_id: UUID, member_id: UUID) -> accounts.Member:
    member = await accounts.member(session, account_id, member_id, lock=True)
    if member is None or member.removed_at is not None:
        raise Refusal("not_found", what="member")
    return member


async def _is_waiting(session: Session, member: accounts.Member) -> bool:
    stage = phone_codes.step(member, await phone_codes.of_member(session, member.id)).stage
    return stage in (PhoneStage.GIVEN, PhoneStage.SENT)
