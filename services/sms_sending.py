"""Sending SMS: a request becomes durable submissions or is refused whole (design §4.1)."""

from domain.accounts import Caller
from domain.channels import Channel
from domain.members import Right, require
from domain.sms import SmsAccepted, SmsRequest
from domain.sms_acceptance import SmsTerms
from domain.times import business_day
from services.acceptance import Bell
from services.foundation import Foundation
from services.sms_platform import code_template
from store.columns import now
from store.sms_accepting import accept
from store.sms_requests import used_tests


class SmsSending:
    """Every method is scoped to the caller's account. One per process."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._terms = SmsTerms.of(base.policy)
        self._bell = Bell(base.db, Channel.SMS)

    async def send(self, caller: Caller, request: SmsRequest) -> SmsAccepted:
        """Accept a request; durable when this returns. Raises `Refusal` with nothing done (`NobodyLeft` says of each
        number why)."""
        require(caller, Right.SEND)
        async with self._base.db.raw() as connection:
            accepted = await accept(connection, caller, request, now(), self._terms)
        if accepted.sends_at is None and not accepted.repeated:
            await self._bell.ring()
        return accepted

    async def tests_left(self, caller: Caller) -> int:
        """Free test messages that the account may still send today."""
        async with self._base.db.raw() as connection:
            used = await used_tests(connection, caller.account_id, business_day(now()))
        return max(0, self._terms.tests_per_day - used)

    async def code_template(self, caller: Caller, number: str, name: str) -> str:
        """The id of the template that sends a bare code under the account's signature of this number, else name.

        Raises `not_found` where there is no such signature that is approved.
        """
        require(caller, Right.SEND)
        async with self._base.db.begin() as session:
            return str((await code_template(session, caller.account_id, number, name)).template_id)
