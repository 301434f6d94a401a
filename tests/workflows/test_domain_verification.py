"""A sender domain's process on the time-skipping server, with a real database and a DNS server over UDP under it."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import col, select, update
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from activities.domains import DomainActivities
from domain.accounts import SYSTEM_ACCOUNT, Caller
from domain.domains import DomainState, Purpose, RecordState
from domain.ids import Kind, Process, workflow_id
from domain.notices import Notice
from sandbox.zones import Fault
from store import clockwork
from store.clockwork import Clockwork, DatabaseEpoch
from store.db import Database
from store.domains import SenderDomain
from store.sending import Submission
from tests.dns_world import POLICY, VAULT, Claim, DnsWorld, claim, dns_world, make_account, reread
from tests.kept_histories import keep
from tests.patience import PATIENCE
from tests.platform_rows import have_platform
from worker import sandbox_runner
from workflows import domain_verification as process
from workflows.domain_verification import DomainVerification

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
Handle = WorkflowHandle[DomainVerification, DomainState]


@dataclass
class Watch:
    """Processes under one worker, their world, and the virtual clock."""

    env: WorkflowEnvironment
    db: Database
    dns: DnsWorld
    queue: str

    async def claim(self, name: str, owner: Caller | None = None) -> Claim:
        return await claim(self.db, name, owner, await self.env.get_current_time())

    async def begin(self, made: Claim) -> Handle:
        started = Process(Kind.DOMAIN, str(made.id), str(made.row.account_id), 1)
        return await self.env.client.start_workflow(
            DomainVerification.run, started, id=started.workflow_id, task_queue=self.queue
        )

    async def until(self, made: Claim, wanted: Callable[[SenderDomain], bool]) -> SenderDomain:
        """The row once it is as wanted; waits in real time, without moving the clock."""
        async with asyncio.timeout(PATIENCE):
            while not wanted(row := await reread(self.db, made.id)):
                await asyncio.sleep(0.02)
        return row

    async def after(self, made: Claim, wait: dt.timedelta) -> SenderDomain:
        """The row after the look that is due in `wait` of virtual time."""
        before = (await reread(self.db, made.id)).checks
        await self.env.sleep(wait + dt.timedelta(seconds=5))
        return await self.until(made, lambda row: row.checks == before + 1)

    async def nudged(self, handle: Handle, made: Claim) -> SenderDomain:
        before = (await reread(self.db, made.id)).checks
        await handle.signal(DomainVerification.nudge)
        return await self.until(made, lambda row: row.checks == before + 1)

    async def end(self, made: Claim) -> None:
        """Delete the domain. (To terminate a process amid an activity stops this server's clock for good.)"""
        handle = self.env.client.get_workflow_handle(made.process_id)
        if (await handle.describe()).close_time is None:
            async with self.db.begin() as session:
                row = await session.get(SenderDomain, made.id)
                assert row is not None
                row.state = DomainState.DELETED.value
            await handle.signal("nudge")
            async with asyncio.timeout(PATIENCE):
                while (await handle.describe()).close_time is None:
                    await asyncio.sleep(0.02)

    async def mails(self) -> list[str]:
        """The kinds of notices sent, oldest first."""
        async with self.db.read() as session:
            sent = select(Submission).where(col(Submission.account_id) == SYSTEM_ACCOUNT).order_by(col(Submission.id))
            return [row.label or "" for row in await session.exec(sent)]


@asynccontextmanager
async def watching(
    env: WorkflowEnvironment, db: Database, folder: Path, runner: WorkflowRunner | None = None
) -> AsyncIterator[Watch]:
    await have_platform(db, VAULT, POLICY)
    async with dns_world(folder, lifetime=1.5) as dns:  # a busy machine must not look like silent name servers
        activities = DomainActivities(db, dns.resolver, POLICY)
        queue = f"domains-{folder.name}"
        async with Worker(
            env.client, task_queue=queue, workflows=[DomainVerification],
            workflow_runner=runner or sandbox_runner(),
            activities=[activities.stand, activities.look, activities.announce, activities.close],
        ):  # fmt: skip
            yield Watch(env, db, dns, queue)


@pytest.fixture
async def watch(temporal_env: WorkflowEnvironment, db: Database, tmp_path: Path) -> AsyncIterator[Watch]:
    async with watching(temporal_env, db, tmp_path) as started:
        yield started


@pytest.fixture
async def begin(watch: Watch) -> AsyncIterator[Callable[[Claim], Awaitable[Handle]]]:
    """Start a process that is ended with the test."""
    begun = []

    async def start(made: Claim) -> Handle:
        begun.append(made)
        return await watch.begin(made)

    yield start
    for made in begun:
        await watch.end(made)


Begin = Callable[[Claim], Awaitable[Handle]]


async def states(handle: Handle, row: SenderDomain) -> dict[Purpose, RecordState]:
    """What the process says once it has heard of the look that wrote this row."""
    async with asyncio.timeout(PATIENCE):
        while (progress := await handle.query(DomainVerification.progress)).checks < row.checks:
            await asyncio.sleep(0.02)
    return {line.purpose: line.state for line in progress.records}


async def nudge_of_onboarding(db: Database, account: UUID) -> bool:
    async with db.read() as session:
        row = await clockwork.find(session, workflow_id(Kind.ONBOARDING, account))
        return row is not None and row.nudge_wanted


async def usable(watch: Watch, made: Claim, begin: Begin) -> Handle:
    await watch.dns.publish(*made.needed())
    handle = await begin(made)
    await watch.until(made, lambda row: row.state == DomainState.USABLE)
    return handle


async def test_from_pending_to_usable_to_broken_and_healed(watch: Watch, begin: Begin) -> None:
    owner = await make_account(watch.db, language="en")
    made = await watch.claim("shop.example", owner)
    async with watch.db.begin() as session:
        await clockwork.enlist(session, Kind.ONBOARDING, owner.account_id, owner.account_id)
    handle = await begin(made)
    first = await watch.until(made, lambda row: row.checks == 1)
    assert (first.state, first.problem) == (DomainState.PENDING, "ownership")
    assert set((await states(handle, first)).values()) == {RecordState.MISSING}

    await watch.dns.publish(*made.needed())
    healthy = await watch.nudged(handle, made)
    assert (healthy.state, healthy.problem) == (DomainState.USABLE, None)
    assert healthy.usable_since is not None
    assert await nudge_of_onboarding(watch.db, owner.account_id)
    assert (await states(handle, healthy))[Purpose.DMARC] is RecordState.MISSING

    await watch.dns.zones.withdraw("shop.example", "TXT")
    doubted = await watch.after(made, DAY)
    assert (doubted.state, doubted.suspected) == (DomainState.USABLE, True)
    broken = await watch.after(made, 2 * MINUTE)
    assert (broken.state, broken.problem, broken.suspected) == (DomainState.BROKEN, "spf", False)

    await watch.dns.publish(made.records[Purpose.SPF])
    healed = await watch.after(made, MINUTE)
    assert (healed.state, healed.problem) == (DomainState.USABLE, None)
    await watch.until(made, lambda row: row.announced == DomainState.USABLE)
    assert await watch.mails() == [Notice.DOMAIN_USABLE, Notice.DOMAIN_BROKEN, Notice.DOMAIN_USABLE]


async def test_waits_grow_and_a_nudge_looks_at_once(watch: Watch, begin: Begin) -> None:
    made = await watch.claim("slow.example")
    handle = await begin(made)
    await watch.until(made, lambda row: row.checks == 1)
    for minutes in (1, 5, 30, 60, 60):
        row = await reread(watch.db, made.id)
        assert row.next_check_at and row.checked_at
        assert row.next_check_at - row.checked_at == minutes * MINUTE
        await watch.after(made, minutes * MINUTE)
    checks = (await reread(watch.db, made.id)).checks
    await watch.env.sleep(30 * MINUTE)
    assert (await reread(watch.db, made.id)).checks == checks
    row = await watch.nudged(handle, made)
    assert row.next_check_at and row.checked_at
    assert row.next_check_at - row.checked_at == MINUTE


async def test_a_usable_domain_is_looked_at_daily(watch: Watch, begin: Begin) -> None:
    made = await watch.claim("daily.example")
    await usable(watch, made, begin)
    for _ in range(3):
        row = await watch.after(made, DAY)
        assert (row.state, row.suspected) == (DomainState.USABLE, False)


async def test_a_fault_that_is_gone_at_the_second_look_breaks_nothing(watch: Watch, begin: Begin) -> None:
    made = await watch.claim("blip.example")
    handle = await usable(watch, made, begin)
    dkim = made.records[Purpose.DKIM]
    await watch.dns.put(dkim.name, "TXT", "v=DKIM1; p=AAAA")
    doubted = await watch.after(made, DAY)
    assert doubted.suspected
    impatient = await watch.nudged(handle, made)  # too early to confirm
    assert (impatient.state, impatient.suspected) == (DomainState.USABLE, True)
    assert impatient.next_check_at == doubted.next_check_at
    await watch.dns.publish(dkim)
    row = await watch.after(made, 2 * MINUTE)
    assert (row.state, row.suspected) == (DomainState.USABLE, False)
    assert await watch.mails() == [Notice.DOMAIN_USABLE]


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.TIMEOUT])
async def test_silent_name_servers_never_break_a_domain(watch: Watch, begin: Begin, fault: Fault) -> None:
    made = await watch.claim("silent.example")
    handle = await usable(watch, made, begin)
    await watch.dns.silence("silent.example", fault)
    row = await watch.after(made, DAY)
    for _ in range(3):
        assert (row.state, row.suspected) == (DomainState.USABLE, False)
        assert set((await states(handle, row)).values()) == {RecordState.UNREACHABLE}
        row = await watch.after(made, 30 * MINUTE)
    await watch.dns.silence("silent.example", None)
    row = await watch.after(made, 30 * MINUTE)
    assert (await states(handle, row))[Purpose.SPF] is RecordState.OK


