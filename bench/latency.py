"""From accept to the first SMTP byte, when nothing else happens and while another account's campaign runs (§7).

Accept is the moment the API stamped (`submission.accepted_at`), which lies before its transaction commits; the first
byte is the MAIL command as our own sink stamps it. Requests leave at their times whether or not earlier ones have been
answered, so that a slow answer hides nothing.
"""

import asyncio
import math
import random
import time
from dataclasses import dataclass
from uuid import UUID

import httpx2

from bench.campaign import create
from bench.customers import CODE, Customer, make_customer
from bench.ground import DOMAINS, Ground, Plan, ground, processes_here
from bench.lists import make_list
from bench.report import Report, machine, percentile
from bench.screen import Screen
from supervision.errors import CannotStart

PAUSE = 0.12
"""Seconds between requests, on average."""
PATIENCE = 120.0
RAMP = 3.0
"""Seconds until a campaign that has begun runs at its rate."""
_TRIED = """
SELECT coalesce(sum(delivered + bounced + dropped + uncertain), 0)::int AS tried,
       (SELECT finished_at IS NOT NULL FROM campaign WHERE id = $1) AS over
FROM page WHERE campaign_id = $1
"""


@dataclass(frozen=True)
class Options:
    requests: int
    """Of each part."""
    messages: int
    """Of the campaign that is the load; 0: idle only."""
    processes: int
    seed: int = 1


@dataclass(frozen=True)
class Waits:
    """Milliseconds of each request that was answered and arrived; those that did not are counted."""

    milliseconds: list[float]
    missing: int

    def figures(self, name: str) -> dict[str, float]:
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
        found = {f"{name}_{word}_ms": _rounded(percentile(self.milliseconds, of)) for word, of in shares.items()}
        return {f"{name}_requests": len(self.milliseconds), f"{name}_missing": self.missing} | found


def _rounded(value: float) -> float:
    """JSON has no `nan`: nothing measured is minus one."""
    return -1.0 if math.isnan(value) else round(value, 2)


async def run(options: Options, screen: Screen) -> Report:
    chance = random.Random(options.seed)
    processes = options.processes or processes_here()
    screen.step("Starting a stack")
    async with ground(Plan(workers=processes, recording=True), screen.say) as place:
        customer = await make_customer(place.db, place.vault, "single")
        await singles(place, customer, "warm", 10, chance, screen)  # the first ones pay for imports and caches
        idle = await singles(place, customer, "idle", options.requests, chance, screen)
        figures: dict[str, float] = idle.figures("idle")
        if options.messages:
            figures |= await loaded(place, customer, options, chance, screen)
        figures["processes"] = processes
        screen.done()
        return Report("latency", figures, machine=machine(sink=place.sink.name))


async def loaded(
    place: Ground, customer: Customer, options: Options, chance: random.Random, screen: Screen
) -> dict[str, float]:
    """The same while somebody else's campaign is being delivered. Raises `CannotStart` when it never began."""
    other = await make_customer(place.db, place.vault, "flood")
    screen.step("Filling the list of the load", options.messages)
    audience = await make_list(place.db, other.account, "flood", options.messages, screen.at)
    campaign = await create(place, other, audience)
    screen.step("Waiting for the load to flow")
    await _flowing(place, campaign)
    await asyncio.sleep(RAMP)
    began, before = time.monotonic(), (await _tried(place, campaign))[0]
    waits = await singles(place, customer, "load", options.requests, chance, screen)
    seconds = time.monotonic() - began
    tried, over = await _tried(place, campaign)
    load = {
        "load_messages": options.messages, "load_per_s": round((tried - before) / seconds, 1),
        "load_ended_early": float(over),
    }  # fmt: skip
    return waits.figures("loaded") | load


async def _flowing(place: Ground, campaign: UUID) -> None:
    end = time.monotonic() + PATIENCE * 5
    while (await _tried(place, campaign))[0] == 0:
        if time.monotonic() > end:
            raise CannotStart("The campaign that is the load did not begin.")
        await asyncio.sleep(0.1)


async def _tried(place: Ground, campaign: UUID) -> tuple[int, bool]:
    row = await place.db.pool.fetchrow(_TRIED, campaign)
    return row["tried"], bool(row["over"])


async def singles(
    place: Ground, customer: Customer, tag: str, count: int, chance: random.Random, screen: Screen
) -> Waits:
    """So many requests of one recipient each, and how long each waited."""
    screen.step(f"Single mails: {tag}", count)
    asked: dict[str, asyncio.Task[UUID | None]] = {}
    async with place.client(customer.trigger_key) as http:
        for number in range(count):
            recipient = f"{tag}-{number}@{DOMAINS[number % len(DOMAINS)]}"
            asked[recipient] = asyncio.create_task(_send(http, customer, recipient))
            screen.at(number)
            await asyncio.sleep(chance.uniform(0.5, 1.5) * PAUSE)  # not in step with anything that polls
        answers = dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))
    sent = {recipient: submission for recipient, submission in answers.items() if submission is not None}
    arrivals = await _arrivals(place, tag, set(sent))
    accepted = await _accepted(place, list(sent.values()))
    waits = [
        1000 * (arrivals[recipient] - accepted[submission])
        for recipient, submission in sent.items()
        if recipient in arrivals
    ]
    return Waits(waits, count - len(waits))


async def _send(http: httpx2.AsyncClient, customer: Customer, recipient: str) -> UUID | None:
    """The submission's id, or None when it was refused."""
    people = [{"address": recipient, "variables": {"code": "123456"}}]
    answer = await http.post("/v1/sends", json={"template": CODE, "from": customer.sender, "recipients": people})
    return UUID(answer.json()["id"]) if answer.status_code < 300 else None


async def _arrivals(place: Ground, tag: str, wanted: set[str]) -> dict[str, float]:
    """Recipient to the moment of its MAIL command; waits for stragglers."""
    end = time.monotonic() + PATIENCE
    while True:
        found: dict[str, float] = {}
        for arrival, recipient, _ in await asyncio.to_thread(place.sink.records, f"{tag}-"):
            if recipient in wanted:
                found.setdefault(recipient, arrival)
        if len(found) == len(wanted) or time.monotonic() > end:
            return found
        await asyncio.sleep(0.5)


async def _accepted(place: Ground, submissions: list[UUID]) -> dict[UUID, float]:
    """Submission to when it was accepted, in seconds since 1970."""
    query = "SELECT id, accepted_at FROM submission WHERE id = ANY($1)"
    return {row["id"]: row["accepted_at"].timestamp() for row in await place.db.pool.fetch(query, submissions)}
