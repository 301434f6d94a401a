"""How many events a second reach one healthy endpoint while ten others are dead (design §7).

The dead ones belong to another account and are owed as many events each: some refuse connections, some take them and
never answer, some answer 500, at once or after three seconds. They have failed before the clock starts, and go on being
tried (a bench's intervals are sixty times shorter). The clock is the receiver's: from the first acknowledged event of
the healthy endpoint to the last. Beside it the bare loop: the same requests without a database and without Temporal.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from temporalio.client import Client

from activities.webhook_drain import AT_ONCE
from bench.customers import make_customer
from bench.ground import Ground, Plan, ground, processes_here
from bench.history import fill
from bench.hook_receiver import Manner
from bench.hooks import HookReceiver, Told, free_port, hook_receiver, make_endpoint
from bench.report import Report, machine, ratio
from bench.screen import Screen
from domain import webhooks as rules
from domain.ids import Kind, workflow_id
from domain.webhooks import Format
from gateways.http import Guard, HttpPoster
from store.columns import now
from supervision.errors import CannotStart
from supervision.ports import LOOPBACK

FAILED_WITHIN = 60.0
LONGEST = 600.0
DEAD_EVENTS = 1000
"""Owed to each dead endpoint."""
DEAD = (*3 * (Manner.SILENT,), *3 * (Manner.REFUSES,), *2 * (Manner.SLOW,), *2 * (None,))
"""None: nobody listens there."""
_OWE = """
INSERT INTO webhook_event (endpoint_id, account_id, kind, message_id, occurred_at, attempts, data)
SELECT $1, m.account_id, 'deliver', m.id, m.finished_at, 0, jsonb_build_object('submission_id', m.submission_id,
       'message_id', m.id, 'ordinal', m.ordinal, 'recipient', m.address, 'label', 'old', 'attempt', m.attempts,
       'state', m.state, 'class', m.reason, 'code', m.code, 'enhanced', m.enhanced, 'reply', m.reply)
FROM (SELECT * FROM message WHERE account_id = $2 ORDER BY id LIMIT $3) AS m
"""
_FAILED = "SELECT count(*) FROM webhook_endpoint WHERE id = ANY($1) AND failures > 0"
_TRIES = "SELECT endpoint_id, count(*) AS tries FROM webhook_attempt WHERE endpoint_id = ANY($1) GROUP BY 1"


@dataclass(frozen=True)
class Options:
    events: int
    """To the healthy endpoint; rounded up to whole thousands."""
    form: Format
    processes: int


async def run(options: Options, screen: Screen) -> Report:
    processes = options.processes or processes_here()
    screen.step("Starting a stack")
    async with ground(Plan(workers=processes), screen.say) as place, hook_receiver(place.folder) as receiver:
        figures, told = await _measured(place, receiver, options, screen)
        figures["processes"] = processes
        screen.step("Stopping the stack")
        await place.leave_the_machine_to_others()
        screen.step("Bare loop: the same requests, no database, no Temporal")
        bare = await _bare_loop(receiver, len(told))
        screen.done()
        facts = machine(sink="bench/hook_receiver.py")
    baselines = {"bare_loop": round(bare, 1)}
    return Report("webhooks", figures, baselines, {"bare_loop": ratio(figures["events_per_s"], bare)}, facts)


async def _measured(
    place: Ground, receiver: HookReceiver, options: Options, screen: Screen
) -> tuple[dict[str, float], list[Told]]:
    healthy, others = [await make_customer(place.db, place.vault, tag) for tag in ("healthy", "dead")]
    screen.step("Messages that events are about", options.events)
    events = await fill(place.db, healthy, options.events, screen.at)
    await fill(place.db, others, DEAD_EVENTS, _unseen)
    dead = await _dead_endpoints(place, receiver, others.account, screen)
    before = await _tries(place, dead)
    screen.step("Events", events)
    lively = await make_endpoint(place, healthy.account, receiver.url(Manner.OK), options.form)
    await _owe(place, lively, healthy.account, events)
    await _all_taken(receiver, events, screen)
    after, told = await _tries(place, dead), receiver.told()
    seconds = max(one.arrival for one in told) - min(one.arrival for one in told)
    history = await _history(place, lively)
    figures = {
        "events": events,
        "events_per_s": round(events / max(seconds, 1e-6), 1),
        "seconds": round(seconds, 2),
        "repeated": len(told) - len({one.event for one in told}),
        "dead_endpoints": len(dead),
        "dead_endpoints_tried_meanwhile": sum(after[key] > before[key] for key in dead),
        "dead_requests": sum(after.values()),
        "temporal_events_per_1000": round(1000 * history / events, 2),
        "worker_rss_mb": round(place.worker_rss_mb(), 1),
    }
    return figures, told


def _unseen(_: int) -> None:
    """Too few to watch."""


async def _dead_endpoints(place: Ground, receiver: HookReceiver, account: UUID, screen: Screen) -> list[UUID]:
    """Each has failed once when this returns. Raises `CannotStart` when one does not fail."""
    screen.step("Dead endpoints fail", len(DEAD))
    dead = []
    for number, manner in enumerate(DEAD):
        url = receiver.url(manner, number) if manner else f"http://{LOOPBACK}:{free_port()}/?{number}"
        dead.append(await make_endpoint(place, account, url))
        await _owe(place, dead[-1], account, DEAD_EVENTS)
    end = time.monotonic() + FAILED_WITHIN
    while (failed := await place.db.pool.fetchval(_FAILED, dead)) < len(dead):
        if time.monotonic() > end:
            raise CannotStart(f"Of {len(dead)} dead endpoints {failed} have failed.")
        screen.at(failed)
        await asyncio.sleep(0.25)
    return dead


async def _owe(place: Ground, endpoint: UUID, account: UUID, events: int) -> None:
    async with place.db.raw() as connection:
        await connection.execute("SET LOCAL transaction_timeout = 0")
        await connection.execute(_OWE, endpoint, account, events)


async def _tries(place: Ground, endpoints: list[UUID]) -> Counter[UUID]:
    return Counter({row["endpoint_id"]: row["tries"] for row in await place.db.pool.fetch(_TRIES, endpoints)})


async def _all_taken(receiver: HookReceiver, events: int, screen: Screen) -> None:
    end = time.monotonic() + LONGEST
    while (taken := receiver.taken()) < events:
        if time.monotonic() > end:
            raise CannotStart(f"Of {events} events {taken} have arrived.")
        screen.at(taken)
        await asyncio.sleep(0.1)


async def _history(place: Ground, endpoint: UUID) -> int:
    """Events in the history of the endpoint's workflow; it made one run."""
    client = await Client.connect(place.stack.addresses.temporal_address)
    described = await client.get_workflow_handle(workflow_id(Kind.WEBHOOK, endpoint)).describe()
    return described.history_length


async def _bare_loop(receiver: HookReceiver, events: int) -> float:
    """Events a second of as many connections: signed, posted, read."""
    secret, remaining = rules.new_secret(), iter(range(events))
    data = rules.message_data(UUID(int=1), 1, 0, "someone@bench.example", "old")

    async def ask() -> None:
        for number in remaining:
            body = rules.body_of("deliver", now(), number, data)
            await post(rules.signed_headers(rules.event_id(number), now(), body, [secret]), body)

    async with HttpPoster(Guard([f"{LOOPBACK}/32"])).session(receiver.url(Manner.OK)) as post:
        began = time.monotonic()
        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
        return events / (time.monotonic() - began)
