"""The report over rows of the queues."""

import datetime as dt
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select, update

from domain.certification import CertificationKind, CertificationState
from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.review_queues import Queue
from domain.review_report import QueueReport
from domain.reviews import ReviewState
from services.review_report import ReviewReport
from store import certification as certification_rows
from store.certification import Certification
from store.columns import now
from store.db import Database
from store.templates import TemplateVersion
from tests.path_rows import Customer
from tests.template_world import foundation

REVIEWER = Operator(new_id(), "rui", frozenset({OperatorRole.REVIEWER}))
SUPPORT = Operator(new_id(), "su", frozenset({OperatorRole.SUPPORT}))
FINANCE = Operator(new_id(), "fei", frozenset({OperatorRole.FINANCE}))
ADMIN = Operator(new_id(), "ada", frozenset({OperatorRole.ADMIN}))
NOW = now()


def ago(**span: float) -> dt.datetime:
    return NOW - dt.timedelta(**span)


async def template(customer: Customer, state: ReviewState, **changes: dt.datetime) -> UUID:
    identity = await customer.writes_template(state)
    async with customer.db.begin() as session:
        changed = update(TemplateVersion).where(col(TemplateVersion.template_id) == identity)
        await session.exec(changed.values(**changes))
    return identity


async def reports(db: Database, days: int = 30, who: Operator = ADMIN) -> dict[Queue, QueueReport]:
    found = await ReviewReport(await foundation(db)).queues(who, days)
    return {each.queue: each for each in found}


async def application(customer: Customer, state: CertificationState, **changes: Any) -> None:
    async with customer.db.begin() as session:
        session.add(Certification(
            account_id=customer.account, kind=CertificationKind.INDIVIDUAL, state=state, submitted_at=ago(days=5),
            **{"due_at": ago(days=4), **changes},
        ))  # fmt: skip


async def test_templates_are_counted(db: Database) -> None:
    customer = await Customer(db).registers()
    await template(customer, ReviewState.APPROVED, submitted_at=ago(days=20), due_at=ago(days=15),
                   decided_at=ago(days=10))  # fmt: skip
    await template(customer, ReviewState.REJECTED, submitted_at=ago(days=3), due_at=ago(days=1), decided_at=ago(days=2))
    await template(customer, ReviewState.SUBMITTED, submitted_at=ago(days=9), due_at=ago(days=8))
    await template(customer, ReviewState.SUBMITTED, submitted_at=ago(hours=1))
    await template(customer, ReviewState.WITHDRAWN, submitted_at=ago(days=3), due_at=ago(days=2))
    await template(customer, ReviewState.APPROVED, decided_at=ago(days=2))  # a sample: nobody reviewed it
    await customer.writes_template(ReviewState.DRAFT)
    made = (await reports(db))[Queue.TEMPLATES]
    assert (made.decided, made.breaches, made.open, made.overdue, made.unknown) == (2, 1, 2, 1, 1)
    assert made.oldest_open == ago(days=9) and made.oldest_open_waits is not None


async def test_applications_without_a_website_are_a_queue_of_their_own(db: Database) -> None:
    customer = await Customer(db).registers()
    await application(customer, CertificationState.REJECTED, decided_at=ago(days=4, hours=1))
    await application(customer, CertificationState.APPROVED, decided_at=ago(days=1), exception=True)
    await application(customer, CertificationState.SUBMITTED, exception=True)
    found = await reports(db)
    usual, special = found[Queue.CERTIFICATIONS], found[Queue.EXCEPTIONS]
    assert (usual.decided, usual.breaches, usual.open, usual.overdue) == (1, 0, 0, 0)
    assert (special.decided, special.breaches, special.open, special.overdue) == (1, 1, 1, 1)
    assert usual.median == usual.p95


async def test_a_late_approval_that_was_taken_back_was_late(db: Database) -> None:
    customer = await Customer(db).registers()
    await application(customer, CertificationState.APPROVED, decided_at=ago(days=3))
    async with db.begin() as session:
        row = (await session.exec(select(Certification))).one()
        assert await certification_rows.revoke(session, row, "operator/rui", "Forged.", ago(days=1))
    made = (await reports(db))[Queue.CERTIFICATIONS]
    assert (made.decided, made.breaches) == (1, 1)
    assert (await reports(db, 2))[Queue.CERTIFICATIONS].decided == 0, "it is counted when it was decided"


async def test_the_span_is_of_decisions(db: Database) -> None:
    customer = await Customer(db).registers()
    await template(customer, ReviewState.APPROVED, submitted_at=ago(days=40), decided_at=ago(days=6))
    assert (await reports(db, 7))[Queue.TEMPLATES].decided == 1
    assert (await reports(db, 5))[Queue.TEMPLATES].decided == 0
    assert (await reports(db, 0))[Queue.TEMPLATES].decided == 0


async def test_operators_see_the_queues_that_they_decide_on(db: Database) -> None:
    seen = {who.name: set(await reports(db, who=who)) for who in (REVIEWER, SUPPORT, ADMIN)}
    assert seen["rui"] == {Queue.TEMPLATES, Queue.CERTIFICATIONS, Queue.SMS_TEMPLATES, Queue.SMS_SIGNATURES}
    assert seen["su"] == {Queue.EXCEPTIONS}
    assert seen["ada"] == set(Queue)
    with pytest.raises(Refusal, match="duty_forbidden"):
        await reports(db, who=FINANCE)