async def test_a_newcomer_waits_while_the_holders_token_is_published(watch: Watch, begin: Begin) -> None:
    holder, newcomer = await watch.claim("two.example"), await watch.claim("two.example")
    await usable(watch, holder, begin)
    ours, theirs = (made.records[Purpose.OWNERSHIP] for made in (newcomer, holder))
    await watch.dns.publish(*newcomer.needed())
    await watch.dns.put(ours.name, "TXT", ours.value, theirs.value)
    handle = await begin(newcomer)
    row = await watch.until(newcomer, lambda row: row.checks == 1)
    assert (row.state, row.problem) == (DomainState.PENDING, "ownership")
    assert (await states(handle, row))[Purpose.OWNERSHIP] is RecordState.CLAIMED
    assert (await watch.after(holder, DAY)).state == DomainState.USABLE


async def test_the_token_hands_a_name_over_and_the_former_holder_is_told(watch: Watch, begin: Begin) -> None:
    holder, newcomer = await watch.claim("moved.example"), await watch.claim("moved.example")
    former = await usable(watch, holder, begin)
    await watch.dns.publish(*newcomer.needed())  # replaces the ownership record
    await begin(newcomer)
    await watch.until(newcomer, lambda row: row.state == DomainState.USABLE)
    lost = await reread(watch.db, holder.id)
    assert (lost.state, lost.problem, lost.usable_since) == (DomainState.LOST, "ownership", None)
    async with watch.db.read() as session:
        waiting = await clockwork.find(session, holder.process_id)
        assert waiting is not None and waiting.nudge_wanted

    row = await watch.nudged(former, holder)
    assert row.state == DomainState.LOST
    assert (await states(former, row))[Purpose.OWNERSHIP] is RecordState.CLAIMED
    await watch.until(holder, lambda row: row.announced == DomainState.LOST)
    await keep(former, "lost-to-another-account", holder.row.ownership_token, newcomer.row.ownership_token)
    assert (await watch.mails()).count(Notice.DOMAIN_LOST) == 1

    await watch.dns.publish(*holder.needed())  # and back again
    assert (await watch.nudged(former, holder)).state == DomainState.USABLE
    assert (await reread(watch.db, newcomer.id)).state == DomainState.LOST


