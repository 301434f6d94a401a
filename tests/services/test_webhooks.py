import asyncio
import datetime as dt
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import col, select, update
from standardwebhooks import Webhook
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain import webhooks as rules
from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, Process, new_id
from domain.queues import CONTROL
from domain.refusals import explain
from domain.webhook_replays import Wanted
from domain.webhooks import EndpointState, Event, Format
from gateways.http import Guard, HttpPoster, UrlTest
from services.clockwork import Clockwork
from services.foundation import Foundation
from services.limits import Limit, Limits
from services.webhooks import Change, Revealed, Webhooks
from store.audit_log import AuditEntry
from store.columns import now
from store.db import Database
from store.webhooks import LogFilter, Unsettled, WebhookEndpoint, WebhookEvent
from tests.patience import PATIENCE
from tests.webhook_receiver import receiving
from tests.webhook_world import POLICY, VAULT, Hooks, drains, hooks
from worker import sandbox_runner
from workflows.webhook_delivery import WebhookDeliveryWorkflow

URL = "https://example.com/hooks"


async def service(db: Database, client: Client | None = None) -> Webhooks:
    """Without a client: as when Temporal is away."""
    client = client or await Client.connect("127.0.0.1:1", lazy=True)
    url_test = UrlTest(HttpPoster(Guard(["127.0.0.0/8"])))
    base = Foundation(db, Clockwork(db, client), VAULT, POLICY, url_test=url_test)
    return Webhooks(base, Limits(base))


def caller(world: Hooks) -> Caller:
    return Caller(world.customer.account, member_id=new_id())


def process(made: Revealed) -> Process:
    endpoint = made.status.endpoint
    return Process(Kind.WEBHOOK, str(endpoint.id), str(endpoint.account_id), 1)


async def test_an_endpoint_is_made_while_temporal_is_away(db: Database) -> None:
    world, webhooks = await hooks(db), await service(db)
    made = await webhooks.create(caller(world), URL, ["invalid", "deliver"])
    endpoint = made.status.endpoint
    assert (endpoint.url, endpoint.events, endpoint.state) == (URL, ["deliver", "invalid"], "enabled")
    assert made.status.workflow_id == f"webhook/{endpoint.id}"
    assert made.secret.startswith("whsec_")
    assert made.secret.encode() not in endpoint.secret
    assert VAULT.unseal(endpoint.secret, f"webhook/{endpoint.id}").decode() == made.secret
    assert not await world.nudge_wanted(process(made)), "enlisted, and started by reconcile"
    async with db.read() as session:
        entry = (await session.exec(select(AuditEntry))).one()
    assert (entry.action, entry.subject) == ("webhook.created", f"webhook/{endpoint.id}")


async def test_bad_input_makes_nothing(db: Database) -> None:
    world, webhooks = await hooks(db), await service(db)
    for url, events, code in ((URL, [], "webhook_events_empty"), ("x", ["open"], "webhook_url_scheme")):
        with pytest.raises(Refusal, match=code):
            await webhooks.create(caller(world), url, events)
    assert await webhooks.page(caller(world), None, 10) == []


