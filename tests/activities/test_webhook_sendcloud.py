"""An endpoint in SendCloud's format: forms with what the message's rows say, three seconds, one key."""

import asyncio
from urllib.parse import parse_qs

from sqlmodel import update

from domain import webhooks as rules
from domain.ids import Process
from domain.webhook_forms import app_key, signature
from domain.webhooks import Event, Format, OwedEvent
from store.columns import now
from store.db import Database
from store.webhooks import WebhookEndpoint, owe_events
from tests.sending_world import VAULT, make_customer, submit
from tests.webhook_receiver import HANG, Request, receiving
from tests.webhook_world import Hooks

KEY = app_key()


async def sendcloud(world: Hooks, url: str) -> Process:
    process = await world.endpoint(url)
    sealed = VAULT.seal(KEY.encode(), rules.binding(process.subject))
    async with world.db.begin() as session:
        await session.exec(update(WebhookEndpoint).values(format=Format.SENDCLOUD.value, secret=sealed))
    return process


def form(request: Request) -> dict[str, str]:
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    read = {name: values[0] for name, values in parse_qs(request.body.decode(), True, True).items()}
    assert read["signature"] == signature(KEY, int(read["timestamp"]), read["token"])
    return read


async def test_what_was_accepted_is_told_as_sendcloud_tells_it(db: Database) -> None:
    customer = await make_customer(db)
    world = Hooks(db, customer)  # type: ignore[arg-type]
    async with receiving(lambda n, r: 200) as receiver:
        process = await sendcloud(world, receiver.url)
        await submit(db, customer, ["a@x.example", "b@x.example"], label="autumn", headers={"SC-Custom-Order": "7"})
        assert (await world.drain(process)).delivered == 2
    forms = [form(request) for request in receiver.requests]
    assert {each["recipientArray"] for each in forms} == {'["a@x.example"]', '["b@x.example"]'}
    assert {each["apiUser"] for each in forms} == {customer.api_user_name}
    assert {each["userHeaders"] for each in forms} == {'{"SC-Custom-Order": "7"}'}
    assert {each["labelName"] for each in forms} == {"autumn"}
    assert len({each["token"] for each in forms}) == 2
    assert len(set(receiver.ids)) == 2, "receivers that know it can tell repeats"
    assert sorted(request.headers["songda-number"] for request in receiver.requests) == ["1", "2"]


async def test_an_event_whose_message_is_gone_is_told_all_the_same(db: Database) -> None:
    world = Hooks(db, await make_customer(db))  # type: ignore[arg-type]
    async with receiving(lambda n, r: 200) as receiver:
        process = await sendcloud(world, receiver.url)
        data = rules.message_data(world.customer.account, 999_999, 0, "a@x.example", "")
        async with db.raw() as connection:
            await owe_events(connection, [OwedEvent(world.customer.account, Event.DELIVER, 999_999, now(), data)])
        assert (await world.drain(process)).delivered == 1
    assert (form(receiver.requests[0])["apiUser"], form(receiver.requests[0])["recipient"]) == ("", "a@x.example")


async def test_it_has_three_seconds(db: Database) -> None:
    world = Hooks(db, await make_customer(db), seconds=30.0)  # type: ignore[arg-type]
    async with receiving(lambda n, r: HANG) as receiver:
        process = await sendcloud(world, receiver.url)
        await world.owe(1)
        async with asyncio.timeout(15):
            drained = await world.drain(process)
    assert drained.last_error == "timeout"
    (attempt,) = await world.attempts(process)
    assert 2900 < attempt.milliseconds < 9000
