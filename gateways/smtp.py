"""SMTP to receiving servers (RFC 5321): which server is tried from which address, dialogues, outcomes as data.

`gateways.smtp_opening` opens a connection, `gateways.smtp_line` reads replies; the dialogues of mails are here.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import cast

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from domain.addresses import needs_smtputf8
from domain.egress import Source, source_for
from domain.outcomes import bounded
from domain.reply_rule_seeds import classify
from domain.sending import Outcome, OutcomeKind, Reason, Scope
from domain.transport import Classifier, Mail, MailHost, MailRoute
from domain.verp import hidden
from gateways.smtp_line import Broken, Line, Reply
from gateways.smtp_opening import Call, CannotEncrypt, LoginRefused, Opener

QUIT_SECONDS = 1.0
MOST_TRIES = 5
"""Addresses that are called for one connection."""
MOST_OF_ONE = 2
"""Of one server, where there are several."""
_DOT = re.compile(rb"(?m)^\.")
_NOT_IN_PATH = re.compile(r"[\x00-\x20<>\x7f]")
"""What would end an address or a command, whoever let it through."""
_CLOSING = 421
_NO_RELAY = re.compile(r"relay(ing)?( access)? (is )?(denied|not (permitted|allowed))|authentication required", re.I)
_OF_OURS = frozenset({Reason.RATE_LIMITED, Reason.IP, Reason.AUTH, Reason.GREYLIST})
"""What a refused greeting can be about: nobody spoke of a mail yet."""


@dataclass(frozen=True)
class SmtpOptions:
    """`timeout` in seconds bounds the connection and each reply (RFC 5321 §4.5.3.2 allows minutes).

    `authorities`: a PEM file of those who may certify servers; empty: the system's.
    """

    port: int = 25
    ehlo_name: str = "localhost"
    timeout: float = 60.0
    authorities: str = ""


@dataclass(frozen=True)
class Peer:
    """Who is spoken with, and from which address of ours."""

    host: str
    egress: int = 0
    relay: bool = False


class SmtpTransport:
    """Opens connections; one instance per process."""

    def __init__(
        self,
        options: SmtpOptions,
        classify: Classifier = classify,
        sources: Callable[[], Sequence[Source]] | None = None,
    ) -> None:
        """`classify` says what a refusal means, `sources` which addresses of ours may speak now (none: nobody may)."""
        self._options = options
        self._classify = classify
        self._sources = sources or (lambda: (Source(0, "", options.ehlo_name),))
        self._opener = Opener(options.authorities)
        self._turns = count()

    async def connect(self, route: MailRoute) -> "SmtpConnection | Outcome":
        """Try each address of each server in turn. Whatever fails before a mail is spoken of leaves it deferred."""
        last = _unreached("no address of ours can speak to these servers", "")
        turn = next(self._turns)
        for host, address, source in self._tries(route, turn):
            port = host.port or self._options.port
            call = Call(host, address, port, source, route.tls, route.login, self._options.timeout)
            opened = await self._open(call, Peer(host.name, source.number, route.relay))
            if isinstance(opened, SmtpConnection):
                return opened
            last = replace(opened, egress=source.number)
        return last

    def _tries(self, route: MailRoute, turn: int) -> Iterator[tuple[MailHost, str, Source]]:
        sources = self._sources()
        most, left = MOST_TRIES if len(route.hosts) == 1 else MOST_OF_ONE, MOST_TRIES
        for host in route.hosts:
            fitting = ((each, source_for(route, each, sources, turn)) for each in host.addresses)
            calls = [(host, address, source) for address, source in fitting if source is not None]
            yield from calls[: min(most, left)]
            left -= min(most, left, len(calls))

    async def _open(self, call: Call, peer: Peer) -> "SmtpConnection | Outcome":
        try:
            client = await self._opener.open(call)
            return SmtpConnection(client, peer, self._options.timeout, self._classify)
        except CannotEncrypt as problem:
            text = bounded(str(problem))
            return Outcome(OutcomeKind.DEFERRED, Reason.TLS, 0, problem.enhanced, text, peer.host, Scope.CONNECTION)
        except LoginRefused as problem:
            return _unreached(f"the smart host took no login: {problem}", peer.host, problem.code)
        except SMTPResponseException as error:
            return _not_yet(self._classify(peer.host, error.code, error.message))
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            return _unreached(str(error) or type(error).__name__, peer.host)


def _unreached(text: str, host: str, code: int = 0) -> Outcome:
    return Outcome(OutcomeKind.DEFERRED, Reason.CONN, code, "", bounded(text), host, Scope.CONNECTION)


def _not_yet(outcome: Outcome) -> Outcome:
    """A refused greeting, 5xx too: it knows no recipient, and another server or address of ours may be welcome."""
    reason = outcome.reason if outcome.reason in _OF_OURS else Reason.CONN
    scope = Scope.CONNECTION if outcome.code < 500 else Scope.ADDRESS
    return replace(outcome, kind=OutcomeKind.DEFERRED, reason=reason, scope=scope)


class SmtpConnection:
    """One connection; used by one task at a time."""

    def __init__(self, client: aiosmtplib.SMTP, peer: Peer, timeout: float, classify: Classifier) -> None:
        """Takes over what `client` opened. Raises `SMTPServerDisconnected` when it is closed again already."""
        if client.transport is None or client.transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("the connection was closed after the greeting")
        self._host = peer.host
        self._peer = peer
        self._classified = classify
        self._pipelines = client.supports_extension("pipelining")
        self._takes_utf8 = client.supports_extension("smtputf8")
        self._line = Line(cast(asyncio.Transport, client.transport), timeout)

    @property
    def alive(self) -> bool:
        return self._line.is_open

    async def deliver(self, mail: Mail) -> Outcome:
        """MAIL, RCPT, DATA, content. What breaks before the content is known to be unsent; after it, uncertain."""
        outcome = await self._dialogue(mail)
        return replace(outcome, egress=self._peer.egress) if self._peer.egress else outcome

    async def _dialogue(self, mail: Mail) -> Outcome:
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
        except Broken as broken:
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
            except Broken:
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
        except Broken:
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
            except Broken:
                self._line.close()
        return self._classify(self._host, reply.code, reply.text)

    async def _content(self, data: bytes) -> Outcome:
        """Content, final dot, reply."""
        if data.startswith(b".") or b"\n." in data:  # base64 has none
            data = _DOT.sub(b"..", data)
        try:
            self._line.ask((data if data.endswith(b"\n") else data + b"\r\n") + b".\r\n")
            reply = await self._line.reply()
        except Broken as broken:
            return self._broke(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN, broken)
        if reply.accepts:
            return Outcome(OutcomeKind.DELIVERED, "", reply.code, "", bounded(hidden(reply.text)), self._host)
        if not 400 <= reply.code < 600:
            return self._broke(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN, Broken(f"the reply is {reply.code}"))
        if reply.code == _CLOSING:
            self._line.close()
        return self._classify(self._host, reply.code, reply.text)

    def _classify(self, host: str, code: int, text: str) -> Outcome:
        """What a refusal means; that a smart host does not relay for us is no fault of the recipient."""
        outcome = self._classified(host, code, hidden(text))
        if self._peer.relay and _NO_RELAY.search(text):
            return replace(outcome, kind=OutcomeKind.DEFERRED, reason=Reason.CONN, scope=Scope.CONNECTION)
        return outcome

    def _broke(self, kind: OutcomeKind, reason: Reason, broken: Broken) -> Outcome:
        self._line.close()
        return Outcome(kind, reason, text=bounded(str(broken)), host=self._host)

    async def close(self) -> None:
        """QUIT when it is quick; otherwise just close."""
        try:
            if self.alive:
                async with asyncio.timeout(QUIT_SECONDS):
                    self._line.ask(b"QUIT\r\n")
                    await self._line.reply()
        except (Broken, TimeoutError):
            pass
        finally:
            self._line.hang_up()
