"""The SMTP gateway against the sandbox's servers, over sockets, found through its DNS."""

import socket
from collections.abc import AsyncIterator
from itertools import count

import httpx2
import pytest

from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail
from gateways.dns import DnsResolver
from gateways.smtp import SmtpConnection, SmtpOptions, SmtpTransport
from sandbox.config import SandboxConfig
from sandbox.parts import Parts
from sandbox.run import running
from tests.mail_world import Somebody
from tests.mail_world import mail as rendered


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Parts]:
    async with running(
        SandboxConfig(tmp_path_factory.mktemp("sandbox"), free_port(), free_port(), free_port())
    ) as parts:
        yield parts


NUMBERS = count()


def mail(to: str) -> Mail:
    return rendered(Somebody(to, id=next(NUMBERS), ordinal=next(NUMBERS)))


async def deliver(world: Parts, to: str, timeout: float = 5.0) -> Outcome:
    route = await DnsResolver([f"127.0.0.1:{world.config.dns_port}"]).mail_hosts(to.rpartition("@")[2])
    if route.failure:
        return route.failure
    connection = await SmtpTransport(SmtpOptions(world.config.smtp_port, "out.test", timeout)).connect(route)
    if isinstance(connection, Outcome):
        return connection
    try:
        return await connection.deliver(mail(to))
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("to", "kind", "reason"),
    [
        ("amy@qq.com", OutcomeKind.DELIVERED, ""),
        ("greylist@163.com", OutcomeKind.DEFERRED, "soft.greylist"),
        ("throttle@qq.com", OutcomeKind.DEFERRED, "soft.rate_limited"),
        ("throttle@163.com", OutcomeKind.DEFERRED, "soft.rate_limited"),
        ("unknown@gmail.com", OutcomeKind.BOUNCED, "hard.invalid_mailbox"),
        ("unknown@qq.com", OutcomeKind.BOUNCED, "hard.invalid_mailbox"),
        ("unknown@163.com", OutcomeKind.BOUNCED, "hard.invalid_mailbox"),
        ("unknown@sina.com", OutcomeKind.BOUNCED, "hard.invalid_mailbox"),
        ("unknown@outlook.com", OutcomeKind.BOUNCED, "hard.invalid_mailbox"),
        ("unknown@company.example", OutcomeKind.BOUNCED, "hard.invalid_mailbox"),
        ("fulltemp@outlook.com", OutcomeKind.DEFERRED, "soft.full"),
        ("blocked@gmail.com", OutcomeKind.BOUNCED, "block.auth"),
        ("blocked@163.com", OutcomeKind.BOUNCED, "block.content"),
        ("drop@company.example", OutcomeKind.UNCERTAIN, "uncertain"),
        ("nobody@no-such-domain.example", OutcomeKind.BOUNCED, "hard.bad_domain"),
    ],
)
async def test_what_servers_do_becomes_an_outcome(world: Parts, to: str, kind: OutcomeKind, reason: str) -> None:
    outcome = await deliver(world, to)
    assert (outcome.kind, outcome.reason) == (kind, reason), outcome


async def test_a_server_that_never_answers_the_dot_is_uncertain(world: Parts) -> None:
    outcome = await deliver(world, "hang@gmail.com", timeout=0.5)
    assert outcome.kind is OutcomeKind.UNCERTAIN


async def test_nobody_listening_is_a_deferral(world: Parts) -> None:
    route = await DnsResolver([f"127.0.0.1:{world.config.dns_port}"]).mail_hosts("qq.com")
    outcome = await SmtpTransport(SmtpOptions(free_port(), "out.test", 2)).connect(route)
    assert isinstance(outcome, Outcome) and outcome.kind is OutcomeKind.DEFERRED


async def test_a_refusal_leaves_the_connection_usable(world: Parts) -> None:
    route = await DnsResolver([f"127.0.0.1:{world.config.dns_port}"]).mail_hosts("company.example")
    connection = await SmtpTransport(SmtpOptions(world.config.smtp_port, "out.test", 5)).connect(route)
    assert isinstance(connection, SmtpConnection)
    kinds = [(await connection.deliver(mail(to))).kind for to in ("unknown@company.example", "amy@company.example")]
    assert kinds == [OutcomeKind.BOUNCED, OutcomeKind.DELIVERED]
    assert connection.alive
    await connection.close()
    assert not connection.alive


async def test_leading_dots_arrive_unharmed(world: Parts) -> None:
    route = await DnsResolver([f"127.0.0.1:{world.config.dns_port}"]).mail_hosts("company.example")
    connection = await SmtpTransport(SmtpOptions(world.config.smtp_port, "out.test", 5)).connect(route)
    assert isinstance(connection, SmtpConnection)
    raw = b"From: a@x.test\r\nSubject: dots\r\n\r\n.\r\n..two\r\n.end\r\n"
    outcome = await connection.deliver(Mail("b@x.test", "dots@company.example", raw))
    await connection.close()
    assert outcome.kind is OutcomeKind.DELIVERED
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{world.config.web_port}", trust_env=False, timeout=30
    ) as client:
        found = (await client.get("/mailbox/messages", params={"to": "dots@company.example"})).json()
        number = (found["messages"] if isinstance(found, dict) else found)[0]["id"]
        kept = (await client.get(f"/mailbox/messages/{number}/raw")).content
    assert kept.endswith(raw.partition(b"\r\n\r\n")[2])
