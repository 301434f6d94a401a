"""SMS templates and their versions."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel, col, func, select, update

from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.reviews import Decision, DecisionResult, ReviewState, Ruling
from domain.sms_events import reviewed
from domain.working_time import Due
from store import audit_log, clockwork
from store.columns import moment, now, text_list
from store.db import Session
from store.sms_signatures import SmsSignature, standing
from store.webhooks import owe_event


class SmsTemplate(SQLModel, table=True):
    __tablename__ = "sms_template"
    __table_args__ = (
        Index("sms_template_name", "account_id", "name", unique=True, postgresql_where=text("deleted_at IS NULL")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(start=1001), unique=True))
    """SendCloud's templateId."""
    account_id: UUID = Field(foreign_key="account.id")
    name: str
    is_builtin: bool = False
    """Made and approved by the platform: of `sendCode`, of quick tests. Not listed, does not count for onboarding."""
    created_at: dt.datetime = moment(default_factory=now)
    updated_at: dt.datetime = moment(default_factory=now)
    deleted_at: dt.datetime | None = moment(default=None)


class SmsTemplateVersion(SQLModel, table=True):
    """Nothing in it changes after submission; an edit makes the next version. Only an approved one is sent."""

    __tablename__ = "sms_template_version"
    __table_args__ = (
        UniqueConstraint("template_id", "number"),
        Index("sms_template_one_draft", "template_id", unique=True, postgresql_where=text("state = 'draft'")),
        Index("sms_template_one_submitted", "template_id", unique=True, postgresql_where=text("state = 'submitted'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    template_id: UUID = Field(foreign_key="sms_template.id")
    account_id: UUID = Field(index=True)
    number: int
    kind: str
    """`domain.sms.SmsKind`."""
    market: str
    """`domain.sms.Market`: the signature's."""
    signature_id: UUID = Field(foreign_key="sms_signature.id", index=True)
    signature_last: bool = False
    """The signature stands behind the text."""
    content: str
    """With `%name%` for variables; without signature; opt-out words included."""
    variables: list[str] = text_list(default_factory=list)
    state: str = ReviewState.DRAFT.value
    row_version: int = 1
    created_at: dt.datetime = moment(default_factory=now)
    submitted_at: dt.datetime | None = moment(default=None)
    due_at: dt.datetime | None = moment(default=None)
    due_provisional: bool = False
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str | None = None
    reason: str | None = None


_BIGGEST = 2**63 - 1


async def find(session: Session, account: UUID, ref: str, *, lock: bool = False) -> SmsTemplate | None:
    """By number, UUID or name. `lock` keeps other changes of this template waiting until the transaction ends."""
    named = select(SmsTemplate).where(col(SmsTemplate.account_id) == account, col(SmsTemplate.deleted_at).is_(None))
    if "\x00" in ref or len(ref) > 64:
        return None
    if ref.isascii() and ref.isdigit():
        if int(ref) > _BIGGEST:
            return None
        named = named.where(SmsTemplate.number == int(ref))
    elif identifier := _uuid(ref):
        named = named.where(SmsTemplate.id == identifier)
    else:
        named = named.where(SmsTemplate.name == ref.encode(errors="replace").decode())
    return (await session.exec(named.with_for_update() if lock else named)).one_or_none()


def _uuid(ref: str) -> UUID | None:
    try:
        return UUID(ref)
    except ValueError:
        return None


async def count(session: Session, account: UUID) -> int:
    """How many templates an account has, without those that the platform made."""
    own = (col(SmsTemplate.account_id) == account, col(SmsTemplate.deleted_at).is_(None))
    query = select(func.count()).select_from(SmsTemplate).where(*own, col(SmsTemplate.is_builtin).is_(False))
    return (await session.exec(query)).one()


@dataclass(frozen=True)
class Wanted:
    """What a list shows: `states` are those of the latest version; `before` is the last template of the page before.

    `states` empty: all. `sendable`: only those with an approved version.
    """

    kind: str | None = None
    states: tuple[str, ...] = ()
    market: str | None = None
    before: UUID | None = None
    sendable: bool = False


Row = tuple[SmsTemplate, SmsTemplateVersion, SmsSignature]
"""A template, one of its versions, and that version's signature."""


async def page(session: Session, account: UUID, wanted: Wanted, limit: int) -> list[Row]:
    """Templates with their latest versions, newest template first; none that the platform made."""
    version = SmsTemplateVersion
    query: Any = (
        select(SmsTemplate, version, SmsSignature)
        .join(version, col(version.template_id) == col(SmsTemplate.id))
        .join(SmsSignature, col(SmsSignature.id) == col(version.signature_id))
        .where(col(SmsTemplate.account_id) == account, col(SmsTemplate.deleted_at).is_(None))
        .where(col(SmsTemplate.is_builtin).is_(False))
        .where(col(version.number) == _newest(ReviewState.APPROVED if wanted.sendable else None))
    )
    for column, value in ((version.kind, wanted.kind), (version.market, wanted.market)):
        query = query if value is None else query.where(column == value)
    if wanted.states:
        query = query.where(col(version.state).in_(wanted.states))
    if wanted.before:
        query = query.where(col(SmsTemplate.id) < wanted.before)
    rows = await session.exec(query.order_by(col(SmsTemplate.id).desc()).limit(limit))
    return [(template, found, signature) for template, found, signature in rows]


def _newest(state: ReviewState | None = None) -> Any:
    """The number of a template's latest version, of those in `state`."""
    query = select(func.max(SmsTemplateVersion.number)).where(
        col(SmsTemplateVersion.template_id) == col(SmsTemplate.id)
    )
    if state is not None:
        query = query.where(col(SmsTemplateVersion.state) == state.value)
    return query.correlate(SmsTemplate).scalar_subquery()


async def sendable(session: Session, account: UUID, limit: int) -> list[Row]:
    """What can be sent now: each template's newest approved version, its signature approved too; newest first."""
    found = await page(session, account, Wanted(sendable=True), limit)
    return [row for row in found if row[2].state == ReviewState.APPROVED and row[2].deleted_at is None]


async def versions(session: Session, template: UUID) -> list[SmsTemplateVersion]:
    """Every version of a template, newest first."""
    query = select(SmsTemplateVersion).where(col(SmsTemplateVersion.template_id) == template)
    return list(await session.exec(query.order_by(col(SmsTemplateVersion.number).desc())))


async def users_of(session: Session, signature: UUID) -> int:
    """How many templates send, or may come to send, with this signature; without those that the platform made."""
    version = SmsTemplateVersion
    live = col(version.state).in_((ReviewState.DRAFT.value, ReviewState.SUBMITTED.value))
    query = (
        select(func.count(func.distinct(col(SmsTemplate.id))))
        .join(version, col(version.template_id) == col(SmsTemplate.id))
        .where(col(version.signature_id) == signature, col(SmsTemplate.deleted_at).is_(None))
        .where(col(SmsTemplate.is_builtin).is_(False))
        .where(live | (col(version.number) == _newest(ReviewState.APPROVED)) | (col(version.number) == _newest()))
    )
    return int((await session.exec(query)).one())


async def drop_builtin(session: Session, signature: UUID, at: dt.datetime) -> None:
    """Delete what the platform made for a signature that goes."""
    of_it = select(SmsTemplateVersion.template_id).where(col(SmsTemplateVersion.signature_id) == signature)
    await session.exec(
        update(SmsTemplate)
        .where(col(SmsTemplate.id).in_(of_it), col(SmsTemplate.is_builtin).is_(True))
        .values(deleted_at=at)
    )


async def _move(
    session: Session, version_id: UUID, before: ReviewState, row_version: int, changes: dict[str, Any]
) -> UUID | None:
    """Compare and set: change a version that is still in `before` (and, unless 0, has this row version); its
    template."""
    moved = (
        update(SmsTemplateVersion)
        .where(col(SmsTemplateVersion.id) == version_id, col(SmsTemplateVersion.state) == before)
        .values(row_version=SmsTemplateVersion.row_version + 1, **changes)
        .returning(col(SmsTemplateVersion.template_id))
    )
    if row_version:
        moved = moved.where(col(SmsTemplateVersion.row_version) == row_version)
    return (await session.exec(moved)).scalar_one_or_none()


async def submit(session: Session, version: SmsTemplateVersion, at: dt.datetime, due: Due) -> str:
    """A draft goes to review, to be decided by `due`; returns its process's workflow id.

    Raises `Refusal` when it is no draft any more.
    """
    changes = {"state": ReviewState.SUBMITTED.value, "submitted_at": at}
    changes |= {"due_at": due.at, "due_provisional": due.provisional}
    if await _move(session, version.id, ReviewState.DRAFT, 0, changes) is None:
        raise Refusal("sms_template_nothing_to_submit", state=ReviewState.SUBMITTED.value)
    return await clockwork.enlist(session, Kind.SMS_TEMPLATE_REVIEW, version.id, version.account_id)


async def set_due(session: Session, version_id: UUID, due: Due) -> None:
    """Promise the decision by then; a promise is not changed."""
    row = SmsTemplateVersion
    unset = update(row).where(col(row.id) == version_id, col(row.due_at).is_(None))
    await session.exec(unset.values(due_at=due.at, due_provisional=due.provisional))


async def withdraw(session: Session, version_id: UUID) -> bool:
    """Take a version back from review; False when it was decided before."""
    moved = await _move(session, version_id, ReviewState.SUBMITTED, 0, {"state": ReviewState.WITHDRAWN.value})
    await clockwork.want_nudge(session, workflow_id(Kind.SMS_TEMPLATE_REVIEW, version_id))
    return moved is not None


async def decide(session: Session, version_id: UUID, ruling: Ruling, at: dt.datetime) -> DecisionResult:
    """One compare-and-set: of several deciders exactly one wins, and the others are told what stands.

    Raises `Refusal("not_found")` for an unknown version.
    """
    state = ReviewState.APPROVED if ruling.decision is Decision.APPROVE else ReviewState.REJECTED
    changes = {"state": state.value, "decided_at": at, "decided_by": ruling.actor, "reason": ruling.reason or None}
    template = await _move(session, version_id, ReviewState.SUBMITTED, ruling.row_version, changes)
    row = await session.get(SmsTemplateVersion, version_id, populate_existing=True)
    if row is None:
        raise Refusal("not_found", what="SMS template version")
    if template is None:
        return DecisionResult(False, ReviewState(row.state), standing(row, ruling))
    await _tell_hooks(session, await session.get_one(SmsTemplate, template), row, ruling, at)
    action = f"sms_template.{ruling.decision.value}"
    await audit_log.note(session, ruling.actor, action, f"sms-template-version/{version_id}", row.account_id)
    for process, subject in ((Kind.SMS_TEMPLATE_REVIEW, version_id), (Kind.ONBOARDING, row.account_id)):
        await clockwork.want_nudge(session, workflow_id(process, subject))
    return DecisionResult(True, state, f"Version {row.number} is {state.value}.")


async def _tell_hooks(
    session: Session, template: SmsTemplate, version: SmsTemplateVersion, ruling: Ruling, at: dt.datetime
) -> None:
    """Owe the decision to the account's endpoints that listen to it."""
    template.updated_at = at
    event = reviewed(
        template.account_id, template.number or 0, version.number, template.name, ruling.decision, ruling.reason, at
    )
    await owe_event(session, event)
