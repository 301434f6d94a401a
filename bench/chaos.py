"""`songda chaos`: parts of the stack are killed at random while mail is accepted and sent; then everything is compared.

Counted at the sink, which nobody kills and which writes down every mail before it answers: *lost* is a recipient that a
client was told to be accepted and that the sink never saw; a *duplicate* is a mail that the sink saw once more.

SMS go to a carrier that nobody kills either, and that writes down each part before it answers: `bench/texted.py`
compares what it took with what the rows say and what was charged.

Every account has a webhook endpoint, whose receiver fails by chance and is not killed either: `bench/heard.py` compares
what it acknowledged with what the messages became.
"""

import asyncio
import datetime as dt
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bench.customers import make_customer
from bench.ground import Ground, Plan, ground
from bench.heard import Hearing, heard
from bench.hooks import hook_receiver
from bench.killer import Blow, Killer
from bench.report import Report, machine
from bench.screen import Screen
from bench.smsc import BenchSmsc, lead_sms_to, smsc
from bench.texted import compared, read_books, settled
from bench.texters import Texter, make_texter
from bench.traffic import Traffic
from services.audit import AuditReport, audit
from store.db import DATABASE_TROUBLE

SINGLE_PAUSE = 0.1
TEXT_LINES = 3
"""Requests for SMS that are under way at once."""
SETTLED_WITHIN = 420.0
GRACE = dt.timedelta(seconds=30)
"""After the end nothing may wait longer than a retry takes."""
NAMED = 50
"""Recipients of each kind that are named in the report; all are counted."""


@dataclass(frozen=True)
class Options:
    kills: int
    seed: int
    accounts: int
    """With single mails."""
    members: int
    """Of each campaign's list; 0: no campaigns."""
    processes: int


@dataclass(frozen=True)
class Settled:
    """What there was to compare at the end."""

    accepted: set[str]
    copies: Counter[str]
    books: AuditReport | None
    marked: set[str]
    """Recipients of messages that the rows call possible duplicates."""


async def run(options: Options, screen: Screen) -> Report:
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)  # that the database went away is no news here
    screen.step("Starting a stack")
    plan = Plan(workers=options.processes, apis=options.processes, recording=True)
    async with (
        ground(plan, screen.say) as place, hook_receiver(place.folder, options.seed) as receiver,
        smsc(place.folder / "carrier-record") as carrier,
    ):  # fmt: skip
        began = time.monotonic()
        await lead_sms_to(place.db, carrier.port, options.processes)
        texter = await make_texter(place.db, place.vault, "chaos")
        hearing = Hearing(place, receiver)
        traffic, killer = await _storm(place, hearing, texter, options, screen)
        screen.step("Waiting until everything is settled")
        books = await _settle(place, traffic, screen)
        screen.step("Waiting until webhooks have told everything")
        await hearing.settle(screen)
        await traffic.note_members()
        copies = Counter(recipient for _, recipient, _ in place.sink.records())
        settled = Settled(traffic.accepted, copies, books, await _marked(place))
        figures = compare(settled, killer.blows, place.sink.most_connections())
        figures |= await heard(hearing) | await _texted(place, texter, carrier, traffic)
        figures |= {
            "kills": len(killer.blows),
            "kills_by": killer.counted(),
            "seed": options.seed,
            "campaigns": len(traffic.campaigns),
            "unanswered_requests": traffic.unanswered,
            "refused_requests": traffic.refused,
            "restarts": place.stack.restarts(),
            "worker_rss_mb": round(place.worker_rss_mb(), 1),
            "seconds": round(time.monotonic() - began, 1),
        }
        screen.done()
        return Report("chaos", figures, machine=machine(sink=place.sink.name), notes=notes(figures))


async def _texted(place: Ground, texter: Texter, carrier: BenchSmsc, traffic: Traffic) -> dict[str, object]:
    """Once no SMS is under way any more."""
    if not await settled(place, texter):
        return {"sms_broken": ["SMS were still under way when the wait ended"]}
    books = await read_books(place, texter)
    return compared(traffic.texted, carrier.taken(), carrier.parts(), books)


