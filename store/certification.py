"""Certifications and what was handed in with them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Index, delete, text
from sqlmodel import Field, SQLModel, col, func, select, update

from domain.certification import CertificationKind, CertificationState, Held, check_objections, holds
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.reviews import Decision, DecisionResult, ReviewState, Ruling
from domain.times import business_day
from domain.working_time import Due
from store import audit_log, clockwork
from store.columns import json_object, moment, now
from store.db import Session


class Certification(SQLModel, table=True):
    """One application. A rejected one is corrected in a new row, which keeps the parts that were not objected to."""

    __tablename__ = "certification"
    __table_args__ = (
        Index("certification_one_draft", "account_id", unique=True, postgresql_where=text("state = 'draft'")),
        Index("certification_one_submitted", "account_id", unique=True, postgresql_where=text("state = 'submitted'")),
        Index("certification_account", "account_id", "created_at"),
        Index("certification_waiting", "due_at", postgresql_where=text("state = 'submitted'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    kind: str
    number: int = 1
    """1, 2, … within the account."""
    corrects: UUID | None = None
    """The rejected application that this one corrects."""
    details: bytes = b""
    """JSON of the typed parts, sealed for `certification/<id>`: names and numbers of people."""
    exception: bool = False
    """Without a website: support decides."""
    valid_until: dt.date | None = Field(default=None, sa_type=Date)
    state: str = CertificationState.DRAFT.value
    row_version: int = 1
    """Raised by each change of state: what `decide` compares."""
    created_at: dt.datetime = moment(default_factory=now)
    created_by: UUID | None = None
    submitted_at: dt.datetime | None = moment(default=None)
    due_at: dt.datetime | None = moment(default=None)
    due_provisional: bool = False
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str | None = None
    reason: str | None = None
    """Of the decision; of a revoked one, why it was taken back."""
    part_reasons: dict[str, str] = json_object(default_factory=dict)
    """`Part` to what is wrong with it."""
    revoked_at: dt.datetime | None = moment(default=None)
    """Beside `decided_at`, which stays: the decision was in time, or not, whatever became of it."""
    revoked_by: str | None = None


class Document(SQLModel, table=True):
    """A file behind a certification's part. The bytes are in the document store, sealed, under `storage_key`."""

    __tablename__ = "document"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    certification_id: UUID = Field(foreign_key="certification.id", index=True)
    part: str
    storage_key: str
    """Random; says nothing of its owner."""
    media_type: str
    size: int
    sha256: bytes
    created_at: dt.datetime = moment(default_factory=now)
    deleted_at: dt.datetime | None = moment(default=None)
    """Set while the bytes are not there yet, and again before they are deleted: no file is without a row."""


REVIEW_STATES = {
    CertificationState.DRAFT: ReviewState.DRAFT,
    CertificationState.SUBMITTED: ReviewState.SUBMITTED,
    CertificationState.APPROVED: ReviewState.APPROVED,
    CertificationState.REVOKED: ReviewState.APPROVED,
    CertificationState.REJECTED: ReviewState.REJECTED,
    CertificationState.WITHDRAWN: ReviewState.WITHDRAWN,
}
"""What the review came to; what became of an approval later is no matter of the review."""


async def find(session: Session, account: UUID, certification_id: UUID, *, lock: bool = False) -> Certification | None:
    """One application of an account. `lock` keeps its other changes waiting until the transaction ends."""
    query = select(Certification).where(
        col(Certification.id) == certification_id, col(Certification.account_id) == account
    )
    return (await session.exec(query.with_for_update() if lock else query)).one_or_none()


async def in_state(session: Session, account: UUID, *states: CertificationState) -> list[Certification]:
    """The account's applications in these states, newest first."""
    query = select(Certification).where(
        col(Certification.account_id) == account, col(Certification.state).in_([state.value for state in states])
    )
    return list(await session.exec(query.order_by(col(Certification.number).desc())))


