"""One run of a scheduled task on the time-skipping server, over real rows, with the real acceptance under it."""

import datetime as dt
from itertools import count

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from domain.scheduled_tasks import Decision, Misfire, OrderResult, Overlap, Rules, RunOrder, RunState
from store import scheduled_runs, scheduled_tasks
from store.columns import now
from store.db import Database
from tests.campaign_world import make_batch_customer, make_list
from tests.kept_histories import keep
from tests.money_world import recharge
from tests.patience import until
from tests.platform_rows import have_platform
from tests.schedule_world import Handle, MailContent, Planned, add_task, make_task, phones, running
from tests.sending_world import VAULT
from tests.webhook_world import POLICY
from workflows.scheduled_task import ScheduledTask

pytestmark = pytest.mark.usefixtures("platform")
FIRST = count(10_000, 10_000)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
async def platform(db: Database) -> None:
    """Which mails the notices."""
    await have_platform(db, VAULT, POLICY)


def some(number: int) -> list[str]:
    """Numbers that no other test texts."""
    return phones(number, next(FIRST))


async def ago(env: WorkflowEnvironment, minutes: int) -> dt.datetime:
    """By the server's clock, which other tests have made skip hours."""
    return (await env.get_current_time() - dt.timedelta(minutes=minutes)).replace(microsecond=0)


async def decide(handle: Handle, decision: Decision) -> OrderResult:
    return await handle.execute_update("decide", RunOrder(decision), result_type=OrderResult)


async def state_is(planned: Planned, state: RunState) -> bool:
    return any(run["state"] == state for run in await planned.run_rows())


async def test_a_list_in_chunks_and_the_end(temporal_env: WorkflowEnvironment, db: Database) -> None:
    planned = await make_task(db, [*some(1_200), "+8613800000000001"])
    process = await planned.run_for(await ago(temporal_env, 0))
    async with running(temporal_env.client, db, process) as handle:
        seen = await handle.result()
        assert await handle.query(ScheduledTask.progress) == seen
        await keep(handle, "a-list-in-chunks", "Li", "+86138")
    assert (seen.state, seen.listed, seen.accepted, seen.refused) == (RunState.DONE, 1_201, 1_200, 1)
    (run,) = await planned.run_rows()
    assert sum(run["refused_by"].values()) == 1 and len(run["submissions"]) == 2 and run["ended_at"] is not None
    texted = await planned.texted()
    assert len(texted) == len(set(texted)) == 1_200
    tasks = await db.pool.fetch("SELECT DISTINCT task_id FROM submission WHERE channel = 'sms'")
    assert [row["task_id"] for row in tasks] == [run["id"]]
    assert await db.pool.fetchval("SELECT closed_at FROM clockwork WHERE workflow_id = $1", process.workflow_id)
    assert (await planned.row())["state"] == "active"


async def test_a_late_run_is_asked_about_and_sent(temporal_env: WorkflowEnvironment, db: Database) -> None:
    planned = await make_task(db, some(3))
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env.client, db, await planned.run_for(await ago(temporal_env, 20))) as handle:
            await until(lambda: state_is(planned, RunState.ASKED))
            assert await planned.texted() == []
            await until(lambda: asked(handle))
            assert await decide(handle, Decision.SEND) == OrderResult("sending")
            assert (await handle.result()).accepted == 3
            await keep(handle, "late-asked-sent", "Li", "+86138")
    (run,) = await planned.run_rows()
    assert run["decided_by"] == "temporal-ui"
    noted = await db.pool.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'scheduled_run.send'")
    assert noted == 1


async def asked(handle: Handle) -> bool:
    return (await handle.query(ScheduledTask.progress)).state is RunState.ASKED


async def test_unanswered_it_is_skipped_after_a_reminder(temporal_env: WorkflowEnvironment, db: Database) -> None:
    planned = await make_task(db, some(3))
    async with running(temporal_env.client, db, await planned.run_for(await ago(temporal_env, 20))) as handle:
        seen = await handle.result()
        await keep(handle, "late-unanswered", "Li", "+86138")
    letters = await db.pool.fetchval("SELECT count(*) FROM submission WHERE label = 'scheduled-run-late'")
    assert letters == 2
    assert (seen.state, seen.reason) == (RunState.SKIPPED, "unanswered")
    assert await planned.texted() == []


async def test_late_by_rule(temporal_env: WorkflowEnvironment, db: Database) -> None:
    skips = await make_task(db, some(2), rules=Rules(misfire=Misfire.SKIP))
    async with running(temporal_env.client, db, await skips.run_for(await ago(temporal_env, 20))) as handle:
        assert (await handle.result()).reason == "late"
    sends = await make_task(db, some(2), rules=Rules(misfire=Misfire.SEND))
    async with running(temporal_env.client, db, await sends.run_for(await ago(temporal_env, 20))) as handle:
        assert (await handle.result()).accepted == 2
    by_hand = await make_task(db, some(2), rules=Rules(misfire=Misfire.SKIP))
    async with running(
        temporal_env.client, db, await by_hand.run_for(await ago(temporal_env, 20), by="member/x")
    ) as handle:
        assert (await handle.result()).accepted == 2