async def test_the_holders_own_look_sees_the_token_of_a_pending_account(watch: Watch, begin: Begin) -> None:
    holder, newcomer = await watch.claim("half.example"), await watch.claim("half.example")
    await usable(watch, holder, begin)
    await watch.dns.publish(newcomer.records[Purpose.OWNERSHIP])  # its key is not published yet
    await watch.after(holder, DAY)
    row = await watch.after(holder, 2 * MINUTE)
    assert (row.state, row.problem) == (DomainState.LOST, "ownership")


async def test_it_ends_with_its_row(watch: Watch, begin: Begin) -> None:
    made = await watch.claim("gone.example")
    handle = await begin(made)
    await watch.until(made, lambda row: row.checks == 1)
    async with watch.db.begin() as session:
        row = await session.get(SenderDomain, made.id)
        assert row is not None
        row.state = DomainState.DELETED.value
    await handle.signal(DomainVerification.nudge)
    assert await handle.result() is DomainState.DELETED
    await keep(handle, "deleted", made.row.ownership_token)
    async with watch.db.read() as session:
        kept = await session.get(Clockwork, made.process_id)
        assert kept is not None and kept.closed_at is not None


async def test_a_test_domain_is_not_watched(watch: Watch, begin: Begin) -> None:
    made = await watch.claim("t1.mail.songda.example")
    async with watch.db.begin() as session:
        row = await session.get(SenderDomain, made.id)
        assert row is not None
        row.is_test, row.state = True, DomainState.USABLE.value
    assert await (await begin(made)).result() is DomainState.USABLE
    assert (await reread(watch.db, made.id)).checks == 0


