"""Accepting over SendCloud's wire: `/apiv2/mail/send`, one recipient each, durable before the answer (design §7).

Everything is on: keys, quota, money, matching of content, and a worker that delivers meanwhile to the sink. The
baseline comes first, while the worker idles: the bare insert with as many processes on the same database.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from bench import bare_insert
from bench.accept_client import PLACE, Load, Order
from bench.customers import Customer, make_customer
from bench.ground import DOMAINS, Ground, Plan, ground
from bench.report import Report, machine, ratio
from bench.screen import Screen
from stack import SAME_SOURCE
from supervision.children import leashed
from supervision.errors import CannotStart
from supervision.ports import LOOPBACK, listens_on
from supervision.postgres import Owner

WARM_SECONDS = 2.0
CUSTOMERS = 4
START_WITHIN = 30.0
_DIGITS = PLACE.decode()


@dataclass(frozen=True)
class Options:
    seconds: float
    """Of each of the two measurements."""
    processes: int
    """API processes, and processes of the bare insert."""
    connections: int
    """Kept open by all clients together, one request at a time on each."""
    clients: int = 1
    """Processes that make the load."""


async def run(options: Options, screen: Screen) -> Report:
    """The API processes' requests per second, beside the bare insert's. Raises `CannotStart` when one was refused."""
    screen.step("Starting a stack")
    async with ground(Plan(workers=1, apis=options.processes), screen.say) as place:
        customers = [await make_customer(place.db, place.vault, f"accept-{n}") for n in range(CUSTOMERS)]
        screen.step(f"The bare insert: {options.processes} processes, {options.seconds:g} s")
        bare = await measure_bare(place, options)
        screen.step(f"/apiv2/mail/send: {options.processes} processes, {options.seconds:g} s")
        loads = await measure(place.stack.ports.api, [mail(each) for each in customers], '"statusCode":200,', options)
        await _all_there(place, loads)
        screen.done()
        return _report(place, options, loads, bare)


def _report(place: Ground, options: Options, loads: list[Load], bare: list[Load]) -> Report:
    made, least = rate(loads), rate(bare)
    figures = {
        "requests_per_s": round(made, 1), "p50_ms": round(max(each.p50_ms for each in loads), 2),
        "p99_ms": round(max(each.p99_ms for each in loads), 2), "requests": sum(each.good for each in loads),
        "api_processes": options.processes, "connections": options.connections,
    }  # fmt: skip
    about = machine(sink=place.sink.name)
    return Report("accept", figures, {"bare_insert": round(least, 1)}, {"bare_insert": ratio(made, least)}, about)


def rate(loads: Sequence[Load]) -> float:
    """Answers a second of all together. Raises `CannotStart` when one was not what it should be."""
    if bad := next((each for each in loads if each.bad), None):
        raise CannotStart(f"{sum(each.bad for each in loads)} requests were not accepted, such as: {bad.sample}")
    return sum(each.good / each.seconds for each in loads)


async def _all_there(place: Ground, loads: Sequence[Load]) -> None:
    """Whatever was answered is in the database."""
    answered = sum(each.good_ever for each in loads)
    kept = await place.db.pool.fetchval("SELECT count(*) FROM message")
    if kept < answered:
        raise CannotStart(f"{answered} requests were accepted, and {kept} messages are there.")


def mail(customer: Customer) -> str:
    """A call as SendCloud's clients make it."""
    fields = {
        "apiUser": customer.trigger_user, "apiKey": customer.trigger_key, "from": customer.sender,
        "fromName": "青木书店", "to": f"p{_DIGITS}@{DOMAINS[0]}", "subject": f"验证码 {_DIGITS}",
        "html": f"<p>你的验证码是 <strong>{_DIGITS}</strong>。 Your code.</p>", "respEmailId": "true",
    }  # fmt: skip
    return post("/apiv2/mail/send", "application/x-www-form-urlencoded", urlencode(fields, safe="@"))


def bare_mail() -> str:
    """The same for the bare insert."""
    fields = {
        "sender": "news@mail.bench.example", "to": f"p{_DIGITS}@{DOMAINS[0]}", "subject": f"验证码 {_DIGITS}",
        "html": f"<p>你的验证码是 <strong>{_DIGITS}</strong>。 Your code.</p>",
    }  # fmt: skip
    return post("/send", "application/json", json.dumps(fields))


def post(path: str, kind: str, body: str) -> str:
    """One HTTP request, whole."""
    head = f"POST {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}"
    return f"{head}\r\n\r\n{body}"


async def measure(port: int, requests: list[str], good: str, options: Options) -> list[Load]:
    """What each process of the load says."""
    each = options.connections // options.clients
    orders = [
        Order(port, requests, good, each, WARM_SECONDS, options.seconds, number * 20_000_000)
        for number in range(options.clients)
    ]
    clients = [await _spawn("bench.accept_client") for _ in orders]
    try:
        async with asyncio.timeout(START_WITHIN + WARM_SECONDS + options.seconds + START_WITHIN):
            await asyncio.gather(*(_ready(client, order) for client, order in zip(clients, orders, strict=True)))
            return list(await asyncio.gather(*(_go(client) for client in clients)))
    finally:
        await _end(clients)


async def measure_bare(place: Ground, options: Options) -> list[Load]:
    """The bare insert's, on a table of its own beside ours."""
    await place.db.pool.execute(bare_insert.CREATE)
    async with _bare_processes(place, options.processes) as port:
        return await measure(port, [bare_mail()], '"id":', options)


@asynccontextmanager
async def _bare_processes(place: Ground, count: int) -> AsyncIterator[int]:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    servers = [await _spawn("bench.bare_insert", "--port", str(port)) for _ in range(count)]
    try:
        async with asyncio.timeout(START_WITHIN):
            for server in servers:
                await _say(server, place.stack.addresses.database_url)
            while not all(listens_on(server.pid, port) for server in servers):
                await asyncio.sleep(0.1)
        yield port
    finally:
        await _end(servers)


async def _spawn(module: str, *arguments: str) -> asyncio.subprocess.Process:
    command = leashed([sys.executable, "-m", module, *arguments], signal.SIGKILL, Owner())
    return await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={**os.environ, **SAME_SOURCE}
    )


async def _ready(client: asyncio.subprocess.Process, order: Order) -> None:
    await _say(client, json.dumps(asdict(order)))
    assert client.stdout is not None  # noqa: S101 - for mypy
    if await client.stdout.readline() != b"ready\n":
        raise CannotStart("A client of the load did not start.")


async def _go(client: asyncio.subprocess.Process) -> Load:
    await _say(client, "go")
    assert client.stdout is not None  # noqa: S101 - for mypy
    return Load(**json.loads(await client.stdout.readline()))


async def _say(client: asyncio.subprocess.Process, line: str) -> None:
    assert client.stdin is not None  # noqa: S101 - for mypy
    client.stdin.write(line.encode() + b"\n")
    await client.stdin.drain()


async def _end(processes: Sequence[asyncio.subprocess.Process]) -> None:
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.wait()
