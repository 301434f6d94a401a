"""Signatures of SMS: the name in 【】 that every text begins or ends with, and its review."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, text
from sqlmodel import Field, SQLModel, col, delete, func, select, update

from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.reviews import Decision, DecisionResult, ReviewState, Ruling
from domain.working_time import Due
from store import audit_log, clockwork
from store.columns import moment, now
from store.db import Session


class SmsSignature(SQLModel, table=True):
    """Its text is fixed while it is under review and for good once it is approved; another text is another one."""

    __tablename__ = "sms_signature"
    __table_args__ = (
        Index(
            "sms_signature_text",
            "account_id",
            "market",
            "text",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("sms_signature_waiting", "due_at", postgresql_where=text("state = 'submitted'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(start=1001), unique=True))
    """SendCloud's signId."""
    account_id: UUID = Field(foreign_key="account.id")
    text: str
    """Without the brackets."""
    market: str
    """`domain.sms.Market`."""
    source: str
    """What it stands for: company, website, app, trademark …"""
    note: str = ""
    """The customer's words to the reviewer."""
    paper_id: UUID | None = None
    """The proof: a `SmsPaper`."""
    is_builtin: bool = False
    """The platform's own, for test sends."""
    state: str = ReviewState.DRAFT.value
    review_id: UUID | None = Field(default=None, unique=True)
    """Of its latest submission: the subject of that review's process."""
    row_version: int = 1
    created_at: dt.datetime = moment(default_factory=now)
    submitted_at: dt.datetime | None = moment(default=None)
    due_at: dt.datetime | None = moment(default=None)
    due_provisional: bool = False
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str | None = None
    reason: str | None = None
    """Of the latest decision; it stays while the signature is under review again."""
    deleted_at: dt.datetime | None = moment(default=None)


