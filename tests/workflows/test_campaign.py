"""A campaign from its lists to its report, on the time-skipping server, with the real engine and database under it."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from uuid import UUID

from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from domain.campaigns import CampaignOrder, CampaignProgress, CampaignState, CommandResult
from domain.ids import Process
from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail
from store import audit
from store.columns import now
from store.db import Database
from store.suppressions import Suppression
from tests.campaign_world import engine, make_batch_customer, make_campaign, make_list, working
from tests.kept_histories import keep
from tests.money_world import recharge
from tests.patience import until
from tests.sending_world import DELIVERED, FakeServers
from workflows.campaign import CampaignWorkflow

QUEUES = count(1)
Handle = WorkflowHandle[CampaignWorkflow, CampaignState]
DEFERRED = Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, text="later", host="mx")


@asynccontextmanager
async def campaigning(
    env: WorkflowEnvironment, db: Database, servers: FakeServers, process: Process, **options: float
) -> AsyncIterator[Handle]:
    """The campaign's process, at work."""
    queue = f"campaign-{next(QUEUES)}"
    async with engine(db, servers, scale=options.get("scale", 60.0)) as made, working(env.client, made, queue):
        yield await env.client.start_workflow(CampaignWorkflow.run, process, id=process.workflow_id, task_queue=queue)


async def books(db: Database) -> list[str]:
    """The names of the checks that fail."""
    async with db.raw() as connection:
        found = await audit.check(connection, now() - dt.timedelta(minutes=5))
    return [f"{one.name}: {one.rows}" for one in found if one.count]


async def states(db: Database, process: Process) -> dict[str, int]:
    rows = await db.pool.fetch(
        "SELECT state, count(*) AS n FROM message WHERE submission_id = $1 GROUP BY 1", UUID(process.subject)
    )
    return {row["state"]: row["n"] for row in rows}


def addresses(number: int, domain: str = "a.test") -> list[str]:
    return [f"r{n:05}@{domain}" for n in range(number)]


async def test_from_lists_to_settled_money(temporal_env: WorkflowEnvironment, db: Database) -> None:
    """Two lists with two in common, one who unsubscribed, one without the variable; three providers' domains."""
    customer = await make_batch_customer(db, free=10)
    one = await make_list(db, customer, [*addresses(40), *addresses(15, "b.test"), "gone@a.test"])
    two = await make_list(db, customer, [*addresses(2), *addresses(30, "c.test")])
    await db.pool.execute("UPDATE list_member SET variables = '{}' WHERE address = 'r00000@c.test'")
    async with db.begin() as session:
        session.add(Suppression(account_id=customer.account, address="gone@a.test", reason="unsubscribe"))
    process = await make_campaign(db, customer, [one, two])
    servers = FakeServers()
    async with campaigning(temporal_env, db, servers, process) as handle:
        assert await handle.result() is CampaignState.FINISHED
        await keep(handle, "from-lists-to-settled-money", "a.test", "World")
        progress = await handle.query(CampaignWorkflow.progress)
    assert (progress.recipients, progress.settled) == (84, 84)
    assert sorted(servers.seen) == sorted([*addresses(40), *addresses(15, "b.test"), *addresses(30, "c.test")[1:]])
    assert await states(db, process) == {"delivered": 84}
    row = await db.pool.fetchrow("SELECT * FROM campaign WHERE id = $1", UUID(process.subject))
    assert (row["listed"], row["duplicates"], row["suppressed"], row["incomplete"]) == (88, 2, 1, 1)
    hold = await db.pool.fetchrow("SELECT * FROM hold WHERE submission_id = $1", UUID(process.subject))
    assert (hold["free"], hold["messages"], hold["sent"], hold["unsent"]) == (10, 74, 74, 0)
    assert await db.pool.fetchval("SELECT count(*) FROM list_freeze") == 0
    assert not await books(db)


async def test_later_rounds_until_they_are_settled(temporal_env: WorkflowEnvironment, db: Database) -> None:
    customer = await make_batch_customer(db)
    process = await make_campaign(db, customer, [await make_list(db, customer, addresses(30))])
    tried: dict[str, int] = {}

    def twice(mail: Mail) -> Outcome:
        tried[mail.recipient] = tried.get(mail.recipient, 0) + 1
        return DEFERRED if tried[mail.recipient] < 3 else DELIVERED

    async with campaigning(temporal_env, db, FakeServers(twice), process, scale=10_000.0) as handle:
        assert await handle.result() is CampaignState.FINISHED
    assert set(tried.values()) == {3}
    assert not await books(db)