async def page(session: Session, account: UUID, before: UUID | None, limit: int) -> list[Certification]:
    """Applications of an account, newest first."""
    query = select(Certification).where(col(Certification.account_id) == account)
    if before:
        query = query.where(col(Certification.id) < before)
    return list(await session.exec(query.order_by(col(Certification.id).desc()).limit(limit)))


async def next_number(session: Session, account: UUID) -> int:
    """1 for the first application. Takes the account's lock, so that two of a moment come one after the other."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"certification/{account}", 0))))
    top = select(func.max(Certification.number)).where(col(Certification.account_id) == account)
    return ((await session.exec(top)).one() or 0) + 1


async def held(session: Session, account: UUID, today: dt.date) -> list[Held]:
    """What the account's approvals give on this day (Asia/Shanghai)."""
    return [_held(row) for row in await in_force(session, account, today)]


async def in_force(session: Session, account: UUID, today: dt.date) -> list[Certification]:
    """The approvals that count on this day (Asia/Shanghai)."""
    approved = await in_state(session, account, CertificationState.APPROVED)
    return [row for row in approved if holds(_held(row), today)]


def _held(row: Certification) -> Held:
    return Held(CertificationKind(row.kind), row.valid_until)


async def documents(session: Session, *certifications: UUID) -> list[Document]:
    """What is there of the papers of these applications, oldest first."""
    query = select(Document).where(
        col(Document.certification_id).in_(list(certifications)), col(Document.deleted_at).is_(None)
    )
    return list(await session.exec(query.order_by(col(Document.id))))


async def document(session: Session, document_id: UUID) -> Document | None:
    """One paper, unless it is deleted."""
    row = await session.get(Document, document_id)
    return row if row is not None and row.deleted_at is None else None


async def leftovers(session: Session, before: dt.datetime, limit: int = 20) -> list[Document]:
    """Papers that were deleted, or never finished, before then, and whose bytes may be there still."""
    query = select(Document).where(col(Document.deleted_at) < before).order_by(col(Document.deleted_at)).limit(limit)
    return list(await session.exec(query))


async def is_shared(session: Session, row: Document) -> bool:
    """Whether another application keeps the same file."""
    others = select(Document.id).where(
        col(Document.storage_key) == row.storage_key, col(Document.id) != row.id, col(Document.deleted_at).is_(None)
    )
    return (await session.exec(others.limit(1))).first() is not None


async def erase(session: Session, rows: Sequence[Document]) -> None:
    """Forget rows whose bytes are gone."""
    await session.exec(delete(Document).where(col(Document.id).in_([row.id for row in rows])))


async def _move(
    session: Session, certification_id: UUID, before: CertificationState, row_version: int, changes: dict[str, Any]
) -> bool:
    """Compare and set: change a row that is still in `before` (and, unless 0, has this row version)."""
    moved = (
        update(Certification)
        .where(col(Certification.id) == certification_id, col(Certification.state) == before.value)
        .values(row_version=Certification.row_version + 1, **changes)
        .returning(col(Certification.id))
    )
    if row_version:
        moved = moved.where(col(Certification.row_version) == row_version)
    return (await session.exec(moved)).one_or_none() is not None


async def submit(session: Session, row: Certification, at: dt.datetime, due: Due | None = None) -> str:
    """A draft goes to review, to be decided by `due`; returns its process's workflow id.

    Raises `Refusal` when it is no draft any more. Without `due` the process promises a time at its first look.
    """
    changes: dict[str, Any] = {"state": CertificationState.SUBMITTED.value, "submitted_at": at}
    if due is not None:
        changes |= {"due_at": due.at, "due_provisional": due.provisional}
    if not await _move(session, row.id, CertificationState.DRAFT, row.row_version, changes):
        raise Refusal("certification_not_draft", state=row.state)
    await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, row.account_id))
    return await clockwork.enlist(session, Kind.CERTIFICATION_REVIEW, row.id, row.account_id)


