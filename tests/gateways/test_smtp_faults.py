"""Receiving servers that misbehave: whatever they do has a right outcome, in time and in little memory."""

import asyncio
import contextlib
import re
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail, MailHost, MailRoute
from gateways.smtp import MAX_REPLY, SmtpConnection, SmtpOptions, SmtpTransport
from tests.gateways.test_http import certificate
from tests.mail_world import Somebody
from tests.mail_world import mail as rendered
from tests.patience import PATIENCE, until

ROUTE = MailRoute("x.test", (MailHost("mx.x.test", ("127.0.0.1",)),))
HANG, DROP = "hang", "drop"
NEVER_WHOLE = (b"2", b"250-never\r\n")
MAIL = Mail("b+1@bounce.test", "a@x.test", b"From: n@c.test\r\nSubject: x\r\n\r\nbody\r\n")
D, B, S, U = OutcomeKind.DEFERRED, OutcomeKind.BOUNCED, OutcomeKind.DELIVERED, OutcomeKind.UNCERTAIN


@dataclass
class Server:
    """Answers by the first word of what it is told; `.` is the end of the content, `*` the greeting."""

    answers: Mapping[str, str | bytes]
    pipelining: bool = True
    utf8: bool = False
    port: int = 0
    heard: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if await self._say(writer, "*"):
                while line := await reader.readline():
                    command = line.decode().strip()
                    self.heard.append(command)
                    if not await self._say(writer, command.split(" ")[0].upper()):
                        break
                    if command == "DATA" and self._answer("DATA").startswith(b"354"):
                        self.contents.append(await reader.readuntil(b"\r\n.\r\n"))
                        if not await self._say(writer, "."):
                            break
        writer.close()

    async def _say(self, writer: asyncio.StreamWriter, to: str) -> bool:
        answer = self._answer(to)
        if answer == HANG.encode():
            await self.released.wait()
        if answer in (HANG.encode(), DROP.encode()):
            return False
        writer.write(answer)
        await writer.drain()
        return True

    def _answer(self, to: str) -> bytes:
        offers = ["250-mx", *(["250-PIPELINING"] * self.pipelining), *(["250-SMTPUTF8"] * self.utf8), "250 8BITMIME"]
        usual = {"*": "220 mx", "EHLO": "\r\n".join(offers), "DATA": "354 go on", "QUIT": "221 bye"}
        answer = self.answers.get(to, usual.get(to, "250 2.0.0 ok"))
        raw = answer if isinstance(answer, bytes) else answer.encode()
        return raw if raw in (HANG.encode(), DROP.encode()) or isinstance(answer, bytes) else raw + b"\r\n"


@contextlib.asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    """On a port of loopback."""
    listener = await asyncio.start_server(server.talk, "127.0.0.1", 0, limit=2**20)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.released.set()
        listener.close()


async def connected(server: Server, timeout: float = PATIENCE) -> SmtpConnection:
    opened = await SmtpTransport(SmtpOptions(server.port, "out.test", timeout)).connect(ROUTE)
    assert isinstance(opened, SmtpConnection), opened
    return opened


async def outcomes(server: Server, *mails: Mail, timeout: float = PATIENCE) -> tuple[list[Outcome], bool]:
    """What became of these mails on one connection, and whether it may be used further."""
    async with serving(server):
        connection = await connected(server, timeout)
        found = [await connection.deliver(mail) for mail in mails]
        alive = connection.alive
        await connection.close()
        assert not connection.alive
    return found, alive


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("answers", "kind", "code", "usable"),
    [
        ({}, S, 250, True),
        ({"MAIL": "550 5.7.1 no"}, B, 550, True),
        ({"MAIL": "451 4.7.1 greylisted"}, D, 451, True),
        ({"MAIL": "421 busy"}, D, 421, False),
        ({"MAIL": DROP}, D, 0, False),
        ({"MAIL": HANG}, D, 0, False),
        ({"RCPT": "550 5.1.1 user unknown", "DATA": "503 no recipients"}, B, 550, True),
        ({"RCPT": "452 4.2.2 mailbox full", "DATA": "554 no valid recipients"}, D, 452, True),
        ({"RCPT": "421 go away"}, D, 421, False),
        ({"RCPT": DROP}, D, 0, False),
        ({"RCPT": b"garbage\r\n"}, D, 0, False),
        ({"DATA": "451 later"}, D, 451, True),
        ({"DATA": "554 5.7.1 spam"}, B, 554, True),
        ({"DATA": "250 what"}, D, 250, False),
        ({"DATA": DROP}, D, 0, False),
        ({"DATA": HANG}, D, 0, False),
        ({"DATA": b"2"}, D, 0, False),
        ({".": "451 later"}, D, 451, True),
        ({".": "550 5.7.1 spam"}, B, 550, True),
        ({".": "421 closing"}, D, 421, False),
        ({".": "354 go on"}, U, 0, False),
        ({".": DROP}, U, 0, False),
        ({".": HANG}, U, 0, False),
        ({".": b"\xff\xfe\x00garbage\r\n"}, U, 0, False),
        ({".": b"250-never\r\n"}, U, 0, False),
        ({".": b"250 " + b"x" * 65536 + b"\r\n"}, U, 0, False),
        ({".": b"x" * 65536}, U, 0, False),
        ({".": b"250-x\r\n" * 20_000}, U, 0, False),
        ({"MAIL": b"250 " + b"x" * 65536 + b"\r\n"}, D, 0, False),
        ({".": b"250 ok\r\n250 again\r\n"}, S, 250, False),
        ({".": b"250-one\n250 two\n"}, S, 250, True),
        ({".": b"250\r\n"}, S, 250, True),
    ],
)
async def test_whatever_a_server_says_has_an_outcome(
    answers: dict[str, str | bytes], kind: OutcomeKind, code: int, usable: bool, pipelining: bool
) -> None:
    waits_in_vain = any(answer in (HANG, *NEVER_WHOLE) for answer in answers.values())
    server = Server(answers, pipelining)
    (outcome,), alive = await outcomes(server, MAIL, timeout=0.3 if waits_in_vain else PATIENCE)
    assert (outcome.kind, outcome.code, alive) == (kind, code, usable), outcome
    assert outcome.host == "mx.x.test" and len(outcome.text) <= 500


