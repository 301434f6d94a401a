"""The process of a webhook endpoint on the time-skipping server, with a real database and real receivers."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, update
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from domain.ids import Process
from domain.webhooks import Stage
from store.clockwork import Clockwork, DatabaseEpoch
from store.columns import now
from store.db import Database
from store.webhooks import WebhookEndpoint
from tests.endings import at_rest, has_ended
from tests.kept_histories import keep
from tests.patience import until
from tests.platform_rows import have_platform
from tests.webhook_receiver import receiving
from tests.webhook_world import POLICY, VAULT, Hooks, drains, hooks
from worker import sandbox_runner
from workflows import webhook_delivery
from workflows.webhook_delivery import WebhookDeliveryWorkflow

HOUR = dt.timedelta(hours=1)
Handle = WorkflowHandle[WebhookDeliveryWorkflow, None]


@asynccontextmanager
async def running(
    env: WorkflowEnvironment, world: Hooks, process: Process, runner: WorkflowRunner | None = None
) -> AsyncIterator[Handle]:
    """The process under a worker of its own. What still runs at the end is ended by deleting the endpoint."""
    queue = process.workflow_id
    does = world.activities
    async with Worker(
        env.client, task_queue=queue, workflows=[WebhookDeliveryWorkflow], workflow_runner=runner or sandbox_runner(),
        activities=[does.tell_owner, does.close],
    ), drains(env.client, does):  # fmt: skip
        handle = await env.client.start_workflow(
            WebhookDeliveryWorkflow.run, process, id=process.workflow_id, task_queue=queue
        )
        try:
            yield handle
        finally:
            latest = env.client.get_workflow_handle(process.workflow_id)
            if not await has_ended(env.client, latest):
                await change(world, process, deleted_at=now())
                await latest.signal("nudge")
                await asyncio.wait_for(latest.result(), 20)


async def stage_becomes(handle: Handle, stage: Stage) -> None:
    async def holds() -> bool:
        return (await handle.query(WebhookDeliveryWorkflow.progress)).stage is stage

    await until(holds, 20)


def private(world: Hooks, port: int) -> tuple[str, ...]:
    """Addresses, URLs and secrets stay out of histories."""
    return f"127.0.0.1:{port}", "x.example", world.secret


async def change(world: Hooks, process: Process, **values: object) -> None:
    async with world.db.begin() as session:
        await session.exec(
            update(WebhookEndpoint).where(col(WebhookEndpoint.id) == UUID(process.subject)).values(**values)
        )


async def test_it_delivers_when_nudged_and_ends_when_deleted(temporal_env: WorkflowEnvironment, db: Database) -> None:
    world = await hooks(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        async with running(temporal_env, world, process) as handle:
            await world.owe(3)
            await handle.signal(WebhookDeliveryWorkflow.nudge)

            async def delivered() -> bool:
                return (await handle.query(WebhookDeliveryWorkflow.progress)).delivered == 3

            await until(delivered, 20)
            progress = await handle.query(WebhookDeliveryWorkflow.progress)
            assert (progress.stage, progress.failed, progress.pending, progress.next_look) == (Stage.IDLE, 0, 0, None)
            await at_rest(temporal_env.client, handle)
            await world.owe(1)
            await change(world, process, deleted_at=now())
            await handle.signal(WebhookDeliveryWorkflow.nudge)
            await handle.result()
            await keep(handle, "delivered-then-deleted", *private(world, receiver.port))
    assert len(receiver.requests) == 3
    assert await world.events(process) == []
    async with db.read() as session:
        row = await session.get(Clockwork, process.workflow_id)
        assert row is not None
        assert row.closed_at is not None


async def test_it_keeps_trying_by_the_back_off_until_it_is_acknowledged(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    world = await hooks(db)
    async with receiving(lambda n, r: 500 if n < 5 else 200) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(1)
        async with running(temporal_env, world, process) as handle:
            await stage_becomes(handle, Stage.BACKING_OFF)
            seen = [len(receiver.requests)]
            for wait in (HOUR / 360, HOUR / 50, HOUR / 10, HOUR / 4, HOUR * 0.8):
                await temporal_env.sleep(wait)
                seen.append(len(receiver.requests))
            await stage_becomes(handle, Stage.IDLE)
            progress = await handle.query(WebhookDeliveryWorkflow.progress)
            await keep(handle, "backed-off-then-acknowledged", *private(world, receiver.port))
    assert seen == [1, 2, 3, 4, 5, 6]
    assert (progress.delivered, progress.failed, progress.pending) == (1, 5, 0)
    assert len(set(receiver.ids)) == 1


async def test_operators_see_the_back_off(temporal_env: WorkflowEnvironment, db: Database) -> None:
    world = await hooks(db)
    async with receiving(lambda n, r: 500) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(7)
        async with running(temporal_env, world, process) as handle:
            await stage_becomes(handle, Stage.BACKING_OFF)
            attributes = {p.key.name: p.value for p in (await handle.describe()).typed_search_attributes}
            from temporalio.api.sdk.v1 import WorkflowMetadata

            shown: WorkflowMetadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert (attributes["Stage"], attributes["Channel"]) == ("backing_off", "webhook")
    assert isinstance(attributes["DueAt"], dt.datetime)
    assert "7 events wait" in shown.current_details
    assert "last error: http_500" in shown.current_details
    assert "127.0.0.1" not in shown.current_details


async def test_after_72_hours_it_is_disabled_its_owner_told_once_and_enabled_it_goes_on(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    await have_platform(db, VAULT, POLICY)
    world = await hooks(db)
    async with receiving(lambda n, r: 500) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(2)
        async with running(temporal_env, world, process) as handle:
            await stage_becomes(handle, Stage.BACKING_OFF)
            await temporal_env.sleep(71 * HOUR)
            assert (await handle.query(WebhookDeliveryWorkflow.progress)).stage is Stage.BACKING_OFF
            await temporal_env.sleep(2 * HOUR)
            await stage_becomes(handle, Stage.DISABLED)
            requests = len(receiver.requests)
            await temporal_env.sleep(7 * 24 * HOUR)
            assert len(receiver.requests) == requests
            async with db.raw() as connection:
                told = await connection.fetchval("SELECT count(*) FROM submission WHERE label = 'webhook-disabled'")
            assert told == 1
            receiver.script = lambda n, r: 200
            await change(world, process, state="enabled", disabled_by=None, failing_since=None, failures=0)
            await handle.signal(WebhookDeliveryWorkflow.nudge)
            await stage_becomes(handle, Stage.IDLE)
            await keep(handle, "disabled-and-enabled", *private(world, receiver.port))
    assert all(event.delivered_at for event in await world.events(process))


async def nudged(latest: WorkflowHandle[Any, Any]) -> None:
    """The test server has a moment between a run and the one that continues it; the real one has not."""
    for _ in range(100):
        with contextlib.suppress(RPCError):
            await latest.signal(WebhookDeliveryWorkflow.nudge)
            return
        await asyncio.sleep(0.02)
    pytest.fail("nobody hears a nudge")


async def test_it_continues_as_new_without_losing_events(
    temporal_env: WorkflowEnvironment, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "PASSES", 2)
    world = await hooks(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        async with running(temporal_env, world, process, UnsandboxedWorkflowRunner()) as first:
            latest = temporal_env.client.get_workflow_handle_for(WebhookDeliveryWorkflow.run, process.workflow_id)
            for count in range(1, 8):
                await world.owe(1)
                await nudged(latest)

                async def all_there(count: int = count) -> bool:
                    return len(set(receiver.ids)) == count

                await until(all_there, 20)
            assert (await latest.describe()).run_id != first.first_execution_run_id
    assert len(receiver.requests) == 7


async def test_a_process_from_before_a_restore_fails_and_sends_nothing(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    world = await hooks(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(1)
        async with db.begin() as session:
            await session.exec(update(DatabaseEpoch).values(epoch=2))
        try:
            async with running(temporal_env, world, process) as handle:
                with pytest.raises(WorkflowFailureError):
                    await handle.result()
        finally:
            async with db.begin() as session:
                await session.exec(update(DatabaseEpoch).values(epoch=1))
    assert receiver.requests == []
