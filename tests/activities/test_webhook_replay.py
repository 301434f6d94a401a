"""Replays: by span, by message, of what was never owed; a slice at a time, each event once."""

import datetime as dt
import json
import re
from collections import Counter
from uuid import UUID

import pytest
from sqlmodel import col, update

from domain.ids import Process
from domain.webhook_replays import ReplayStage
from domain.webhooks import Event, Stage
from store import webhook_replay as replays
from store.columns import now
from store.db import Database
from store.webhook_replay import WebhookReplay
from store.webhooks import WebhookEvent
from tests.reports_world import dsn, inbound
from tests.sending_world import Customer, make_customer, submit
from tests.webhook_receiver import Request, receiving
from tests.webhook_world import Hooks

DAY = dt.timedelta(days=1)


async def sent(db: Database, count: int = 3) -> tuple[Hooks, Customer, list[int]]:
    """A customer whose messages were delivered just now, the first of them after a deferral; it was clicked."""
    customer = await make_customer(db, quota=10_000)
    await submit(db, customer, [f"r{n}@x.example" for n in range(count)])
    async with db.raw() as connection:
        rows = await connection.fetch(
            "UPDATE message SET state = 'delivered', attempts = 1, finished_at = now(), reply = '250 ok', code = 250"
            " WHERE account_id = $1 RETURNING id, submission_id",
            customer.account,
        )
        first, submission = rows[0]["id"], rows[0]["submission_id"]
        await connection.execute(
            "INSERT INTO attempt (message_id, number, started_at, ended_at, kind, reason, code, enhanced, reply, host)"
            " VALUES ($1, 1, now(), now(), 'deferred', 'soft.greylist', 451, '', '451 later', '')",
            first,
        )
        for kind, link in (("open", 0), ("click", 2)):
            await connection.execute(
                "INSERT INTO engagement (message_id, kind, link, submission_id, account_id, first_at, last_at, times)"
                " VALUES ($1, $2, $3, $4, $5, now(), now(), 1)",
                *(first, kind, link, submission, customer.account),
            )
    return Hooks(db, customer), customer, [row["id"] for row in rows]  # type: ignore[arg-type]


async def ask(world: Hooks, process: Process, **values: object) -> WebhookReplay:
    replay = WebhookReplay(
        account_id=world.customer.account, endpoint_id=UUID(process.subject),
        since=now() - DAY, until=now() + DAY, events=[event.value for event in Event],
    )  # fmt: skip
    for name, value in values.items():
        setattr(replay, name, value)
    async with world.db.begin() as session:
        session.add(replay)
    return replay


async def played(world: Hooks, process: Process) -> WebhookReplay:
    """Until it is over, in bounded passes."""
    for _ in range(20):
        await world.drain(process)
        async with world.db.read() as session:
            (replay,) = await replays.replays_of(session, UUID(process.subject), 1)
        if replay.finished_at is not None:
            return replay
    pytest.fail("the replay does not end")


def kinds(requests: list[Request]) -> Counter[str]:
    return Counter(json.loads(request.body)["type"] for request in requests)