@pytest.mark.parametrize(
    "greeting", [HANG, DROP, b"garbage\r\n", b"x" * 65536, b"220-x\r\n" * 20_000, b"\r\n", "421 busy", "220"]
)
async def test_whatever_a_server_greets_with_is_tried_later(greeting: str | bytes) -> None:
    async with serving(Server({"*": greeting, "EHLO": "421 no"})) as server:
        timeout = 0.3 if greeting in (HANG, b"x" * 65536, "220") else PATIENCE
        opened = await SmtpTransport(SmtpOptions(server.port, "out.test", timeout)).connect(ROUTE)
        assert isinstance(opened, Outcome) and opened.kind is D
        assert len(opened.text) <= 500


@pytest.mark.parametrize(
    "answer", [b"250-x\r\n" * 20_000, b"250 " + b"x" * 65536 + b"\r\n", b"x" * 65536, b"250-" + b"x" * 9000 + b"\r\n"]
)
async def test_what_is_too_long_is_not_read_to_its_end(answer: bytes) -> None:
    (outcome,), _ = await outcomes(Server({".": answer}), MAIL)
    assert outcome.text == "the reply is too long"


async def test_a_server_that_is_closing_is_not_waited_for() -> None:
    async with asyncio.timeout(PATIENCE / 2):
        (outcome,), alive = await outcomes(Server({"MAIL": "421 busy", "RCPT": HANG}), MAIL)
    assert (outcome.code, alive) == (421, False)


async def test_after_a_refusal_the_next_mail_goes_the_same_way() -> None:
    server = Server({"RCPT": "550 5.1.1 user unknown", "DATA": "503 5.5.1 no valid recipients"})
    found, alive = await outcomes(server, MAIL, MAIL)
    assert [outcome.kind for outcome in found] == [B, B] and alive
    assert server.heard[1:] == ["MAIL FROM:<b+1@bounce.test>", "RCPT TO:<a@x.test>", "DATA", "RSET"] * 2 + ["QUIT"]


async def test_a_server_that_wants_content_for_nobody_gets_a_dot() -> None:
    server = Server({"RCPT": "550 5.1.1 user unknown", ".": "554 no valid recipients"})
    async with serving(server):
        connection = await connected(server)
        outcome = await connection.deliver(Mail("b@x.test", "a@x.test", b"secret\r\n"))
        await connection.close()
    assert outcome.kind is B and outcome.code == 550
    assert b"secret" not in b"".join(server.contents)


