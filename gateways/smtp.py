"""SMTP to receiving servers (RFC 5321): opportunistic STARTTLS, pipelining (RFC 2920), outcomes as data.

aiosmtplib opens a connection: greeting, EHLO, STARTTLS. Then a reader of our own takes over, since aiosmtplib expects
one reply for one command, and pipelining a mail's envelope saves two round trips and half of the CPU.
"""

import asyncio
import re
import ssl
from collections import deque
from dataclasses import dataclass
from typing import cast

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from domain.addresses import needs_smtputf8
from domain.outcomes import bounded, classify
from domain.sending import Outcome, OutcomeKind, Reason
from domain.transport import Classifier, Mail, MailHost, MailRoute

MAX_LINE = 8192
"""Octets of a reply's line; RFC 5321 §4.5.3.1.5 allows 512."""
MAX_REPLY = 4 * MAX_LINE
QUIT_SECONDS = 1.0
_DOT = re.compile(rb"(?m)^\.")
_NOT_IN_PATH = re.compile(r"[\x00-\x20<>\x7f]")
"""What would end an address or a command, whoever let it through."""
_CLOSING = 421
_TOO_LONG = "the reply is too long"


@dataclass(frozen=True)
class SmtpOptions:
    """`timeout` in seconds bounds the connection and each reply (RFC 5321 §4.5.3.2 allows minutes)."""

    port: int = 25
    ehlo_name: str = "localhost"
    timeout: float = 60.0


@dataclass(frozen=True)
class Reply:
    """A server's whole reply; bytes that are not UTF-8 are lone surrogates in `text`."""

    code: int
    text: str

    @property
    def accepts(self) -> bool:
        return 200 <= self.code < 300


class _Broken(Exception):
    """The connection can no longer be spoken on; says why."""


