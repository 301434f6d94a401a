"""The interception list of SMS (拦截列表), as customers see it: their own records, and what blocks a number for all."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import Caller
from domain.contacts import phone_of
from domain.errors import Refusal
from domain.members import Right, require
from domain.sms_interceptions import MAX_OPEN_REQUESTS, checked_count, checked_note
from domain.spreadsheets import BOM, cell, csv_lines
from services.domains import actor
from services.foundation import Foundation
from store import sms_interceptions_read as rows
from store.audit_log import note
from store.columns import now
from store.sms_interceptions import SmsInterception, SmsUnblockRequest
from store.sms_interceptions_read import Sought

EXPORT_BATCH = 2_000
EXPORT_COLUMNS = ("phone", "scope", "code", "until", "times", "error", "created_at", "updated_at", "message_id")
REQUESTS_SHOWN = 50


@dataclass(frozen=True)
class WhyBlocked:
    """What is known of one number. `other`: what blocks it for everybody and is another's; whose is not said."""

    phone: str
    own: tuple[SmsInterception, ...]
    other: SmsInterception | None
    request_open: bool
    """The account waits for support's answer about it."""


class SmsInterceptions:
    """Every method is scoped to the caller's account."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def page(self, caller: Caller, sought: Sought, after: UUID | None, limit: int) -> list[SmsInterception]:
        """What the account's own messages met, newest first, older than `after`; with what blocks nothing any more."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, sought, after, limit)

    async def count(self, caller: Caller, sought: Sought) -> int:
        """How many there are in all."""
        async with self._base.db.read() as session:
            return await rows.count(session, caller.account_id, sought)

    async def get(self, caller: Caller, interception: UUID) -> SmsInterception:
        """One record of the account. Raises `Refusal("sms_interception_unknown")`."""
        async with self._base.db.read() as session:
            found = await rows.find(session, caller.account_id, interception)
        if found is None:
            raise Refusal("sms_interception_unknown")
        return found

    async def why(self, caller: Caller, phone: str) -> WhyBlocked:
        """Everything that is known of exactly this number. Raises `Refusal` for what is no number.

        Of others' records only one that is asked for by its whole number is told: a list of them would give every
        customer the numbers that the others write to.
        """
        number, at = phone_of(phone), now()
        async with self._base.db.read() as session:
            own = await rows.page(session, caller.account_id, Sought(at, number), None, 20)
            other = await rows.of_others(session, caller.account_id, number, at)
            waits = number in await rows.open_phones(session, caller.account_id)
        return WhyBlocked(number, tuple(row for row in own if row.phone == number), other, waits)

    async def remove(self, caller: Caller, interceptions: Sequence[UUID]) -> int:
        """Records of the account block nobody from now on; how many there were. It is on record who did it.

        Raises `Refusal("sms_interception_unknown")` when none of them is there.
        """
        require(caller, Right.SEND)
        checked_count(len(interceptions), "ids")
        account, at = caller.account_id, now()
        async with self._base.db.begin() as session:
            gone = await rows.remove(session, account, interceptions, actor(caller), at)
            if not gone:
                raise Refusal("sms_interception_unknown")
            for row in gone:
                subject = f"sms-interception/{row.id}"
                await note(
                    session, actor(caller), "sms_interception.removed", subject, account, code=row.code, scope=row.scope
                )
        return len(gone)

    async def ask(self, caller: Caller, phone: str, words: str) -> SmsUnblockRequest:
        """Ask support to lift what blocks a number for everybody and is not the account's own.

        Raises `Refusal`: what is no number, `sms_not_blocked_by_others`, `sms_unblock_open`, `sms_unblock_too_many`.
        """
        require(caller, Right.SEND)
        number, said, account = phone_of(phone), checked_note(words), caller.account_id
        async with self._base.db.begin() as session:
            waiting = await rows.open_phones(session, account)
            if number in waiting:
                raise Refusal("sms_unblock_open", field="phone")
            if len(waiting) >= MAX_OPEN_REQUESTS:
                raise Refusal("sms_unblock_too_many", limit=MAX_OPEN_REQUESTS)
            if await rows.of_others(session, account, number, now()) is None:
                raise Refusal("sms_not_blocked_by_others", field="phone")
            request = SmsUnblockRequest(account_id=account, phone=number, note=said)
            session.add(request)
            await note(session, actor(caller), "sms_unblock.asked", f"sms-unblock/{request.id}", account)
        return request

    async def requests(self, caller: Caller) -> list[SmsUnblockRequest]:
        """What the account asked support for, newest first."""
        async with self._base.db.read() as session:
            return await rows.requests_of(session, caller.account_id, REQUESTS_SHOWN)

    async def request(self, caller: Caller, request: UUID) -> SmsUnblockRequest:
        """One of them. Raises `Refusal("sms_unblock_unknown")`."""
        async with self._base.db.read() as session:
            found = await rows.find_request(session, caller.account_id, request)
        if found is None:
            raise Refusal("sms_unblock_unknown")
        return found

    async def export(self, caller: Caller, sought: Sought) -> AsyncIterator[bytes]:
        """The account's records as CSV (UTF-8 with BOM, for spreadsheets), in pieces; memory stays flat."""
        yield BOM + csv_lines([EXPORT_COLUMNS])
        after: UUID | None = None
        while batch := await self.page(caller, sought, after, EXPORT_BATCH):
            yield csv_lines([cell(getattr(each, name)) for name in EXPORT_COLUMNS] for each in batch)
            after = batch[-1].id