async def test_paused_revised_resumed(temporal_env: WorkflowEnvironment, db: Database) -> None:
    """Who got which version is on record, and nothing is sent while it is paused."""
    customer = await make_batch_customer(db)
    process = await make_campaign(db, customer, [await make_list(db, customer, addresses(400))])
    campaign, servers = UUID(process.subject), FakeServers(delay=0.01)
    await add_version(db, campaign, 2, "Second")
    bodies: dict[str, bytes] = {}

    def keep_body(mail: Mail) -> Outcome:
        bodies[mail.recipient] = mail.data
        return DELIVERED

    servers.answer = keep_body
    with temporal_env.auto_time_skipping_disabled():
        async with campaigning(temporal_env, db, servers, process) as handle:
            await until(lambda: past(servers, 40))
            assert (await ask(handle, "pause")).state == "paused"
            await until(lambda: is_quiet(handle))
            sent = len(servers.seen)
            revised = await ask(handle, "revise")
            assert revised == CommandResult("paused")
            again = await ask(handle, "revise", 2)
            assert again.refusal == "campaign_version_same"
            assert 40 < sent == len(servers.seen) < 400
            await ask(handle, "resume")
            assert await handle.result() is CampaignState.FINISHED
            await keep(handle, "paused-revised-resumed", "a.test", "World")
    rows = await db.pool.fetch("SELECT address, revision FROM message WHERE submission_id = $1", campaign)
    assert sum(row["revision"] == 0 for row in rows) == sent
    for row in rows:
        assert (b"U2Vjb25k" in bodies[row["address"]]) == (row["revision"] == 1)  # base64 of Second
    assert not await books(db)


async def ask(handle: Handle, update: str, version: int | None = None) -> CommandResult:
    return await handle.execute_update(update, CampaignOrder(version), result_type=CommandResult)


async def past(servers: FakeServers, number: int) -> bool:
    return len(servers.seen) > number


async def is_quiet(handle: Handle) -> bool:
    progress: CampaignProgress = await handle.query(CampaignWorkflow.progress)
    return progress.runners == 0 and progress.state is CampaignState.PAUSED


async def add_version(db: Database, campaign: UUID, number: int, text: str) -> None:
    await db.pool.execute(
        "INSERT INTO template_version (id, template_id, account_id, number, subject, html, text, variables, state,"
        " row_version, created_at, due_provisional)"
        " SELECT gen_random_uuid(), v.template_id, v.account_id, $2, v.subject, $3, $3, v.variables, 'approved', 1,"
        " now(), false FROM template_version v JOIN campaign c ON c.template_version_id = v.id WHERE c.id = $1",
        campaign,
        number,
        text,
    )


async def test_cancelled_in_the_midst(temporal_env: WorkflowEnvironment, db: Database) -> None:
    customer = await make_batch_customer(db)
    process = await make_campaign(db, customer, [await make_list(db, customer, addresses(400))])
    servers = FakeServers(delay=0.01)
    servers.answer = lambda mail: DEFERRED if mail.recipient.endswith("7@a.test") else DELIVERED
    with temporal_env.auto_time_skipping_disabled():
        async with campaigning(temporal_env, db, servers, process) as handle:
            await until(lambda: past(servers, 40))
            await ask(handle, "cancel")
            assert await handle.result() is CampaignState.CANCELLED
            await keep(handle, "cancelled-in-the-midst", "a.test", "World")
    ended = await states(db, process)
    assert set(ended) == {"delivered", "dropped"} and sum(ended.values()) == 400
    hold = await db.pool.fetchrow("SELECT sent, unsent FROM hold WHERE submission_id = $1", UUID(process.subject))
    assert (hold["sent"], hold["unsent"]) == (ended["delivered"], ended["dropped"])
    assert not await books(db)


async def test_blocked_until_there_is_money(temporal_env: WorkflowEnvironment, db: Database) -> None:
    customer = await make_batch_customer(db, fen=10)
    process = await make_campaign(db, customer, [await make_list(db, customer, addresses(30))])
    servers = FakeServers()
    with temporal_env.auto_time_skipping_disabled():
        async with campaigning(temporal_env, db, servers, process) as handle:
            await until(lambda: has_state(handle, CampaignState.BLOCKED))
            assert (await handle.query(CampaignWorkflow.progress)).problem == "balance_insufficient"
            assert not await books(db) and not servers.seen
            await recharge(db, customer.account, 1000)
            await ask(handle, "resume")
            assert await handle.result() is CampaignState.FINISHED
            await keep(handle, "blocked-until-there-is-money", "a.test", "World")
    assert len(servers.seen) == 30
    assert not await books(db)


async def has_state(handle: Handle, state: CampaignState) -> bool:
    return (await handle.query(CampaignWorkflow.progress)).state is state


async def test_it_waits_for_its_time(temporal_env: WorkflowEnvironment, db: Database) -> None:
    customer = await make_batch_customer(db)
    start = await temporal_env.get_current_time() + dt.timedelta(days=2)
    made = await make_list(db, customer, addresses(3))
    process = await make_campaign(db, customer, [made], start_at=start)
    async with campaigning(temporal_env, db, FakeServers(), process) as handle:
        with temporal_env.auto_time_skipping_disabled():
            await until(lambda: has_state(handle, CampaignState.SCHEDULED))
        assert await handle.result() is CampaignState.FINISHED
    assert await temporal_env.get_current_time() >= start
