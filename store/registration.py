"""From the form to a confirmed address: what the doors, the process and an operator do to the rows."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from domain.accounts import AccountState
from domain.errors import Refusal
from domain.ids import Kind
from domain.phone_codes import PhoneRule
from domain.policy import Policy
from domain.registration import LINK_VALID, RegistrationState
from domain.secrets import Vault
from store import accounts, audit_log, clockwork, onboarding, phone_codes, starter_kit
from store.accounts import Account, LinkToken, Member, Registration
from store.db import Session

CONFIRM = "confirm"


@dataclass(frozen=True)
class Applicant:
    """What the form said, checked."""

    name: str
    email: str
    password_hash: str
    language: str
    phone: str = ""
    """E.164, to be proved by a code; empty when none was given."""


@dataclass(frozen=True)
class Case:
    """The three rows of one registration."""

    account: Account
    member: Member
    row: Registration


STATES = {
    AccountState.PENDING: RegistrationState.WAITING,
    AccountState.ACTIVE: RegistrationState.CONFIRMED,
    AccountState.EXPIRED: RegistrationState.EXPIRED,
    AccountState.CLOSED: RegistrationState.GONE,
}


async def begin(session: Session, applicant: Applicant, handle: bytes, at: dt.datetime) -> tuple[UUID, str]:
    """A pending account with its member; returns its id and the workflow id of its process."""
    account = Account(name=applicant.name, language=applicant.language)
    session.add(account)
    await session.flush()
    member = Member(account_id=account.id, email=applicant.email, password_hash=applicant.password_hash)
    session.add(member)
    await session.flush()
    session.add(
        Registration(
            account_id=account.id, member_id=member.id, handle=handle, wanted_at=at, expires_at=at + LINK_VALID
        )
    )
    if applicant.phone:
        session.add(phone_codes.want(member, applicant.phone))
    return account.id, await clockwork.enlist(session, Kind.REGISTRATION, account.id, account.id)


async def case(session: Session, account_id: UUID, *, lock: bool = False) -> Case | None:
    """The rows of a registration; `lock` makes its changes wait for each other."""
    account = await accounts.account(session, account_id, lock=lock)
    row = await session.get(Registration, account_id, with_for_update=lock)
    if account is None or row is None:
        return None
    member = await accounts.member(session, account_id, row.member_id, lock=lock)
    return Case(account, member, row) if member else None


async def case_of_handle(session: Session, handle: bytes) -> Case | None:
    """The waiting registration whose form gave out this handle, locked."""
    found = (await session.exec(select(Registration).where(col(Registration.handle) == handle))).one_or_none()
    if found is None:
        return None
    held = await case(session, found.account_id, lock=True)
    return held if held and held.account.state == AccountState.PENDING else None


def want_mail(row: Registration, at: dt.datetime) -> None:
    """One more confirmation mail; its link is valid from now."""
    row.mails_wanted += 1
    row.wanted_at = at
    row.expires_at = at + LINK_VALID


async def confirm_by_link(
    session: Session, digest: bytes, vault: Vault, policy: Policy, at: dt.datetime
) -> tuple[UUID, str | None]:
    """(account, workflow id to start): the one who has the link reads the mailbox. A second time changes nothing."""
    link = await accounts.link(session, digest, CONFIRM)
    held = await case_of_link(session, link)
    if link is None or held is None:
        raise Refusal("link_invalid", field="token")
    if held.account.state == AccountState.ACTIVE and link.used_at is not None:
        return held.account.id, None
    current = link.email == held.member.email and link.expires_at > at
    if held.account.state != AccountState.PENDING or not current:
        raise Refusal("link_invalid", field="token")
    if policy.registration_phone is PhoneRule.REQUIRED and held.member.phone is None:
        raise Refusal("phone_first", field="phone")
    link.used_at = at
    return held.account.id, await activate(session, held, "link", vault, policy, at)


async def case_of_link(session: Session, link: LinkToken | None) -> Case | None:
    """The registration that a confirmation link belongs to, locked."""
    if link is None:
        return None
    query = select(Registration.account_id).where(col(Registration.member_id) == link.member_id)
    account_id = (await session.exec(query)).one_or_none()
    held = await case(session, account_id, lock=True) if account_id else None
    await session.refresh(link)  # another click may have used it while we waited for the lock
    return held


async def activate(session: Session, held: Case, by: str, vault: Vault, policy: Policy, at: dt.datetime) -> str:
    """Make a waiting (locked) registration an account: member confirmed, starter kit, onboarding.

    Returns the onboarding's workflow id. Raises `Refusal` when the address belongs to a confirmed member by now.
    """
    held.member.email_confirmed_at = at
    try:
        async with session.begin_nested():
            await session.flush()
    except IntegrityError as error:
        raise Refusal("address_in_use", field="email") from error
    held.account.state = AccountState.ACTIVE.value
    held.account.confirmed_at, held.account.confirmed_by = at, by
    await starter_kit.grant(session, held.account.id, held.account.language, vault, policy)
    actor = f"member/{held.member.id}" if by == "link" else by
    await audit_log.note(session, actor, "registration.confirmed", f"account/{held.account.id}", held.account.id)
    await clockwork.want_nudge(session, clockwork.workflow_id(Kind.REGISTRATION, held.account.id))
    return await onboarding.begin(session, held.account.id)
