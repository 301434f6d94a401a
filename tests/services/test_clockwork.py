"""Rows and workflows in step, on a real Temporal server: starts, nudges, the full check, kept histories."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import col, select, update
from structlog.testing import capture_logs
from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.onboarding import OnboardingActivities
from domain.ids import Kind, Process, new_id, workflow_id
from domain.queues import CONTROL
from services.clockwork import Clockwork
from store import clockwork as rows
from store.columns import now
from store.db import Database
from tests.path_rows import Customer
from tests.patience import until
from tests.webhook_world import POLICY
from worker import sandbox_runner
from workflows.onboarding import Onboarding

ACCOUNT = new_id()


@workflow.defn(name="DomainVerification", sandboxed=False)
class Listener:
    """Stands for a process that waits; it counts its nudges, and ends when told."""

    def __init__(self) -> None:
        self.heard = 0
        self.told_to_end = False

    @workflow.run
    async def run(self, process: Process) -> int:
        await workflow.wait_condition(lambda: self.told_to_end)
        return self.heard

    @workflow.signal
    def nudge(self) -> None:
        self.heard += 1

    @workflow.signal
    def end(self) -> None:
        self.told_to_end = True

    @workflow.query
    def nudges(self) -> int:
        return self.heard


@dataclass
class World:
    """The clockwork under test, and rows for it. Processes that are started are ended with the test."""

    db: Database
    client: Client
    clockwork: Clockwork
    enlisted: list[str] = field(default_factory=list)

    async def enlist(self, kind: Kind = Kind.DOMAIN) -> str:
        async with self.db.begin() as session:
            name = await rows.enlist(session, kind, new_id(), ACCOUNT)
        self.enlisted.append(name)
        return name

    async def started(self) -> str:
        name = await self.enlist()
        assert await self.clockwork.start(name)
        return name

    async def row(self, name: str) -> rows.Clockwork:
        async with self.db.read() as session:
            return await session.get_one(rows.Clockwork, name)

    async def change(self, name: str, **values: object) -> None:
        async with self.db.begin() as session:
            await session.exec(update(rows.Clockwork).where(col(rows.Clockwork.workflow_id) == name).values(**values))

    async def wants_nudge(self, name: str) -> None:
        async with self.db.begin() as session:
            await rows.want_nudge(session, name)

    async def nudges(self, name: str) -> int:
        return await self.client.get_workflow_handle_for(Listener.run, name).query(Listener.nudges)

    async def status(self, name: str) -> WorkflowExecutionStatus | None:
        return (await self.client.get_workflow_handle(name).describe()).status


@pytest.fixture
async def world(db: Database, dev_temporal: WorkflowEnvironment) -> AsyncIterator[World]:
    made = World(db, dev_temporal.client, Clockwork(db, dev_temporal.client))
    async with Worker(
        made.client, task_queue=CONTROL, workflows=[Listener], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        yield made
        for name in made.enlisted:
            with contextlib.suppress(RPCError):
                await made.client.get_workflow_handle(name).terminate()


async def away(db: Database) -> Clockwork:
    """A clockwork whose Temporal does not answer."""
    return Clockwork(db, await Client.connect("127.0.0.1:1", lazy=True))


def failing(client: Client, monkeypatch: pytest.MonkeyPatch, status: RPCStatusCode, *names: str) -> None:
    """Have the server refuse to start these."""
    start = client.start_workflow

    async def start_workflow(*arguments: object, **options: object) -> object:
        if options["id"] in names:
            raise RPCError("refused", status, b"")
        return await start(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(client, "start_workflow", start_workflow)


async def test_what_was_accepted_while_temporal_was_away_is_started_later(world: World) -> None:
    names = [await world.enlist() for _ in range(3)]
    absent = await away(world.db)
    assert not await absent.start(names[0])
    assert await absent.start_unstarted() == 0
    assert (await world.row(names[0])).started_at is None
    assert await world.clockwork.start_unstarted() == 3
    assert {await world.status(name) for name in names} == {WorkflowExecutionStatus.RUNNING}
    assert await world.clockwork.start_unstarted() == 0


async def test_a_start_never_raises_for_a_database_that_went_away(world: World) -> None:
    """The request was accepted and committed: its answer must not be an error."""
    name = await world.enlist()
    nowhere = create_async_engine("postgresql+asyncpg://songda@127.0.0.1:1/songda")
    assert not await Clockwork(Database("", nowhere, world.db.pool), world.client).start(name)
    assert await world.clockwork.start_unstarted() == 1


async def test_a_start_whose_answer_was_lost_is_done_once(world: World) -> None:
    name = await world.started()
    run = (await world.client.get_workflow_handle(name).describe()).run_id
    await world.change(name, started_at=None)  # as after a crash between the start and its stamp
    assert await world.clockwork.start_unstarted() == 1
    assert (await world.client.get_workflow_handle(name).describe()).run_id == run


async def test_an_unknown_kind_and_a_closed_id_do_not_stop_the_rest(world: World) -> None:
    """The oldest rows are the bad ones."""
    unknown, closed = await world.enlist(), await world.started()
    await world.change(unknown, kind="of-a-newer-version")
    await world.client.get_workflow_handle(closed).terminate()
    await world.change(closed, started_at=None)
    good = await world.enlist()
    assert await world.clockwork.start_unstarted() == 2  # the closed one is stamped, and not run again
    assert await world.status(good) == WorkflowExecutionStatus.RUNNING
    assert await world.status(closed) == WorkflowExecutionStatus.TERMINATED
    assert (await world.row(unknown)).started_at is None
    with capture_logs() as logs:
        assert await world.clockwork.start_unstarted() == 0
    assert logs == [], "what cannot be helped is not tried every second"


async def test_what_temporal_refuses_stands_in_nobodys_way_and_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, good = await world.enlist(), await world.enlist()
    hasty = Clockwork(world.db, world.client, aside_seconds=0.0)
    with monkeypatch.context() as patch:
        failing(world.client, patch, RPCStatusCode.INVALID_ARGUMENT, refused)
        assert await hasty.start_unstarted() == 1
        assert (await world.row(good)).started_at is not None
    assert await hasty.start_unstarted() == 1
    assert await world.status(refused) == WorkflowExecutionStatus.RUNNING


async def test_a_fault_of_the_way_to_temporal_ends_the_round(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try costs up to a second: a hundred of them would hold up nudges for minutes."""
    names = [await world.enlist() for _ in range(3)]
    with monkeypatch.context() as patch:
        failing(world.client, patch, RPCStatusCode.UNAVAILABLE, *names)
        with capture_logs() as logs:
            assert await world.clockwork.start_unstarted() == 0
    assert [entry["event"] for entry in logs] == ["starts_wait"]
    assert await world.clockwork.start_unstarted() == 3