class SmsPaper(SQLModel, table=True):
    """A proof of a signature; its bytes are in the store of papers under `storage_key`."""

    __tablename__ = "sms_paper"
    __table_args__ = (Index("sms_paper_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    signature_id: UUID = Field(foreign_key="sms_signature.id", index=True)
    storage_key: str
    media_type: str
    size: int
    created_at: dt.datetime = moment(default_factory=now)
    deleted_at: dt.datetime | None = moment(default=None)
    """Set from before its bytes are there until they are, and again when it goes."""


_BIGGEST = 2**63 - 1


async def find(session: Session, account: UUID, ref: str, *, lock: str = "") -> SmsSignature | None:
    """By number or UUID. `lock`: `share` while a template comes to use it, `update` while it changes."""
    named = select(SmsSignature).where(col(SmsSignature.account_id) == account, col(SmsSignature.deleted_at).is_(None))
    if ref.isascii() and ref.isdigit():
        if int(ref[:40]) > _BIGGEST:
            return None
        named = named.where(SmsSignature.number == int(ref))
    elif identifier := _uuid(ref):
        named = named.where(SmsSignature.id == identifier)
    else:
        return None
    return (await session.exec(named.with_for_update(read=lock == "share") if lock else named)).one_or_none()


def _uuid(ref: str) -> UUID | None:
    try:
        return UUID(ref)
    except ValueError:
        return None


async def by_text(session: Session, account: UUID, name: str, market: str | None = None) -> SmsSignature | None:
    """The account's signature of this text, of one market or, first, of mainland China."""
    if "\x00" in name:
        return None
    query = select(SmsSignature).where(
        col(SmsSignature.account_id) == account,
        col(SmsSignature.text) == name.encode(errors="replace").decode(),
        col(SmsSignature.deleted_at).is_(None),
    )
    if market is not None:
        query = query.where(col(SmsSignature.market) == market)
    return (await session.exec(query.order_by(col(SmsSignature.market)))).first()


async def count(session: Session, account: UUID) -> int:
    """How many signatures an account has."""
    query = select(func.count()).where(col(SmsSignature.account_id) == account, col(SmsSignature.deleted_at).is_(None))
    return (await session.exec(query)).one()


@dataclass(frozen=True)
class Wanted:
    """What a list shows; `before` is the last signature of the page before."""

    states: tuple[str, ...] = ()
    market: str | None = None
    before: UUID | None = None


async def page(session: Session, account: UUID, wanted: Wanted, limit: int) -> list[SmsSignature]:
    """Newest first."""
    query = select(SmsSignature).where(col(SmsSignature.account_id) == account, col(SmsSignature.deleted_at).is_(None))
    if wanted.states:
        query = query.where(col(SmsSignature.state).in_(wanted.states))
    if wanted.market:
        query = query.where(col(SmsSignature.market) == wanted.market)
    if wanted.before:
        query = query.where(col(SmsSignature.id) < wanted.before)
    return list(await session.exec(query.order_by(col(SmsSignature.id).desc()).limit(limit)))


async def under_review(session: Session, review_id: UUID) -> SmsSignature | None:
    """The signature whose latest submission this is."""
    return (await session.exec(select(SmsSignature).where(col(SmsSignature.review_id) == review_id))).one_or_none()


async def submit(session: Session, row: SmsSignature, at: dt.datetime, due: Due) -> str:
    """To review, to be decided by `due`, in a process of this submission's own; returns its workflow id. `row` is
    locked."""
    row.review_id = new_id()
    row.state, row.submitted_at, row.row_version = ReviewState.SUBMITTED.value, at, row.row_version + 1
    row.due_at, row.due_provisional = due.at, due.provisional
    row.decided_at = row.decided_by = None
    return await clockwork.enlist(session, Kind.SMS_SIGNATURE_REVIEW, row.review_id, row.account_id)


async def set_due(session: Session, review_id: UUID, due: Due) -> None:
    """Promise the decision by then; a promise is not changed."""
    unset = update(SmsSignature).where(col(SmsSignature.review_id) == review_id, col(SmsSignature.due_at).is_(None))
    await session.exec(unset.values(due_at=due.at, due_provisional=due.provisional))


async def withdraw(session: Session, row: SmsSignature) -> bool:
    """Take it back from review; False when it was decided before. `row` is locked."""
    if row.state != ReviewState.SUBMITTED or row.review_id is None:
        return False
    row.state, row.row_version = ReviewState.WITHDRAWN.value, row.row_version + 1
    await clockwork.want_nudge(session, workflow_id(Kind.SMS_SIGNATURE_REVIEW, row.review_id))
    return True


async def decide(session: Session, review_id: UUID, ruling: Ruling, at: dt.datetime) -> DecisionResult:
    """One compare-and-set, as for templates. Raises `Refusal("not_found")` for an unknown review."""
    state = ReviewState.APPROVED if ruling.decision is Decision.APPROVE else ReviewState.REJECTED
    changes: dict[str, Any] = {"state": state.value, "decided_at": at, "decided_by": ruling.actor}
    moved = (
        update(SmsSignature)
        .where(col(SmsSignature.review_id) == review_id, col(SmsSignature.state) == ReviewState.SUBMITTED.value)
        .values(row_version=SmsSignature.row_version + 1, reason=ruling.reason or None, **changes)
        .returning(col(SmsSignature.id))
    )
    if ruling.row_version:
        moved = moved.where(col(SmsSignature.row_version) == ruling.row_version)
    counted = (await session.exec(moved)).scalar_one_or_none()
    named = select(SmsSignature).where(col(SmsSignature.review_id) == review_id)
    row = (await session.exec(named, execution_options={"populate_existing": True})).one_or_none()
    if row is None:
        raise Refusal("not_found", what="SMS signature")
    if counted is None:
        return DecisionResult(False, ReviewState(row.state), standing(row, ruling))
    action = f"sms_signature.{ruling.decision.value}"
    await audit_log.note(session, ruling.actor, action, f"sms-signature/{row.id}", row.account_id)
    await clockwork.want_nudge(session, workflow_id(Kind.SMS_SIGNATURE_REVIEW, review_id))
    return DecisionResult(True, state, f"The signature is {state.value}.")


class Decided(Protocol):
    """What was under review."""

    state: str
    row_version: int
    decided_by: str | None


def standing(row: Decided, ruling: Ruling) -> str:
    """Why a decision did not count."""
    if row.state == ReviewState.SUBMITTED:
        return f"Not counted: row version {ruling.row_version} was seen, {row.row_version} is current. Look again."
    by = f" by {row.decided_by}" if row.decided_by else ""
    return f"Not counted: it is {row.state}{by} already."


async def paper(session: Session, account: UUID | None, paper_id: UUID) -> SmsPaper | None:
    """A proof that is there; of one account, or for an operator (None) of any."""
    query = select(SmsPaper).where(col(SmsPaper.id) == paper_id, col(SmsPaper.deleted_at).is_(None))
    if account is not None:
        query = query.where(col(SmsPaper.account_id) == account)
    return (await session.exec(query)).one_or_none()


async def leftovers(session: Session, before: dt.datetime, limit: int = 20) -> list[SmsPaper]:
    """Proofs that were deleted, or never finished, before then, and whose bytes may be there still."""
    query = select(SmsPaper).where(col(SmsPaper.deleted_at) < before).order_by(col(SmsPaper.deleted_at)).limit(limit)
    return list(await session.exec(query))


async def erase(session: Session, rows: Sequence[SmsPaper]) -> None:
    """Forget rows whose bytes are gone."""
    await session.exec(delete(SmsPaper).where(col(SmsPaper.id).in_([row.id for row in rows])))
