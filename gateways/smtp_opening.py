"""A connection to a mail server until mail may be spoken of: socket, greeting, EHLO, STARTTLS (RFC 3207), AUTH."""

import asyncio
import socket
import ssl
from dataclasses import dataclass, replace

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from domain.egress import Source
from domain.transport import Login, MailHost, Tls

CONNECT_SECONDS = 30.0
"""For the socket alone; a reply may take longer."""
IMPLICIT_TLS = 465
"""On this port TLS begins before the greeting (RFC 8314 §3.3)."""
BIND_WITHOUT_PORT = 24
"""`IP_BIND_ADDRESS_NO_PORT` of Linux: else each source address has some 28,000 connections to all servers together."""
NOT_OFFERED, NOT_TRUSTED = "4.7.4", "4.7.5"
"""RFC 3463 §3.8: security features not supported; cryptographic failure."""


class CannotEncrypt(Exception):
    """The connection has to be encrypted, and is not."""

    def __init__(self, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.enhanced = enhanced


class LoginRefused(Exception):
    """The server does not take our user and password. `code` is its reply, 0 without."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class _HandshakeBroke(Exception):
    """STARTTLS was agreed upon, and came to nothing: this connection is lost."""


@dataclass(frozen=True)
class Call:
    """One address of one server, called from one of ours. `timeout` in seconds, for each reply."""

    host: MailHost
    address: str
    port: int
    source: Source
    tls: Tls
    login: Login | None
    timeout: float

    @property
    def implicit(self) -> bool:
        return self.port == IMPLICIT_TLS and self.tls is not Tls.NONE


class Opener:
    """`authorities`: a PEM file of those whose certificates are believed; empty: the system's."""

    def __init__(self, authorities: str = "") -> None:
        self._verifying = ssl.create_default_context(cafile=authorities or None)
        self._believing = ssl.create_default_context()
        self._believing.check_hostname = False
        self._believing.verify_mode = ssl.CERT_NONE

    async def open(self, call: Call) -> aiosmtplib.SMTP:
        """A client after EHLO, encrypted and logged in as the call says.

        Raises `CannotEncrypt`, `LoginRefused`, `SMTPResponseException` for another refusal, and `SMTPException`,
        `OSError`, `TimeoutError`, `ValueError` for what breaks. A handshake that fails without need is not tried again:
        the second connection is in the clear.
        """
        try:
            return await self._session(call)
        except _HandshakeBroke as broke:
            if call.tls.must:
                raise CannotEncrypt(NOT_TRUSTED, str(broke)) from None
        return await self._session(replace(call, tls=Tls.NONE))

    async def _session(self, call: Call) -> aiosmtplib.SMTP:
        client = await self._greeted(call)
        try:
            await _hello(client)
            if call.tls is not Tls.NONE and not call.implicit:
                await self._start_tls(client, call)
            if call.login is not None:
                await _log_in(client, call.login)
        except BaseException:
            client.close()
            raise
        return client

    async def _greeted(self, call: Call) -> aiosmtplib.SMTP:
        client = aiosmtplib.SMTP(
            hostname=call.host.name,
            sock=await _socket(call),
            local_hostname=call.source.ehlo_name,
            timeout=call.timeout,
            start_tls=False,
            use_tls=call.implicit,
            tls_context=self._context(call),
        )
        try:
            await client.connect()
        except SMTPConnectError as error:
            if call.implicit and isinstance(error.__cause__, ssl.SSLError):
                raise _HandshakeBroke(_why(error.__cause__)) from None
            raise
        return client

    def _context(self, call: Call) -> ssl.SSLContext:
        return self._verifying if call.tls is Tls.VERIFIED else self._believing

    async def _start_tls(self, client: aiosmtplib.SMTP, call: Call) -> None:
        """What the server said before is forgotten, and what it sent behind its 220 is thrown away (aiosmtplib)."""
        if not client.supports_extension("starttls"):
            if call.tls.must:
                raise CannotEncrypt(NOT_OFFERED, "the server offers no STARTTLS")
            return
        try:
            await client.starttls(server_hostname=call.host.name)
            await _hello(client)
        except SMTPResponseException as error:  # it goes on in the clear, where that is enough
            if call.tls.must:
                text = f"the server refused STARTTLS: {error.code} {error.message}"
                raise CannotEncrypt(NOT_OFFERED, text) from None
        except (SMTPServerDisconnected, SMTPTimeoutError, OSError, ValueError) as error:
            raise _HandshakeBroke(_why(error)) from None


async def _socket(call: Call) -> socket.socket:
    """Connected, from the source's address. Raises `OSError`; `TimeoutError` is one."""
    family = socket.AF_INET6 if ":" in call.address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if call.source.address:
            made.setsockopt(socket.IPPROTO_IP, BIND_WITHOUT_PORT, 1)
            made.bind((call.source.address, 0))
        async with asyncio.timeout(min(CONNECT_SECONDS, call.timeout)):
            await asyncio.get_running_loop().sock_connect(made, (call.address, call.port))
    except TimeoutError:
        made.close()
        raise TimeoutError(f"{call.address} port {call.port} did not answer") from None
    except BaseException:
        made.close()
        raise
    return made


async def _hello(client: aiosmtplib.SMTP) -> None:
    """EHLO, and HELO to servers that know only that (RFC 5321 §3.2)."""
    try:
        await client.ehlo()
    except SMTPHeloError as error:
        if not 500 <= error.code < 510:
            raise
        await client.helo()


async def _log_in(client: aiosmtplib.SMTP, login: Login) -> None:
    """A password is said over TLS only."""
    if client.get_transport_info("sslcontext") is None:
        raise LoginRefused(0, "the connection is not encrypted, so our password is not sent")
    try:
        await client.login(login.user, login.password)
    except SMTPAuthenticationError as error:
        raise LoginRefused(error.code, f"{error.code} {error.message}") from None
    except (SMTPServerDisconnected, SMTPTimeoutError):
        raise
    except SMTPException as error:
        raise LoginRefused(0, str(error)) from None


def _why(error: BaseException) -> str:
    """In the words of OpenSSL, where it has some: `certificate verify failed: self-signed certificate`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not to be trusted: {error.verify_message}"
    return f"the TLS handshake failed: {str(error) or type(error).__name__}"
