"""A running sandbox on free ports, and clients that talk to it over sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import dns.asyncquery
import dns.message
import httpx2
import pytest

from sandbox.config import SandboxConfig
from sandbox.parts import Parts
from sandbox.providers import PROVIDERS
from sandbox.run import running

Send = Callable[..., Awaitable[str]]
Ask = Callable[..., Awaitable[dns.message.Message]]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def config(tmp_path: Path) -> SandboxConfig:
    return SandboxConfig(tmp_path, _free_port(), _free_port(), _free_port())


@pytest.fixture(scope="session")
async def endings() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Sandboxes that are stopping while the next test runs already: an orderly end takes a while."""
    tasks: list[asyncio.Task[None]] = []
    yield tasks
    await asyncio.gather(*tasks)


@pytest.fixture
async def parts(config: SandboxConfig, endings: list[asyncio.Task[None]]) -> AsyncIterator[Parts]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(running(config))
        endings.append(asyncio.create_task(stack.pop_all().aclose()))


@pytest.fixture
async def api(parts: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    base = f"http://127.0.0.1:{parts.config.web_port}"
    async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def ask(config: SandboxConfig) -> Ask:
    """Ask the sandbox's DNS over UDP (or TCP)."""

    async def query(name: str, type_: str = "A", *, tcp: bool = False, **more: Any) -> dns.message.Message:
        question = dns.message.make_query(name, type_, **more)
        over = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
        return await over(question, "127.0.0.1", timeout=1.0, port=config.dns_port)

    return query


@pytest.fixture
def client_of(config: SandboxConfig) -> Callable[..., aiosmtplib.SMTP]:
    """An SMTP client for a provider by name."""
    numbers = {provider.name: provider.number for provider in PROVIDERS}

    def make(provider: str = "qq", timeout: float = 5.0) -> aiosmtplib.SMTP:
        host = f"{config.provider_ip_base}{numbers[provider]}"
        return aiosmtplib.SMTP(hostname=host, port=config.smtp_port, timeout=timeout, start_tls=False)

    return make


@pytest.fixture
def send(parts: Parts, client_of: Callable[..., aiosmtplib.SMTP]) -> Send:
    """Send one mail on a connection of its own; returns the reply to the final dot."""

    async def one(to: str, provider: str = "qq", *, message_id: str = "<1@songda.example>", **more: Any) -> str:
        mail = more.pop("mail", None) or letter(to, message_id)
        raw = mail if isinstance(mail, bytes) else mail.as_bytes()
        async with client_of(provider, **more) as client:
            _, reply = await client.sendmail("bounce@songda.example", [to], raw)
        return str(reply)

    return one


def letter(to: str, message_id: str = "<1@songda.example>") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "送达 <hello@songda.example>", to, "你好 hello"
    mail["Message-ID"] = message_id
    mail.set_content("Confirm at https://songda.example/c/1.\n")
    mail.add_alternative("<p>你好 <b>there</b></p>", subtype="html")
    return mail


@pytest.fixture
def make_letter() -> Callable[..., EmailMessage]:
    return letter


@pytest.fixture
def unused_base() -> int:
    """A port base whose ports +1, +5 and +6 are free."""
    for base in range(21_000, 60_000, 37):
        with socket.socket() as pages, socket.socket() as names, socket.socket() as mail:
            try:
                for probe, host, port in ((pages, 0, 1), (names, 0, 5), (mail, 1, 6)):
                    probe.bind((f"127.0.{host}.1", base + port))
            except OSError:
                continue
            return base
    raise AssertionError("no free ports")
