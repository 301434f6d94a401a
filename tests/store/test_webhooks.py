import asyncio
from uuid import UUID

import pytest
from sqlmodel import col, update

from domain.webhooks import EndpointState, Event, OwedEvent
from store import clockwork, webhook_queue
from store.columns import now
from store.db import Database
from store.webhook_queue import Health
from store.webhooks import WebhookEndpoint, clear_back_off, owe_events, wake_pending
from tests.webhook_world import Hooks, hooks


async def wake(world: Hooks) -> None:
    async with world.db.begin() as session:
        await wake_pending(session)


async def test_events_are_owed_to_listeners_of_their_account_and_kind(db: Database) -> None:
    alice, bob = await hooks(db), await hooks(db)
    everything = await alice.endpoint("http://a.example/")
    refusals = await alice.endpoint("http://a.example/", Event.INVALID)
    others = await bob.endpoint("http://b.example/")
    facts = [
        OwedEvent(alice.customer.account, Event.DELIVER, 1, now(), {"recipient": "张三@x.example", "n": 1}),
        OwedEvent(alice.customer.account, Event.INVALID, 2, now(), {}),
    ]
    async with db.raw() as connection:
        await owe_events(connection, facts)
    first, second = await alice.events(everything)
    assert (first.kind, first.message_id, first.data) == ("deliver", 1, {"recipient": "张三@x.example", "n": 1})
    assert first.occurred_at == facts[0].occurred_at
    assert (second.kind, second.number, second.attempts, second.delivered_at) == ("invalid", None, 0, None)
    assert [event.kind for event in await alice.events(refusals)] == ["invalid"]
    assert await bob.events(others) == []


async def test_disabled_and_deleted_endpoints_are_owed_nothing(db: Database) -> None:
    world = await hooks(db)
    disabled, deleted = await world.endpoint("http://a.example/"), await world.endpoint("http://a.example/")
    async with db.begin() as session:
        for process, values in ((disabled, {"state": "disabled"}), (deleted, {"deleted_at": now()})):
            await session.exec(
                update(WebhookEndpoint).where(col(WebhookEndpoint.id) == process.subject).values(**values)
            )
    await world.owe(3)
    assert await world.events(disabled) == await world.events(deleted) == []


async def test_an_event_is_owed_only_if_its_transaction_commits(db: Database) -> None:
    world = await hooks(db)
    process = await world.endpoint("http://a.example/")
    try:
        async with db.raw() as connection:
            await owe_events(connection, [OwedEvent(world.customer.account, Event.DELIVER, 1, now(), {})])
            raise asyncio.CancelledError
    except asyncio.CancelledError:
        pass
    assert await world.events(process) == []


async def test_pending_events_wake_their_process_once_in_a_while(db: Database) -> None:
    world = await hooks(db)
    busy, idle = (
        await world.endpoint("http://a.example/", Event.DELIVER),
        await world.endpoint("http://a.example/", Event.OPEN),
    )
    await world.owe()
    await wake(world)
    assert (await world.nudge_wanted(busy), await world.nudge_wanted(idle)) == (True, False)
    async with db.begin() as session:
        await session.exec(update(clockwork.Clockwork).values(nudge_wanted=False))
    await world.owe()
    await wake(world)
    assert not await world.nudge_wanted(busy), "woken again though it was woken a moment ago"
    async with db.begin() as session:
        await session.exec(update(WebhookEndpoint).values(busy_until=now()))
    await wake(world)
    assert await world.nudge_wanted(busy), "a lost nudge is not repeated"


async def test_an_event_whose_commit_comes_late_wakes_too(db: Database) -> None:
    """The wake-up reads what is committed; nothing that an uncommitted transaction wrote can be used up."""
    world = await hooks(db)
    process = await world.endpoint("http://a.example/")
    async with db.raw() as connection:
        await owe_events(connection, [OwedEvent(world.customer.account, Event.DELIVER, 1, now(), {})])
        await wake(world)
        assert not await world.nudge_wanted(process)
    await wake(world)
    assert await world.nudge_wanted(process)


async def test_no_process_is_woken_during_its_back_off_or_when_disabled(db: Database) -> None:
    world = await hooks(db)
    process = await world.endpoint("http://a.example/")
    await world.owe()
    later = now().replace(year=now().year + 1)
    for values in ({"next_attempt_at": later}, {"next_attempt_at": None, "state": EndpointState.DISABLED.value}):
        async with db.begin() as session:
            await session.exec(update(WebhookEndpoint).values(**values))
        await wake(world)
        assert not await world.nudge_wanted(process)


async def test_owing_does_not_wait_for_a_locked_endpoint_or_process(db: Database) -> None:
    """Accepts and group commits take no row lock that a drainer, a page or reconcile may hold."""
    world = await hooks(db)
    process = await world.endpoint("http://a.example/")
    async with db.raw() as other:
        await other.execute("SELECT 1 FROM webhook_endpoint FOR UPDATE")
        await other.execute("SELECT 1 FROM clockwork FOR UPDATE")
        await asyncio.wait_for(world.owe(), 5)
    assert len(await world.events(process)) == 1


@pytest.mark.parametrize("how", ["recovered", "asked"])
async def test_an_end_of_failures_writes_only_what_had_failed(db: Database, how: str) -> None:
    """Not each of a million events that piled up meanwhile: a worker's transaction may take eight seconds."""
    world = await hooks(db)
    process = await world.endpoint("http://a.example/")
    await world.owe(3)
    tried, *others = [event.id for event in await world.events(process)]
    await db.pool.execute("UPDATE webhook_event SET attempts = 1, next_attempt_at = now() WHERE id = $1", tried)
    before = await _versions(db)
    if how == "recovered":
        async with db.raw() as connection:
            row = await webhook_queue.endpoint_row(connection, UUID(process.subject))
            assert row is not None
            await webhook_queue.judge(connection, row, Health(None, 0, None, None, recovered=True))
    else:
        async with db.begin() as session:
            endpoint = await session.get(WebhookEndpoint, UUID(process.subject))
            assert endpoint is not None
            await clear_back_off(session, endpoint)
    after = await _versions(db)
    assert [event for event in after if after[event] == before[event]] == others
    assert all(event.next_attempt_at is None for event in await world.events(process))


async def _versions(db: Database) -> dict[int, str]:
    return dict(await db.pool.fetch("SELECT id, xmin::text FROM webhook_event ORDER BY id"))
