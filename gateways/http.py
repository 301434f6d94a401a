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
from ipaddress import ip_network
from urllib.parse import urlsplit

import httpx2

from domain.networks import Address, Network, plain, public
from domain.webhooks import Answer, Failure

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 15.0
READ_CAP = 64 * 1024
KEPT_WORDS = 300
CONNECTIONS = 32
ADDRESSES_TRIED = 3
PORTS = frozenset({80, 443, 8443})

Resolve = Callable[[str, int], Awaitable[list[str]]]
Post = Callable[[dict[str, str], bytes], Awaitable[Answer]]

_HEADERS = {"Content-Type": "application/json", "User-Agent": "Songda-Webhooks/1", "Accept-Encoding": "identity"}


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
    async def session(self, url: str) -> AsyncIterator[Post]:
        """A function that posts (headers, body) to this URL and answers with an `Answer`; it never raises."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses = await self._guard.addresses(parts.hostname or "", port)
        if isinstance(addresses, Failure):
            yield _always(addresses)
            return
        async with self._client() as client:
            yield _Origin(client, url, addresses, self._seconds).post

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(self._seconds, connect=min(CONNECT_SECONDS, self._seconds)),
            limits=httpx2.Limits(
                max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=2.0
            ),
        )


def _always(failure: Failure) -> Post:
    async def post(headers: dict[str, str], body: bytes) -> Answer:
        return Answer(None, failure)

    return post


class _Origin:
    """One URL and the checked addresses behind its name."""

    def __init__(self, client: httpx2.AsyncClient, url: str, addresses: list[str], seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        parts = urlsplit(url)
        self._host, self._name = parts.netloc, parts.hostname or ""
        self._urls = [_at(url, address) for address in addresses]

    async def post(self, headers: dict[str, str], body: bytes) -> Answer:
        """Try the addresses until one takes the connection, all within the total time."""
        began = time.monotonic()
        answer = Answer(None, Failure.CONNECT)
        try:
            async with asyncio.timeout(self._seconds):
                for url in list(self._urls):
                    answer = await self._post_to(url, headers, body)
                    if answer.failure is not Failure.CONNECT:
                        break
        except TimeoutError:
            answer = Answer(None, Failure.TIMEOUT)
        elapsed = int((time.monotonic() - began) * 1000)
        return Answer(answer.status, answer.failure, answer.response, elapsed)

    async def _post_to(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        try:
            async with self._client.stream(
                "POST",
                url,
                headers={**_HEADERS, **headers, "Host": self._host},
                content=body,
                extensions={"sni_hostname": self._name},
            ) as response:
                return Answer(response.status_code, None, await _first_words(response))
        except httpx2.ConnectTimeout:
            return Answer(None, Failure.CONNECT)
        except httpx2.ConnectError as error:
            return Answer(None, Failure.TLS if _is_tls(error) else Failure.CONNECT)
        except httpx2.TimeoutException:
            return Answer(None, Failure.TIMEOUT)
        except httpx2.TransportError:
            return Answer(None, Failure.BROKEN)


def _at(url: str, address: str) -> str:
    """The URL with an address in the place of its host; the port stays."""
    parts = urlsplit(url)
    place = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=place if parts.port is None else f"{place}:{parts.port}").geturl()


async def _first_words(response: httpx2.Response) -> str:
    """Read to the end, so that the connection can be used again, but never past the cap."""
    kept, size = b"", 0
    async for chunk in response.aiter_raw():
        kept = (kept + chunk)[:KEPT_WORDS] if len(kept) < KEPT_WORDS else kept
        size += len(chunk)
        if size >= READ_CAP:
            break
    return " ".join(kept.decode("utf-8", "replace").replace("\0", "").split())


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
