"""How fast a campaign is delivered, beside the bare loop and Postfix with the same mails (design §7, first line)."""

import asyncio
import datetime as dt
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from temporalio.client import Client

from bench import bare_loop, postfix
from bench.customers import NEWSLETTER, Customer, make_customer
from bench.ground import SLOTS, Ground, Plan, ground, processes_here
from bench.lists import make_list
from bench.material import Material, of_submission
from bench.report import Report, machine, ratio
from bench.screen import Screen
from bench.sinks import Sink
from domain.ids import Kind, workflow_id
from supervision.errors import CannotStart

CLOSED_WITHIN = 60.0
LONGEST = 3600.0
"""Seconds after which a campaign is given up."""
BASELINE_MESSAGES = 20_000
"""More of them would only take longer."""
_PROGRESS = """
SELECT c.state, c.finished_at, s.recipients,
       (SELECT coalesce(sum(delivered + bounced + dropped + uncertain), 0) FROM page WHERE campaign_id = c.id) AS tried
FROM campaign c LEFT JOIN submission s ON s.id = c.id WHERE c.id = $1
"""
_TIMES = """
SELECT c.created_at, c.held_at, c.finished_at, s.recipients,
       (SELECT max(finished_at) FROM message WHERE submission_id = c.id) AS last_at,
       (SELECT count(*) FROM message WHERE submission_id = c.id AND state = 'delivered') AS delivered,
       (SELECT count(*) FROM message WHERE submission_id = c.id AND state = 'queued') AS queued
FROM campaign c JOIN submission s ON s.id = c.id WHERE c.id = $1
"""


@dataclass(frozen=True)
class Options:
    messages: int
    processes: int
    """Sender processes, also of the bare loop; 0: one per core."""
    baselines: bool


@dataclass(frozen=True)
class Ran:
    """A campaign as its rows tell it. Sending begins when money and quota are held, and ends with the last outcome."""

    recipients: int
    delivered: int
    freeze: dt.timedelta
    sending: dt.timedelta
    whole: dt.timedelta

    @property
    def per_second(self) -> float:
        return self.delivered / max(self.sending.total_seconds(), 1e-6)


async def run(options: Options, screen: Screen) -> Report:
    """The campaign on a stack of its own; then, with the stack stopped, the baselines on the same sink."""
    processes = options.processes or processes_here()
    screen.step("Starting a stack")
    async with ground(Plan(workers=processes), screen.say) as place:
        ran, figures, material = await measured(place, options.messages, screen)
        figures["processes"] = processes
        baselines: dict[str, float | None] = {"postfix": None, "bare_loop": None}
        notes: tuple[str, ...] = ()
        if options.baselines:
            screen.step("Stopping the stack")
            await place.leave_the_machine_to_others()
            baselines["bare_loop"] = await _bare_loop(place, material, processes, screen)
            baselines["postfix"], notes = await _postfix(place, material, processes, screen)
        screen.done()
        facts = machine(sink=place.sink.name)
    ratios = {name: ratio(ran.per_second, per_second) for name, per_second in baselines.items()}
    return Report("campaign", figures, baselines, ratios, facts, notes)


async def measured(place: Ground, messages: int, screen: Screen) -> tuple[Ran, dict[str, float], Material]:
    """One campaign from nothing to its end, its figures, and the mails it was made of."""
    customer = await make_customer(place.db, place.vault, "campaign")
    campaign, ran = await played(place, customer, "main", messages, screen)
    events = await temporal_events(place, campaign)
    figures = {
        "messages": ran.recipients,
        "delivered": ran.delivered,
        "delivered_per_s": round(ran.per_second, 1),
        "temporal_events_per_1000": round(1000 * events / max(ran.recipients, 1), 2),
        "worker_rss_mb": round(place.worker_rss_mb(), 1),
        "freeze_s": round(ran.freeze.total_seconds(), 2),
        "sending_s": round(ran.sending.total_seconds(), 2),
        "whole_s": round(ran.whole.total_seconds(), 2),
    }
    return ran, figures, await of_submission(place, campaign, BASELINE_MESSAGES)


