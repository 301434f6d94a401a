"""What reviewers read: cases with what is known of the account, and how many wait."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, func, select

from domain.reviews import ReviewState
from store.accounts import Account
from store.certification import Certification
from store.db import Session
from store.templates import Template, TemplateVersion


@dataclass(frozen=True)
class WaitingCase:
    """One row of a queue; `about` is the customer's name for it."""

    id: UUID
    account_id: UUID
    account: str
    about: str
    kind: str
    number: int
    submitted_at: dt.datetime | None
    due_at: dt.datetime | None
    due_provisional: bool


@dataclass(frozen=True)
class AccountSummary:
    """What helps to judge a customer."""

    id: UUID
    name: str
    state: str
    language: str
    created_at: dt.datetime
    daily_quota: int
    approved: int
    rejected: int
    """Template versions that ended so."""


def _waiting_templates() -> Any:
    columns = (
        TemplateVersion.id, Account.id, Account.name, Template.name, Template.kind, TemplateVersion.number,
        TemplateVersion.submitted_at, TemplateVersion.due_at, TemplateVersion.due_provisional,
    )  # fmt: skip
    chosen: Any = select(*columns)  # type: ignore[call-overload]
    return (
        chosen.join(Template, col(Template.id) == col(TemplateVersion.template_id))
        .join(Account, col(Account.id) == col(TemplateVersion.account_id))
        .where(col(TemplateVersion.state) == ReviewState.SUBMITTED)
        .order_by(col(TemplateVersion.due_at).nulls_first(), col(TemplateVersion.submitted_at))
    )


def _waiting_certifications(exception: bool) -> Any:
    columns = (
        Certification.id, Account.id, Account.name, Account.name, Certification.kind, Certification.number,
        Certification.submitted_at, Certification.due_at, Certification.due_provisional,
    )  # fmt: skip
    chosen: Any = select(*columns)  # type: ignore[call-overload]
    return (
        chosen.join(Account, col(Account.id) == col(Certification.account_id))
        .where(col(Certification.state) == ReviewState.SUBMITTED, col(Certification.exception) == exception)
        .order_by(col(Certification.due_at).nulls_first(), col(Certification.submitted_at))
    )


async def waiting_templates(session: Session, limit: int) -> list[WaitingCase]:
    """Submitted versions, the one that is due first on top; before it those without a due time."""
    return [WaitingCase(*row) for row in await session.exec(_waiting_templates().limit(limit))]


async def waiting_certifications(session: Session, exception: bool, limit: int) -> list[WaitingCase]:
    """The same of applications that have a website, or (`exception`) that have none."""
    return [WaitingCase(*row) for row in await session.exec(_waiting_certifications(exception).limit(limit))]


async def last_approved(session: Session, version: TemplateVersion) -> TemplateVersion | None:
    """The newest approved version before this one: what changed since is what a reviewer reads."""
    query = (
        select(TemplateVersion)
        .where(col(TemplateVersion.template_id) == version.template_id)
        .where(col(TemplateVersion.number) < version.number, col(TemplateVersion.state) == ReviewState.APPROVED)
    )
    return (await session.exec(query.order_by(col(TemplateVersion.number).desc()).limit(1))).one_or_none()


async def summary(session: Session, account: UUID) -> AccountSummary | None:
    """None for an unknown account."""
    row = await session.get(Account, account)
    if row is None:
        return None
    counted = (
        select(TemplateVersion.state, func.count())
        .where(col(TemplateVersion.account_id) == account)
        .group_by(col(TemplateVersion.state))
    )
    states: dict[str, int] = dict((await session.exec(counted)).all())
    return AccountSummary(
        row.id, row.name, row.state, row.language, row.created_at, row.daily_quota,
        states.get(ReviewState.APPROVED, 0), states.get(ReviewState.REJECTED, 0),
    )  # fmt: skip
