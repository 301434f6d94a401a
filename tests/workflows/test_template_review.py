"""The review of a template on the time-skipping server, with a real database under it."""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select, update
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.reviews import ReviewActivities
from activities.template_desk import TemplateDesk
from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import Kind, Process
from domain.policy import Policy
from domain.queues import CONTROL
from domain.reviews import (
    MAX_REASON,
    Decision,
    DecisionResult,
    ReviewDecision,
    ReviewProgress,
    ReviewState,
    Ruling,
)
from domain.templates import Content
from domain.working_time import Calendar
from store import templates as rows
from store.audit_log import AuditEntry
from store.clockwork import Clockwork, DatabaseEpoch
from store.columns import now
from store.db import Database
from store.sending import Message, Submission
from store.templates import TemplateVersion
from tests.kept_histories import keep
from tests.patience import PATIENCE
from tests.platform_rows import have_platform
from tests.template_world import GOOD, Author, author
from worker import sandbox_runner
from workflows import visibility
from workflows.template_review import TemplateReview

WORKFLOW_TASKS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    }
)
PRIVATE = ("alice.example", GOOD.subject, "track it")
APPROVE = ReviewDecision(Decision.APPROVE)
ALLOWANCE = dt.timedelta(minutes=Policy.template_review_minutes)
CALENDAR = Calendar.of(Policy.working_hours)
REJECT = ReviewDecision(Decision.REJECT, "The link must lead to your own site.")