async def _storm(
    place: Ground, hearing: Hearing, texter: Texter, options: Options, screen: Screen
) -> tuple[Traffic, Killer]:
    """Clients and the killer, until all kills are done and every client has its last answer."""
    traffic, killer = Traffic(place, options.seed), Killer(place, options.seed)
    customers = [await make_customer(place.db, place.vault, f"c{number}") for number in range(options.accounts)]
    sender = await make_customer(place.db, place.vault, "campaigns")
    await hearing.listen([one.account for one in (*customers, sender)])
    screen.step("Killing", options.kills)
    async with asyncio.TaskGroup() as group:
        for number, customer in enumerate(customers):
            group.create_task(traffic.singles(customer, f"s{number}", SINGLE_PAUSE))
        for line in range(TEXT_LINES):
            group.create_task(traffic.texts(texter, line, SINGLE_PAUSE))
        if options.members:
            group.create_task(traffic.campaigns_in_turn(sender, "k", options.members))
        watching = group.create_task(_watch(traffic, killer, screen))
        try:
            await killer.run(options.kills)
        finally:
            await killer.wake()
            traffic.stop.set()
            watching.cancel()
    return traffic, killer


async def _watch(traffic: Traffic, killer: Killer, screen: Screen) -> None:
    while True:
        screen.at(len(killer.blows), _counted(traffic))
        await asyncio.sleep(0.3)


def _counted(traffic: Traffic) -> str:
    singles, texted = len(traffic.accepted), len(traffic.texted)
    return f"{singles:,} singles, {len(traffic.campaigns)} campaigns, {texted:,} SMS"


async def _settle(place: Ground, traffic: Traffic, screen: Screen) -> AuditReport | None:
    """The audit once nothing is under way any more and the books are clean, else the last one that could be made."""
    end, report = time.monotonic() + SETTLED_WITHIN, None
    while time.monotonic() < end:
        try:
            report = await audit(place.db, GRACE)
            if report.clean and report.totals["queued"] == 0 and await _campaigns_over(traffic):
                return report
            screen.at(0, f"{report.totals['queued']:,} queued, {sum(f.count > 0 for f in report.findings)} findings")
        except DATABASE_TROUBLE:
            pass  # it may still be coming back
        await asyncio.sleep(2.0)
    return report


async def _campaigns_over(traffic: Traffic) -> bool:
    return all([await traffic.over(campaign) for campaign in traffic.campaigns])


async def _marked(place: Ground) -> set[str]:
    rows = await place.db.pool.fetch("SELECT address FROM message WHERE possible_duplicate")
    return {row["address"] for row in rows}


def compare(settled: Settled, blows: list[Blow], most_connections: int) -> dict[str, object]:
    """The figures. `unmarked_duplicates` came twice although the rows do not say that they might have."""
    lost = sorted(settled.accepted - set(settled.copies))
    twice = {recipient: count for recipient, count in sorted(settled.copies.items()) if count > 1}
    books, clean = settled.books, settled.books is not None and settled.books.clean
    queued = -1 if books is None else books.totals["queued"]
    return {
        "accepted": len(settled.accepted),
        "received": sum(settled.copies.values()),
        "lost": len(lost),
        "duplicates": sum(count - 1 for count in twice.values()),
        "max_open_connections": most_connections,
        "open_connections_at_kills": sum(blow.open_connections for blow in blows),
        "books_closed": clean and queued == 0,
        "unmarked_duplicates": len(set(twice) - settled.marked),
        "possible_duplicates": -1 if books is None else len(books.possible_duplicates),
        "queued": queued,
        "lost_recipients": lost[:NAMED],
        "duplicate_recipients": dict(list(twice.items())[:NAMED]),
        "findings": [] if books is None else [f"{f.name}: {f.count}" for f in books.findings if f.count],
    }


def failed(figures: Mapping[str, object]) -> bool:
    """Whether the promise was broken."""
    broken = figures["lost"] or figures.get("webhooks_broken") or figures.get("sms_broken")
    return bool(broken) or not figures["books_closed"]


def notes(figures: Mapping[str, object]) -> tuple[str, ...]:
    """What a person should look at, every duplicate by name."""
    named = [f"Came more than once: {figures['duplicate_recipients']}"] if figures["duplicates"] else []
    named += [f"Lost: {figures['lost_recipients']}"] if figures["lost"] else []
    named += [f"The books do not close: {figures['findings']}"] if not figures["books_closed"] else []
    named += [f"Webhooks: {figures['webhooks_broken']}"] if figures.get("webhooks_broken") else []
    named += [f"SMS: {figures['sms_broken']}"] if figures.get("sms_broken") else []
    named += [f"Refused: {figures['refused_requests']}"] if figures.get("refused_requests") else []
    return tuple(named)
