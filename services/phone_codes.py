"""A mobile number and its code, for who registers and for members: ask for a code, type it, take the number off.

Nothing here tells whether a number belongs to an account: a code goes to every number alike, and only who can read it
learns that enough accounts have it. A wrong code is counted in the row before it is refused.
"""

import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any
from uuid import UUID

import structlog

from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.phone_codes import (
    ACCOUNTS_PER_PHONE,
    CODE_VALID,
    RESEND_AFTER,
    TRIES,
    PhoneRule,
    PhoneStep,
    new_code,
    number_range,
    typed_code,
)
from domain.sms_acceptance import price_item
from domain.sms_notices import SmsNotice
from domain.sms_numbers import Phone, read_phone
from domain.visitors import Visitor
from services.foundation import Foundation
from services.limits import Limit, Limits
from services.proof_of_work import ProofOfWork
from services.sessions import require_member
from store import accounts, audit_log, clockwork, registration
from store import phone_codes as rows
from store.accounts import Member
from store.columns import now
from store.db import Session
from store.sms_notices import send_sms_notice

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
PER_IP = (Limit("phone-code-ip", 20, HOUR), Limit("phone-code-ip-day", 60, DAY))
PER_OWNER = Limit("phone-code-owner", 10, DAY)
"""Of one registration or member, whatever numbers are typed."""
PER_NUMBER = (
    Limit("phone-code-minute", 1, RESEND_AFTER),
    Limit("phone-code-hour", 5, HOUR),
    Limit("phone-code-day", 10, DAY),
)
"""However many registrations name it (domain-rules §4.1)."""
PER_RANGE = Limit("phone-code-range", 20, HOUR)
PER_COUNTRY = (Limit("phone-code-country", 100, HOUR), Limit("phone-code-country-day", 500, DAY))
"""Of each country but mainland China: where pumped numbers are, since they pay for being called."""
AT_HOME = (Limit("phone-code-home", 2_000, HOUR),)
"""Of mainland China, from everywhere: what an hour of pumping can cost."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Owner:
    """A locked member, and the process that is told of what happens."""

    member: Member
    process: str | None = None


Opening = Callable[[Session], Awaitable[Owner]]


class PhoneCodes:
    def __init__(self, base: Foundation, limits: Limits, work: ProofOfWork) -> None:
        self._base = base
        self._limits = limits
        self._work = work

    async def offered(self) -> PhoneRule:
        """What pages show of it: `off` also while there is no carrier for an optional number."""
        rule = self._base.policy.registration_phone
        if rule is not PhoneRule.OPTIONAL:
            return rule
        async with self._base.db.read() as session:
            return rule if await rows.has_carrier(session) else PhoneRule.OFF

    def challenge(self) -> dict[str, object]:
        """What a browser computes before it may ask for a code."""
        return self._work.challenge()

    async def of_registration(self, handle: str) -> PhoneStep:
        """How far the number of a waiting registration is. Raises `registration_over`."""
        return await self._step(self._by_handle(handle))

    async def of_member(self, caller: Caller) -> PhoneStep:
        """The same for a signed-in member."""
        return await self._step(self._by_caller(caller))

    async def send(self, handle: str, written: str, proof: str, visitor: Visitor) -> PhoneStep:
        """Text a new code to this number (empty: the one that was given before), at most once a minute.

        The number counts from then on. Raises refusals of fields `phone` and `proof`, `too_many_requests`,
        `registration_over`, `phone_not_asked`, `phone_unavailable`.
        """
        return await self._send(self._by_handle(handle), written, proof, visitor)

    async def send_to_member(self, caller: Caller, written: str, proof: str, visitor: Visitor) -> PhoneStep:
        """The same for a member's own number; what stood there stays until the new one is confirmed."""
        return await self._send(self._by_caller(caller), written, proof, visitor)

    async def confirm(self, handle: str, typed: str) -> PhoneStep:
        """The code was typed. A second time answers the same.

        Raises `phone_code_malformed`, `phone_code_wrong`, `phone_code_over`, `phone_taken`, `registration_over`.
        """
        return await self._confirm(self._by_handle(handle), typed)

    async def confirm_of_member(self, caller: Caller, typed: str) -> PhoneStep:
        """The same for a signed-in member."""
        return await self._confirm(self._by_caller(caller), typed)

    async def remove(self, caller: Caller) -> None:
        """Take one's number off; a second time changes nothing."""
        async with self._base.db.begin() as session:
            member = (await self._by_caller(caller)(session)).member
            if member.phone:
                await _noted(session, "phone.removed", member)
            await rows.forget(session, member)

    def _by_handle(self, handle: str) -> Opening:
        async def opened(session: Session) -> Owner:
            held = await registration.case_of_handle(session, self._base.vault.digest(handle))
            if held is None:
                raise Refusal("registration_over")
            return Owner(held.member, workflow_id(Kind.REGISTRATION, held.account.id))

        return opened

    def _by_caller(self, caller: Caller) -> Opening:
        async def opened(session: Session) -> Owner:
            member = await accounts.member(session, caller.account_id, require_member(caller), lock=True)
            if member is None:
                raise Refusal("unauthenticated")
            return Owner(member)

        return opened

    async def _step(self, opening: Opening) -> PhoneStep:
        async with self._base.db.begin() as session:
            member = (await opening(session)).member
            return rows.step(member, await rows.of_member(session, member.id))

    async def _send(self, opening: Opening, written: str, proof: str, visitor: Visitor) -> PhoneStep:
        phone = read_phone(written) if written.strip() else None
        if self._base.policy.registration_phone is PhoneRule.OFF:
            raise Refusal("phone_not_asked")
        solved = self._work.checked(proof)
        code, send_id, at = new_code(), new_id(), now()
        async with self._base.db.begin() as session:
            owner = await opening(session)
            row = await rows.of_member(session, owner.member.id, lock=True)
            phone = phone or _given(row)
            if owner.member.phone == phone.e164:
                return rows.step(owner.member, row)
            await self._allow(session, owner.member, row, phone, visitor)
            await self._work.spend(session, solved)
            row = row or rows.want(owner.member, phone.e164)
            before = row.model_dump()
            session.add(row)
            rows.note_sent(row, phone.e164, send_id, self._digest(owner.member, phone.e164, send_id, code), at)
            await _tell(session, owner)
        await self._work.sweep()
        try:
            await self._deliver(phone, code, send_id)
        except Refusal:
            await self._take_back(before, send_id)
            raise
        return rows.step(owner.member, row)

    async def _take_back(self, before: dict[str, Any], send_id: UUID) -> None:
        """No SMS went out: the code before is the one that counts, unless another was asked for meanwhile."""
        async with self._base.db.begin() as session:
            row = await rows.of_member(session, before["member_id"], lock=True)
            if row is not None and row.send_id == send_id:
                row.sqlmodel_update(before)

    async def _allow(
        self, session: Session, member: Member, row: rows.PhoneCode | None, phone: Phone, visitor: Visitor
    ) -> None:
        """Count it against every limit, or refuse and count nothing."""
        if not await rows.has_carrier(session):
            raise Refusal("phone_unavailable")
        if not (phone.is_domestic or await rows.is_sold(session, price_item(phone.country), now())):
            raise Refusal("phone_country", field="phone", country=phone.country)
        wait = rows.step(member, row).wait_seconds(now())
        if wait:
            raise Refusal("too_many_requests", seconds=wait)
        counted = [(limit, visitor.place) for limit in PER_IP] + [(PER_OWNER, str(member.id))]
        counted += [(limit, phone.e164) for limit in PER_NUMBER] + [(PER_RANGE, number_range(phone.e164))]
        for limit, subject in counted:
            await self._limits.take_in(session, limit, subject)
        await self._allow_country(session, phone)

    async def _allow_country(self, session: Session, phone: Phone) -> None:
        """Last of all: everybody's requests wait for each other here. It is used up by pumping, or by a success."""
        for limit in AT_HOME if phone.is_domestic else PER_COUNTRY:
            try:
                await self._limits.take_in(session, limit, phone.country)
            except Refusal:
                log.warning("phone_codes_used_up", country=phone.country, limit=limit.name)
                raise

    def _digest(self, member: Member, phone: str, send_id: UUID, code: str) -> bytes:
        return self._base.vault.digest(f"phone-code/{member.id}/{phone}/{send_id}/{code}")

    async def _deliver(self, phone: Phone, code: str, send_id: UUID) -> None:
        """Through the platform's own account. Chinese to mainland China, whose carriers know the signature."""
        language = "zh" if phone.is_domestic else "en"
        values = {"code": code, "minutes": str(CODE_VALID.seconds // 60)}
        notice, key = SmsNotice.REGISTRATION_CODE, f"phone-code/{send_id}"
        try:
            await send_sms_notice(self._base.db, notice, phone.e164, language, values, key)
        except Refusal as refusal:
            if refusal.code.startswith("sms_too_often"):
                raise Refusal("too_many_requests", seconds=round(RESEND_AFTER.total_seconds())) from None
            log.warning("phone_code_not_sent", code=refusal.code)
            raise Refusal("phone_unavailable") from None

    async def _confirm(self, opening: Opening, typed: str) -> PhoneStep:
        code = typed_code(typed)
        async with self._base.db.begin() as session:  # committed before a refusal: a wrong try is a row's fact
            owner = await opening(session)
            row = await rows.of_member(session, owner.member.id, lock=True)
            refusal = await self._tried(session, owner, row, code)
        if refusal:
            raise refusal
        return rows.step(owner.member, row)

    async def _tried(self, session: Session, owner: Owner, row: rows.PhoneCode | None, code: str) -> Refusal | None:
        member = owner.member
        if row and row.phone and row.phone == member.phone and row.digest is None:
            return None  # it was typed before
        if row is None or not row.digest or not row.send_id or not row.expires_at or row.expires_at <= now():
            return Refusal("phone_code_over", field="code")
        if not compare_digest(row.digest, self._digest(member, row.phone, row.send_id, code)):
            return _wrong(row)
        if not await rows.confirm(session, member, row, now()):
            row.digest = None
            return Refusal("phone_taken", field="phone", limit=ACCOUNTS_PER_PHONE)
        await _noted(session, "phone.confirmed", member)
        await _tell(session, owner)
        return None


def _wrong(row: rows.PhoneCode) -> Refusal:
    row.tries += 1
    if row.tries >= TRIES:
        row.digest = None
        return Refusal("phone_code_over", field="code")
    return Refusal("phone_code_wrong", field="code", left=TRIES - row.tries)


def _given(row: rows.PhoneCode | None) -> Phone:
    """The number of the form."""
    if row is None or not row.phone:
        raise Refusal("phone_missing", field="phone")
    return read_phone(row.phone)


async def _tell(session: Session, owner: Owner) -> None:
    if owner.process:
        await clockwork.want_nudge(session, owner.process)


async def _noted(session: Session, action: str, member: Member) -> None:
    await audit_log.note(session, f"member/{member.id}", action, f"member/{member.id}", member.account_id)