async def test_an_old_process_stands_back_after_a_restore(watch: Watch, begin: Begin) -> None:
    made = await watch.claim("restored.example")
    async with watch.db.begin() as session:
        await session.exec(update(DatabaseEpoch).values(epoch=2))
    try:
        with pytest.raises(WorkflowFailureError) as failure:
            await (await begin(made)).result()
    finally:
        async with watch.db.begin() as session:
            await session.exec(update(DatabaseEpoch).values(epoch=1))
    assert isinstance(failure.value.cause, ActivityError)
    assert isinstance(failure.value.cause.cause, ApplicationError)
    assert failure.value.cause.cause.type == "StaleEpoch"


async def test_long_lives_continue_as_new_and_keep_their_time(
    temporal_env: WorkflowEnvironment, db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOOKS_PER_RUN", 2)
    async with watching(temporal_env, db, tmp_path, UnsandboxedWorkflowRunner()) as watch:
        made = await watch.claim("long.example")
        handle = await watch.begin(made)
        first_run = (await handle.describe()).run_id
        await watch.until(made, lambda row: row.checks == 1)
        for minutes in (1, 5, 30, 60):
            await watch.after(made, minutes * MINUTE)
        current = temporal_env.client.get_workflow_handle(made.process_id)
        assert (await current.describe()).run_id != first_run
        assert (await reread(db, made.id)).checks == 5
        await watch.end(made)


async def test_operators_see_the_records_and_histories_replay(watch: Watch, begin: Begin) -> None:
    made = await watch.claim("seen.example")
    handle = await usable(watch, made, begin)
    await watch.dns.zones.withdraw(made.records[Purpose.DKIM].name, "TXT")
    await watch.after(made, DAY)
    await watch.after(made, 2 * MINUTE)
    async with asyncio.timeout(PATIENCE):  # the owner is mailed first
        while "problem: dkim" not in (shown := str(await handle.query("__temporal_workflow_metadata"))):
            await asyncio.sleep(0.02)
    assert "dkim `songda-" in shown and "missing" in shown
    await keep(handle, "usable-then-broken", made.row.ownership_token, "owner.example")
