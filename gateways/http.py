"""HTTP to addresses that customers name: the request goes to a checked IP address and nowhere else (SSRF guard).

Resolve, check every address, connect to a checked one with the name as `Host` and SNI; no redirects, no proxies of
the environment, the answer read to a cap. A session resolves once, so that a name cannot change between the check
and the connection (DNS rebinding), and its connections serve one origin only (TLS is verified for that name).
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from urllib.parse import quote, urlsplit

from domain.networks import Address, Network, plain, public
from domain.webhooks import ANSWER_SECONDS, Answer, Failure, Format
from gateways.http_connection import Broken, Connection, Connections, connect

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
KEPT_WORDS = 300
ADDRESSES_TRIED = 3
PORTS = frozenset({80, 443, 8443})

Resolve = Callable[[str, int], Awaitable[list[str]]]
Post = Callable[[dict[str, str], bytes], Awaitable[Answer]]

_HEADERS = "User-Agent: Songda-Webhooks/1\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
_SAFE = "/?:@!$&'()*+,;=%~[]"
"""Stays as it is written in a path or a query; everything else that is not plain ASCII is percent-encoded."""


async def system_resolve(host: str, port: int) -> list[str]:
    """Every address of a name, by the system's resolver; raises `OSError` or `UnicodeError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Decides which addresses may be called. `allowed` are CIDRs of networks that may be reached on any port."""

    def __init__(self, allowed: list[str], resolve: Resolve = system_resolve) -> None:
        self._allowed: list[Network] = [ip_network(text) for text in allowed]
        self._resolve = resolve

    async def addresses(self, host: str, port: int) -> list[str] | Failure:
        """Addresses to connect to, or why there are none. One bad address among many refuses the name."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                found = [plain(text) for text in await self._resolve(host, port)]
        except (OSError, UnicodeError, ValueError):  # TimeoutError is an OSError
            return Failure.DNS
        problems = [problem for address in found if (problem := self.problem(address, port))]
        if problems or not found:
            return problems[0] if problems else Failure.DNS
        return [str(address) for address in found[:ADDRESSES_TRIED]]

    def problem(self, address: Address, port: int) -> Failure | None:
        """Why this address may not be called on this port; None: it may."""
        if any(address in network for network in self._allowed):
            return None
        if not public(address):
            return Failure.REFUSED_ADDRESS
        return None if port in PORTS else Failure.REFUSED_PORT


class HttpPoster:
    """Opens sessions to customers' endpoints. `tls` replaces the system's certificate authorities."""

    def __init__(self, guard: Guard, tls: ssl.SSLContext | None = None, seconds: float = TOTAL_SECONDS) -> None:
        self._guard = guard
        self._tls = tls or ssl.create_default_context()
        self._seconds = seconds

    @asynccontextmanager
    async def session(self, url: str, seconds: float | None = None, method: str = "POST") -> AsyncIterator[Post]:
        """A function that sends (headers, body) to this URL and answers with an `Answer`; it never raises.

        `seconds` bounds one request, besides the bound of all.
        """
        target = _target(url)
        if target is None:
            yield _always(Failure.DNS)
            return
        addresses = await self._guard.addresses(target.name, target.port)
        if isinstance(addresses, Failure):
            yield _always(addresses)
            return
        limit = self._seconds if seconds is None else min(seconds, self._seconds)
        origin = _Origin(target, addresses, self._tls if target.secure else None, limit, method)
        try:
            yield origin.post
        finally:
            origin.close()


def _always(failure: Failure) -> Post:
    async def post(headers: dict[str, str], body: bytes) -> Answer:
        return Answer(None, failure)

    return post


@dataclass(frozen=True)
class _Target:
    """What a URL says: whom to call, and what the request line and `Host` say."""

    secure: bool
    name: str
    port: int
    host: str
    path: str


def _target(url: str) -> _Target | None:
    """None for what cannot be called. User names are left out, as fragments are."""
    try:
        parts = urlsplit(url)
        named, name = parts.port, parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not name.isascii() or not name.isprintable():
        return None
    secure = parts.scheme == "https"
    place = f"[{name}]" if ":" in name else name
    asked = quote(parts.path or "/", safe=_SAFE) + ("?" + quote(parts.query, safe=_SAFE) if parts.query else "")
    port = named or (443 if secure else 80)
    return _Target(secure, name, port, place if named is None else f"{place}:{named}", asked)


class _Origin:
    """One URL, the checked addresses behind its name, and the connections that are open to them."""

    def __init__(
        self, target: _Target, addresses: list[str], tls: ssl.SSLContext | None, seconds: float, method: str
    ) -> None:
        self._target, self._addresses, self._tls, self._seconds = target, addresses, tls, seconds
        self._open = Connections()
        self._head = f"{method} {target.path} HTTP/1.1\r\nHost: {target.host}\r\n{_HEADERS}"

    def close(self) -> None:
        self._open.close()

    async def post(self, headers: dict[str, str], body: bytes) -> Answer:
        """Try the addresses until one takes the connection, all within the total time."""
        began = time.monotonic()
        request = self._written(headers, body)
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._ask(request)
        except TimeoutError:
            answer = Answer(None, Failure.TIMEOUT)
        return replace(answer, milliseconds=int((time.monotonic() - began) * 1000))

    def _written(self, headers: dict[str, str], body: bytes) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self._head}{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body

    async def _ask(self, request: bytes) -> Answer:
        """On a connection that rested, else on a new one; the server may have closed the first one just now."""
        rested = self._open.take()
        if rested is not None:
            try:
                return await self._exchange(rested, request)
            except Broken as broken:
                if not broken.untouched:
                    return Answer(None, Failure.BROKEN)
        fresh = await self._connect()
        if isinstance(fresh, Failure):
            return Answer(None, fresh)
        try:
            return await self._exchange(fresh, request)
        except Broken:
            return Answer(None, Failure.BROKEN)

    async def _exchange(self, connection: Connection, request: bytes) -> Answer:
        reply = await connection.ask(request)
        self._open.give_back(connection)
        return Answer(reply.status, None, _first_words(reply.body))

    async def _connect(self) -> Connection | Failure:
        limit = min(CONNECT_SECONDS, self._seconds)
        for address in self._addresses:
            try:
                return await connect(address, self._target.port, self._tls, self._target.name, limit)
            except ssl.SSLError:
                return Failure.TLS
            except OSError:  # TimeoutError is one
                continue
        return Failure.CONNECT


def _first_words(body: bytes) -> str:
    """What of an answer is kept for the delivery log."""
    return " ".join(body.decode("utf-8", "replace").replace("\0", "").split())[:KEPT_WORDS] if body else ""


class UrlTest:
    """Asks a URL by GET and by POST, as SendCloud does before it uses one (reference §8.1)."""

    def __init__(self, poster: HttpPoster) -> None:
        self._poster = poster

    async def __call__(self, url: str) -> tuple[str, Answer]:
        """The method of the first request that was not answered with 200, else of the last one, and its answer."""
        method, answer = "GET", Answer(None, Failure.CONNECT)
        for method, body in (("GET", b""), ("POST", b"{}")):
            async with self._poster.session(url, ANSWER_SECONDS[Format.SENDCLOUD], method) as ask:
                answer = await ask({"Content-Type": "application/json"}, body)
            if answer.status != 200:
                break
        return method, answer