def _opportunistic_tls() -> ssl.SSLContext:
    """Encrypt when offered; whose certificate it is does not matter then (RFC 3207, opportunistic)."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class SmtpTransport:
    """Opens connections; one instance per process."""

    def __init__(self, options: SmtpOptions, classify: Classifier = classify) -> None:
        """`classify` says what a refusal means."""
        self._options = options
        self._classify = classify
        self._tls = _opportunistic_tls()

    async def connect(self, route: MailRoute) -> "SmtpConnection | Outcome":
        """Try each address of each server in turn; a 5xx greeting ends it, anything else goes on to the next."""
        last = Outcome(OutcomeKind.DEFERRED, Reason.CONN, text="no server to try")
        for host in route.hosts:
            for address in host.addresses:
                opened = await self._open(host, address)
                if isinstance(opened, SmtpConnection) or opened.kind is OutcomeKind.BOUNCED:
                    return opened
                last = opened
        return last

    async def _open(self, host: MailHost, address: str) -> "SmtpConnection | Outcome":
        client = aiosmtplib.SMTP(
            hostname=address,
            port=self._options.port,
            local_hostname=self._options.ehlo_name,
            timeout=self._options.timeout,
            start_tls=None,
            tls_context=self._tls,
        )
        try:
            await client.connect()
            return SmtpConnection(client, host.name, self._options.timeout, self._classify)
        except SMTPResponseException as error:
            client.close()
            return self._classify(host.name, error.code, error.message)
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            client.close()
            return Outcome(OutcomeKind.DEFERRED, Reason.CONN, text=bounded(str(error)), host=host.name)


class SmtpConnection:
    """One connection; used by one task at a time."""

    def __init__(self, client: aiosmtplib.SMTP, host: str, timeout: float, classify: Classifier = classify) -> None:
        """Takes over what `client` opened. Raises `SMTPServerDisconnected` when it is closed again already."""
        if client.transport is None or client.transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("the connection was closed after the greeting")
        self._host = host
        self._classify = classify
        self._pipelines = client.supports_extension("pipelining")
        self._takes_utf8 = client.supports_extension("smtputf8")
        self._line = _Line(cast(asyncio.Transport, client.transport), timeout)

    @property
    def alive(self) -> bool:
        return self._line.is_open

    async def deliver(self, mail: Mail) -> Outcome:
        """MAIL, RCPT, DATA, content. What breaks before the content is known to be unsent; after it, uncertain."""
        needs_utf8 = mail.is_utf8 or needs_smtputf8(mail.recipient)
        if needs_utf8 and not self._takes_utf8:
            text = "the server does not offer SMTPUTF8"
            return Outcome(OutcomeKind.BOUNCED, Reason.SMTPUTF8, 0, "5.6.7", text, self._host)
        if _NOT_IN_PATH.search(mail.recipient) or _NOT_IN_PATH.search(mail.envelope_from):
            return Outcome(OutcomeKind.DROPPED, Reason.RENDER_FAILED, text="no address to speak of", host=self._host)
        option = " SMTPUTF8" if needs_utf8 else ""
        envelope = (f"MAIL FROM:<{mail.envelope_from}>{option}\r\n", f"RCPT TO:<{mail.recipient}>\r\n", "DATA\r\n")
        try:
            refused = await self._envelope([command.encode() for command in envelope])
            if refused is None:
                self._line.check_open()
        except _Broken as broken:
            return self._broke(OutcomeKind.DEFERRED, Reason.CONN, broken)
        return refused or await self._content(mail.data)

    async def _envelope(self, commands: list[bytes]) -> Outcome | None:
        """Everything up to 354; the refusal, or None when the server waits for the content."""
        if self._pipelines:
            self._line.ask(b"".join(commands), replies=len(commands))
            return await self._pipelined(len(commands))
        for command in commands:
            self._line.ask(command)
            reply = await self._line.reply()
            if not (reply.accepts if command is not commands[-1] else reply.code == 354):
                return await self._refused(reply)
        return None

    async def _pipelined(self, commands: int) -> Outcome | None:
        """The replies to an envelope sent in one piece. The first refusal counts; the others follow from it."""
        refusal: Reply | None = None
        reply = await self._line.reply()
        for _ in range(1, commands):
            if not reply.accepts:
                refusal = refusal or reply
            if reply.code == _CLOSING:
                break
            try:
                reply = await self._line.reply()
            except _Broken:
                if refusal is None:
                    raise
                return self._classify(self._host, refusal.code, refusal.text)
        if refusal is None:
            return None if reply.code == 354 else await self._refused(reply)
        if reply.code == 354:
            await self._nothing()
        return await self._refused(refusal)

    async def _nothing(self) -> None:
        """A server that waits for content without a recipient gets none (RFC 2920 §3.1). What it says is no matter."""
        try:
            self._line.ask(b"\r\n.\r\n")  # with a line end before the dot, for servers that look for both
            await self._line.reply()
        except _Broken:
            self._line.close()

    async def _refused(self, reply: Reply) -> Outcome:
        """Classify, and clear the envelope for the next message. 421 closes the connection (RFC 5321 §3.8)."""
        if reply.code == _CLOSING or reply.code < 400:  # an answer to something else: we no longer know what to what
            self._line.close()
        elif self.alive:
            try:
                self._line.ask(b"RSET\r\n")
                if not (await self._line.reply()).accepts:
                    self._line.close()
            except _Broken:
                self._line.close()
        return self._classify(self._host, reply.code, reply.text)

    async def _content(self, data: bytes) -> Outcome:
        """Content, final dot, reply."""
        if data.startswith(b".") or b"\n." in data:  # base64 has none
            data = _DOT.sub(b"..", data)
        try:
            self._line.ask((data if data.endswith(b"\n") else data + b"\r\n") + b".\r\n")
            reply = await self._line.reply()
        except _Broken as broken:
            return self._broke(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN, broken)
        if reply.accepts:
            return Outcome(OutcomeKind.DELIVERED, "", reply.code, "", bounded(reply.text), self._host)
        if not 400 <= reply.code < 600:
            return self._broke(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN, _Broken(f"the reply is {reply.code}"))
        if reply.code == _CLOSING:
            self._line.close()
        return self._classify(self._host, reply.code, reply.text)

    def _broke(self, kind: OutcomeKind, reason: Reason, broken: _Broken) -> Outcome:
        self._line.close()
        return Outcome(kind, reason, text=bounded(str(broken)), host=self._host)

    async def close(self) -> None:
        """QUIT when it is quick; otherwise just close."""
        try:
            if self.alive:
                async with asyncio.timeout(QUIT_SECONDS):
                    self._line.ask(b"QUIT\r\n")
                    await self._line.reply()
        except (_Broken, TimeoutError):
            pass
        finally:
            self._line.hang_up()


class _Line(asyncio.Protocol):
    """Commands out, replies in, in order. Holds one reply's octets at most, whatever a server sends.

    A reply that nobody asked for ends the connection: the next one would be taken for another command's.
    """

    def __init__(self, transport: asyncio.Transport, timeout: float) -> None:
        self._transport = transport
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._texts: list[bytes] = []
        self._size = 0
        self._owed = 0
        """Replies that the server owes us."""
        self._replies: deque[Reply] = deque()
        self._broken: _Broken | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        return self._broken is None and not self._transport.is_closing()

    def check_open(self) -> None:
        """Raises `_Broken` when it is known to be closed."""
        if not self.is_open:
            raise self._broken or _Broken("the connection was closed")

    def ask(self, commands: bytes, replies: int = 1) -> None:
        """Send. Raises `_Broken` when nothing was sent."""
        self.check_open()
        self._owed += replies
        self._transport.write(commands)

    async def reply(self) -> Reply:
        """The next reply. Raises `_Broken` when there will be none, or not in time."""
        if not self._replies and self._broken is None:
            self._waiter = self._loop.create_future()
            self._deadline = self._loop.time() + self._timeout
            if self._alarm is None:
                self._alarm = self._loop.call_at(self._deadline, self._look)
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._replies:
            return self._replies.popleft()
        raise self._broken or _Broken("the connection was closed")

    def close(self) -> None:
        """At once, whatever is still to be sent."""
        self._break("the connection was closed by us")

    def hang_up(self) -> None:
        """In peace: TLS says goodbye. What was broken is closed already."""
        self._transport.close()
        if self._alarm is not None:
            self._alarm.cancel()

    def _look(self) -> None:
        """One alarm per connection, set again while somebody waits: one per reply would cost as much as the reply."""
        self._alarm = None
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline:
            self._alarm = self._loop.call_at(self._deadline, self._look)
        else:
            self._break(f"no reply within {self._timeout:g} s")

    def data_received(self, data: bytes) -> None:
        """Whole lines are read, the rest waits. Nothing that a server sends raises."""
        if self._broken is not None:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        fault = next((fault for line in lines if (fault := self._read(line))), "")
        if fault or len(self._rest) > MAX_LINE:
            self._break(fault or _TOO_LONG)
        elif self._replies and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _read(self, line: bytes) -> str:
        """One line of a reply (RFC 5321 §4.2); returns what is wrong with it."""
        self._size += len(line)
        if len(line) > MAX_LINE or self._size > MAX_REPLY:
            return _TOO_LONG
        if len(line) < 3 or not line[:3].isdigit():
            return "what the server says is no reply of SMTP"
        if self._owed == 0:
            return "the server replied to nothing"
        self._texts.append(line[4:].strip())
        if line[3:4] != b"-":
            text = b"\n".join(self._texts).decode("utf-8", "surrogateescape")
            self._replies.append(Reply(int(line[:3]), text))
            self._owed -= 1
            self._size, self._texts = 0, []
        return ""

    def connection_lost(self, exc: Exception | None) -> None:
        """By the server or by the network."""
        self._break("the connection was lost")

    def _break(self, why: str) -> None:
        if self._broken is None:
            self._broken = _Broken(why)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._transport.abort()
        self._rest, self._texts = b"", []
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