async def test_what_was_acknowledged_is_sent_again_with_its_id_and_number_and_a_mark(db: Database) -> None:
    world, _, _ = await sent(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(5, Event.REPORT_SPAM)
        await world.drain(process)
        first = {request.headers["webhook-id"]: request.body for request in receiver.requests}
        receiver.requests.clear()
        await ask(world, process, events=["report_spam"])
        replay = await played(world, process)
        assert (replay.stage, replay.repeated, replay.rebuilt) == (ReplayStage.DONE, 5, 0)
        again = {request.headers["webhook-id"]: request.body for request in receiver.requests}
    assert again == first, "the same id, number and content"
    assert {request.headers.get("songda-replay") for request in receiver.requests} == {"true"}
    events = await world.events(process)
    assert all(event.delivered_at and event.replay_at is None for event in events)
    assert (await world.row(process)).last_number == 5


async def test_what_happened_before_the_endpoint_existed_is_made_of_rows(db: Database) -> None:
    world, _, _ = await sent(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await ask(world, process)
        replay = await played(world, process)
        assert kinds(receiver.requests) == {"request": 3, "deliver": 3, "soft_bounce": 1, "open": 1, "click": 1}
        assert (replay.repeated, replay.rebuilt) == (0, 9)
        numbers = sorted(json.loads(request.body)["number"] for request in receiver.requests)
        assert numbers == list(range(1, 10))
        soft = next(json.loads(r.body) for r in receiver.requests if b'"soft_bounce"' in r.body)
        assert (soft["data"]["class"], soft["data"]["attempt"]) == ("soft.greylist", 1)
        receiver.requests.clear()
        await ask(world, process, events=["deliver"])
        replay = await played(world, process)
    assert (replay.repeated, replay.rebuilt) == (3, 0), "by now they were owed: repeated, not made twice"
    assert kinds(receiver.requests) == {"deliver": 3}


async def test_one_message_and_one_request(db: Database) -> None:
    world, customer, messages = await sent(db)
    await submit(db, customer, ["other@x.example"])
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        submission = await db.pool.fetchval("SELECT submission_id FROM message WHERE id = $1", messages[1])
        await ask(world, process, message_id=messages[1], submission_id=submission)
        await played(world, process)
        assert kinds(receiver.requests) == {"request": 1, "deliver": 1}
        receiver.requests.clear()
        await ask(world, process, submission_id=submission, events=["request"])
        replay = await played(world, process)
    assert (replay.repeated, replay.rebuilt) == (1, 2)
    assert {json.loads(r.body)["data"]["message_id"] for r in receiver.requests} == set(messages)


async def test_only_what_happened_in_the_span(db: Database) -> None:
    world, _, _ = await sent(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await ask(world, process, since=now() + DAY / 2)
        replay = await played(world, process)
    assert (replay.repeated, replay.rebuilt, receiver.requests) == (0, 0, [])


async def test_another_accounts_messages_are_never_told(db: Database) -> None:
    await sent(db)
    world, _, _ = await sent(db, 1)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await ask(world, process, events=["deliver"])
        replay = await played(world, process)
    assert (replay.rebuilt, len(receiver.requests)) == (1, 1)


async def test_many_are_taken_in_slices_and_each_is_sent_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replays, "MESSAGES", 7)
    monkeypatch.setattr(replays, "LOOKED_AT", 11)
    world, customer, _ = await sent(db, 40)
    for number in range(10):
        await submit(db, customer, [f"s{number}@x.example"])
    async with receiving(lambda n, r: 500 if n % 5 == 4 else 200) as receiver:
        process = await world.endpoint(receiver.url)
        await ask(world, process, events=["request"])
        replay = await played(world, process)
        assert replay.rebuilt == 50
        while (await world.drain(process)).pending:
            world.offset += DAY / 24
        taken = Counter(receiver.ids)
        assert len(taken) == 50
        receiver.script, receiver.requests[:] = (lambda n, r: 200), []
        await ask(world, process, events=["request"])
        replay = await played(world, process)
    assert (replay.repeated, replay.rebuilt) == (50, 0)
    assert set(Counter(receiver.ids).values()) == {1}


async def test_what_was_given_up_is_sent_and_is_missing_no_more(db: Database) -> None:
    world, _, _ = await sent(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await world.owe(3)
        await world.drain(process)
        async with db.begin() as session:
            lost = update(WebhookEvent).where(col(WebhookEvent.number) == 2)
            await session.exec(lost.values(delivered_at=None, given_up_at=now()))
        await ask(world, process, events=["deliver"], message_id=1)
        async with db.raw() as connection:  # the event's message is a number of the test's own
            await connection.execute("UPDATE webhook_replay SET submission_id = NULL")
        await played(world, process)
    event = next(each for each in await world.events(process) if each.number == 2)
    assert (event.given_up_at, event.replay_at) == (None, None)
    assert event.delivered_at is not None


async def test_a_disabled_endpoint_goes_on_with_its_replay_once_it_is_enabled(db: Database) -> None:
    world, _, _ = await sent(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        await ask(world, process, events=["deliver"])
        async with db.raw() as connection:
            await connection.execute("UPDATE webhook_endpoint SET state = 'disabled', disabled_by = 'failing'")
        assert (await world.drain(process)).stage is Stage.DISABLED
        assert receiver.requests == []
        async with db.raw() as connection:
            await connection.execute("UPDATE webhook_endpoint SET state = 'enabled', disabled_by = NULL")
        assert (await played(world, process)).rebuilt == 3


async def test_what_reports_corrected_is_told_as_it_was(db: Database) -> None:
    """A full mailbox is no invalid one, and that the mail was taken first is part of it; what was heard is not new."""
    world, _, (full, gone, *_) = await sent(db)
    async with receiving() as receiver:
        heard = await world.endpoint(receiver.url)
        addresses = dict(await db.pool.fetch("SELECT id, address FROM message"))
        await inbound(db).report(dsn(addresses[full], status="5.2.2", said="552 5.2.2 mailbox is full"), [full])
        await inbound(db).report(dsn(addresses[gone]), [gone])
        await world.drain(heard)
        live = bodies(receiver.requests)
        assert set(live) == {(full, "soft_bounce"), (gone, "invalid")}
        receiver.requests.clear()
        await ask(world, heard, events=["deliver", "invalid", "soft_bounce"], since=now() - DAY)
        replay = await played(world, heard)
        assert (replay.repeated, replay.rebuilt) == (2, 4), "three were delivered, one was deferred before"
        late = await world.endpoint(f"{receiver.url}/late")
        receiver.requests.clear()
        await ask(world, late, events=["deliver", "invalid", "soft_bounce"])
        await played(world, late)
    assert kinds(receiver.requests) == {"deliver": 3, "invalid": 1, "soft_bounce": 2}
    rebuilt = bodies([each for each in receiver.requests if b'"corrects"' in each.body])
    assert rebuilt == live


def bodies(requests: list[Request]) -> dict[tuple[int, str], tuple[str, object]]:
    """When what happened, by message and kind."""
    said = [json.loads(request.body) for request in requests]
    return {(each["data"]["message_id"], each["type"]): (each["timestamp"], each["data"]) for each in said}


async def test_a_slice_of_a_campaign_begins_where_the_last_one_ended(db: Database) -> None:
    """Not at the campaign's first message: a million of them would be read two thousand times."""
    _, customer, _ = await sent(db)
    span, place = (now() - DAY, now()), (now() - DAY, UUID(int=0))
    async with db.raw() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        given = (customer.account, *span, *place, None, 7, None, 500)
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {replays._MESSAGES}", *given))
    assert re.search(r"Index Cond: .*submission_id = .*ordinal > ", plan), plan


async def test_replays_that_ended_long_ago_are_forgotten(db: Database) -> None:
    world, _, _ = await sent(db)
    async with receiving() as receiver:
        process = await world.endpoint(receiver.url)
        for _ in range(2):
            await ask(world, process, events=["report_spam"])
            last = await played(world, process)
        await db.pool.execute(
            "UPDATE webhook_replay SET finished_at = now() - interval '31 days' WHERE id <> $1", last.id
        )
        await world.drain(process)
    assert [row["id"] for row in await db.pool.fetch("SELECT id FROM webhook_replay")] == [last.id]
