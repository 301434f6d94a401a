"""The review of a certification on the time-skipping server, with real rows below. What all reviews share is tested
with templates; here is what is particular: parts, exceptions, and that no person's details leave the rows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlmodel import col, select
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.certification_desk import CertificationDesk
from activities.reviews import ReviewActivities
from domain.ids import Kind
from domain.queues import CONTROL
from domain.reviews import Decision, DecisionResult, ReviewDecision, ReviewState
from services.certifications import CertificationView
from store.db import Database
from store.sending import Message, Submission
from tests.certification_world import ENTERPRISE, INDIVIDUAL, SECRETS, SITE, WHY, Applicant, applicant
from tests.kept_histories import keep
from tests.patience import PATIENCE
from tests.platform_rows import have_platform
from tests.sending_world import VAULT
from worker import sandbox_runner
from workflows.certification_review import CertificationReview

PRIVATE = (*SECRETS, *SITE.values(), WHY, "alice.example")
APPROVE = ReviewDecision(Decision.APPROVE)
OBJECT = ReviewDecision(Decision.REJECT, parts={"licence": "太暗，请重新拍摄", "name": "与营业执照不符"})


@dataclass
class Case:
    """One review that runs."""

    alice: Applicant
    view: CertificationView
    handle: WorkflowHandle[Any, ReviewState]

    async def decides(self, decision: ReviewDecision) -> DecisionResult:
        return await self.handle.execute_update("decide", decision, result_type=DecisionResult)

    async def waits(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while (await self.handle.query(CertificationReview.progress)).stage != "waiting":
                await asyncio.sleep(0.02)

    async def details(self) -> str:
        metadata = await self.handle.query("__temporal_workflow_metadata")
        return str(metadata.current_details)

    async def mails(self) -> list[tuple[str, dict[str, str]]]:
        query = select(Submission.label, Message.variables).join(
            Message, col(Message.submission_id) == col(Submission.id)
        )
        async with self.alice.base.db.read() as session:
            found = [(label, dict(variables)) for label, variables in await session.exec(query)]
        return [(label, variables) for label, variables in found if label.startswith("certification")]


@asynccontextmanager
async def working(client: Client, alice: Applicant) -> AsyncIterator[None]:
    reviews = ReviewActivities(alice.base.db, alice.base.policy, {Kind.CERTIFICATION_REVIEW: CertificationDesk()})
    async with Worker(
        client, task_queue=CONTROL, workflows=[CertificationReview], workflow_runner=sandbox_runner(),
        activities=[reviews.look, reviews.decide, reviews.alert, reviews.announce, reviews.close],
    ):  # fmt: skip
        yield


@pytest.fixture
async def alice(db: Database, temporal_env: WorkflowEnvironment) -> AsyncIterator[Applicant]:
    made = await applicant(db, temporal_env.client, "zh")
    await have_platform(db, VAULT, made.base.policy)
    async with working(temporal_env.client, made):
        yield made


async def opened(alice: Applicant, env: WorkflowEnvironment, view: CertificationView) -> Case:
    assert view.workflow_id is not None
    case = Case(alice, view, env.client.get_workflow_handle(view.workflow_id, result_type=ReviewState))
    await case.waits()
    return case


async def test_parts_are_objected_to_and_the_customer_reads_them_in_words(
    alice: Applicant, temporal_env: WorkflowEnvironment
) -> None:
    case = await opened(alice, temporal_env, await alice.submits(ENTERPRISE))
    details = await case.details()
    assert f"/console/cases/certification-review/{case.view.row.id}" in details
    assert "Enterprise certification, application 1" in details
    assert "papers: 2" in details
    assert (await case.decides(OBJECT)).accepted
    assert await case.handle.result() is ReviewState.REJECTED
    row = await alice.row(case.view.row.id)
    assert (row.state, row.decided_by, row.part_reasons) == ("rejected", "temporal-ui", dict(OBJECT.parts))
    assert row.due_at is not None
    label, variables = (await case.mails())[-1]
    assert label == "certification-rejected"
    assert variables["reason"] == "企业名称：与营业执照不符；营业执照：太暗，请重新拍摄"
    assert variables["kind"] == "企业认证"
    assert variables["link"].endswith(f"/portal/certification/{row.id}")
    assert await alice.audit("certification.reject") == [
        ("temporal-ui", "certification.reject", f"certification/{row.id}")
    ]
    await keep(case.handle, "rejected_with_parts", *PRIVATE)


async def test_a_corrected_application_says_what_it_corrects_and_is_approved(
    alice: Applicant, temporal_env: WorkflowEnvironment
) -> None:
    first = await opened(alice, temporal_env, await alice.submits())
    await first.decides(ReviewDecision(Decision.REJECT, "The pictures are too dark.", parts={"id_front": "Too dark."}))
    assert await first.handle.result() is ReviewState.REJECTED
    draft = await alice.completes(await alice.service.correct(alice.caller, first.view.row.id))
    second = await opened(alice, temporal_env, await alice.service.submit(alice.caller, draft.row.id))
    assert "corrects application 1" in await second.details()
    assert (await second.decides(APPROVE)).accepted
    assert await second.handle.result() is ReviewState.APPROVED
    assert [one.kind for one in await alice.service.held(alice.caller)] == [INDIVIDUAL]
    assert (await second.mails())[-1][0] == "certification-approved"
    await keep(second.handle, "approved", *PRIVATE)


async def test_an_exception_is_decided_in_the_console_only(alice: Applicant, temporal_env: WorkflowEnvironment) -> None:
    case = await opened(alice, temporal_env, await alice.submits_exception())
    assert "signed in at the console" in await case.details()
    for decision in (APPROVE, ReviewDecision(Decision.REJECT, "No.")):
        answer = await case.decides(decision)
        assert (answer.accepted, answer.state) == (False, ReviewState.SUBMITTED)
        assert "signed in" in answer.message
    assert (await alice.is_decided(case.view)).accepted
    await case.handle.signal(CertificationReview.nudge)
    assert await case.handle.result() is ReviewState.APPROVED
    assert (await alice.row(case.view.row.id)).decided_by == "operator/rita"
    await keep(case.handle, "exception", *PRIVATE)


async def test_console_and_temporal_ui_at_once_make_one_decision(
    alice: Applicant, temporal_env: WorkflowEnvironment
) -> None:
    case = await opened(alice, temporal_env, await alice.submits())
    there, here = await asyncio.gather(
        case.decides(ReviewDecision(Decision.REJECT, "No.")), alice.is_decided(case.view)
    )
    assert there.accepted != here.accepted
    assert there.state is here.state
    await case.handle.signal(CertificationReview.nudge)
    assert await case.handle.result() is here.state
    assert len(await alice.audit("certification.approve", "certification.reject")) == 1


async def test_a_part_that_nothing_is_called_leaves_no_trace(
    alice: Applicant, temporal_env: WorkflowEnvironment
) -> None:
    case = await opened(alice, temporal_env, await alice.submits())
    with pytest.raises(WorkflowUpdateFailedError):
        await case.decides(ReviewDecision(Decision.REJECT, parts={"nonsense": "x"}))
    with pytest.raises(WorkflowUpdateFailedError):  # a part of enterprises
        await case.decides(ReviewDecision(Decision.REJECT, parts={"licence": "x"}))
    await alice.service.withdraw(alice.caller, case.view.row.id)
    await case.handle.signal(CertificationReview.nudge)
    assert await case.handle.result() is ReviewState.WITHDRAWN
    assert await case.mails() == []
    await keep(case.handle, "withdrawn", *PRIVATE)