async def set_due(session: Session, certification_id: UUID, due: Due) -> None:
    """Promise the decision by then; a promise is not changed."""
    unset = update(Certification).where(col(Certification.id) == certification_id, col(Certification.due_at).is_(None))
    await session.exec(unset.values(due_at=due.at, due_provisional=due.provisional))


async def withdraw(session: Session, row: Certification) -> bool:
    """Take an application back, draft or submitted; False when it was decided before."""
    changes = {"state": CertificationState.WITHDRAWN.value}
    moved = await _move(session, row.id, CertificationState(row.state), row.row_version, changes)
    for process, subject in ((Kind.CERTIFICATION_REVIEW, row.id), (Kind.ONBOARDING, row.account_id)):
        await clockwork.want_nudge(session, workflow_id(process, subject))
    return moved


async def decide(session: Session, certification_id: UUID, ruling: Ruling, at: dt.datetime) -> DecisionResult:
    """One compare-and-set: of several deciders exactly one wins, and the others are told what stands.

    Raises `Refusal`: `not_found` for an unknown application, and for a part that it does not have.
    """
    row = await session.get(Certification, certification_id, populate_existing=True)
    if row is None:
        raise Refusal("not_found", what="certification")
    parts = check_objections(CertificationKind(row.kind), ruling.parts)
    if row.state == CertificationState.SUBMITTED and (why := _undecidable(row, ruling, at)):
        return DecisionResult(False, ReviewState.SUBMITTED, why)
    approved = ruling.decision is Decision.APPROVE
    state = CertificationState.APPROVED if approved else CertificationState.REJECTED
    changes = {
        "state": state.value, "decided_at": at, "decided_by": ruling.actor, "reason": ruling.reason or None,
        "part_reasons": {} if approved else parts,
    }  # fmt: skip
    if not await _move(session, row.id, CertificationState.SUBMITTED, ruling.row_version, changes):
        await session.refresh(row)
        return DecisionResult(False, REVIEW_STATES[CertificationState(row.state)], _standing(row, ruling))
    await _noted(session, row, ruling.actor, ruling.decision.value)
    return DecisionResult(True, REVIEW_STATES[state], f"Application {row.number} is {state.value}.")


def _undecidable(row: Certification, ruling: Ruling, at: dt.datetime) -> str:
    """Why this decider, or this decision, cannot count on a waiting application."""
    if row.exception and not ruling.actor.startswith("operator/"):
        return "Not counted: without a website, an operator who is signed in at the console has to decide (support)."
    expired = row.valid_until is not None and row.valid_until < business_day(at)
    if ruling.decision is Decision.APPROVE and expired:
        return f"Not counted: the document expired on {row.valid_until}. Reject it, and say so."
    return ""


def _standing(row: Certification, ruling: Ruling) -> str:
    if row.state == CertificationState.SUBMITTED:
        return f"Not counted: row version {ruling.row_version} was seen, {row.row_version} is current. Look again."
    who = row.revoked_by or row.decided_by
    by = f" by {who}" if who else ""
    return f"Not counted: application {row.number} is {row.state}{by} already."


async def revoke(session: Session, row: Certification, actor: str, reason: str, at: dt.datetime) -> bool:
    """Take an approval back; False when it is none any more."""
    changes = {"state": CertificationState.REVOKED.value, "revoked_at": at, "revoked_by": actor, "reason": reason}
    moved = await _move(session, row.id, CertificationState.APPROVED, row.row_version, changes)
    if moved:
        await _noted(session, row, actor, "revoke", reason=reason)
    return moved


async def _noted(session: Session, row: Certification, actor: str, action: str, **detail: str) -> None:
    """The audit's entry, and the processes that have to look again."""
    about = f"certification/{row.id}"
    await audit_log.note(session, actor, f"certification.{action}", about, row.account_id, **detail)
    for process, subject in ((Kind.CERTIFICATION_REVIEW, row.id), (Kind.ONBOARDING, row.account_id)):
        await clockwork.want_nudge(session, workflow_id(process, subject))
