"""A receiving server on loopback that does as a test says, and remembers who came, from where, and how."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from domain.transport import Mail, MailHost, MailRoute

MAIL = Mail("b+1@bounce.test", "amy@shop.test", b"From: a@x.test\r\nSubject: hi\r\n\r\nhello\r\n")
PATIENCE = 2.0
"""Seconds of the gateway for each reply."""


@dataclass
class Visit:
    """One connection to the server."""

    peer: str
    encrypted: bool = False
    greeted_as: list[str] = field(default_factory=list)
    login: str = ""
    senders: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    mails: int = 0


@dataclass
class Receiver:
    """`tls` is offered when there is a context. `replies` replace those of a good server, by verb; `greeting` is one.

    `broken_handshake`: after its 220 it hangs up. `injected`: sent behind that 220 in the clear. `login`: user and
    password that it asks for before MAIL.
    """

    tls: ssl.SSLContext | None = None
    replies: Mapping[str, str] = field(default_factory=dict)
    broken_handshake: bool = False
    injected: bytes = b""
    login: tuple[str, str] | None = None
    mechanisms: str = "PLAIN LOGIN"
    implicit: bool = False
    visits: list[Visit] = field(default_factory=list)
    open: int = 0
    most: int = 0
    """Connections at once."""
    port: int = 0

    @contextlib.asynccontextmanager
    async def serving(self, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator["Receiver"]:
        """On a free port, unless told."""
        running: set[asyncio.Task[None]] = set()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            running.add(task)
            self.open, self.most = self.open + 1, max(self.most, self.open + 1)
            try:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                    await _Session(self, reader, writer).run()
            finally:
                self.open -= 1
                writer.close()

        context = self.tls if self.implicit else None
        listening = await asyncio.start_server(talk, address, port, ssl=context)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listening.close()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def route(self, name: str = "mx.shop.test", **options: object) -> MailRoute:
        """To this server alone."""
        return MailRoute("shop.test", (MailHost(name, ("127.0.0.1",), self.port),), **options)  # type: ignore[arg-type]


class _Session:
    def __init__(self, receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._of = receiver
        self._reader, self._writer = reader, writer
        self._visit = Visit(writer.get_extra_info("peername")[0], receiver.implicit)
        receiver.visits.append(self._visit)

    async def run(self) -> None:
        if not await self._say(self._of.replies.get("greeting", "220 mx.shop.test ESMTP")):
            return
        while line := await self._reader.readline():
            words = line.decode().split()
            verb = words[0].upper() if words else ""
            if not await self._answer(verb, words[1:]):
                return

    async def _answer(self, verb: str, words: list[str]) -> bool:
        if reply := self._of.replies.get(verb):
            return await self._say(reply)
        match verb:
            case "EHLO":
                self._visit.greeted_as.append(words[0])
                return await self._say(self._extensions())
            case "STARTTLS":
                return await self._encrypt()
            case "AUTH":
                return await self._log_in(words)
            case "MAIL" if self._of.login and not self._visit.login:
                return await self._say("530 5.7.0 Authentication required")
            case "MAIL":
                self._visit.senders.append(" ".join(words))
            case "RCPT":
                self._visit.recipients.append(" ".join(words))
            case "DATA":
                await self._say("354 go on")
                await self._reader.readuntil(b"\r\n.\r\n")
                self._visit.mails += 1
                return await self._say(self._of.replies.get(".", "250 taken"))
            case "QUIT":
                await self._say("221 bye")
                return False
        return await self._say("250 ok")

    def _extensions(self) -> str:
        offered = ["mx.shop.test", "PIPELINING", "SMTPUTF8"]
        if self._of.tls and not self._visit.encrypted:
            offered.append("STARTTLS")
        if self._of.login:
            offered.append(f"AUTH {self._of.mechanisms}")
        lines = [f"250{' ' if each == offered[-1] else '-'}{each}" for each in offered]
        return "\r\n".join(lines)

    async def _encrypt(self) -> bool:
        self._writer.write(b"220 go ahead\r\n" + self._of.injected)
        await self._writer.drain()
        if self._of.broken_handshake or self._of.tls is None:
            await self._reader.read(1)
            return False
        await self._writer.start_tls(self._of.tls)
        self._visit.encrypted = True
        return True

    async def _log_in(self, words: list[str]) -> bool:
        given = words[1] if len(words) > 1 else ""
        if words[0].upper() == "LOGIN":
            user = await self._asked("VXNlcm5hbWU6") if not given else base64.b64decode(given).decode()
            password = await self._asked("UGFzc3dvcmQ6")
        else:
            _, user, password = base64.b64decode(given or await self._raw("")).decode().split("\0")
        if (user, password) != self._of.login:
            return await self._say("535 5.7.8 wrong")
        self._visit.login = words[0].upper()
        return await self._say("235 welcome")

    async def _asked(self, challenge: str) -> str:
        return base64.b64decode(await self._raw(challenge)).decode()

    async def _raw(self, challenge: str) -> bytes:
        await self._say(f"334 {challenge}")
        return (await self._reader.readline()).strip()

    async def _say(self, reply: str) -> bool:
        self._writer.write(reply.encode() + b"\r\n")
        await self._writer.drain()
        return not reply.startswith(("421", "554 no service"))
