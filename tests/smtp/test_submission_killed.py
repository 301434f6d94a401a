"""The real process under load, killed: what got its 250 is there, whole; what was named is there once."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.sendcloud import submission_of
from smtp.limits import Room
from store.db import Database
from supervision.ports import free_base
from supervision.smtp import greets
from tests.patience import PATIENCE, until
from tests.sends_doors import SECRET
from tests.submission_world import NAME, Talk, World, make_sender
from tests.tls_world import certificate

ROOT = Path(__file__).parents[2]
CLIENTS, MAILS = 12, 15
SEED = 11


class RealDoor:
    """`songda smtp submission` as a process that can be killed and started again."""

    def __init__(self, url: str, folder: Path) -> None:
        self.port = free_base()
        self._environment = {
            "DATABASE_URL": url, "SONGDA_SECRET_KEY": SECRET, "SONGDA_SUBMISSION_PLAIN_LOGIN": "true",
            "SONGDA_SUBMISSION_HOST_NAME": NAME, "SONGDA_SMTP_TLS_CERTIFICATE": str(folder / "server.pem"),
        }  # fmt: skip
        self.process: Process | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "cli", "smtp", "submission", "--port", str(self.port)]
        environment = dict(os.environ) | self._environment
        self.process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stdout=DEVNULL, stderr=DEVNULL
        )

        async def ready() -> bool:
            return await greets("127.0.0.1", self.port)

        await until(ready)

    async def end(self, number: int) -> int:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


@pytest.fixture
async def door(db: Database, postgres_url: str, tmp_path: Path) -> AsyncIterator[tuple[RealDoor, World]]:
    _, trusting = certificate(tmp_path, NAME)
    customer, key = await make_sender(db)
    made = RealDoor(postgres_url, tmp_path)
    await made.start()
    try:
        yield made, World(db, customer, key, made.port, Room(), trusting)
    finally:
        await made.end(signal.SIGKILL)


async def client(world: World, number: int, told: dict[str, str], named: bool) -> None:
    """Sends its mails one by one, and after a broken connection goes on with the one that has no answer."""
    waiting = [f"c{number}n{n}" for n in range(MAILS)]
    while waiting:
        with contextlib.suppress(OSError, AssertionError, IndexError):
            async with world.signed_in(tls=number % 2 == 0) as talk:
                while waiting:
                    told[waiting[0]] = await one_mail(world, talk, waiting[0], named)
                    waiting.pop(0)
        await asyncio.sleep(0.05)


async def one_mail(world: World, talk: Talk, name: str, named: bool) -> str:
    """The messageId of its 250."""
    fields = [f"SC-Request-Id: {name}"] if named else []
    commands = f"MAIL FROM:<>\r\nRCPT TO:<{name}@x.test>\r\nRCPT TO:<{name}@y.test>\r\nDATA\r\n"
    await talk.put(commands.encode() + world.raw(*fields) + b".\r\n")
    codes = [(await talk.reply())[:3] for _ in range(4)]
    assert codes == ["250", "250", "250", "354"]
    reply = await talk.reply()
    assert reply.startswith("250 #") or not reply
    return reply.split("#")[1]


@pytest.mark.parametrize("named", [False, True], ids=["unnamed", "named"])
async def test_a_killed_door_has_lost_nothing_it_took(door: tuple[RealDoor, World], named: bool) -> None:
    process, world = door
    told: dict[str, str] = {}
    clients = [asyncio.create_task(client(world, n, told, named)) for n in range(CLIENTS)]
    dice, kills = random.Random(SEED), 0
    for share in (0.3, 0.7) if named else (0.5,):
        wanted = CLIENTS * MAILS * share

        async def enough(wanted: float = wanted) -> bool:
            return len(told) >= wanted

        await until(enough)
        await asyncio.sleep(dice.uniform(0, 0.02))
        await process.end(signal.SIGKILL)
        kills += 1
        await process.start()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*clients)
    await everything_is_there(world, told, kills, named)


async def everything_is_there(world: World, told: dict[str, str], kills: int, named: bool) -> None:
    rows = await world.db.pool.fetch(
        "SELECT s.id, array_agg(m.address ORDER BY m.address) AS people, count(d.message_id) AS due FROM submission s"
        " JOIN message m ON m.submission_id = s.id LEFT JOIN due d ON d.message_id = m.id GROUP BY s.id"
    )
    found = {row["id"]: row for row in rows}
    assert len(told) == CLIENTS * MAILS
    for name, queued in told.items():
        row = found[submission_of(queued)]
        assert row["people"] == [f"{name}@x.test", f"{name}@y.test"]
    assert {(len(row["people"]), row["due"]) for row in rows} == {(2, 2)}  # whole, each of them
    assert await world.count() == len(rows)
    unanswered = len(rows) - len(told)
    assert unanswered == 0 if named else unanswered <= CLIENTS * kills


async def test_the_process_ends_as_it_is_asked_to(door: tuple[RealDoor, World]) -> None:
    process, world = door
    async with world.signed_in(tls=True) as talk, world.talk() as idle:
        await talk.put(b"MAIL FROM:<>\r\nRCPT TO:<a@x.test>\r\nDATA\r\n")
        assert [(await talk.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        assert process.process is not None
        process.process.send_signal(signal.SIGTERM)
        assert (await idle.reply())[:3] == "421"
        await talk.put(world.raw() + b".\r\n")
        assert [reply[:3] for reply in await talk.rest()] == ["250", "421"]
        assert await process.end(signal.SIGTERM) == 0
    assert await world.count() == 1
