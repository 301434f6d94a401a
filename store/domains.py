"""Sender domains and the state of their records."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Index, func, text
from sqlmodel import Field, SQLModel, col, or_, select, update

from domain.domain_records import Finding
from domain.domains import HOLDING, DomainState, ExpectedRecord, Purpose, RecordState
from domain.ids import Kind, new_id, workflow_id
from store.accounts import Account, Member
from store.clockwork import want_nudge
from store.columns import moment, now, text_list
from store.db import Session
from store.senders import ApiUser, ApiUserDomain


class SenderDomain(SQLModel, table=True):
    """`name` is lower-case ASCII (A-labels). Two accounts may claim one name; the ownership TXT decides."""

    __tablename__ = "sender_domain"
    __table_args__ = (
        Index("sender_domain_name", "account_id", "name", unique=True, postgresql_where=text("state <> 'deleted'")),
        Index("sender_domain_by_name", "name"),
        Index("sender_domain_holder", "name", unique=True, postgresql_where=text("state IN ('usable', 'broken')")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    name: str
    state: str = DomainState.PENDING.value
    is_test: bool = False
    ownership_token: str
    dkim_selector: str
    dkim_public: str
    """Base64 of the SubjectPublicKeyInfo (RFC 6376 §3.6.1, tag `p`)."""
    dkim_private: bytes
    """PKCS#8 PEM, encrypted at rest (`domain.secrets.Vault`)."""
    created_at: dt.datetime = moment(default_factory=now)
    usable_since: dt.datetime | None = moment(default=None)
    checked_at: dt.datetime | None = moment(default=None)
    next_check_at: dt.datetime | None = moment(default=None)
    checks: int = 0
    problem: str | None = None
    """Purpose of the needed record that keeps the domain from being usable."""
    suspected: bool = False
    """A fault of a usable domain was seen once; a second look confirms or dismisses it."""
    phase_since: dt.datetime = moment(default_factory=now)
    """When the present state began: the wait between looks grows from here."""
    phase_looks: int = 0
    """Looks since the state began or the customer asked for one."""
    announced: str = DomainState.PENDING.value
    """The state that the owner was last mailed about."""
    asked_at: dt.datetime | None = moment(default=None)
    """When the customer last pressed "check now"."""


class DomainRecord(SQLModel, table=True):
    """One record to publish, and what the last look found."""

    __tablename__ = "domain_record"
    domain_id: UUID = Field(foreign_key="sender_domain.id", primary_key=True)
    purpose: str = Field(primary_key=True)
    name: str
    type: str
    expected: str
    found: list[str] = text_list(default_factory=list)
    state: str = RecordState.UNCHECKED.value
    hint: str = ""
    """Why the record is wrong (`domain.domain_records.Hint`)."""
    checked_at: dt.datetime | None = moment(default=None)


async def add_with_records(session: Session, row: SenderDomain, expected: Sequence[ExpectedRecord]) -> None:
    """Insert a domain and the records it has to publish."""
    session.add(row)
    await session.flush()
    for record in expected:
        session.add(
            DomainRecord(
                domain_id=row.id, purpose=record.purpose, name=record.name, type=record.type, expected=record.value
            )
        )


async def page(session: Session, account: UUID, after: UUID | None, limit: int) -> list[SenderDomain]:
    """An account's domains, newest first, older than `after`."""
    query = select(SenderDomain).where(_live(account)).order_by(col(SenderDomain.id).desc()).limit(limit)
    if after is not None:
        query = query.where(col(SenderDomain.id) < after)
    return list((await session.exec(query)).all())


async def find(session: Session, account: UUID, domain_id: UUID, *, lock: bool = False) -> SenderDomain | None:
    """One live domain of the account, locked on request."""
    query = select(SenderDomain).where(_live(account), col(SenderDomain.id) == domain_id)
    return (await session.exec(query.with_for_update() if lock else query)).one_or_none()


async def find_by_name(session: Session, account: UUID, name: str) -> SenderDomain | None:
    """The account's live domain of this name."""
    query = select(SenderDomain).where(_live(account), col(SenderDomain.name) == name)
    return (await session.exec(query)).one_or_none()


