"""The interception list of SMS as operators see it: requests to lift, and what blocks a number for everybody."""

from collections.abc import Sequence
from uuid import UUID

from domain.contacts import phone_of
from domain.errors import Refusal
from domain.masking import mask_phone
from domain.notices import Notice
from domain.operators import Duty, Operator, reason_of
from domain.sms_interceptions import checked_days
from services.foundation import Foundation
from store import onboarding
from store import sms_interceptions_read as rows
from store.audit_log import note
from store.columns import now
from store.notices import send_notice
from store.sms_interceptions import SmsInterception, SmsUnblockRequest

REQUESTS_SHOWN = 100


class SmsInterceptionDesk:
    """Needs `Duty.ACCOUNTS`: a customer says that a number is in service after all."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def open_requests(self, operator: Operator) -> list[tuple[SmsUnblockRequest, str]]:
        """Those that wait with the account's name, the oldest first."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.read() as session:
            return await rows.open_requests(session, REQUESTS_SHOWN)

    async def decide(self, operator: Operator, request: UUID, *, lift: bool, reason: str) -> None:
        """Lift every global record of the number, or refuse; the customer is mailed the reason.

        Raises `Refusal`: `sms_unblock_unknown`, `sms_unblock_decided`, `required`, `text_too_long`.
        """
        operator.require(Duty.ACCOUNTS)
        words, at = reason_of(reason), now()
        async with self._base.db.begin() as session:
            row = await rows.lock_request(session, request)
            if row is None:
                raise Refusal("sms_unblock_unknown")
            if row.decided_at is not None:
                raise Refusal("sms_unblock_decided")
            row.decided_at, row.decided_by, row.lifted, row.reason = at, operator.actor, lift, words
            lifted = await rows.lift(session, row.phone, operator.actor, at) if lift else []
            action = "sms_unblock.lifted" if lift else "sms_unblock.refused"
            subject = f"sms-unblock/{row.id}"
            await note(session, operator.actor, action, subject, row.account_id, reason=words, records=len(lifted))
            reader = await onboarding.addressee(session, row.account_id)
        if reader is not None:
            await self._tell(row, reader)

    async def listed(self, operator: Operator, phone: str, after: UUID | None, limit: int) -> Sequence[SmsInterception]:
        """Whatever blocks everybody just now, newest first; with a `phone`, of exactly this number."""
        operator.require(Duty.ACCOUNTS)
        number = phone_of(phone) if phone.strip() else ""
        async with self._base.db.read() as session:
            return await rows.global_page(session, number, after, limit, now())

    async def add(self, operator: Operator, phone: str, days: int, reason: str) -> None:
        """Nobody writes to this number for so many days.

        Raises `Refusal`: what is no number, `sms_block_days`, `required`, `text_too_long`.
        """
        operator.require(Duty.ACCOUNTS)
        number, lasts, words, at = phone_of(phone), checked_days(days), reason_of(reason), now()
        async with self._base.db.begin() as session:
            row = await rows.add_global(session, number, at + lasts, words, at)
            await note(
                session,
                operator.actor,
                "sms_interception.blocked",
                f"sms-interception/{row.id}",
                reason=words,
                days=days,
            )

    async def lift(self, operator: Operator, interception: UUID, reason: str) -> None:
        """No global record blocks the number of this one from now on, whoever's message met it.

        Raises `Refusal`: `sms_global_unknown`, `required`, `text_too_long`.
        """
        operator.require(Duty.ACCOUNTS)
        words = reason_of(reason)
        async with self._base.db.begin() as session:
            row = await session.get(SmsInterception, interception)
            lifted = [] if row is None else await rows.lift(session, row.phone, operator.actor, now())
            if not lifted:
                raise Refusal("sms_global_unknown")
            for one in lifted:
                await note(
                    session, operator.actor, "sms_interception.lifted", f"sms-interception/{one.id}", reason=words
                )

    async def _tell(self, row: SmsUnblockRequest, reader: tuple[str, str, str]) -> None:
        address, name, language = reader
        notice = Notice.SMS_UNBLOCKED if row.lifted else Notice.SMS_UNBLOCK_REFUSED
        link = f"{self._base.policy.public_url}/portal/sms-interceptions"
        variables = {"name": name, "phone": mask_phone(row.phone), "reason": row.reason, "link": link}
        await send_notice(self._base.db, notice, address, language, variables, f"sms-unblock/{row.id}")
