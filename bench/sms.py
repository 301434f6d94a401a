"""How many SMS a second are submitted over SMPP, each charged, and matched with its receipt (design §7).

One customer's notices to as many numbers go through the public door; the clock is the rows': from the first submission
to the last. Beside it the bare loop: the same texts over as many binds, without a database and without Temporal.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.ground import SLOTS, Ground, Plan, ground, processes_here
from bench.report import Report, machine, ratio
from bench.screen import Screen
from bench.smsc import BINDS, WINDOW, lead_sms_to, smsc
from bench.texters import CONTENT, Texter, make_texter, notice_to, phones, values_for
from domain.sms import MAX_NUMBERS
from domain.sms_carriers import Assembled, GatewayConfig, GatewaySight, ReplyPiece
from domain.sms_text import compose, fill
from domain.sms_transport import Carrier, Hears, Receipt, Reply, ShortMessage
from gateways.smpp import SmppCarriers
from sandbox.smsc_carriers import CARRIERS
from services.beside import background
from supervision.errors import CannotStart
from supervision.ports import LOOPBACK

LONGEST = 600.0
SETTLED_WITHIN = 30.0
_PROGRESS = """
SELECT count(*) FILTER (WHERE m.state <> 'queued')::int AS tried,
       count(*) FILTER (WHERE m.state NOT IN ('queued', 'sent'))::int AS ended
FROM message m WHERE m.account_id = $1
"""
_RAN = """
SELECT count(*) FILTER (WHERE state = 'delivered')::int AS delivered, sum(submitted)::int AS segments,
       extract(epoch FROM max(attempted_at) - min(attempted_at))::float AS submitting,
       extract(epoch FROM max(finished_at) - min(attempted_at))::float AS whole,
       (SELECT count(*) FROM sms_part WHERE state = '')::int AS unmatched
FROM message WHERE account_id = $1
"""
_CHARGED = """
SELECT coalesce(sum(sent), 0)::int AS charged, count(*) FILTER (WHERE closed_at IS NULL)::int AS open
FROM hold WHERE account_id = $1
"""


@dataclass(frozen=True)
class Options:
    messages: int
    processes: int
    """Worker processes; 0: one per core."""
    baselines: bool


async def run(options: Options, screen: Screen) -> Report:
    processes = options.processes or processes_here()
    screen.step("Starting a stack")
    async with ground(Plan(workers=processes), screen.say) as place, smsc() as carrier:
        await lead_sms_to(place.db, carrier.port, processes)
        figures = await _measured(place, options.messages, screen)
        figures["processes"] = processes
        bare = None
        if options.baselines:
            screen.step("Stopping the stack")
            await place.leave_the_machine_to_others()
            screen.step("Bare loop: the same texts, no database, no Temporal")
            bare = await _bare_loop(carrier.port, options.messages)
        screen.done()
        facts = machine(sink="sandbox/smsc.py")
    ratios = {"bare_loop": ratio(figures["submits_per_s"], bare)}
    return Report("sms", figures, {"bare_loop": None if bare is None else round(bare, 1)}, ratios, facts)


async def _measured(place: Ground, messages: int, screen: Screen) -> dict[str, float]:
    texter = await make_texter(place.db, place.vault, "sms")
    screen.step("SMS", messages)
    began = time.monotonic()
    await _accepted(place, texter, messages)
    accepting = time.monotonic() - began
    await _ended(place, texter, messages, screen)
    ran = await place.db.pool.fetchrow(_RAN, texter.account)
    charged = await _charged(place, texter)
    if ran["delivered"] != messages or ran["unmatched"] or charged != ran["segments"]:
        raise CannotStart(f"Of {messages} SMS: {dict(ran)}, {charged} segments charged.")
    return {
        "messages": messages,
        "accepted_per_s": round(messages / accepting, 1),
        "submits_per_s": round(ran["segments"] / max(ran["submitting"], 1e-6), 1),
        "matched_per_s": round(ran["delivered"] / max(ran["whole"], 1e-6), 1),
        "segments_charged": charged,
        "worker_rss_mb": round(place.worker_rss_mb(), 1),
    }


async def _accepted(place: Ground, texter: Texter, messages: int) -> None:
    """By the SMS user's key, as many numbers in a request as may be."""
    async with place.client(texter.key) as http:
        for first in range(0, messages, MAX_NUMBERS):
            numbers = phones(first, min(MAX_NUMBERS, messages - first))
            answer = await http.post("/v1/sms", json=notice_to(texter, numbers))
            if answer.status_code >= 400:
                raise CannotStart(f"POST /v1/sms: HTTP {answer.status_code} {answer.text[:500]}")


async def _ended(place: Ground, texter: Texter, messages: int, screen: Screen) -> None:
    end = time.monotonic() + LONGEST
    while (row := await place.db.pool.fetchrow(_PROGRESS, texter.account))["ended"] < messages:
        if time.monotonic() > end:
            raise CannotStart(f"Of {messages} SMS {row['tried']} were submitted and {row['ended']} have ended.")
        screen.at(row["ended"], f"{row['tried']} submitted")
        await asyncio.sleep(0.25)


async def _charged(place: Ground, texter: Texter) -> int:
    """Segments, once every hold is settled."""
    end = time.monotonic() + SETTLED_WITHIN
    while (row := await place.db.pool.fetchrow(_CHARGED, texter.account))["open"]:
        if time.monotonic() > end:
            raise CannotStart(f"{row['open']} holds are not settled.")
        await asyncio.sleep(0.2)
    return int(row["charged"])


class _Book:
    """One gateway, and nobody who wants to know anything of it."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config

    async def configs(self) -> Sequence[GatewayConfig]:
        return [self._config]

    async def say(self, sights: Sequence[GatewaySight]) -> None:
        pass

    async def piece(self, piece: ReplyPiece) -> Assembled | None:
        return None

    async def given(self, key: str) -> None:
        pass

    async def overdue(self) -> Sequence[Assembled]:
        return ()


async def _bare_loop(port: int, messages: int) -> float:
    """Submissions a second of one process, as many at once as a worker has slots, until every receipt is heard."""
    heard, every = 0, asyncio.Event()

    async def receipt(_: Receipt) -> None:
        nonlocal heard
        heard += 1
        if heard == messages:
            every.set()

    async def reply(_: Reply) -> None:
        pass

    carrier = CARRIERS[0]
    config = GatewayConfig(
        1, "bench", LOOPBACK, port, carrier.system_id, carrier.password, binds=BINDS, window=WINDOW,
        source=carrier.source,
    )  # fmt: skip
    carriers = SmppCarriers(_Book(config), Hears(receipt, reply))
    async with background(carriers.run()):
        bound = await _bound(carriers)
        began = time.monotonic()
        todo = iter(phones(0, messages))
        await asyncio.gather(*(_submit_all(bound, todo) for _ in range(SLOTS)))
        seconds = time.monotonic() - began
        async with asyncio.timeout(LONGEST):
            await every.wait()
    return messages / seconds


async def _bound(carriers: SmppCarriers) -> Carrier:
    async with asyncio.timeout(SETTLED_WITHIN):
        while (carrier := carriers.get(1)) is None or not carrier.ready:
            await asyncio.sleep(0.05)
    return carrier


async def _submit_all(carrier: Carrier, todo: Iterator[str]) -> None:
    for number, phone in enumerate(todo):
        text = fill(compose("测试科技", CONTENT), values_for(phone))
        await carrier.submit(ShortMessage(f"+86{phone}", text, 1, number & 0xFFFF, dt.timedelta(hours=24)))