async def by_ids(session: Session, ids: Sequence[UUID]) -> list[SenderDomain]:
    """Some domains; the caller knows that it may see them."""
    query = select(SenderDomain).where(col(SenderDomain.id).in_(ids)).order_by(SenderDomain.name)
    return list((await session.exec(query)).all())


async def is_held(session: Session, name: str) -> bool:
    """Whether some account has proved that this name is its own."""
    query = select(SenderDomain.id).where(col(SenderDomain.name) == name, col(SenderDomain.state).in_(HOLDING))
    return (await session.exec(query.limit(1))).first() is not None


async def count(session: Session, account: UUID) -> int:
    """The account's live domains, without the test domain."""
    query = select(func.count()).select_from(SenderDomain).where(_live(account), col(SenderDomain.is_test).is_(False))
    return (await session.exec(query)).one()


async def records(session: Session, domain_id: UUID) -> list[DomainRecord]:
    """The records of a domain; the caller knows that it may see them."""
    return list((await session.exec(select(DomainRecord).where(col(DomainRecord.domain_id) == domain_id))).all())


async def bound_names(session: Session, domain_id: UUID) -> list[str]:
    """The names of enabled API users that are bound to a domain."""
    query = (
        select(ApiUser.name)
        .join(ApiUserDomain, col(ApiUserDomain.api_user_id) == col(ApiUser.id))
        .where(col(ApiUserDomain.domain_id) == domain_id, col(ApiUser.disabled_at).is_(None))
        .order_by(ApiUser.name)
    )
    return list((await session.exec(query)).all())


async def ask_for_check(session: Session, domain_id: UUID, at: dt.datetime, since: dt.datetime) -> bool:
    """Note that the customer wants a look; False when the last wish is younger than `since`."""
    asked = await session.exec(
        update(SenderDomain)
        .where(
            col(SenderDomain.id) == domain_id,
            or_(col(SenderDomain.asked_at).is_(None), col(SenderDomain.asked_at) <= since),
        )
        .values(asked_at=at)
        .returning(col(SenderDomain.id))
    )
    return asked.scalar_one_or_none() is not None


async def lock_claimants(session: Session, name: str) -> list[SenderDomain]:
    """Every live domain of this name, of whatever account, locked in one order: looks at one name take turns."""
    query = (
        select(SenderDomain)
        .where(col(SenderDomain.name) == name, col(SenderDomain.state) != DomainState.DELETED)
        .order_by(col(SenderDomain.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list((await session.exec(query)).all())


async def hand_over(session: Session, former: SenderDomain, at: dt.datetime) -> None:
    """Take the name from the domain that holds it: its token is gone and another account's is published."""
    former.state, former.problem, former.suspected = DomainState.LOST.value, Purpose.OWNERSHIP.value, False
    former.phase_since, former.phase_looks, former.usable_since = at, 0, None
    await session.flush()  # the name has one holder at any moment, by a unique index
    await want_nudge(session, workflow_id(Kind.DOMAIN, former.id))
    await want_nudge(session, workflow_id(Kind.ONBOARDING, former.account_id))


async def write_findings(session: Session, domain_id: UUID, findings: Sequence[Finding], at: dt.datetime) -> None:
    """Keep what a look found."""
    for finding in findings:
        await session.exec(
            update(DomainRecord)
            .where(col(DomainRecord.domain_id) == domain_id, col(DomainRecord.purpose) == finding.purpose.value)
            .values(found=list(finding.found), state=finding.state.value, hint=finding.hint.value, checked_at=at)
        )


async def note_announced(session: Session, domain_id: UUID, state: str) -> None:
    """Remember that the owner was mailed about this state."""
    await session.exec(update(SenderDomain).where(col(SenderDomain.id) == domain_id).values(announced=state))


async def owner_of(session: Session, account: UUID) -> tuple[str, str] | None:
    """(confirmed e-mail address, language) of the account's owner, for notices."""
    query = (
        select(Member.email, Account.language)
        .join(Account, col(Account.id) == col(Member.account_id))
        .where(
            col(Account.id) == account,
            col(Member.role) == "owner",
            col(Member.email_confirmed_at).is_not(None),
        )
        .order_by(col(Member.created_at))
        .limit(1)
    )
    return (await session.exec(query)).one_or_none()


def _live(account: UUID) -> ColumnElement[bool]:
    return (col(SenderDomain.account_id) == account) & (col(SenderDomain.state) != DomainState.DELETED)
