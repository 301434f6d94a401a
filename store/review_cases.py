"""What reviewers read beside a case: the version before it, and what is known of the account."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, func, select

from domain.reviews import ReviewState
from store.accounts import Account
from store.db import Session
from store.sms_templates import SmsTemplateVersion
from store.templates import TemplateVersion


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


async def last_approved(session: Session, version: TemplateVersion) -> TemplateVersion | None:
    """The newest approved version before this one: what changed since is what a reviewer reads."""
    query = (
        select(TemplateVersion)
        .where(col(TemplateVersion.template_id) == version.template_id)
        .where(col(TemplateVersion.number) < version.number, col(TemplateVersion.state) == ReviewState.APPROVED)
    )
    return (await session.exec(query.order_by(col(TemplateVersion.number).desc()).limit(1))).one_or_none()


async def summary(
    session: Session, account: UUID, table: type[TemplateVersion] | type[SmsTemplateVersion] = TemplateVersion
) -> AccountSummary | None:
    """With what became of its templates of e-mail, or of SMS. None for an unknown account."""
    row = await session.get(Account, account)
    if row is None:
        return None
    counted = select(table.state, func.count()).where(col(table.account_id) == account).group_by(col(table.state))
    states: dict[str, int] = dict((await session.exec(counted)).all())
    return AccountSummary(
        row.id, row.name, row.state, row.language, row.created_at, row.daily_quota,
        states.get(ReviewState.APPROVED, 0), states.get(ReviewState.REJECTED, 0),
    )  # fmt: skip
