"""Receiving servers that misbehave, over sockets: what each leaves a message as, and that nobody waits for ever."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail, MailHost, MailRoute
from domain.verp import make_token, return_path
from gateways.smtp import SmtpConnection, SmtpOptions, SmtpTransport

TIMEOUT = 0.4
"""Of the gateway, in seconds; a server that hangs costs at most a few of them."""
MAIL = Mail("b+1@bounce.test", "amy@shop.test", b"From: a@x.test\r\nSubject: hi\r\n\r\nhello\r\n")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Replies = dict[str, bytes]
GOOD: Replies = {
    "": b"220 mx.shop.test ESMTP\r\n", "EHLO": b"250 mx.shop.test\r\n", "MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n",
    "DATA": b"354 go on\r\n", ".": b"250 taken\r\n", "QUIT": b"221 bye\r\n", "RSET": b"250 ok\r\n",
}  # fmt: skip
HANG, DROP = b"", b"!"
"""Instead of a reply: say nothing for ever; close the connection."""
GARBAGE = bytes(range(128, 256)) * 4 + b"\r\n"
LONG_LINE = b"250 " + b"x" * 65_536 + b"\r\n"
MANY_LINES = b"250-" + b"y" * 60 + b"\r\n"


async def serve(replies: Replies, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer by the script."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        if not await say(replies[""], writer):
            return
        while line := await reader.readline():
            verb = line[:4].strip().upper().decode()
            if not await say(replies.get(verb, b"502 what\r\n"), writer):
                return
            if verb == "DATA" and replies["DATA"].startswith(b"354"):
                await reader.readuntil(b"\r\n.\r\n")
                if not await say(replies["."], writer):
                    return


async def say(reply: bytes, writer: asyncio.StreamWriter) -> bool:
    if reply == HANG:
        await asyncio.sleep(60)
    if reply == DROP:
        writer.close()
        return False
    writer.write(reply)
    await writer.drain()
    return True


@contextlib.asynccontextmanager
async def server(**changes: bytes) -> AsyncIterator[int]:
    """The port of a server with these answers instead of good ones; `greeting` and `dot` are two of them."""
    names = {"greeting": "", "dot": "."}
    replies = GOOD | {names.get(name, name): reply for name, reply in changes.items()}
    running: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        await serve(replies, reader, writer)

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def deliver(port: int) -> Outcome:
    route = MailRoute("shop.test", (MailHost("mx.shop.test", ("127.0.0.1",)),))
    opened = await SmtpTransport(SmtpOptions(port, "out.test", TIMEOUT)).connect(route)
    if isinstance(opened, Outcome):
        return opened
    try:
        return await opened.deliver(MAIL)
    finally:
        await opened.close()
        assert not opened.alive


D, B, U = OutcomeKind.DEFERRED, OutcomeKind.BOUNCED, OutcomeKind.UNCERTAIN


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, OutcomeKind.DELIVERED),
        ({"greeting": HANG}, D),
        ({"greeting": DROP}, D),
        ({"greeting": GARBAGE}, D),
        ({"greeting": LONG_LINE}, D),
        ({"greeting": b"421 busy\r\n"}, D),
        ({"greeting": b"554 not you\r\n"}, D),
        ({"EHLO": HANG}, D),
        ({"EHLO": DROP}, D),
        ({"EHLO": GARBAGE}, D),
        ({"MAIL": HANG}, D),
        ({"MAIL": DROP}, D),
        ({"MAIL": GARBAGE}, D),
        ({"RCPT": HANG}, D),
        ({"RCPT": DROP}, D),
        ({"RCPT": b"999 nonsense\r\n"}, D),
        ({"RCPT": LONG_LINE}, D),
        ({"DATA": DROP}, D),
        ({"DATA": GARBAGE}, D),
        ({"DATA": b"250 not what was asked\r\n"}, D),
        ({"dot": HANG}, U),
        ({"dot": DROP}, U),
        ({"dot": GARBAGE}, U),
        ({"dot": LONG_LINE}, U),
        ({"dot": MANY_LINES * 1000}, U),
        ({"dot": b"354 again?\r\n"}, U),
        ({"dot": b"550 5.7.1 no\r\n"}, B),
        ({"dot": b"451 later\r\n"}, D),
    ],
)
async def test_what_a_broken_server_leaves_a_message_as(changes: dict[str, bytes], kind: OutcomeKind) -> None:
    """Deferred as long as the final dot was not sent, uncertain from then on, until there is a reply that says it."""
    async with server(**changes) as port:
        begun = time.monotonic()
        outcome = await deliver(port)
        seconds = time.monotonic() - begun
    assert outcome.kind is kind, outcome
    assert outcome.text.isprintable() and len(outcome.text) <= 500
    assert seconds < 10 * TIMEOUT + 5


async def test_a_server_that_refuses_is_passed_over_for_the_next() -> None:
    """The first of two has nobody on its port; a mail goes to the second on the same one."""
    async with server() as port:
        hosts = (MailHost("mx1.shop.test", ("127.0.0.9",)), MailHost("mx2.shop.test", ("127.0.0.1",)))
        opened = await SmtpTransport(SmtpOptions(port, "out.test", TIMEOUT)).connect(MailRoute("shop.test", hosts))
        assert isinstance(opened, SmtpConnection)
        outcome = await opened.deliver(MAIL)
        await opened.close()
    assert (outcome.kind, outcome.host) == (OutcomeKind.DELIVERED, "mx2.shop.test")


async def test_a_connection_that_broke_is_not_used_again() -> None:
    """Else the next mail would be taken for refused, or its reply for the last one's."""
    route = MailRoute("shop.test", (MailHost("mx.shop.test", ("127.0.0.1",)),))
    for changes in ({"dot": HANG}, {"dot": GARBAGE}, {"RCPT": GARBAGE}, {"MAIL": HANG}):
        async with server(**changes) as port:
            opened = await SmtpTransport(SmtpOptions(port, "out.test", TIMEOUT)).connect(route)
            assert isinstance(opened, SmtpConnection)
            await opened.deliver(MAIL)
            assert not opened.alive, changes
            await opened.close()


@pytest.mark.parametrize(
    ("place", "code"),
    [*((place, code) for place in ("MAIL", "RCPT", "DATA", "dot") for code in (b"450", b"550")), ("dot", b"250")],
)
async def test_a_server_that_quotes_our_return_path_does_not_show_it_to_customers(place: str, code: bytes) -> None:
    """Who knows it could say that its recipient does not exist, and the platform would believe it."""
    token = make_token(b"k" * 32, 7)
    quoted = b"%b from <B+%b@bounce.test>: as you say\r\n" % (code, token.upper().encode())
    route = MailRoute("shop.test", (MailHost("mx.shop.test", ("127.0.0.1",)),))
    async with server(**{place: quoted}) as port:
        opened = await SmtpTransport(SmtpOptions(port, "out.test", TIMEOUT)).connect(route)
        assert isinstance(opened, SmtpConnection)
        outcome = await opened.deliver(Mail(return_path(token, "bounce.test"), MAIL.recipient, MAIL.data))
        await opened.close()
    assert token not in outcome.text.lower() and outcome.text.endswith("@bounce.test>: as you say")
