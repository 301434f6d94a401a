import asyncio
import datetime as dt
import json
import random
from collections.abc import Callable

import pytest
from sqlmodel import col, update
from standardwebhooks import Webhook

from domain import webhooks as rules
from domain.errors import StaleEpoch
from domain.ids import Process
from domain.webhooks import DrainOrder, Event, Stage
from store.clockwork import DatabaseEpoch
from store.columns import now
from store.db import Database
from store.webhooks import WebhookEndpoint, WebhookEvent
from tests.platform_rows import have_platform
from tests.webhook_receiver import DROP, HANG, Receiver, Request, receiving
from tests.webhook_world import POLICY, VAULT, Hooks, hooks

MINUTE = dt.timedelta(minutes=1)


def recipient(request: Request) -> str:
    found: str = json.loads(request.body)["data"]["recipient"]
    return found


async def change(world: Hooks, **values: object) -> None:
    async with world.db.begin() as session:
        await session.exec(update(WebhookEndpoint).values(**values))


async def test_events_arrive_signed_numbered_and_are_acknowledged(db: Database) -> None:
    world = await hooks(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(300)
        drained = await world.drain(process)
    assert (drained.stage, drained.delivered, drained.failed, drained.pending) == (Stage.IDLE, 300, 0, 0)
    bodies = [Webhook(world.secret).verify(r.body, r.headers) for r in receiver.requests]
    assert sorted(body["number"] for body in bodies) == list(range(1, 301))
    assert {body["data"]["recipient"] for body in bodies} == {f"r{n}@x.example" for n in range(300)}
    assert {body["type"] for body in bodies} == {"deliver"}
    rows = await world.events(process)
    assert all(row.delivered_at and row.attempts == 1 for row in rows)
    assert sorted(receiver.ids) == sorted(rules.event_id(row.id or 0) for row in rows)
    assert 1 < receiver.peak <= 32
    attempts = await world.attempts(process)
    assert len(attempts) == 300
    assert {(a.status, a.error) for a in attempts} == {(204, None)}
    endpoint = await world.row(process)
    assert (endpoint.last_number, endpoint.busy_until, endpoint.last_error) == (300, None, None)
    assert endpoint.last_delivered_at is not None


async def test_a_failing_endpoint_is_tried_with_one_event_at_growing_intervals(db: Database) -> None:
    world = await hooks(db)
    waits = []
    async with receiving(lambda n, r: 503, body=b"no database") as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(100)
        for _ in range(4):
            drained = await world.drain(process)
            assert (drained.stage, drained.delivered, drained.pending) == (Stage.BACKING_OFF, 0, 100)
            assert drained.last_error == "http_503"
            waits.append(round(drained.wait_seconds or 0))
            world.offset += dt.timedelta(seconds=(drained.wait_seconds or 0) + 1)
        assert len(receiver.requests) == 4 + 3  # a first look, then one event at a time
        receiver.script = lambda n, r: 200
        drained = await world.drain(process)
    assert waits == [5, 55, 300, 840]
    assert (drained.delivered, drained.failures) == (len(set(receiver.ids)), 0)
    assert drained.stage is Stage.DELIVERING or drained.pending == 0
    assert (await world.drain(process)).pending == 0
    failed = (await world.attempts(process))[0]
    assert (failed.status, failed.error, failed.response) == (503, "http_503", "no database")


async def test_a_try_before_its_time_makes_no_request(db: Database) -> None:
    world = await hooks(db)
    async with receiving(lambda n, r: 500) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe()
        await world.drain(process)
        drained = await world.drain(process)
        assert (drained.stage, len(receiver.requests)) == (Stage.BACKING_OFF, 1)
        assert 0 < (drained.wait_seconds or 0) < 5.1


async def test_a_repeat_has_the_same_id_and_body_and_a_fresh_signature(db: Database) -> None:
    world = await hooks(db)
    async with receiving(lambda n, r: 500 if n == 0 else 200) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe()
        await world.drain(process)
        world.offset = MINUTE
        await world.drain(process)
    first, second = receiver.requests
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    for request in receiver.requests:
        Webhook(world.secret).verify(request.body, request.headers)


async def test_killed_between_answer_and_acknowledgement_an_event_is_sent_again_with_its_id(db: Database) -> None:
    """The kill: the pass is cancelled while its group commit waits for a lock, after the receiver said 204."""
    world = await hooks(db)
    async with receiving() as receiver:
        receiver.gate = asyncio.Event()
        process = await world.endpoint(receiver.url)
        await world.owe(2)
        running = asyncio.create_task(world.drain(process))
        await until(lambda: len(receiver.requests) == 2)
        async with db.raw() as other:
            await other.execute("SELECT 1 FROM webhook_event FOR UPDATE")
            receiver.gate.set()
            await until(lambda: receiver.answered == 2)
            await asyncio.sleep(0.2)
            assert not running.done()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert [event.delivered_at for event in await world.events(process)] == [None, None]
        assert (await world.drain(process)).delivered == 2
    assert sorted(receiver.ids[:2]) == sorted(receiver.ids[2:])
    assert sorted(r.body for r in receiver.requests[:2]) == sorted(r.body for r in receiver.requests[2:])
    assert all(event.delivered_at for event in await world.events(process))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


async def test_an_event_that_is_refused_does_not_hold_up_the_others(db: Database) -> None:
    world = await hooks(db)
    async with receiving(lambda n, r: 400 if recipient(r) == "r2@x.example" else 200) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(50)
        drained = await world.drain(process)
        assert (drained.delivered, drained.failed, drained.pending, drained.failures) == (49, 1, 1, 0)
        assert drained.stage is Stage.BACKING_OFF
        assert 0 < (drained.wait_seconds or 0) < 5.1
        await world.owe(2)
        assert (await world.drain(process)).delivered == 2
        assert len([r for r in receiver.requests if recipient(r) == "r2@x.example"]) == 1


async def test_an_event_is_given_up_when_it_alone_failed_for_days(db: Database) -> None:
    world = await hooks(db)
    async with receiving(lambda n, r: 400 if recipient(r) == "r0@x.example" else 200) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(2)
        for _ in range(rules.MAX_TRIES):
            await world.drain(process)
            await world.owe(0)
            world.offset += dt.timedelta(days=1)
            async with db.raw() as connection:  # others go on being delivered
                await connection.execute(
                    "UPDATE webhook_endpoint SET last_delivered_at = $1, failing_since = NULL, failures = 0,"
                    " next_attempt_at = NULL",
                    now() + world.offset,
                )
        assert (await world.drain(process)).pending == 0
    given_up = (await world.events(process))[0]
    assert (given_up.attempts, given_up.delivered_at) == (rules.MAX_TRIES, None)
    assert given_up.given_up_at is not None
    assert len([r for r in receiver.requests if recipient(r) == "r0@x.example"]) == rules.MAX_TRIES


async def test_an_endpoint_that_goes_away_in_the_middle_is_left_alone(db: Database) -> None:
    world = await hooks(db)
    async with receiving(lambda n, r: 200 if n < 40 else 500) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(1000)
        drained = await world.drain(process)
        assert (drained.stage, drained.failures, drained.delivered) == (Stage.BACKING_OFF, 1, 40)
        assert len(receiver.requests) < 150
        assert 0 < (drained.wait_seconds or 0) < 5.1


async def test_hanging_receivers_cost_one_timeout_of_parallel_requests(db: Database) -> None:
    world = await hooks(db)
    async with receiving(lambda n, r: HANG) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(100)
        began = asyncio.get_running_loop().time()
        drained = await world.drain(process)
        assert asyncio.get_running_loop().time() - began < 5
        assert (drained.last_error, len(receiver.requests)) == ("timeout", 4)


async def test_410_disables_at_once_and_keeps_what_is_owed(db: Database) -> None:
    world = await hooks(db)
    async with receiving(lambda n, r: 410) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(10)
        drained = await world.drain(process)
        assert (drained.stage, drained.disabled_by, drained.owner_waits) == (Stage.DISABLED, "gone", True)
        assert drained.wait_seconds is None
        before = len(receiver.requests)
        world.offset = dt.timedelta(days=1)
        assert (await world.drain(process)).pending == 10
        assert len(receiver.requests) == before
    row = await world.row(process)
    assert (row.state, row.disabled_by, row.last_error) == ("disabled", "gone", "http_410")


async def test_72_hours_of_failures_disable_and_the_owner_is_told_once(db: Database) -> None:
    await have_platform(db, VAULT, POLICY)
    world = await hooks(db)
    tries = 0
    async with receiving(lambda n, r: 500) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(5)
        drained = await world.drain(process)
        while drained.stage is Stage.BACKING_OFF and tries < 20:
            tries += 1
            world.offset += dt.timedelta(seconds=(drained.wait_seconds or 0) + 1)
            drained = await world.drain(process)
    assert (drained.stage, drained.disabled_by, tries) == (Stage.DISABLED, "failing", rules.MAX_TRIES - 1)
    assert world.offset >= rules.DISABLED_AFTER
    order = DrainOrder(process, now())
    for _ in range(2):
        await world.activities.tell_owner(order)
    async with db.raw() as connection:
        told = await connection.fetch(
            "SELECT m.address, m.variables FROM message m JOIN submission s ON s.id = m.submission_id"
            " WHERE s.label = 'webhook-disabled'"
        )
    assert [row["address"] for row in told] == [f"{world.customer.account}@alice.example"]
    assert told[0]["variables"]["error"] == "http_500"
    assert told[0]["variables"]["link"] == f"https://songda.example/portal/webhooks/{process.subject}"
    assert not (await world.drain(process)).owner_waits


async def test_both_secrets_sign_until_the_rotation_ends(db: Database) -> None:
    world = await hooks(db)
    new = rules.new_secret()
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        bound = rules.binding(process.subject)
        await change(
            world,
            secret=VAULT.seal(new.encode(), bound),
            previous_secret=VAULT.seal(world.secret.encode(), bound),
            previous_until=now() + rules.OLD_SECRET_SIGNS,
        )
        await world.owe()
        await world.drain(process)
        world.offset = rules.OLD_SECRET_SIGNS + MINUTE
        await world.owe()
        await world.drain(process)
    during, after = receiver.requests
    Webhook(new).verify(during.body, during.headers)
    Webhook(world.secret).verify(during.body, during.headers)
    assert after.headers["webhook-signature"].count("v1,") == 1
    Webhook(new).verify(after.body, after.headers)


async def test_a_secret_of_another_row_signs_nothing(db: Database) -> None:
    world = await hooks(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await change(world, secret=VAULT.seal(world.secret.encode(), rules.binding("other")))
        await world.owe()
        drained = await world.drain(process)
    assert (drained.last_error, drained.pending, receiver.requests) == ("secret", 1, [])


async def test_a_changed_url_is_not_judged_by_the_old_one(db: Database) -> None:
    world = await hooks(db)
    async with receiving() as good:

        def moved(number: int, request: Request) -> int:
            return 500

        async with receiving(moved) as bad:
            process = await world.endpoint(bad.url)
            await world.owe()
            one = asyncio.create_task(world.drain(process))
            await change_when_called(world, bad, good.url)
            await one
        assert (await world.row(process)).next_attempt_at is None


async def change_when_called(world: Hooks, receiver: Receiver, url: str) -> None:
    """Change the URL before the answer is judged: the answer takes a moment, the change does not."""
    original = receiver.script
    receiver.script = lambda n, r: HANG
    while not receiver.requests:
        await asyncio.sleep(0.01)
    await change(world, url=url)
    receiver.script = original


async def test_a_deleted_endpoint_is_forgotten(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.webhook_queue.OLD_AT_ONCE", 2)
    world = await hooks(db)
    process = await world.endpoint("http://127.0.0.1:1/")
    await world.owe(3)
    await change(world, deleted_at=now())
    assert (await world.drain(process)).stage is Stage.DELETED
    await world.activities.close(process)
    assert await world.events(process) == []
    assert (await world.row(process)).secret == b""


async def test_an_endpoint_that_is_not_there_is_deleted(db: Database) -> None:
    world = await hooks(db)
    process = await world.endpoint("http://127.0.0.1:1/")
    gone = Process(process.kind, "0192f3a4-5b6c-7d8e-9f01-23456789abcd", process.account, 1)
    assert (await world.drain(gone)).stage is Stage.DELETED


async def test_a_process_from_before_a_restore_stands_back(db: Database) -> None:
    world = await hooks(db)
    process = await world.endpoint("http://127.0.0.1:1/")
    async with db.begin() as session:
        await session.exec(update(DatabaseEpoch).values(epoch=2))
    try:
        with pytest.raises(StaleEpoch):
            await world.drain(process)
    finally:
        async with db.begin() as session:
            await session.exec(update(DatabaseEpoch).values(epoch=1))


async def test_the_log_is_bounded_and_settled_events_are_forgotten(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.webhook_queue.KEPT_ATTEMPTS", 10)
    monkeypatch.setattr("store.webhook_queue.OLD_AT_ONCE", 7)
    world = await hooks(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(30)
        await world.drain(process)
        assert len(await world.attempts(process)) == 10
        await world.owe(1)
        async with db.begin() as session:
            newest = (await world.events(process))[-1].id
            await session.exec(
                update(WebhookEvent)
                .where(col(WebhookEvent.id) != newest)
                .values(occurred_at=now() - dt.timedelta(days=31))
            )
        await world.drain(process)
    assert [event.id for event in await world.events(process)] == [newest]


async def test_two_passes_at_once_give_no_number_twice(db: Database) -> None:
    """A stalled worker and its successor: events may be sent twice, numbers stay one per event."""
    world = await hooks(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url, Event.DELIVER)
        await world.owe(200)
        await asyncio.gather(world.drain(process), world.drain(process))
    rows = await world.events(process)
    assert sorted(row.number or 0 for row in rows) == list(range(1, 201))
    assert all(row.delivered_at for row in rows)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_fails_at_random_everything_arrives_and_no_number_is_missing(db: Database, seed: int) -> None:
    """Refusals, broken and silent connections; events that come meanwhile; bounded passes."""
    world = await hooks(db)
    world.seconds = 0.3
    chance = random.Random(seed)
    answers = [200] * 12 + [500, 503, 302, DROP, DROP, HANG]
    acknowledged: set[int] = set()

    def by_chance(number: int, request: Request) -> int:
        status = chance.choice(answers)
        if status == 200:
            acknowledged.add(json.loads(request.body)["number"])
        return status

    async with receiving(by_chance) as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(60)
        for number in range(rules.MAX_TRIES * 2):
            if number < 3:
                await world.owe(10)
            drained = await world.drain(process)
            if not drained.pending:
                break
            world.offset += dt.timedelta(seconds=(drained.wait_seconds or 0) + 1)
    assert drained.pending == 0
    assert acknowledged == set(range(1, 91))
    names = {json.loads(request.body)["number"]: request.headers["webhook-id"] for request in receiver.requests}
    assert len(set(receiver.ids)) == len(names) == 90
    assert all(event.delivered_at for event in await world.events(process))
