"""Registration: the form, the mail asked for again, the corrected address, the confirmed link.

Nothing here tells whether an address belongs to an account: every registration is a row of its own, the process
decides what to mail, and whoever reads the mailbox decides which registration counts.
"""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import RESENDS_PER_DAY
from domain.addresses import BadAddress, normalise_address
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.passwords import check_password
from domain.phone_codes import PhoneRule
from domain.registration import RESEND_AFTER, account_name
from domain.secrets import new_token
from domain.sms_numbers import read_phone
from domain.times import told
from domain.visitors import Visitor
from services.accounts import LANGUAGES
from services.foundation import Foundation
from services.hashing import Hashing
from services.limits import Limit, Limits
from store import accounts, clockwork, dead_addresses
from store import registration as rows
from store.columns import now

HANDLE_PREFIX = "rt_"
DAY = dt.timedelta(days=1)
PER_IP = Limit("register-ip", 60, dt.timedelta(hours=1))
MAILS_PER_ADDRESS = Limit("register-mail", 10, DAY)
"""However many registrations name it."""
MAILS_PER_CASE = Limit("register-again", RESENDS_PER_DAY, DAY)


@dataclass(frozen=True)
class Form:
    """What a person typed."""

    name: str
    email: str
    password: str
    language: str = "zh"
    phone: str = ""
    """As it was written; a code for it is asked for afterwards (`services.phone_codes`)."""


@dataclass(frozen=True)
class Registered:
    """`handle` (shown once) lets the same person send the mail again and correct the address."""

    account_id: UUID
    workflow_id: str
    handle: str
    expires_at: dt.datetime


@dataclass(frozen=True)
class Waiting:
    """A registration that waits for its mail to be answered."""

    account_id: UUID
    email: str
    workflow_id: str
    expires_at: dt.datetime
    mails: int


class Registrations:
    def __init__(self, base: Foundation, hashing: Hashing, limits: Limits) -> None:
        self._base = base
        self._hashing = hashing
        self._limits = limits

    async def register(self, form: Form, visitor: Visitor) -> Registered:
        """Begin: a pending account and the process that mails the link."""
        name, email = account_name(form.name), address_of(form.email)
        check_password(form.password, email)
        if form.language not in LANGUAGES:
            raise Refusal("invalid", field="language", reason="zh, en")
        phone = self._phone(form.phone)
        await self._limits.take((PER_IP, visitor.place), (MAILS_PER_ADDRESS, email))
        applicant = rows.Applicant(name, email, await self._hashing.make(form.password), form.language, phone)
        handle, at = new_token(HANDLE_PREFIX), now()
        async with self._base.db.begin() as session:
            account, process = await rows.begin(session, applicant, self._base.vault.digest(handle), at)
        await self._base.clockwork.start(process)
        return Registered(account, process, handle, at + rows.LINK_VALID)

    def _phone(self, written: str) -> str:
        """The number as rows have it; empty where none is given, or none is asked for."""
        rule = self._base.policy.registration_phone
        if rule is PhoneRule.OFF or (rule is PhoneRule.OPTIONAL and not written.strip()):
            return ""
        return read_phone(written).e164

    async def waiting(self, handle: str) -> Waiting:
        """What the page “check your mail” shows. Raises `registration_over`."""
        async with self._base.db.begin() as session:
            held = await rows.case_of_handle(session, self._base.vault.digest(handle))
        if held is None:
            raise Refusal("registration_over")
        return _waiting(held)

    async def resend(self, handle: str) -> Waiting:
        """One more mail, at most one a minute and `RESENDS_PER_DAY` a day.

        Raises `address_dead` while another would come back, too: its server says that there is no such mailbox.
        """
        at = now()
        async with self._base.db.begin() as session:
            held = await self._held(session, handle)
            dead = await dead_addresses.find(session, held.member.email)
            if dead is not None and dead.until > at:
                raise Refusal("address_dead", until=told(dead.until))
            wait = held.row.wanted_at + self._base.policy.scaled(RESEND_AFTER) - at
            if wait > dt.timedelta():
                raise Refusal("too_many_requests", seconds=max(1, round(wait.total_seconds())))
            await self._want(session, held, at)
        return _waiting(held)

    async def correct(self, handle: str, email: str) -> Waiting:
        """Another address for the same registration: links to the former one die, a mail goes to the new one."""
        address, at = address_of(email), now()
        async with self._base.db.begin() as session:
            held = await self._held(session, handle)
            await accounts.void_links(session, held.member.id, rows.CONFIRM, at)
            held.member.email = address
            await self._want(session, held, at)
        return _waiting(held)

    async def confirm(self, token: str) -> UUID:
        """The link was followed: the account is active. A second time answers the same. Raises `link_invalid`."""
        base = self._base
        async with base.db.begin() as session:
            account, process = await rows.confirm_by_link(
                session, base.vault.digest(token), base.vault, base.policy, now()
            )
        if process:
            await base.clockwork.start(process)
        return account

    async def new_handle(self, member: accounts.Member) -> str:
        """For a person who signs in before confirming: the way back to “check your mail”."""
        handle = new_token(HANDLE_PREFIX)
        async with self._base.db.begin() as session:
            held = await rows.case(session, member.account_id, lock=True)
            if held is None:
                raise Refusal("registration_over")
            held.row.handle = self._base.vault.digest(handle)
        return handle

    async def _held(self, session: rows.Session, handle: str) -> rows.Case:
        held = await rows.case_of_handle(session, self._base.vault.digest(handle))
        if held is None:
            raise Refusal("registration_over")
        return held

    async def _want(self, session: rows.Session, held: rows.Case, at: dt.datetime) -> None:
        await self._limits.take_in(session, MAILS_PER_CASE, str(held.account.id))
        await self._limits.take_in(session, MAILS_PER_ADDRESS, held.member.email)
        rows.want_mail(held.row, at)
        await clockwork.want_nudge(session, workflow_id(Kind.REGISTRATION, held.account.id))


def address_of(text: str, field: str = "email") -> str:
    """The address in its written form; raises `BadAddress` on this field."""
    try:
        return normalise_address(text)
    except BadAddress as bad:
        raise BadAddress(bad.code, field) from None


def _waiting(held: rows.Case) -> Waiting:
    process = workflow_id(Kind.REGISTRATION, held.account.id)
    return Waiting(held.account.id, held.member.email, process, held.row.expires_at, held.row.mails_wanted)
