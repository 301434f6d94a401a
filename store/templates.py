"""Templates and their versions."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel, col, func, select, update

from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.reviews import Decision, DecisionResult, ReviewState, Ruling
from domain.templates import INVOKE_NAME
from domain.working_time import Due
from store import audit_log, clockwork
from store.columns import moment, now, text_list
from store.db import Session


class Template(SQLModel, table=True):
    __tablename__ = "template"
    __table_args__ = (
        Index(
            "template_invoke_name",
            "account_id",
            "invoke_name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    invoke_name: str
    """What a request calls it by (SendCloud's templateInvokeName)."""
    name: str
    kind: str
    is_sample: bool = False
    """Comes with the account, approved by the platform; does not count for onboarding."""
    created_at: dt.datetime = moment(default_factory=now)
    deleted_at: dt.datetime | None = moment(default=None)


class TemplateVersion(SQLModel, table=True):
    """Content never changes after submission; an edit makes the next version."""

    __tablename__ = "template_version"
    __table_args__ = (
        UniqueConstraint("template_id", "number"),
        Index("template_one_draft", "template_id", unique=True, postgresql_where=text("state = 'draft'")),
        Index("template_one_submitted", "template_id", unique=True, postgresql_where=text("state = 'submitted'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    template_id: UUID = Field(foreign_key="template.id")
    account_id: UUID
    number: int
    subject: str
    html: str
    text: str
    """The plain-text part: the customer's, or made from the HTML."""
    variables: list[str] = text_list(default_factory=list)
    state: str = ReviewState.DRAFT.value
    row_version: int = 1
    """Raised by each change of state: what `decide` compares."""
    created_at: dt.datetime = moment(default_factory=now)
    submitted_at: dt.datetime | None = moment(default=None)
    due_at: dt.datetime | None = moment(default=None)
    due_provisional: bool = False
    """The calendar of that year was not published yet when the time was promised."""
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class VersionHead:
    """A version without its content."""

    id: UUID
    number: int
    subject: str
    variables: list[str]
    state: str
    row_version: int
    created_at: dt.datetime
    submitted_at: dt.datetime | None
    due_at: dt.datetime | None
    due_provisional: bool
    decided_at: dt.datetime | None
    decided_by: str | None
    reason: str | None


_HEAD = [getattr(TemplateVersion, name) for name in VersionHead.__dataclass_fields__]


async def find(session: Session, account: UUID, ref: str, *, lock: bool = False) -> Template | None:
    """By id or invoke name. `lock` keeps other changes of this template waiting until the transaction ends."""
    named = select(Template).where(col(Template.account_id) == account, col(Template.deleted_at).is_(None))
    identifier = _uuid(ref)
    if identifier is None and not INVOKE_NAME.fullmatch(ref):
        return None
    named = named.where(Template.id == identifier if identifier else Template.invoke_name == ref)
    return (await session.exec(named.with_for_update() if lock else named)).one_or_none()


def _uuid(ref: str) -> UUID | None:
    try:
        return UUID(ref)
    except ValueError:
        return None


async def count(session: Session, account: UUID) -> int:
    """How many templates an account has."""
    own = (col(Template.account_id) == account, col(Template.deleted_at).is_(None))
    return (await session.exec(select(func.count()).select_from(Template).where(*own))).one()


@dataclass(frozen=True)
class Wanted:
    """What a list shows: `state` is that of the latest version; `before` is the last template of the page before."""

    kind: str | None = None
    state: str | None = None
    before: UUID | None = None


async def page(session: Session, account: UUID, wanted: Wanted, limit: int) -> list[tuple[Template, VersionHead]]:
    """Templates with their latest versions, newest template first."""
    latest = (
        select(func.max(TemplateVersion.number))
        .where(col(TemplateVersion.template_id) == col(Template.id))
        .correlate(Template)
        .scalar_subquery()
    )
    query: Any = (
        select(Template, *_HEAD)
        .join(TemplateVersion, col(TemplateVersion.template_id) == col(Template.id))
        .where(col(Template.account_id) == account, col(Template.deleted_at).is_(None))
        .where(col(TemplateVersion.number) == latest)
    )
    for column, value in ((Template.kind, wanted.kind), (TemplateVersion.state, wanted.state)):
        query = query if value is None else query.where(column == value)
    if wanted.before:
        query = query.where(col(Template.id) < wanted.before)
    rows = await session.exec(query.order_by(col(Template.id).desc()).limit(limit))
    return [(template, VersionHead(*head)) for template, *head in rows]


async def heads(session: Session, template: UUID) -> list[VersionHead]:
    """Every version of a template, newest first."""
    query: Any = select(*_HEAD).where(col(TemplateVersion.template_id) == template)
    return [VersionHead(*row) for row in await session.exec(query.order_by(col(TemplateVersion.number).desc()))]


async def version(session: Session, template: UUID, number: int | None = None) -> TemplateVersion | None:
    """One version of a template; the latest without a number."""
    query = select(TemplateVersion).where(col(TemplateVersion.template_id) == template)
    if number is not None:
        query = query.where(col(TemplateVersion.number) == number)
    return (await session.exec(query.order_by(col(TemplateVersion.number).desc()).limit(1))).one_or_none()


async def submitted(session: Session, template: UUID) -> VersionHead | None:
    """The version that waits for its review, if any."""
    return next((head for head in await heads(session, template) if head.state == ReviewState.SUBMITTED), None)


async def approved_version(session: Session, account: UUID, invoke_name: str) -> TemplateVersion | None:
    """What is sent when a request names this template: its newest approved version."""
    query = (
        select(TemplateVersion)
        .join(Template, col(Template.id) == col(TemplateVersion.template_id))
        .where(col(Template.account_id) == account, col(Template.invoke_name) == invoke_name)
        .where(col(Template.deleted_at).is_(None), col(TemplateVersion.state) == ReviewState.APPROVED)
    )
    return (await session.exec(query.order_by(col(TemplateVersion.number).desc()).limit(1))).one_or_none()


async def _move(
    session: Session, version_id: UUID, before: ReviewState, row_version: int, changes: dict[str, Any]
) -> VersionHead | None:
    """Compare and set: change a version that is still in `before` (and, unless 0, has this row version)."""
    moved = (
        update(TemplateVersion)
        .where(col(TemplateVersion.id) == version_id, col(TemplateVersion.state) == before)
        .values(row_version=TemplateVersion.row_version + 1, **changes)
        .returning(*_HEAD)
    )
    if row_version:
        moved = moved.where(col(TemplateVersion.row_version) == row_version)
    row = (await session.exec(moved)).one_or_none()
    return VersionHead(*row) if row else None


async def submit(session: Session, version_id: UUID, account: UUID, at: dt.datetime, due: Due | None = None) -> str:
    """A draft goes to review, to be decided by `due`; returns its process's workflow id.

    Raises `Refusal` when it is no draft any more. Without `due` the process promises a time at its first look.
    """
    changes: dict[str, Any] = {"state": ReviewState.SUBMITTED.value, "submitted_at": at}
    if due is not None:
        changes |= {"due_at": due.at, "due_provisional": due.provisional}
    if await _move(session, version_id, ReviewState.DRAFT, 0, changes) is None:
        raise Refusal("template_nothing_to_submit", state=ReviewState.SUBMITTED.value)
    return await clockwork.enlist(session, Kind.TEMPLATE_REVIEW, version_id, account)


async def set_due(session: Session, version_id: UUID, due: Due) -> None:
    """Promise the decision by then; a promise is not changed."""
    unset = update(TemplateVersion).where(col(TemplateVersion.id) == version_id, col(TemplateVersion.due_at).is_(None))
    await session.exec(unset.values(due_at=due.at, due_provisional=due.provisional))


async def withdraw(session: Session, version_id: UUID) -> bool:
    """Take a version back from review; False when it was decided before."""
    moved = await _move(session, version_id, ReviewState.SUBMITTED, 0, {"state": ReviewState.WITHDRAWN.value})
    await clockwork.want_nudge(session, workflow_id(Kind.TEMPLATE_REVIEW, version_id))
    return moved is not None


async def decide(session: Session, version_id: UUID, ruling: Ruling, at: dt.datetime) -> DecisionResult:
    """One compare-and-set: of several deciders exactly one wins, and the others are told what stands.

    Raises `Refusal("not_found")` for an unknown version.
    """
    state = ReviewState.APPROVED if ruling.decision is Decision.APPROVE else ReviewState.REJECTED
    changes = {
        "state": state.value,
        "decided_at": at,
        "decided_by": ruling.actor,
        "reason": ruling.reason or None,
    }
    head = await _move(session, version_id, ReviewState.SUBMITTED, ruling.row_version, changes)
    row = await session.get(TemplateVersion, version_id, populate_existing=True)
    if row is None:
        raise Refusal("not_found", what="template version")
    if head is None:
        return DecisionResult(False, ReviewState(row.state), _standing(row, ruling))
    action = f"template.{ruling.decision.value}"
    await audit_log.note(session, ruling.actor, action, f"template-version/{version_id}", row.account_id)
    for process, subject in ((Kind.TEMPLATE_REVIEW, version_id), (Kind.ONBOARDING, row.account_id)):
        await clockwork.want_nudge(session, workflow_id(process, subject))
    return DecisionResult(True, state, f"Version {row.number} is {state.value}.")


def _standing(row: TemplateVersion, ruling: Ruling) -> str:
    if row.state == ReviewState.SUBMITTED:
        return f"Not counted: row version {ruling.row_version} was seen, {row.row_version} is current. Look again."
    by = f" by {row.decided_by}" if row.decided_by else ""
    return f"Not counted: version {row.number} is {row.state}{by} already."