async def played(place: Ground, customer: Customer, tag: str, messages: int, screen: Screen) -> tuple[UUID, Ran]:
    """A new list, and a campaign to it from its creation to its end."""
    screen.step("Filling the list", messages)
    audience = await make_list(place.db, customer.account, tag, messages, screen.at)
    campaign = await create(place, customer, audience)
    return campaign, await finished(place, campaign, screen)


async def create(place: Ground, customer: Customer, audience: UUID) -> UUID:
    """Through the public door, by the batch API user's key."""
    async with place.client(customer.batch_key) as http:
        answer = await http.post("/v1/campaigns", json=order(customer, audience))
    if answer.status_code >= 400:
        raise CannotStart(f"POST /v1/campaigns: HTTP {answer.status_code} {answer.text[:500]}")
    return UUID(answer.json()["id"])


def order(customer: Customer, audience: UUID) -> dict[str, Any]:
    """The body of the request."""
    return {
        "name": "Bench", "api_user": customer.batch_user, "template": NEWSLETTER, "from": customer.sender,
        "from_name": "Bench 书店", "lists": [str(audience)],
    }  # fmt: skip


async def finished(place: Ground, campaign: UUID, screen: Screen) -> Ran:
    """Wait for its end. Raises `CannotStart` when it is blocked or takes too long."""
    screen.step("Campaign")
    end = time.monotonic() + LONGEST
    while (row := await place.db.pool.fetchrow(_PROGRESS, campaign)) is None or row["finished_at"] is None:
        if row is not None:
            screen.step_total(row["recipients"])
            screen.at(row["tried"], row["state"])
        if time.monotonic() > end or (row is not None and row["state"] == "blocked"):
            raise CannotStart(f"The campaign did not end: {dict(row) if row else 'it has no row'}")
        await asyncio.sleep(0.25)
    return await times(place, campaign)


async def times(place: Ground, campaign: UUID) -> Ran:
    """When what happened, by the rows."""
    row = await place.db.pool.fetchrow(_TIMES, campaign)
    return Ran(
        recipients=row["recipients"],
        delivered=row["delivered"],
        freeze=row["held_at"] - row["created_at"],
        sending=row["last_at"] - row["held_at"],
        whole=row["finished_at"] - row["created_at"],
    )


async def temporal_events(place: Ground, campaign: UUID) -> int:
    """History events of all runs of the campaign's workflow, which ends a moment after its row says so.

    Raises `CannotStart` when it does not end.
    """
    client = await Client.connect(place.stack.addresses.temporal_address)
    name = workflow_id(Kind.CAMPAIGN, campaign)
    end = time.monotonic() + CLOSED_WITHIN
    while not (runs := await _closed_runs(client, name)):
        if time.monotonic() > end:
            raise CannotStart(f"The workflow {name} did not end.")
        await asyncio.sleep(0.2)
    described = [await client.get_workflow_handle(name, run_id=run).describe() for run in runs]
    return sum(each.history_length for each in described)


async def _closed_runs(client: Client, name: str) -> list[str]:
    """Ids of all its runs, once the last one is closed and the server lists it (which it does with a delay)."""
    last = await client.get_workflow_handle(name).describe()
    listed = {run.run_id: run.close_time async for run in client.list_workflows(f"WorkflowId = '{name}'")}
    return list(listed) if last.close_time is not None and listed.get(last.run_id) is not None else []


async def _bare_loop(place: Ground, material: Material, processes: int, screen: Screen) -> float:
    screen.step("Bare loop: the same mails, no database, no Temporal")
    file = material.save(place.folder / "material")
    return round(await bare_loop.run(file, processes, SLOTS, place.sink.port), 1)


async def _postfix(
    place: Ground, material: Material, processes: int, screen: Screen
) -> tuple[float | None, tuple[str, ...]]:
    """None, and why, where Postfix cannot run."""
    if (why := postfix.missing()) is not None:
        return None, (f"No Postfix baseline: {why}",)
    screen.step("Postfix: the same mails, relayed", len(material.messages))
    rendering = material.renderer()
    mails = await asyncio.to_thread(lambda: [rendering.mail(message) for message in material.messages])
    sink: Sink = place.sink
    instance = postfix.Instance(place.folder / "postfix", postfix.free_port(), sink.port, processes * SLOTS)
    return round(await postfix.relay(instance, mails, screen.at), 1), ()
