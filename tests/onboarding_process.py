"""The onboarding process of one customer, under a worker of its own, on the time-skipping server."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlmodel import col, select
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.onboarding import OnboardingActivities
from domain.accounts import SYSTEM_ACCOUNT
from domain.onboarding import Stage
from domain.policy import Policy
from store.db import Database
from store.sending import Message, Submission
from tests.endings import at_rest
from tests.path_rows import Customer
from worker import sandbox_runner
from workflows.onboarding import Onboarding, OnboardingProgress

POLICY = Policy(
    "https://songda.example", "Songda", "mail.songda.example", "bounce.songda.example", "spf.songda.example",
    "track.songda.example", "support@songda.example", "http://127.0.0.1:8233",
)  # fmt: skip
DAY = dt.timedelta(days=1)


@asynccontextmanager
async def running(
    env: WorkflowEnvironment, db: Database, alice: Customer
) -> AsyncIterator[WorkflowHandle[Onboarding, None]]:
    """The process of one customer under a worker of its own. It ends with the customer leaving.

    Never by terminating it: with a task in flight that keeps the server's clock locked for every later test.
    """
    queue = f"onboarding-{alice.account}"
    activities = OnboardingActivities(db, POLICY)
    async with Worker(
        env.client, task_queue=queue, workflows=[Onboarding], workflow_runner=sandbox_runner(),
        activities=[activities.look, activities.remind, activities.close],
    ):  # fmt: skip
        handle = await env.client.start_workflow(
            Onboarding.run, alice.process, id=alice.process.workflow_id, task_queue=queue
        )
        try:
            yield handle
        finally:
            if (await handle.describe()).close_time is None:
                await alice.leaves()
                await handle.signal(Onboarding.nudge)
                await asyncio.wait_for(handle.result(), 10)


async def stage_becomes(alice: Customer, stage: Stage) -> None:
    """Wait, in real time, for the row."""
    async with asyncio.timeout(30):
        while (await alice.row()).stage != stage.value:
            await asyncio.sleep(0.02)


async def nudged(handle: WorkflowHandle[Onboarding, None]) -> OnboardingProgress:
    """Nudge, and the progress after the look that follows."""
    await at_rest(handle._client, handle)  # else the look that counts may be one that began before the change
    before = (await handle.query(Onboarding.progress)).rounds
    await handle.signal(Onboarding.nudge)
    async with asyncio.timeout(30):
        while (progress := await handle.query(Onboarding.progress)).rounds <= before:
            await asyncio.sleep(0.02)
    return progress


async def current_details(client: Client, handle: WorkflowHandle[Onboarding, None]) -> str:
    """As the Temporal UI asks for them."""
    from temporalio.api.sdk.v1 import WorkflowMetadata

    answer: WorkflowMetadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return answer.current_details


async def mails(db: Database) -> list[tuple[str, str, dict[str, str]]]:
    """(address, idempotency key, variables) of the platform's reminders, oldest first."""
    async with db.read() as session:
        rows = await session.exec(
            select(Message.address, Submission.idempotency_key, Message.variables)
            .join(Submission, col(Submission.id) == col(Message.submission_id))
            .where(Submission.account_id == SYSTEM_ACCOUNT)
            .order_by(col(Message.id))
        )
        return [(address, key or "", dict(variables)) for address, key, variables in rows]
