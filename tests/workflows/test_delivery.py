"""The delivery of a page on the time-skipping server, with the real engine and database under it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.delivery import DeliveryActivities
from activities.discretion import Discretion
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.page_work import PageResult
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import Kind, Process
from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail
from store import pages
from store.db import Database
from tests.kept_histories import keep
from tests.patience import PATIENCE
from tests.sending_world import DELIVERED, VAULT, FakeServers, make_customer, submit
from worker import sandbox_runner
from workflows.delivery import DeliveryWorkflow

ADDRESSES = ["fine@a.test", "grey@a.test", "nobody@b.test"]


def answer(mail: Mail) -> Outcome:
    if mail.recipient.startswith("grey"):
        return Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, text=f"{mail.recipient}: later", host="mx")
    if mail.recipient.startswith("nobody"):
        return Outcome(OutcomeKind.BOUNCED, "hard.invalid_mailbox", 550, text=f"no {mail.recipient}", host="mx")
    return DELIVERED


async def claim(db: Database) -> Process:
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection)
    assert claimed is not None
    return Process(Kind.DELIVERY, str(claimed[0]), str(SYSTEM_ACCOUNT), 1)


@asynccontextmanager
async def delivering(
    env: WorkflowEnvironment, db: Database, servers: FakeServers
) -> AsyncIterator[Callable[[Process], asyncio.Future[WorkflowHandle[DeliveryWorkflow, PageResult]]]]:
    """Starts pages under a worker of its own."""
    sender = SenderProcess(db, 4)
    keeping = asyncio.create_task(sender.run())
    work = DeliveryActivities(
        db, sender, Renderer(db, VAULT, "bounce.test"), Wire(servers, servers, Lanes.without_limits(db, sender), 4, 60)
    )
    queue = f"delivery-{id(sender)}"

    def start(process: Process) -> asyncio.Future[WorkflowHandle[DeliveryWorkflow, PageResult]]:
        return asyncio.ensure_future(
            env.client.start_workflow(DeliveryWorkflow.run, process, id=process.workflow_id, task_queue=queue)
        )

    try:
        async with Worker(
            env.client, task_queue=queue, workflows=[DeliveryWorkflow], workflow_runner=sandbox_runner(),
            activities=[work.deliver_page], interceptors=[Discretion()],
        ):  # fmt: skip
            yield start
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_one_pass_counts_what_it_did_and_closes(temporal_env: WorkflowEnvironment, db: Database) -> None:
    await submit(db, await make_customer(db), ADDRESSES)
    async with delivering(temporal_env, db, FakeServers(answer)) as start:
        handle = await start(await claim(db))
        assert await handle.result() == PageResult(delivered=1, deferred=1, bounced=1)
        await keep(handle, "one-pass", *ADDRESSES, "a.test", "World")
    assert await db.pool.fetchval("SELECT count(*) FROM due") == 1


async def test_a_fault_inside_a_page_is_tried_again_and_says_nothing_of_the_data(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    """A driver's error quotes the row that it choked on; the history must not."""
    await submit(db, await make_customer(db), ["fine@a.test"])
    servers, told = FakeServers(), asyncio.Event()

    async def quotes_the_recipient(domain: str) -> object:
        told.set()
        raise RuntimeError(f"no route for fine@{domain}")

    healthy, servers.mail_hosts = servers.mail_hosts, quotes_the_recipient  # type: ignore[assignment, method-assign]
    async with delivering(temporal_env, db, servers) as start:
        process = await claim(db)
        with temporal_env.auto_time_skipping_disabled():
            handle = await start(process)
            await told.wait()
            failure = await last_failure(handle)
            servers.mail_hosts = healthy  # type: ignore[method-assign]
        assert await handle.result() == PageResult(delivered=1)
        await keep(handle, "a-fault-and-a-second-try", "fine@a.test")
    assert failure.startswith("RuntimeError at ") and "a.test" not in failure
    assert await db.pool.fetchval("SELECT epoch FROM page WHERE id = $1", UUID(process.subject)) >= 2


async def last_failure(handle: WorkflowHandle[DeliveryWorkflow, PageResult]) -> str:
    """What the Temporal UI shows of an activity that is being tried again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            pending = (await handle.describe()).raw_description.pending_activities
            if pending and pending[0].HasField("last_failure"):
                return str(pending[0].last_failure.message)
            await asyncio.sleep(0.02)
