"""The client that makes the load of `songda bench accept`: what it sends, what it counts."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from bench import accept
from bench.accept_client import Client, Load, Order
from bench.customers import Customer
from supervision.errors import CannotStart

CUSTOMER = Customer(UUID(int=1), "mail.x.example", "batch", "sk_b", "trigger", "sk_t")


@asynccontextmanager
async def server(answers: list[bytes]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answers in turn, in two pieces; (port, bodies that came)."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
            length = re.search(rb"Content-Length: (\d+)", head)
            assert length is not None
            seen.append(await reader.readexactly(int(length[1])))
            body = answers[len(seen) % len(answers)]
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body[:3])
            await asyncio.sleep(0)
            writer.write(body[3:])
        writer.close()

    async def forgiving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    running = await asyncio.start_server(forgiving, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1], seen


async def load(port: int, requests: list[str]) -> Load:
    client = Client(Order(port, requests, '"statusCode":200,', 3, 0.05, 0.2, first=500))
    return await client.run(await client.open())


async def test_each_request_is_whole_and_has_a_number_of_its_own() -> None:
    async with server([b'{"result":true,"statusCode":200,"info":{}}']) as (port, seen):
        found = await load(port, [accept.mail(CUSTOMER)])
    assert found.good_ever == len(seen) > found.good > 0 == found.bad
    assert len(set(seen)) == len(seen)
    assert all(re.search(rb"to=p\d{8}@", body) and b"apiKey=sk_t" in body for body in seen)
    assert 0 < found.p50_ms <= found.p99_ms


async def test_what_was_not_accepted_is_no_figure() -> None:
    async with server([b'{"statusCode":40005}', b'{"result":true,"statusCode":200,"info":{}}']) as (port, _):
        found = await load(port, [accept.bare_mail()])
    assert found.bad > 0
    with pytest.raises(CannotStart, match="40005"):
        accept.rate([found])


def test_rates_of_all_processes_add_up() -> None:
    assert accept.rate([Load(100, 120, 0, 2.0, 1, 1), Load(50, 70, 0, 2.0, 1, 1)]) == 75
