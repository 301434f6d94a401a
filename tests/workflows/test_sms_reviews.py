"""The reviews of SMS templates and signatures on the time-skipping server, with a real database under them.

What every review does (time that runs out, the validator, older epochs) is in `test_template_review.py`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlmodel import col, select
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.reviews import Desk, ReviewActivities
from activities.sms_signature_desk import SmsSignatureDesk
from activities.sms_template_desk import SmsTemplateDesk
from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import Kind
from domain.queues import CONTROL
from domain.reviews import Decision, DecisionResult, ReviewDecision, ReviewState
from domain.sms_signatures import SignatureDraft
from domain.webhooks import Event
from services.sms_signatures import signature_review_id
from store.clockwork import Clockwork
from store.db import Database
from store.sending import Message, Submission
from store.webhooks import WebhookEndpoint, WebhookEvent
from tests.kept_histories import keep
from tests.patience import PATIENCE
from tests.platform_rows import have_platform
from tests.sms_template_world import NOTICE, SIGNATURE, SmsAuthor, sms_author
from worker import sandbox_runner
from workflows.sms_signature_review import SmsSignatureReview
from workflows.sms_template_review import SmsTemplateReview

PRIVATE = ("alice.example", SIGNATURE, NOTICE, "订单")
APPROVE = ReviewDecision(Decision.APPROVE)
REJECT = ReviewDecision(Decision.REJECT, "Say whose order it is.")
Handle = WorkflowHandle[Any, ReviewState]


@asynccontextmanager
async def working(client: Client, alice: SmsAuthor) -> AsyncIterator[None]:
    desks: dict[Kind, Desk] = {
        Kind.SMS_TEMPLATE_REVIEW: SmsTemplateDesk(),
        Kind.SMS_SIGNATURE_REVIEW: SmsSignatureDesk(),
    }
    reviews = ReviewActivities(alice.base.db, alice.base.policy, desks)
    async with Worker(
        client, task_queue=CONTROL, workflows=[SmsTemplateReview, SmsSignatureReview],
        workflow_runner=sandbox_runner(),
        activities=[reviews.look, reviews.decide, reviews.alert, reviews.announce, reviews.close],
    ):  # fmt: skip
        yield


@pytest.fixture
async def alice(db: Database, temporal_env: WorkflowEnvironment) -> AsyncIterator[SmsAuthor]:
    made = await sms_author(db, temporal_env.client)
    await have_platform(db, made.base.vault, made.base.policy)
    async with working(temporal_env.client, made):
        yield made


async def waiting(env: WorkflowEnvironment, name: str | None) -> Handle:
    """The handle of a review that a service started, once it waits for its decision."""
    assert name is not None
    handle: Handle = env.client.get_workflow_handle(name, result_type=ReviewState)
    async with asyncio.timeout(PATIENCE):
        while (await handle.query("progress"))["stage"] not in ("waiting", "warning", "overdue"):
            await asyncio.sleep(0.02)
    return handle


async def decided(handle: Handle, decision: ReviewDecision) -> ReviewState:
    result: DecisionResult = await handle.execute_update("decide", decision, result_type=DecisionResult)
    assert result.accepted
    return await handle.result()


async def mails(alice: SmsAuthor) -> list[tuple[str, dict[str, str]]]:
    """(label, variables) of what Songda wrote to the customer."""
    own = col(Message.address) == f"{alice.rows.account}@alice.example"
    async with alice.base.db.read() as session:
        found = await session.exec(
            select(Submission.label, Message.variables)
            .join(Message, col(Submission.id) == col(Message.submission_id))
            .where(col(Submission.account_id) == SYSTEM_ACCOUNT, own)
            .order_by(col(Message.id))
        )
        return [(label, dict(variables)) for label, variables in found]


async def test_a_template_is_approved_told_and_hooked(alice: SmsAuthor, temporal_env: WorkflowEnvironment) -> None:
    async with alice.base.db.begin() as session:
        for account in (alice.rows.account, SYSTEM_ACCOUNT):
            session.add(
                WebhookEndpoint(
                    account_id=account, url="https://a.example/", secret=b"-", events=[Event.SMS_TEMPLATE_VERIFY.value]
                )
            )
    view = await alice.submits()
    handle = await waiting(temporal_env, view.workflow_id)
    details = str((await handle.query("__temporal_workflow_metadata")).current_details)
    assert "SMS template, notice, domestic, version 1" in details and "parts: 1 with usual values" in details
    assert f"/console/cases/sms-template-review/{view.version.id})" in details
    assert not [word for word in PRIVATE if word in details]
    assert await decided(handle, APPROVE) == ReviewState.APPROVED
    ((label, variables),) = await mails(alice)
    assert label == "sms-template-approved" and variables["link"].endswith(f"/portal/sms-templates/{view.row.id}")
    async with alice.base.db.read() as session:
        event = (await session.exec(select(WebhookEvent))).one()
        process = await session.get_one(Clockwork, handle.id)
    assert (event.account_id, event.kind) == (alice.rows.account, "sms_template_verify")
    assert event.data["template_id"] == view.row.number and event.data["approved"] is True
    assert process.closed_at is not None
    await keep(handle, "approved", *PRIVATE)


async def test_while_a_new_version_is_reviewed_the_approved_one_is_sent(
    alice: SmsAuthor, temporal_env: WorkflowEnvironment
) -> None:
    view = await alice.submits()
    await decided(await waiting(temporal_env, view.workflow_id), APPROVE)
    await alice.edits("您好%name%，您的订单已签收。")
    second = await alice.templates.submit(alice.caller, "order")
    assert second.version.number == 2
    assert [each.content for each in await alice.templates.sendable(alice.caller)] == [NOTICE]
    handle = await waiting(temporal_env, second.workflow_id)
    assert await decided(handle, REJECT) == ReviewState.REJECTED
    assert [label for label, _ in await mails(alice)] == ["sms-template-approved", "sms-template-rejected"]
    assert (await mails(alice))[-1][1]["reason"] == REJECT.reason
    assert [each.content for each in await alice.templates.sendable(alice.caller)] == [NOTICE]
    await keep(handle, "rejected", *PRIVATE)


async def test_a_withdrawn_template_ends_its_review_without_a_mail(
    alice: SmsAuthor, temporal_env: WorkflowEnvironment
) -> None:
    view = await alice.submits()
    handle = await waiting(temporal_env, view.workflow_id)
    await alice.templates.withdraw(alice.caller, "order")
    assert await alice.base.clockwork.send_nudges() >= 1
    assert await handle.result() == ReviewState.WITHDRAWN
    assert await mails(alice) == []
    await keep(handle, "withdrawn", *PRIVATE)


async def test_a_signature_is_rejected_changed_and_approved(
    alice: SmsAuthor, temporal_env: WorkflowEnvironment
) -> None:
    """Each submission is a process of its own, and the first does not take the second's decision for its."""
    made = await alice.signatures.create(alice.caller, SignatureDraft(SIGNATURE, note="our company"))
    first = await alice.signatures.submit(alice.caller, str(made.number))
    handle = await waiting(temporal_env, signature_review_id(first))
    details = str((await handle.query("__temporal_workflow_metadata")).current_details)
    assert "SMS signature, domestic, of a company" in details and "proof: none" in details
    assert await decided(handle, REJECT) == ReviewState.REJECTED
    await keep(handle, "rejected", *PRIVATE)
    await alice.signatures.change(alice.caller, str(made.number), SignatureDraft(SIGNATURE, note="see our website"))
    second = await alice.signatures.submit(alice.caller, str(made.number))
    assert second.review_id != first.review_id
    handle = await waiting(temporal_env, signature_review_id(second))
    assert await decided(handle, APPROVE) == ReviewState.APPROVED
    assert (await alice.signatures.get(alice.caller, str(made.number))).state == "approved"
    assert [label for label, _ in await mails(alice)] == ["sms-signature-rejected", "sms-signature-approved"]
    await keep(handle, "approved", *PRIVATE)


async def test_a_signature_withdrawn_and_submitted_again_leaves_its_first_process_nothing(
    alice: SmsAuthor, temporal_env: WorkflowEnvironment
) -> None:
    made = await alice.signatures.create(alice.caller, SignatureDraft(SIGNATURE))
    first = await alice.signatures.submit(alice.caller, str(made.id))
    old = await waiting(temporal_env, signature_review_id(first))
    await alice.signatures.withdraw(alice.caller, str(made.id))
    second = await alice.signatures.submit(alice.caller, str(made.id))
    new = await waiting(temporal_env, signature_review_id(second))
    await alice.base.clockwork.send_nudges()
    assert await old.result() == ReviewState.WITHDRAWN
    assert await decided(new, APPROVE) == ReviewState.APPROVED
    assert [label for label, _ in await mails(alice)] == ["sms-signature-approved"]
    await keep(old, "withdrawn", *PRIVATE)
