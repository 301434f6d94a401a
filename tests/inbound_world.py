"""The inbound door over real sockets."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from services.inbound import Inbound
from smtp.inbound import Door, InboundDialogue
from smtp.limits import Room
from store.db import Database
from tests.reports_world import HOST, inbound
from tests.sending_world import VAULT
from tests.submission_world import Talk
from tests.tls_world import certificate


@dataclass
class World:
    db: Database
    port: int
    room: Room
    door: Door
    trusting: ssl.SSLContext | None = field(repr=False, default=None)

    @contextlib.asynccontextmanager
    async def talk(self) -> AsyncIterator[Talk]:
        """A connection that has said EHLO."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            talk = Talk(reader, writer)
            assert (await talk.reply()) == f"220 {HOST} ESMTP"
            assert (await talk.say("EHLO mx.shop.test"))[:3] == "250"
            yield talk
        finally:
            writer.close()

    async def send(self, raw: bytes, *to: str, sender: str = "") -> str:
        """The reply to DATA, or the first that refuses."""
        async with self.talk() as talk:
            for line in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{one}>" for one in to), "DATA"):
                reply = await talk.say(line)
                if reply[:1] not in "23":
                    return reply
            await talk.put(raw.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
            return await talk.reply()


@contextlib.asynccontextmanager
async def opened(
    db: Database, *, room: Room | None = None, folder: Path | None = None, inside: Inbound | None = None
) -> AsyncIterator[World]:
    """The door on a port of its own; with a `folder` it has a certificate."""
    room = room or Room()
    server_tls, trusting = certificate(folder, HOST) if folder else (None, None)
    door = Door(inside or inbound(db), VAULT.verp_key, HOST)
    server = await asyncio.get_running_loop().create_server(
        lambda: InboundDialogue(door, room, server_tls), "127.0.0.1", 0
    )
    try:
        yield World(db, server.sockets[0].getsockname()[1], room, door, trusting)
    finally:
        server.close()
        await room.connections.end(5)
