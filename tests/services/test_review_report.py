"""The report over rows of both queues."""

import datetime as dt
from uuid import UUID

import pytest
from sqlmodel import col, update

from domain.certification import CertificationKind, CertificationState
from domain.errors import Refusal
from domain.ids import Kind, new_id
from domain.operators import Operator, OperatorRole
from domain.review_report import QueueReport
from domain.reviews import ReviewState
from services.review_report import ReviewReport
from store.certification import Certification
from store.columns import now
from store.db import Database
from store.templates import TemplateVersion
from tests.path_rows import Customer
from tests.template_world import foundation

REVIEWER = Operator(new_id(), "rui", frozenset({OperatorRole.REVIEWER}))
SUPPORT = Operator(new_id(), "su", frozenset({OperatorRole.SUPPORT}))
NOW = now()


def ago(**span: float) -> dt.datetime:
    return NOW - dt.timedelta(**span)


async def template(customer: Customer, state: ReviewState, **changes: dt.datetime) -> UUID:
    identity = await customer.writes_template(state)
    async with customer.db.begin() as session:
        changed = update(TemplateVersion).where(col(TemplateVersion.template_id) == identity)
        await session.exec(changed.values(**changes))
    return identity


async def reports(db: Database, days: int = 30) -> dict[Kind, QueueReport]:
    found = await ReviewReport(await foundation(db)).queues(REVIEWER, days)
    return {each.kind: each for each in found}


async def test_both_queues_are_counted(db: Database) -> None:
    customer = await Customer(db).registers()
    await template(customer, ReviewState.APPROVED, submitted_at=ago(days=20), due_at=ago(days=15),
                   decided_at=ago(days=10))  # fmt: skip
    await template(customer, ReviewState.REJECTED, submitted_at=ago(days=3), due_at=ago(days=1), decided_at=ago(days=2))
    await template(customer, ReviewState.SUBMITTED, submitted_at=ago(days=9), due_at=ago(days=8))
    await template(customer, ReviewState.SUBMITTED, submitted_at=ago(hours=1))
    await template(customer, ReviewState.WITHDRAWN, submitted_at=ago(days=3), due_at=ago(days=2))
    await template(customer, ReviewState.APPROVED, decided_at=ago(days=2))  # a sample: nobody reviewed it
    await customer.writes_template(ReviewState.DRAFT)
    async with db.begin() as session:
        for state, days in ((CertificationState.REJECTED, 4), (CertificationState.REVOKED, 1)):
            session.add(Certification(
                account_id=customer.account, kind=CertificationKind.INDIVIDUAL, state=state, submitted_at=ago(days=5),
                due_at=ago(days=4), decided_at=ago(days=days),
            ))  # fmt: skip
    found = await reports(db)
    templates, certifications = found[Kind.TEMPLATE_REVIEW], found[Kind.CERTIFICATION_REVIEW]
    assert (templates.decided, templates.breaches, templates.open, templates.overdue) == (2, 1, 2, 1)
    assert templates.oldest_open == ago(days=9) and templates.oldest_open_waits is not None
    assert (certifications.decided, certifications.breaches, certifications.open) == (1, 0, 0)
    assert certifications.median == certifications.p95


async def test_the_span_is_of_decisions(db: Database) -> None:
    customer = await Customer(db).registers()
    await template(customer, ReviewState.APPROVED, submitted_at=ago(days=40), decided_at=ago(days=6))
    assert (await reports(db, 7))[Kind.TEMPLATE_REVIEW].decided == 1
    assert (await reports(db, 5))[Kind.TEMPLATE_REVIEW].decided == 0
    assert (await reports(db, 0))[Kind.TEMPLATE_REVIEW].decided == 0


async def test_the_report_is_for_reviewers(db: Database) -> None:
    with pytest.raises(Refusal, match="duty_forbidden"):
        await ReviewReport(await foundation(db)).queues(SUPPORT)