@dataclass
class Case:
    """One review that runs."""

    alice: Author
    version: UUID
    handle: WorkflowHandle[Any, ReviewState]

    @property
    def db(self) -> Database:
        return self.alice.base.db

    async def row(self) -> TemplateVersion:
        async with self.db.read() as session:
            row = await session.get(TemplateVersion, self.version)
        assert row is not None
        return row

    async def progress(self) -> ReviewProgress:
        return await self.handle.query(TemplateReview.progress)

    async def stage_becomes(self, stage: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while (await self.progress()).stage != stage:
                await asyncio.sleep(0.02)

    async def decides(self, decision: ReviewDecision) -> DecisionResult:
        return await self.handle.execute_update("decide", decision, result_type=DecisionResult)

    async def details(self) -> str:
        """The Markdown that the Temporal UI shows."""
        metadata = await self.handle.query("__temporal_workflow_metadata")
        return str(metadata.current_details)

    async def attributes(self) -> dict[str, Any]:
        """Read raw: the test server keeps a null for what was unset, which the client cannot decode."""
        client = self.alice.base.clockwork._client
        execution = WorkflowExecution(workflow_id=self.handle.id)
        request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
        found = (await client.workflow_service.describe_workflow_execution(request)).workflow_execution_info
        fields = found.search_attributes.indexed_fields.items()
        return {name: json.loads(each.data) for name, each in fields if each.data and each.data != b"null"}

    async def events(self) -> int:
        """Without workflow tasks: the test server writes those for a refused update, too (a real one does not)."""
        history = await self.handle.fetch_history()
        return sum(event.event_type not in WORKFLOW_TASKS for event in history.events)

    async def mails(self, to_lead: bool = False) -> list[tuple[str, str, dict[str, str]]]:
        """(address, label, variables) of what Songda itself wrote, to the customer or to the lead, in order."""
        lead = col(Message.address) == self.alice.base.policy.lead_email
        async with self.db.read() as session:
            found = await session.exec(
                select(Message.address, Submission.label, Message.variables)
                .join(Submission, col(Submission.id) == col(Message.submission_id))
                .where(col(Submission.account_id) == SYSTEM_ACCOUNT, lead if to_lead else ~lead)
                .order_by(col(Message.id))
            )
            return [tuple(each) for each in found]  # type: ignore[misc]

    async def alerts(self) -> list[str]:
        """What the lead was told of this review; the calendar is another matter."""
        mails = await self.mails(to_lead=True)
        return [label for _, label, variables in mails if variables.get("case") == self.handle.id]


@asynccontextmanager
async def working(client: Client, alice: Author) -> AsyncIterator[None]:
    base = alice.base
    reviews = ReviewActivities(base.db, base.policy, {Kind.TEMPLATE_REVIEW: TemplateDesk()})
    async with Worker(
        client, task_queue=CONTROL, workflows=[TemplateReview], workflow_runner=sandbox_runner(),
        activities=[reviews.look, reviews.decide, reviews.alert, reviews.announce, reviews.close],
    ):  # fmt: skip
        yield


@pytest.fixture
async def case(db: Database, temporal_env: WorkflowEnvironment) -> AsyncIterator[Case]:
    """A submitted version, its process started by the service, waiting for a decision."""
    alice = await author(db, temporal_env.client)
    await have_platform(db, alice.base.vault, alice.base.policy)
    async with working(temporal_env.client, alice):
        case = await submitted(alice, temporal_env)
        yield case
        if (await case.row()).state == ReviewState.SUBMITTED:
            async with db.begin() as session:
                await rows.withdraw(session, case.version)
            await case.handle.signal("nudge")
            await asyncio.wait_for(case.handle.result(), 10)


async def submitted(alice: Author, env: WorkflowEnvironment, content: Content = GOOD) -> Case:
    """Submit at the server's virtual time, which may be far ahead of ours."""
    view = await alice.writes(content)
    at = await env.get_current_time()
    async with alice.base.db.begin() as session:
        name = await rows.submit(session, view.version.id, alice.rows.account, at)
    assert await alice.base.clockwork.start(name)
    handle: WorkflowHandle[Any, ReviewState] = env.client.get_workflow_handle(name, result_type=ReviewState)
    case = Case(alice, view.version.id, handle)
    await case.stage_becomes("waiting")
    return case


async def test_an_approval(case: Case) -> None:
    result = await case.decides(replace(APPROVE, reason="  fine  ", version=2))
    assert (result.accepted, result.state) == (True, ReviewState.APPROVED)
    assert await case.handle.result() == ReviewState.APPROVED
    row = await case.row()
    assert (row.state, row.row_version, row.decided_by, row.reason) == ("approved", 3, "temporal-ui", "fine")
    ((address, label, variables),) = await case.mails()
    assert (address, label) == (f"{case.alice.rows.account}@alice.example", "template-approved")
    assert variables["template"] == "Order" and variables["link"].endswith(f"/portal/templates/{row.template_id}")


async def test_a_rejection_tells_the_reason(case: Case) -> None:
    assert (await case.decides(REJECT)).state is ReviewState.REJECTED
    assert await case.handle.result() == ReviewState.REJECTED
    assert (await case.row()).reason == REJECT.reason
    ((_, label, variables),) = await case.mails()
    assert (label, variables["reason"]) == ("template-rejected", REJECT.reason)


async def test_the_end_is_stamped_and_visible(case: Case) -> None:
    await case.decides(APPROVE)
    await case.handle.result()
    async with case.db.read() as session:
        process = await session.get(Clockwork, case.handle.id)
    assert process is not None and process.closed_at is not None and not process.nudge_wanted
    assert await case.attributes() == {
        "AccountId": str(case.alice.rows.account), "Stage": "approved", "Channel": "email", "NeedsHuman": False,
    }  # fmt: skip
    assert (await case.progress()).stage == "approved"


@pytest.mark.parametrize(
    ("decision", "says"),
    [
        (ReviewDecision(Decision.REJECT), "give a reason"),
        (ReviewDecision(Decision.REJECT, "  "), "give a reason"),
        (ReviewDecision(Decision.REJECT, "x" * (MAX_REASON + 1)), "characters"),
        (replace(APPROVE, version=1), "row version 1"),
        (replace(APPROVE, version=99), "row version 99"),
        (ReviewDecision(Decision.REJECT, "ask alice@customer.example"), "Write no address"),
        (replace(APPROVE, actor="olga@songda.example"), "Write no address"),
        (ReviewDecision(Decision.REJECT, "call 138-1234 5678"), "decide in the console"),
        (replace(REJECT, parts={"licence": "unreadable"}), "Parts: none"),
    ],
)
async def test_what_the_validator_refuses_leaves_no_event(case: Case, decision: ReviewDecision, says: str) -> None:
    before = await case.events()
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await case.decides(decision)
    assert isinstance(refused.value.cause, ApplicationError) and says in refused.value.cause.message
    assert await case.events() == before
    assert (await case.row()).state == ReviewState.SUBMITTED


async def test_of_two_deciders_one_wins_and_the_other_is_told(case: Case) -> None:
    results = await asyncio.gather(case.decides(APPROVE), case.decides(REJECT), return_exceptions=True)
    answers = [result for result in results if isinstance(result, DecisionResult)]
    assert sum(answer.accepted for answer in answers) == 1
    for result in results:
        told = result.message if isinstance(result, DecisionResult) else str(getattr(result, "cause", ""))
        assert told
    assert await case.handle.result() == (await case.row()).state
    async with case.db.read() as session:
        entries = list(await session.exec(select(AuditEntry).where(col(AuditEntry.action).startswith("template."))))
    assert [entry.actor for entry in entries] == ["temporal-ui"]
    assert len(await case.mails()) == 1


async def test_a_decision_in_our_own_pages_ends_the_review(case: Case) -> None:
    async with case.db.begin() as session:
        await rows.decide(session, case.version, Ruling(Decision.APPROVE, "operator/olga"), now())
    late = await case.decides(REJECT)
    assert (late.accepted, late.state) == (False, ReviewState.APPROVED)
    assert "operator/olga" in late.message
    assert await case.handle.result() == ReviewState.APPROVED
    assert (await case.row()).decided_by == "operator/olga"


async def test_the_actor_of_an_update_is_never_believed(case: Case) -> None:
    await case.decides(replace(APPROVE, actor="operator/olga"))
    await case.handle.result()
    assert (await case.row()).decided_by == "temporal-ui"


async def test_a_withdrawal_ends_the_review_without_a_mail(case: Case) -> None:
    await case.alice.templates.withdraw(case.alice.caller, "order")
    assert await case.alice.base.clockwork.send_nudges() >= 1
    assert await case.handle.result() == ReviewState.WITHDRAWN
    await keep(case.handle, "withdrawn", *PRIVATE)
    assert await case.mails() == []
    with pytest.raises(Exception, match=r"(?i)not found|completed|closed"):
        await case.decides(APPROVE)


async def test_an_operator_sees_what_is_asked_and_where_the_content_is(case: Case) -> None:
    row = await case.row()
    assert row.submitted_at is not None and row.due_at is not None
    promised = CALENDAR.due(row.submitted_at, ALLOWANCE)
    assert (row.due_at, row.due_provisional) == (promised.at, promised.provisional)
    attributes = await case.attributes()
    assert (attributes["NeedsHuman"], attributes["Stage"]) == (True, "waiting")
    assert abs(dt.datetime.fromisoformat(attributes["DueAt"]) - row.due_at) < dt.timedelta(seconds=1)
    details = await case.details()
    assert "approve or reject?" in details and "variables: 3" in details
    assert '{"decision": "approve", "version": 2}' in details
    assert f"({case.alice.base.policy.public_url}/console/cases/template-review/{row.id})" in details
    assert ("provisional" in details) is row.due_provisional
    for private in (case.alice.rows.account.hex, "alice.example", "order", GOOD.subject):
        assert private not in details


async def test_time_runs_out_the_lead_is_warned_and_told_once_each(
    case: Case, temporal_env: WorkflowEnvironment
) -> None:
    row = await case.row()
    assert row.submitted_at is not None and row.due_at is not None
    warn_at = CALENDAR.warning(row.submitted_at, ALLOWANCE)
    await pass_until(temporal_env, warn_at - dt.timedelta(minutes=2))
    assert (await case.progress()).stage == "waiting" and await case.alerts() == []
    await pass_until(temporal_env, warn_at + dt.timedelta(seconds=5))
    await case.stage_becomes("warning")
    assert (await case.attributes())["Stage"] == "warning" and "due soon" in await case.details()
    await pass_until(temporal_env, row.due_at - dt.timedelta(minutes=2))
    assert (await case.progress()).stage == "warning" and await case.alerts() == ["review-warning"]
    await pass_until(temporal_env, row.due_at + dt.timedelta(seconds=5))
    await case.stage_becomes("overdue")
    attributes = await case.attributes()
    assert (attributes["NeedsHuman"], attributes["Stage"]) == (True, "overdue")
    assert "overdue" in await case.details()
    await temporal_env.sleep(dt.timedelta(days=30))
    await case.handle.signal("nudge")
    assert (await case.decides(APPROVE)).accepted
    assert await case.handle.result() == ReviewState.APPROVED
    assert await case.alerts() == ["review-warning", "review-overdue"]
    await keep(case.handle, "warned-overdue-approved", *PRIVATE)


async def test_one_decided_after_the_warning_is_never_overdue(case: Case, temporal_env: WorkflowEnvironment) -> None:
    row = await case.row()
    assert row.submitted_at is not None
    await pass_until(temporal_env, CALENDAR.warning(row.submitted_at, ALLOWANCE) + dt.timedelta(seconds=5))
    await case.stage_becomes("warning")
    assert (await case.decides(REJECT)).accepted
    assert await case.handle.result() == ReviewState.REJECTED
    assert await case.alerts() == ["review-warning"]
    await keep(case.handle, "warned-rejected", *PRIVATE)


async def pass_until(env: WorkflowEnvironment, moment: dt.datetime) -> None:
    await env.sleep(max(moment - await env.get_current_time(), dt.timedelta()))


async def test_a_rebuilt_process_of_a_decided_version_only_closes(
    case: Case, temporal_env: WorkflowEnvironment
) -> None:
    await case.decides(APPROVE)
    await case.handle.result()
    process = Process(Kind.TEMPLATE_REVIEW, str(case.version), str(case.alice.rows.account), 1)
    again = await temporal_env.client.execute_workflow(
        TemplateReview.run, process, id=f"{process.workflow_id}-again", task_queue=CONTROL
    )
    assert again == ReviewState.APPROVED
    assert len(await case.mails()) == 1


async def test_a_process_of_an_older_database_does_nothing(case: Case, temporal_env: WorkflowEnvironment) -> None:
    async with case.db.begin() as session:
        await session.exec(update(DatabaseEpoch).values(epoch=2))
    try:
        process = Process(Kind.TEMPLATE_REVIEW, str(case.version), str(case.alice.rows.account), 1)
        # Without skipping: the review that waits must not wake up before the epoch is put back.
        with temporal_env.auto_time_skipping_disabled(), pytest.raises(WorkflowFailureError):
            await temporal_env.client.execute_workflow(
                TemplateReview.run, process, id=f"{process.workflow_id}-old", task_queue=CONTROL
            )
    finally:
        async with case.db.begin() as session:
            await session.exec(update(DatabaseEpoch).values(epoch=1))
    assert (await case.row()).state == ReviewState.SUBMITTED


async def test_on_a_real_server_a_refusal_leaves_nothing_and_the_end_can_be_read(
    db: Database, dev_temporal: WorkflowEnvironment
) -> None:
    alice = await author(db, dev_temporal.client)
    await have_platform(db, alice.base.vault, alice.base.policy)
    async with working(dev_temporal.client, alice):
        view = await alice.submits()
        assert view.workflow_id is not None
        case = Case(alice, view.version.id, dev_temporal.client.get_workflow_handle(view.workflow_id))
        await case.stage_becomes("waiting")
        before = len((await case.handle.fetch_history()).events)
        with pytest.raises(WorkflowUpdateFailedError):
            await case.decides(ReviewDecision(Decision.REJECT))
        assert len((await case.handle.fetch_history()).events) == before
        by_hand: DecisionResult = await case.handle.execute_update(  # as the Temporal UI sends it
            "decide", {"decision": "approve"}, result_type=DecisionResult
        )
        assert by_hand.accepted
        await case.handle.result()
        assert (await case.handle.describe()).typed_search_attributes.get(visibility.DUE_AT) is None
    await alice.base.clockwork.keep_histories()


async def test_a_rejected_version_is_resubmitted_as_the_next(case: Case, temporal_env: WorkflowEnvironment) -> None:
    await case.decides(REJECT)
    await case.handle.result()
    await case.alice.edits()
    view = await case.alice.templates.submit(case.alice.caller, "order")
    assert view.version.number == 2 and view.workflow_id is not None
    second = Case(case.alice, view.version.id, temporal_env.client.get_workflow_handle(view.workflow_id))
    assert (await second.decides(APPROVE)).accepted
    assert await second.handle.result() == ReviewState.APPROVED
    async with case.db.read() as session:
        sent = await rows.approved_version(session, case.alice.rows.account, "order")
    assert sent is not None and sent.number == 2


async def test_histories_replay_and_hold_nothing_personal(case: Case) -> None:
    await case.decides(REJECT)
    await case.handle.result()
    await keep(case.handle, "rejected", *PRIVATE)