async def test_the_envelope_is_one_piece_where_the_server_offers_it() -> None:
    pieces: list[bytes] = []

    class Listening(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport
            transport.write(b"220 mx\r\n")  # type: ignore[attr-defined]

        def data_received(self, data: bytes) -> None:
            pieces.append(data)
            said = {
                b"EHLO": b"250-mx\r\n250 PIPELINING\r\n",
                b"MAIL": b"250 a\r\n250 b\r\n354 c\r\n",
                b"QUIT": b"221 x\r\n",
            }
            self.transport.write(said.get(data[:4], b"250 queued\r\n"))  # type: ignore[attr-defined]

    listener = await asyncio.get_running_loop().create_server(Listening, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    opened = await SmtpTransport(SmtpOptions(port, "out.test", 5)).connect(ROUTE)
    assert isinstance(opened, SmtpConnection)
    outcome = await opened.deliver(MAIL)
    await opened.close()
    listener.close()
    assert (outcome.kind, outcome.text) == (S, "queued")
    envelope = b"MAIL FROM:<b+1@bounce.test>\r\nRCPT TO:<a@x.test>\r\nDATA\r\n"
    assert pieces[1:] == [envelope, MAIL.data + b".\r\n", b"QUIT\r\n"]


@pytest.mark.parametrize("raw", [b".\r\n..two\r\nend\r\n", b"a\r\n.b\r\n.", b"no end of line"])
async def test_dots_are_stuffed_and_the_last_line_is_ended(raw: bytes) -> None:
    server = Server({})
    (outcome,), _ = await outcomes(server, Mail("b@x.test", "a@x.test", raw))
    assert outcome.kind is S
    got = re.sub(rb"(?m)^\.\.", b".", server.contents[0].removesuffix(b".\r\n"))
    assert got == (raw if raw.endswith(b"\n") else raw + b"\r\n")


async def test_addresses_beyond_ascii_go_only_to_servers_that_take_them() -> None:
    made = rendered(Somebody("用户@x.test"))
    (refused,), alive = await outcomes(Server({}), made)
    assert (refused.kind, refused.reason, refused.enhanced, alive) == (B, "hard.smtputf8", "5.6.7", True)
    server = Server({}, utf8=True)
    (taken,), _ = await outcomes(server, made)
    assert taken.kind is S and server.heard[1] == "MAIL FROM:<b+1@bounce.test> SMTPUTF8"
    assert "To: 用户@x.test\r\n".encode() in server.contents[0]
    (sender,), _ = await outcomes(Server({}), rendered(sender="客服@customer.example"))
    assert sender.reason == "hard.smtputf8"


@pytest.mark.parametrize("bad", ["a@x.test>\r\nRCPT TO:<v@x.test", "a b@x.test", "a@x.test\n"])
async def test_no_address_becomes_a_command(bad: str) -> None:
    server = Server({})
    (outcome,), alive = await outcomes(server, Mail("b@x.test", bad, b"x\r\n"))
    assert outcome.kind is OutcomeKind.DROPPED and alive
    (outcome,), _ = await outcomes(server, Mail(bad, "a@x.test", b"x\r\n"))
    assert outcome.kind is OutcomeKind.DROPPED
    assert not any(command.startswith(("MAIL", "RCPT")) for command in server.heard)


async def test_a_server_that_closes_between_mails_is_noticed() -> None:
    server = Server({"RSET": DROP, "RCPT": "550 no", "DATA": "503 no"})
    (first,), alive = await outcomes(server, MAIL)
    assert first.kind is B and not alive


async def test_a_flood_between_mails_ends_the_connection_in_little_memory() -> None:
    async with serving(Server({})) as server:
        flood = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mx\r\n")
            await reader.readline()
            writer.write(b"250 mx\r\n")
            await flood.wait()
            with contextlib.suppress(ConnectionError):
                for _ in range(500):
                    writer.write(b"x" * 65536)
                    await writer.drain()
            writer.close()

        listener = await asyncio.start_server(talk, "127.0.0.1", 0)
        server.port = listener.sockets[0].getsockname()[1]
        connection = await connected(server)

        async def noticed() -> bool:
            return not connection.alive

        tracemalloc.start()
        flood.set()
        await until(noticed)
        outcome = await connection.deliver(MAIL)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        listener.close()
    assert outcome.kind is D
    assert peak < 64 * MAX_REPLY


async def test_pipelining_goes_on_under_tls(tmp_path: Path) -> None:
    """The reader of replies takes over an encrypted connection, too; what was offered before counts no more."""
    context, _ = certificate(tmp_path, "mx.x.test")
    server = Server({})
    encrypted: list[bool] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        await reader.readline()
        writer.write(b"250-mx\r\n250-SMTPUTF8\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go on\r\n")
        await writer.start_tls(context)
        encrypted.append(writer.get_extra_info("cipher") is not None)
        await server.talk(reader, writer)

    server.answers = {"*": b""}
    async with serving(server):
        listener = await asyncio.start_server(talk, "127.0.0.1", 0)
        server.port = listener.sockets[0].getsockname()[1]
        connection = await connected(server)
        found = [await connection.deliver(mail) for mail in (MAIL, MAIL, rendered(Somebody("用户@x.test")))]
        await connection.close()
        listener.close()
    assert encrypted == [True]
    assert [outcome.kind for outcome in found] == [S, S, B] and found[2].reason == "hard.smtputf8"
    assert [content.removesuffix(b".\r\n") for content in server.contents] == [MAIL.data, MAIL.data]


@pytest.mark.parametrize("last", ["250 2.0.0 queued", "451-4.7.1 later\r\n451 please"])
async def test_replies_may_come_in_any_pieces(last: str) -> None:
    class Dripping(Server):
        async def _say(self, writer: asyncio.StreamWriter, to: str) -> bool:
            for octet in self._answer(to):
                writer.write(bytes([octet]))
                await writer.drain()
                await asyncio.sleep(0)
            return True

    found, alive = await outcomes(Dripping({".": last}), MAIL, MAIL)
    assert [outcome.code for outcome in found] == [int(last[:3])] * 2 and alive
    assert found[0].text == " ".join(line[4:] for line in last.split("\r\n"))
