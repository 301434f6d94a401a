"""Starts all parts of the sandbox together and stops them together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator

import uvicorn

from sandbox.config import PortBusy, SandboxConfig, SandboxError
from sandbox.database import Database
from sandbox.dns import DnsServer
from sandbox.handsets import Handsets, Smscs, Where
from sandbox.hooks import HookCatcher
from sandbox.mailbox import Mailbox
from sandbox.parts import Parts
from sandbox.pay_desk import PayDesk
from sandbox.pay_keys import PayKeys, kept_keys
from sandbox.pay_notices import Notifier
from sandbox.postman import Postman
from sandbox.providers import MailServers, built_in_records
from sandbox.verification import Verifier
from sandbox.web import create_app
from sandbox.zones import Zones


async def serve(config: SandboxConfig) -> None:
    """Run until SIGTERM or SIGINT; prints one line when ready. Raises SandboxError when it cannot start."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    # aiosmtpd and uvicorn would write the addresses of every mail and request into the log.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    async with running(config):
        sys.stdout.write(
            f"sandbox ready: pages http://{config.host}:{config.web_port}/"
            f"  DNS {config.host}:{config.dns_port}  SMTP {config.provider_ip_base}1-6:{config.smtp_port}"
            f"  SMPP {config.provider_ip_base}8-9:{config.smtp_port}\n"
        )
        sys.stdout.flush()
        await stop.wait()


@contextlib.asynccontextmanager
async def running(config: SandboxConfig) -> AsyncIterator[Parts]:
    """A sandbox that serves as long as the block lasts."""
    async with contextlib.AsyncExitStack() as stack:
        web_socket = _listen(config)
        stack.callback(web_socket.close)
        database = Database(config.data_dir / "sandbox.sqlite3")
        stack.push_async_callback(database.close)
        await database.open()
        notifier = Notifier(database, config.time_scale)
        parts = await _load(config, database, notifier)
        # Left in reverse order: servers stop first, then what they took is written, then the file is closed.
        stack.push_async_callback(parts.mailbox.flush)
        stack.push_async_callback(parts.hooks.flush)
        stack.push_async_callback(parts.handsets.flush)
        for service in (DnsServer(parts.zones, config.host, config.dns_port), parts.servers, parts.smscs):
            stack.push_async_callback(service.stop)
            await service.start()
        await stack.enter_async_context(_background(Verifier(parts.mailbox, parts.zones).run()))
        await stack.enter_async_context(_background(notifier.run()))
        await stack.enter_async_context(_background(parts.postman.run()))
        await stack.enter_async_context(_web(parts, web_socket))
        yield parts


async def _load(config: SandboxConfig, database: Database, notifier: Notifier) -> Parts:
    zones, mailbox, hooks = Zones(database), Mailbox(database), HookCatcher(database)
    await zones.load([*built_in_records(config.provider_ip_base), *config.extra_records])
    await mailbox.load()
    await hooks.load()
    pay_desk = PayDesk(database, notifier, await asyncio.to_thread(_keys, config))
    postman = Postman(config, database, zones)
    servers = MailServers(config, database, mailbox, postman)
    handsets = Handsets(database)
    smscs = Smscs(Where(config.provider_ip_base, config.smtp_port), handsets)
    return Parts(config, zones, mailbox, servers, postman, hooks, pay_desk, handsets, smscs)


def _keys(config: SandboxConfig) -> PayKeys:
    try:
        return kept_keys(config.pay_keys)
    except (OSError, ValueError) as problem:
        raise SandboxError(f"sandbox: cannot use the keys in {config.pay_keys} ({problem})") from None


def _listen(config: SandboxConfig) -> socket.socket:
    # Bound here and not by uvicorn, which would end the process without our one clear line.
    web_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    web_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        web_socket.bind((config.host, config.web_port))
        web_socket.listen(1024)
    except OSError as problem:
        web_socket.close()
        raise PortBusy("the page", config.host, config.web_port, problem.strerror or str(problem)) from None
    return web_socket


@contextlib.asynccontextmanager
async def _background(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait to be told, where uvicorn would look ten times a second."""
        await self.ending.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to serve(), so that the whole sandbox stops and not only its pages."""
        yield


@contextlib.asynccontextmanager
async def _web(parts: Parts, web_socket: socket.socket) -> AsyncIterator[None]:
    settings = uvicorn.Config(
        create_app(parts),
        log_level="warning",
        access_log=False,
        lifespan="off",
        date_header=False,
        timeout_graceful_shutdown=2,
    )
    server = _Server(settings)
    task = asyncio.create_task(server.serve(sockets=[web_socket]))
    while not server.started and not task.done():
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.ending.set()
        await task
