"""SMTP to receiving servers (RFC 5321) by aiosmtplib: opportunistic STARTTLS, outcomes as data."""

import asyncio
import re
import ssl
from dataclasses import dataclass

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from domain.addresses import needs_smtputf8
from domain.outcomes import bounded, classify
from domain.sending import Outcome, OutcomeKind, Reason
from domain.transport import Mail, MailHost, MailRoute

_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True)
class SmtpOptions:
    """`timeout` in seconds bounds the connection and each reply (RFC 5321 §4.5.3.2 allows minutes)."""

    port: int = 25
    ehlo_name: str = "localhost"
    timeout: float = 60.0


def _opportunistic_tls() -> ssl.SSLContext:
    """Encrypt when offered; whose certificate it is does not matter then (RFC 3207, opportunistic)."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class SmtpTransport:
    """Opens connections; one instance per process."""

    def __init__(self, options: SmtpOptions) -> None:
        self._options = options
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
        except SMTPResponseException as error:
            client.close()
            return classify(host.name, error.code, error.message)
        except (SMTPException, OSError, TimeoutError, ValueError) as error:
            client.close()
            return Outcome(OutcomeKind.DEFERRED, Reason.CONN, text=bounded(str(error)), host=host.name)
        return SmtpConnection(client, host.name, self._options.timeout)


class SmtpConnection:
    """One connection; used by one task at a time."""

    def __init__(self, client: aiosmtplib.SMTP, host: str, timeout: float) -> None:
        self._client = client
        self._host = host
        self._timeout = timeout

    @property
    def alive(self) -> bool:
        return self._client.is_connected

    async def deliver(self, mail: Mail) -> Outcome:
        """MAIL, RCPT, DATA, content. What breaks before the content is known to be unsent; after it, uncertain."""
        if needs_smtputf8(mail.recipient) and not self._client.supports_extension("smtputf8"):
            return Outcome(
                OutcomeKind.BOUNCED, Reason.SMTPUTF8, 0, "5.6.7", "the server does not offer SMTPUTF8", self._host
            )
        try:
            refused = await self._envelope(mail)
        except (SMTPException, OSError, TimeoutError) as error:
            self._client.close()
            return self._broken(OutcomeKind.DEFERRED, Reason.CONN, error)
        return refused or await self._content(mail.data)

    async def _envelope(self, mail: Mail) -> Outcome | None:
        """Everything up to 354; the refusal, or None when the server waits for the content."""
        try:
            options = ["SMTPUTF8"] if needs_smtputf8(mail.recipient) else []
            await self._client.mail(mail.envelope_from, options=options, encoding="utf-8")
            await self._client.rcpt(mail.recipient, encoding="utf-8")
        except SMTPResponseException as error:
            return await self._refused(error.code, error.message)
        reply = await self._client.execute_command(b"DATA")
        return None if reply.code == 354 else await self._refused(reply.code, reply.message)

    async def _refused(self, code: int, text: str) -> Outcome:
        """Classify, and clear the envelope for the next message. 421 closes the connection (RFC 5321 §3.8)."""
        if code == 421:
            self._client.close()
        elif self._client.is_connected:
            try:
                await self._client.rset()
            except (SMTPException, OSError, TimeoutError):
                self._client.close()
        return classify(self._host, code, text)

    async def _content(self, data: bytes) -> Outcome:
        """Content, final dot, reply. Sent by hand, because aiosmtplib's `data` hides on which side of 354 it broke."""
        protocol = self._client.protocol
        try:
            if protocol is None:
                raise aiosmtplib.SMTPServerDisconnected("connection lost before the content")
            protocol.write(_DOT.sub(b"..", data) + b".\r\n")
        except (SMTPException, OSError) as error:
            self._client.close()
            return self._broken(OutcomeKind.DEFERRED, Reason.CONN, error)
        try:
            reply = await protocol.read_response(timeout=self._timeout)
        except (SMTPException, OSError, TimeoutError) as error:
            self._client.close()
            return self._broken(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN, error)
        if 200 <= reply.code < 300:
            return Outcome(OutcomeKind.DELIVERED, "", reply.code, "", bounded(reply.message), self._host)
        if reply.code == 421:
            self._client.close()
        return classify(self._host, reply.code, reply.message)

    def _broken(self, kind: OutcomeKind, reason: Reason, error: Exception) -> Outcome:
        return Outcome(kind, reason, text=bounded(f"{type(error).__name__}: {error}"), host=self._host)

    async def close(self) -> None:
        """QUIT when it is quick; otherwise just close."""
        try:
            async with asyncio.timeout(1):
                await self._client.quit()
        except (SMTPException, OSError, TimeoutError):
            self._client.close()