async def test_an_account_has_a_limited_number(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_ENDPOINTS", 2)
    world, webhooks = await hooks(db), await service(db)
    results = await asyncio.gather(
        *(webhooks.create(caller(world), f"{URL}/{n}", ["open"]) for n in range(4)), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Refusal", "Refusal", "Revealed", "Revealed"]


async def test_a_url_has_one_endpoint_per_account(db: Database) -> None:
    world, other, webhooks = await hooks(db), await hooks(db), await service(db)
    results = await asyncio.gather(
        *(webhooks.create(caller(world), URL, ["open"]) for _ in range(3)), return_exceptions=True
    )
    assert sorted(str(r) if isinstance(r, Refusal) else "made" for r in results) == ["made"] + 2 * ["webhook_url_taken"]
    second = await webhooks.create(caller(world), f"{URL}/2", ["open"])
    with pytest.raises(Refusal, match="webhook_url_taken"):
        await webhooks.change(caller(world), second.status.endpoint.id, Change(url=URL))
    assert (await webhooks.get(caller(world), second.status.endpoint.id)).endpoint.url == f"{URL}/2"
    await webhooks.create(caller(other), URL, ["open"])


async def test_other_accounts_see_nothing_and_change_nothing(db: Database) -> None:
    alice, bob = await hooks(db), await hooks(db)
    webhooks = await service(db)
    key = (await webhooks.create(caller(alice), URL, ["open"])).status.endpoint.id
    stranger = caller(bob)
    for attempt in (
        webhooks.get(stranger, key), webhooks.change(stranger, key, Change(url="https://evil.example/")),
        webhooks.rotate(stranger, key), webhooks.delete(stranger, key), webhooks.ping(stranger, key),
        webhooks.retry(stranger, key), webhooks.attempts(stranger, key, None, 10),
        webhooks.replay(stranger, key, Wanted(message=1)), webhooks.replays(stranger, key),
        webhooks.stop_replay(stranger, key),
    ):  # fmt: skip
        with pytest.raises(Refusal, match="not_found"):
            await attempt
    assert await webhooks.page(stranger, None, 10) == []
    assert (await webhooks.get(caller(alice), key)).endpoint.url == URL


async def test_a_page_goes_on_after_its_cursor(db: Database) -> None:
    world, webhooks = await hooks(db), await service(db)
    keys = [(await webhooks.create(caller(world), f"{URL}/{n}", ["open"])).status.endpoint.id for n in range(3)]
    first = await webhooks.page(caller(world), None, 2)
    rest = await webhooks.page(caller(world), first[-1].endpoint.id, 2)
    assert [status.endpoint.id for status in first + rest] == keys


async def test_rotation_keeps_the_old_secret_for_a_day(db: Database) -> None:
    world, webhooks = await hooks(db), await service(db)
    made = await webhooks.create(caller(world), URL, ["open"])
    rotated = await webhooks.rotate(caller(world), made.status.endpoint.id)
    row = await world.row(process(made))
    assert rotated.secret != made.secret
    assert row.previous_secret is not None
    bound = rules.binding(row.id)
    assert VAULT.unseal(row.secret, bound).decode() == rotated.secret
    assert VAULT.unseal(row.previous_secret, bound).decode() == made.secret
    assert rotated.status.old_secret_signs_until == row.previous_until
    assert row.previous_until is not None
    assert 86_300 < (row.previous_until - now()).total_seconds() <= 86_400


async def test_enabling_or_moving_forgets_failures_and_wakes_the_process(db: Database) -> None:
    world, webhooks = await hooks(db), await service(db)
    made = await webhooks.create(caller(world), URL, ["deliver"])
    key = made.status.endpoint.id
    await world.owe(1)
    failed = {"failures": 5, "failing_since": now(), "next_attempt_at": now()}

    async def spoil() -> None:
        async with db.begin() as session:
            await session.exec(update(WebhookEndpoint).where(col(WebhookEndpoint.id) == key).values(**failed))
            await session.exec(update(WebhookEvent).values(attempts=3, next_attempt_at=now()))

    await spoil()
    status = await webhooks.change(caller(world), key, Change(state=EndpointState.DISABLED))
    assert (status.endpoint.state, status.endpoint.disabled_by, status.pending) == ("disabled", "customer", 1)
    assert await world.nudge_wanted(process(made))
    for refused in (webhooks.ping(caller(world), key), webhooks.retry(caller(world), key)):
        with pytest.raises(Refusal, match="webhook_disabled"):
            await refused
    for change in (Change(state=EndpointState.ENABLED), Change(url="https://example.com/new")):
        await spoil()
        await webhooks.change(caller(world), key, change)
        row, event = await world.row(process(made)), (await world.events(process(made)))[0]
        assert (row.state, row.disabled_by, row.failures, row.next_attempt_at) == ("enabled", None, 0, None)
        assert (event.attempts, event.next_attempt_at) == (0, None)
    kept = await webhooks.change(caller(world), key, Change(events=["open"]))
    assert (kept.endpoint.events, kept.endpoint.url) == (["open"], "https://example.com/new")


async def test_a_deleted_endpoint_is_not_found_any_more(db: Database) -> None:
    world, webhooks = await hooks(db), await service(db)
    made = await webhooks.create(caller(world), URL, ["deliver"])
    await webhooks.delete(caller(world), made.status.endpoint.id)
    assert await world.nudge_wanted(process(made))
    with pytest.raises(Refusal, match="not_found"):
        await webhooks.get(caller(world), made.status.endpoint.id)
    await world.owe(1)
    assert await world.events(process(made)) == []


async def test_from_creation_to_the_log_over_reconcile_and_a_real_server(
    dev_temporal: WorkflowEnvironment, db: Database
) -> None:
    """Created, pinged, failing, retried, delivered, deleted: woken by reconcile alone, within seconds each time."""
    world = await hooks(db)
    async with db.raw() as connection:
        await connection.execute("DELETE FROM clockwork")  # the customer's other processes have no worker here
    client, does = dev_temporal.client, world.activities
    webhooks = await service(db, client)
    worker = Worker(
        client, task_queue=CONTROL, workflows=[WebhookDeliveryWorkflow], workflow_runner=sandbox_runner(),
        activities=[does.tell_owner, does.close],
    )  # fmt: skip
    async with receiving(lambda n, r: 500 if n == 1 else 200) as receiver, worker, drains(client, does):
        loop = asyncio.create_task(Clockwork(db, client).run(interval=0.2))
        made = await webhooks.create(caller(world), receiver.url, [Event.DELIVER.value])
        key: UUID = made.status.endpoint.id
        ping = await webhooks.ping(caller(world), key)
        await arrive(1, receiver.requests)
        content = Webhook(made.secret).verify(receiver.requests[0].body, receiver.requests[0].headers)
        assert (content["type"], content["number"], receiver.ids) == ("ping", 1, [ping])
        began = time.monotonic()
        await world.owe(1)
        await arrive(2, receiver.requests)
        assert time.monotonic() - began < 3
        await logged(2, world, process(made))
        await webhooks.retry(caller(world), key)
        await arrive(3, receiver.requests)
        handle = client.get_workflow_handle(made.status.workflow_id)
        await until_idle(handle)
        attributes = {pair.key.name for pair in (await handle.describe()).typed_search_attributes}
        assert "DueAt" not in attributes
        log = await webhooks.attempts(caller(world), key, None, 10)
        assert [(a.kind, a.error) for a in log] == [("deliver", None), ("deliver", "http_500"), ("ping", None)]
        await webhooks.delete(caller(world), key)
        await asyncio.wait_for(handle.result(), 10)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)


async def arrive(count: int, requests: Sequence[object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(requests) < count:
            await asyncio.sleep(0.02)


async def logged(count: int, world: Hooks, name: Process) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(await world.attempts(name)) < count:
            await asyncio.sleep(0.02)


async def until_idle(handle: object) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await handle.query("progress"))["stage"] != "idle":  # type: ignore[attr-defined]
            await asyncio.sleep(0.05)


async def test_sendclouds_format_asks_its_url_first_and_has_an_app_key(db: Database) -> None:
    world, webhooks = await hooks(db), await service(db)
    async with receiving(lambda n, r: 200 if r.line.startswith("GET") else 500) as receiver:
        with pytest.raises(Refusal, match="webhook_test_failed") as refused:
            await webhooks.create(caller(world), receiver.url, ["open"], Format.SENDCLOUD)
        assert refused.value.params == {"method": "POST", "result": "HTTP 500"}
        assert await webhooks.page(caller(world), None, 10) == []
        receiver.script = lambda n, r: 200
        made = await webhooks.create(caller(world), receiver.url, ["open"], Format.SENDCLOUD)
        assert (made.status.endpoint.format, len(made.secret)) == ("sendcloud", 32)
        rotated = await webhooks.rotate(caller(world), made.status.endpoint.id)
        assert (len(rotated.secret), rotated.status.old_secret_signs_until) == (32, None)
        asked = len(receiver.requests)
        await webhooks.change(caller(world), made.status.endpoint.id, Change(events=["click"]))
        assert len(receiver.requests) == asked, "the URL stays, so it is not tried"
    with pytest.raises(Refusal, match="webhook_test_failed") as refused:
        await webhooks.change(caller(world), made.status.endpoint.id, Change(url="http://127.0.0.1:1/"))
    assert "（GET 请求）：无法建立连接。" in explain(refused.value, "zh")[1]
    assert "(GET request): no connection." in explain(refused.value, "en")[1]
    await webhooks.create(caller(world), "http://127.0.0.1:1/", ["open"])  # the other format asks nothing


async def test_urls_are_asked_so_often_an_hour_and_no_more(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a member would have our servers knock at anybody's door, as often and as fast as they like."""
    monkeypatch.setattr("services.webhooks.TESTS", Limit("webhook-tests", 2, dt.timedelta(days=1)))
    world, webhooks = await hooks(db), await service(db)
    async with receiving(lambda n, r: 404) as receiver:
        refusals = []
        for _ in range(3):
            with pytest.raises(Refusal) as refused:
                await webhooks.create(caller(world), receiver.url, ["open"], Format.SENDCLOUD)
            refusals.append(refused.value.code)
        assert refusals == ["webhook_test_failed", "webhook_test_failed", "too_many_requests"]
        assert len(receiver.requests) == 2


async def test_numbers_show_what_is_missing(db: Database) -> None:
    world, webhooks = await hooks(db), await service(db)
    async with receiving(lambda n, r: 500 if b'"number":3,' in r.body else 200) as receiver:
        made = await webhooks.create(caller(world), receiver.url, ["deliver"])
        await world.owe(5)
        await world.drain(process(made))
        key = made.status.endpoint.id
        status = await webhooks.get(caller(world), key)
        assert (status.endpoint.last_number, status.acknowledged_up_to, status.unsettled.missing) == (5, 2, 1)
        async with db.begin() as session:
            await session.exec(
                update(WebhookEvent)
                .where(col(WebhookEvent.number) == 3)
                .values(given_up_at=now(), next_attempt_at=None)
            )
        status = await webhooks.get(caller(world), key)
        assert (status.pending, status.acknowledged_up_to, status.unsettled.given_up) == (0, 2, 1)
        failed = await webhooks.attempts(caller(world), key, None, 10, LogFilter(acknowledged=False))
        about = await webhooks.attempts(caller(world), key, None, 10, LogFilter(message=failed[0].number - 1))
        assert [row.number for row in failed] == [row.number for row in about] == [3]
        assert len(await webhooks.attempts(caller(world), key, None, 10, LogFilter(True, "deliver"))) == 4
        assert await webhooks.attempts(caller(world), key, None, 10, LogFilter(kind="open")) == []
        receiver.script = lambda n, r: 200
        await webhooks.replay(caller(world), key, Wanted(since=now() - timedelta(hours=1)))
        await world.drain(process(made))
        status = await webhooks.get(caller(world), key)
        assert (status.acknowledged_up_to, status.unsettled) == (5, Unsettled())


async def test_what_a_replay_is_refused_for(db: Database) -> None:
    world, webhooks = await hooks(db), await service(db)
    made = await webhooks.create(caller(world), URL, ["deliver"])
    key, hour = made.status.endpoint.id, timedelta(hours=1)
    for wanted, code in (
        (Wanted(), "webhook_replay_span"),
        (Wanted(now() - hour, now() - 2 * hour), "webhook_replay_span"),
        (Wanted(now() - 31 * 24 * hour), "webhook_replay_reach"),
        (Wanted(now() - hour, events=("nonsense",)), "webhook_event_unknown"),
        (Wanted(message=1), "not_found"),
        (Wanted(submission=new_id()), "not_found"),
    ):
        with pytest.raises(Refusal, match=code):
            await webhooks.replay(caller(world), key, wanted)
    assert await webhooks.replays(caller(world), key) == []
    await webhooks.replay(caller(world), key, Wanted(now() - hour))
    assert await world.nudge_wanted(process(made))
    with pytest.raises(Refusal, match="webhook_replay_running"):
        await webhooks.replay(caller(world), key, Wanted(now() - hour))
    await webhooks.stop_replay(caller(world), key)
    await webhooks.stop_replay(caller(world), key)
    await webhooks.replay(caller(world), key, Wanted(now() - hour))
    assert [row.stage for row in await webhooks.replays(caller(world), key)] == ["repeating", "stopped"]
    await webhooks.change(caller(world), key, Change(state=EndpointState.DISABLED))
    with pytest.raises(Refusal, match="webhook_disabled"):
        await webhooks.replay(caller(world), key, Wanted(now() - hour))


async def test_a_replay_is_of_what_the_endpoint_hears_unless_kinds_are_named(db: Database) -> None:
    """Who listens to bounces only is not told of each request, delivery and opening of a month."""
    world, webhooks = await hooks(db), await service(db)
    key = (await webhooks.create(caller(world), URL, ["report_spam", "invalid"])).status.endpoint.id
    for named, kinds in (((), ["report_spam", "invalid"]), (("deliver",), ["deliver"])):
        replay = await webhooks.replay(caller(world), key, Wanted(now() - timedelta(hours=1), events=named))
        assert replay.events == kinds
        await webhooks.stop_replay(caller(world), key)
