"""Composition root of the SMTP doors, each a process of its own: `songda smtp submission`, `songda smtp inbound`."""

import asyncio
import contextlib
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import structlog
from temporalio.client import Client

from domain.secrets import Vault
from services import calm_collector, discreet_logs
from services.beside import background, first_of
from services.catalog import build_services
from services.clockwork import Clockwork
from services.foundation import Foundation
from services.inbound import Inbound
from services.private_process import keep_private
from services.reply_rules import LiveReplyRules
from settings import Settings
from smtp.doors import Door
from smtp.inbound import Door as InboundDoor
from smtp.inbound import InboundDialogue
from smtp.limits import Connections, Room
from smtp.logins import Failures
from smtp.submission import Submissions
from store.db import Database

log = structlog.get_logger(__name__)

Protocols = Callable[[], asyncio.Protocol]
"""Makes the protocol of one new connection."""
Parts = tuple[Protocols, Sequence[Coroutine[Any, Any, None]]]
"""And what runs beside the door for as long as it is open."""
LAST_WORDS = 10.0
"""Seconds that open sessions have to end once the door is closed."""


async def serve(settings: Settings, door: Door, host: str, port: int) -> None:
    """Listen until a signal; raises `OSError` when it cannot."""
    keep_private()
    discreet_logs.install()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _foundation(settings) as base:
        make = _inbound if door is Door.INBOUND else _submission
        room = Room(Connections(settings.smtp_connections, settings.smtp_connections_per_address))
        async with contextlib.AsyncExitStack() as stack:
            protocols, running = await make(settings, base, _tls(settings), room)
            loops = [await stack.enter_async_context(background(loop)) for loop in running]
            server = await asyncio.get_running_loop().create_server(protocols, host, port)
            calm_collector.calm()
            log.info("smtp_door_open", door=door.value, port=port)
            try:
                await first_of(stop, loops)
            finally:
                server.close()
                await room.connections.end(LAST_WORDS)


@contextlib.asynccontextmanager
async def _foundation(settings: Settings) -> AsyncIterator[Foundation]:
    db = await Database.open(settings.database_url)
    try:
        client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace, lazy=True)
        vault = Vault(settings.secret_key.get_secret_value())
        yield Foundation(db, Clockwork(db, client), vault, settings.policy())
    finally:
        await db.close()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.smtp_tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.smtp_tls_certificate, settings.smtp_tls_key or None)
    return context


async def _submission(settings: Settings, base: Foundation, tls: ssl.SSLContext | None, room: Room) -> Parts:
    door = Submissions(
        build_services(base), Failures(), room, settings.submission_host_name, tls, settings.submission_plain_login
    )
    return door.connection, ()


async def _inbound(settings: Settings, base: Foundation, tls: ssl.SSLContext | None, room: Room) -> Parts:
    replies = await LiveReplyRules.open(base.db)
    inbound = Inbound(base.db, base.vault, settings.bounce_host, replies.classify)
    door = InboundDoor(inbound, base.vault.verp_key, settings.bounce_host.lower())
    return lambda: InboundDialogue(door, room, tls), (replies.run(), inbound.run())