async def test_nudges_coalesce(world: World) -> None:
    name = await world.started()
    for _ in range(5):
        await world.wants_nudge(name)
    assert await world.clockwork.send_nudges() == 1
    assert await world.clockwork.send_nudges() == 0
    assert await world.nudges(name) == 1


async def test_nudges_wait_for_temporal_and_for_the_start(world: World) -> None:
    waiting, running = await world.enlist(), await world.started()
    for name in (waiting, running):
        await world.wants_nudge(name)
    assert await (await away(world.db)).send_nudges() == 0
    assert await world.clockwork.send_nudges() == 1
    assert (await world.row(waiting)).nudge_wanted
    assert await world.clockwork.start(waiting)
    assert await world.clockwork.send_nudges() == 1
    assert [await world.nudges(name) for name in (waiting, running)] == [1, 1]


async def test_a_nudge_that_is_wanted_while_one_is_sent_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may have looked before the second fact was committed; and who wants a nudge need not wait."""
    name = await world.started()
    await world.wants_nudge(name)
    nudge = world.clockwork._nudge

    async def meanwhile(called: str) -> bool | None:
        heard = await nudge(called)
        await asyncio.wait_for(world.wants_nudge(called), 2)
        return heard

    with monkeypatch.context() as patch:
        patch.setattr(world.clockwork, "_nudge", meanwhile)
        assert await world.clockwork.send_nudges() == 1
    assert (await world.row(name)).nudge_wanted
    assert await world.clockwork.send_nudges() == 1
    assert await world.nudges(name) == 2


async def test_a_nudge_of_an_open_transaction_is_sent_after_it(world: World) -> None:
    name = await world.started()
    await world.wants_nudge(name)
    async with world.db.begin() as session:
        await rows.want_nudge(session, name)
        assert await asyncio.wait_for(world.clockwork.send_nudges(), 5) == 1
    assert (await world.row(name)).nudge_wanted
    await world.clockwork.send_nudges()
    assert not (await world.row(name)).nudge_wanted


async def test_a_nudge_nobody_can_hear_is_dropped_and_its_process_marked(world: World) -> None:
    ended, good = await world.started(), await world.started()
    await world.client.get_workflow_handle(ended).terminate()
    for name in (ended, good):
        await world.wants_nudge(name)
    assert await world.clockwork.send_nudges() == 2
    assert await world.nudges(good) == 1
    row = await world.row(ended)
    assert (row.nudge_wanted, row.needs_human) == (False, "workflow is TERMINATED")
    assert await world.clockwork.send_nudges() == 0


async def test_the_full_check_rebuilds_what_is_missing_and_marks_what_was_ended(world: World) -> None:
    running, missing, terminated, completed = [await world.started() for _ in range(3)] + [await world.enlist()]
    await world.clockwork.start(completed)
    await world.client.get_workflow_handle(terminated).terminate()
    await world.client.get_workflow_handle(completed).signal("end")
    await world.client.get_workflow_handle(completed).result()
    lost = await world.enlist()
    await world.change(lost, started_at=now())  # Temporal's database was lost: it never heard of it
    await world.client.get_workflow_handle(missing).terminate()
    await world.change(missing, closed_at=now())  # ended by itself: not looked at
    found = await world.clockwork.check_all()
    assert found == {"running": 1, "completed": 1, "restarted": 1, "needs_human": 1, "set_aside": 0}
    assert await world.status(lost) == WorkflowExecutionStatus.RUNNING
    assert (await world.row(terminated)).needs_human == "workflow is TERMINATED"
    assert (await world.row(completed)).closed_at is not None
    again = await world.clockwork.check_all()
    assert (again["running"], again["restarted"], again["needs_human"]) == (2, 0, 1)
    assert await world.clockwork.start_unstarted() == 0
    assert await world.status(terminated) == WorkflowExecutionStatus.TERMINATED, "not started again"
    assert await world.status(running) == WorkflowExecutionStatus.RUNNING


async def test_a_process_that_a_person_made_run_again_is_nobodys_case_any_more(world: World) -> None:
    name = await world.started()
    await world.change(name, needs_human="workflow is TERMINATED")  # and then reset in the Temporal UI
    assert (await world.clockwork.check_all())["running"] == 1
    assert (await world.row(name)).needs_human is None


async def test_a_check_that_temporal_breaks_off_is_finished_by_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await world.enlist()
    await world.change(lost, started_at=now())
    with monkeypatch.context() as patch:
        failing(world.client, patch, RPCStatusCode.UNAVAILABLE, lost)
        with pytest.raises(RPCError):
            await world.clockwork.check_all()
    assert await world.clockwork.start_unstarted() == 1
    assert await world.status(lost) == WorkflowExecutionStatus.RUNNING


async def test_an_unknown_kind_does_not_stop_the_full_check(world: World) -> None:
    unknown, lost = await world.enlist(), await world.enlist()
    await world.change(unknown, kind="of-a-newer-version", started_at=now())
    await world.change(lost, started_at=now())
    found = await world.clockwork.check_all()
    assert (found["restarted"], found["set_aside"]) == (1, 1)


async def kept(db: Database, name: str) -> list[rows.ProcessHistory]:
    async with db.read() as session:
        found = select(rows.ProcessHistory).where(col(rows.ProcessHistory.workflow_id) == name)
        return list(await session.exec(found))


async def test_the_history_of_a_closed_human_process_is_kept(world: World) -> None:
    name = await world.started()
    handle = world.client.get_workflow_handle(name)
    await handle.signal("end")
    await handle.result()
    assert await world.clockwork.keep_histories() == 0, "it has not stamped its end"
    await world.change(name, closed_at=now())
    assert await world.clockwork.keep_histories() == 1
    (history,) = await kept(world.db, name)
    assert (history.account_id, history.run_id) == (ACCOUNT, (await handle.describe()).run_id)
    assert history.history["events"][-1]["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"
    assert (await world.row(name)).exported_at is not None
    assert await world.clockwork.keep_histories() == 0


async def test_a_history_that_is_lost_or_not_complete_holds_up_no_other(world: World) -> None:
    lost, running, good = await world.enlist(), await world.started(), await world.started()
    await world.client.get_workflow_handle(good).terminate()
    for age, name in enumerate((good, running, lost)):
        await world.change(name, closed_at=now() - dt.timedelta(minutes=age))
    assert await world.clockwork.keep_histories() == 1
    assert len(await kept(world.db, good)) == 1
    assert (await world.row(lost)).exported_at is not None
    assert (await world.row(running)).exported_at is None
    assert running in world.clockwork._aside.names()


async def test_the_loop_does_all_of_it_and_outlives_faults(world: World) -> None:
    """One loop at a time: the second finds the lock taken and does nothing, until the first is gone."""
    new, nudged = await world.enlist(), await world.started()
    await world.wants_nudge(nudged)

    async def broken() -> int:
        raise RPCError("gone", RPCStatusCode.UNAVAILABLE, b"")

    world.clockwork.keep_histories = broken  # type: ignore[method-assign]
    loops = [asyncio.create_task(clockwork.run(0.05)) for clockwork in (world.clockwork, await away(world.db))]
    try:

        async def done() -> bool:
            return (await world.row(new)).started_at is not None and await world.nudges(nudged) == 1

        await until(done)
        assert not any(loop.done() for loop in loops)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def test_a_process_started_before_a_restore_stands_back_and_one_started_after_works(
    db: Database, dev_temporal: WorkflowEnvironment
) -> None:
    """The epoch that a process carries is the database's at its start, not at its row's birth."""
    clockwork = Clockwork(db, dev_temporal.client)
    before, after = await Customer(db).registers(), await Customer(db).registers()
    names = [workflow_id(Kind.ONBOARDING, customer.account) for customer in (before, after)]
    assert await clockwork.start(names[0])
    try:
        async with db.begin() as session:
            await session.exec(update(rows.DatabaseEpoch).values(epoch=2))
        assert await clockwork.start(names[1])
        work = OnboardingActivities(db, POLICY)
        async with Worker(
            dev_temporal.client, task_queue=CONTROL, workflows=[Onboarding], workflow_runner=sandbox_runner(),
            activities=[work.look, work.remind, work.close],
        ):  # fmt: skip
            old, new = (dev_temporal.client.get_workflow_handle(name) for name in names)
            with pytest.raises(Exception, match="Workflow execution failed"):
                await asyncio.wait_for(old.result(), 20)
            assert (await new.query("progress"))["stage"] == "register"
        await (
            new.terminate()
        )  # the worker is gone: one that loses a workflow with an activity in hand may wait for ever
        assert (await clockwork.check_all())["needs_human"] == 2
    finally:
        async with db.begin() as session:
            await session.exec(update(rows.DatabaseEpoch).values(epoch=1))