async def test_without_money_it_waits_for_a_person(temporal_env: WorkflowEnvironment, db: Database) -> None:
    """The first chunk is paid; the second is not until a recharge."""
    planned = await make_task(db, some(1_500), fen=5_000)
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env.client, db, await planned.run_for(await ago(temporal_env, 0))) as handle:
            await until(lambda: state_is(planned, RunState.BLOCKED))
            (run,) = await planned.run_rows()
            assert (run["reason"], run["listed"], run["accepted"]) == ("balance_insufficient", 1_000, 1_000)
            task = await planned.row()
            assert (task["state"], task["reason"]) == ("needs_human", "balance_insufficient")
            await until(lambda: blocked(handle))
            await recharge(db, planned.customer.account, 100_000)
            assert (await decide(handle, Decision.SEND)).state == "sending"
            assert (await handle.result()).accepted == 1_500
            await keep(handle, "blocked-resumed", "Li", "+86138")
    texted = await planned.texted()
    assert len(texted) == len(set(texted)) == 1_500
    assert (await planned.row())["state"] == "active"


async def blocked(handle: Handle) -> bool:
    return (await handle.query(ScheduledTask.progress)).state is RunState.BLOCKED


async def test_of_two_runs_one_waits_for_its_turn(temporal_env: WorkflowEnvironment, db: Database) -> None:
    planned = await make_task(db, some(2), rules=Rules(Overlap.BUFFER_ONE))
    first, second = (
        await planned.run_for(await ago(temporal_env, 20)),
        await planned.run_for(await ago(temporal_env, 0)),
    )
    with temporal_env.auto_time_skipping_disabled():
        async with (
            running(temporal_env.client, db, first) as earlier,
            running(temporal_env.client, db, second) as later,
        ):
            await until(lambda: state_is(planned, RunState.ASKED))
            await until(lambda: asked(earlier))
            await decide(earlier, Decision.SKIP)
            assert (await earlier.result()).state is RunState.SKIPPED
            await later.signal(ScheduledTask.nudge)  # as the clockwork does, which the end of the first has asked
            assert (await later.result()).accepted == 2
            await keep(later, "waited-for-its-turn", "Li", "+86138")
    nudged = await db.pool.fetchval("SELECT count(*) FROM scheduled_run WHERE state = 'done'")
    assert nudged == 1


async def test_what_is_over_cannot_be_decided(temporal_env: WorkflowEnvironment, db: Database) -> None:
    planned = await make_task(db, some(2))
    process = await planned.run_for(await ago(temporal_env, 0))
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env.client, db, process) as handle:
            await pause(planned)
            await until(lambda: shown(handle))
            try:
                await decide(handle, Decision.SEND)
            except WorkflowUpdateFailedError as error:
                assert "cannot be decided" in str(error.cause)
            else:
                raise AssertionError
            await cancel(planned)
            await handle.signal(ScheduledTask.nudge)
            assert (await handle.result()).state in (RunState.SKIPPED, RunState.CANCELLED)


async def shown(handle: Handle) -> bool:
    return bool((await handle.query(ScheduledTask.progress)).run)


async def pause(planned: Planned) -> None:
    async with planned.db.raw() as connection:
        await scheduled_tasks.move(connection, planned.task, scheduled_tasks.TaskState.PAUSED)


async def cancel(planned: Planned) -> None:
    async with planned.db.raw() as connection:
        row = await scheduled_tasks.lock(connection, planned.task)
        await scheduled_tasks.move(connection, planned.task, scheduled_tasks.TaskState.CANCELLED)
        await scheduled_runs.cancel_open(connection, row, (now(), "test"))


async def test_a_campaign_once_per_run(temporal_env: WorkflowEnvironment, db: Database) -> None:
    customer = await make_batch_customer(db)
    chosen = await make_list(db, customer, ["a@a.test"])
    content = MailContent(customer.api_user_name, "hello", f"hello@{customer.domain_name}", (str(chosen),))
    task = await add_task(db, customer.account, content)
    planned = Planned(db, customer, chosen, task)  # type: ignore[arg-type]
    async with running(temporal_env.client, db, await planned.run_for(await ago(temporal_env, 0))) as handle:
        assert (await handle.result()).state is RunState.DONE
        await keep(handle, "a-campaign", "a@a.test")
    (run,) = await planned.run_rows()
    (made,) = await db.pool.fetch("SELECT id, idempotency_key, state FROM campaign")
    assert (made["id"], made["idempotency_key"]) == (run["campaign_id"], f"run/{run['id']}")
    assert await db.pool.fetchval("SELECT count(*) FROM clockwork WHERE kind = 'campaign'") == 1


async def test_a_campaign_that_cannot_be_made_blocks(temporal_env: WorkflowEnvironment, db: Database) -> None:
    customer = await make_batch_customer(db)
    chosen = await make_list(db, customer, ["a@a.test"])
    content = MailContent(customer.api_user_name, "gone", f"hello@{customer.domain_name}", (str(chosen),))
    planned = Planned(db, customer, chosen, await add_task(db, customer.account, content))  # type: ignore[arg-type]
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env.client, db, await planned.run_for(await ago(temporal_env, 0))) as handle:
            await until(lambda: blocked(handle))
            assert (await planned.row())["reason"] == "template_unknown"
            assert (await decide(handle, Decision.SKIP)).state == "skipped"
            assert (await handle.result()).state is RunState.SKIPPED
