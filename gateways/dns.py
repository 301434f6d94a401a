"""Questions to the DNS (RFC 1034, 1035), and the way to the mail servers of a domain (RFC 5321 §5.1, RFC 7505)."""

import asyncio
import ipaddress
import math
import random
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT

from domain.dns import DnsAnswer, DnsResult
from domain.networks import Reach
from domain.sending import Outcome, OutcomeKind, Reason
from domain.transport import MailHost, MailRoute

LIFETIME = 4.0
"""Longest wait for one question, over all its tries, in seconds."""
ONE_TRY = 1.5
EDNS_PAYLOAD = 1232
"""Fits one packet everywhere (DNS flag day 2020), and a 2048-bit DKIM key."""
LONGEST_CACHED = 300.0
SILENCE_CACHED = 5.0
ABSENCE_CACHED = 60.0
ROUTES_CACHED = 20_000
HOSTS_ASKED = 10
"""Mail servers of one domain whose addresses are looked up, the best: anybody may publish a thousand."""
ADDRESSES_KEPT = 8
"""Of one server."""

NULL_MX = Outcome(OutcomeKind.BOUNCED, Reason.BAD_DOMAIN, 0, "5.1.10", "The domain accepts no mail (null MX).")
NO_DOMAIN = Outcome(OutcomeKind.BOUNCED, Reason.BAD_DOMAIN, 0, "5.1.2", "The domain does not exist.")
NO_HOST = Outcome(OutcomeKind.BOUNCED, Reason.BAD_DOMAIN, 0, "5.4.4", "The domain has no mail server with an address.")
NOT_PUBLIC = Outcome(
    OutcomeKind.BOUNCED, Reason.BAD_DOMAIN, 0, "5.4.4", "The domain's mail servers have no address on the Internet."
)
LOOP = Outcome(OutcomeKind.BOUNCED, Reason.BAD_DOMAIN, 0, "5.4.6", "The domain's best mail server is ourselves.")
SILENT = Outcome(OutcomeKind.DEFERRED, Reason.CONN, 0, "4.4.3", "The domain's name servers did not answer.")


@dataclass(frozen=True)
class _Known:
    """A route without the order that chance decides: servers with their preference, or why there is none."""

    servers: tuple[tuple[int, MailHost], ...] = ()
    failure: Outcome | None = None
    seconds: float = ABSENCE_CACHED


@dataclass
class _Entry:
    """A look that is under way or done; `until` (of the monotonic clock) is known once it is done."""

    looking: "asyncio.Future[_Known]"
    until: float = math.inf

    def stamp(self, done: "asyncio.Future[_Known]") -> None:
        failed = done.cancelled() or done.exception() is not None
        self.until = 0.0 if failed else time.monotonic() + done.result().seconds


class DnsResolver:
    """Asks the given name servers (`address:port`, IPv6 in brackets), or the system's when there are none.

    Answers are data: nothing here raises for what the DNS says or fails to say.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        lifetime: float = LIFETIME,
        *,
        reach: Reach | None = None,
        ourselves: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """`reach`: where mail may be delivered (None: anywhere): customers choose the domains, and strangers their MX.
        `ourselves`: names that our own mail clients go by."""
        self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = [_nameserver(text) for text in nameservers]
        self._resolver.lifetime = lifetime
        self._resolver.timeout = min(ONE_TRY, lifetime)
        self._resolver.use_edns(0, 0, EDNS_PAYLOAD)
        self._reach = reach
        self._ourselves = ourselves
        self._routes: dict[str, _Entry] = {}

    async def txt(self, name: str) -> DnsAnswer:
        """TXT values, the strings of each joined."""
        return await self._ask(name, "TXT")

    async def mx(self, name: str) -> DnsAnswer:
        """MX values as `10 host`; the null MX is `0 .`."""
        return await self._ask(name, "MX")

    async def cname(self, name: str) -> DnsAnswer:
        """The target of an alias."""
        return await self._ask(name, "CNAME")

    async def names(self, address: str) -> DnsAnswer:
        """What an IP address is called (PTR). Raises `ValueError` for what is none."""
        return await self._ask(dns.reversename.from_address(address).to_text(), "PTR")

    async def addresses(self, name: str) -> DnsAnswer:
        """IPv4 and IPv6 addresses; found when there is one of either, unreachable when that cannot be known."""
        four, six = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"))
        values = four.values + six.values
        if values:
            return DnsAnswer(DnsResult.FOUND, values, min(a.ttl for a in (four, six) if a.values))
        return six if four.reachable and not six.reachable else four

    async def mail_hosts(self, domain: str) -> MailRoute:
        """The servers that take mail for a domain, in the order to try them; equal preferences in random order, and
        so the addresses of a server, IPv4 first.

        Kept for as long as the DNS allows, at most five minutes; silence for seconds only.
        """
        name = domain.rstrip(".").lower()
        known = await self._kept(f"to {name}", lambda: self._look_route(name))
        ordered = sorted(known.servers, key=lambda server: (server[0], random.random()))
        return MailRoute(name, tuple(_shuffled(host) for _, host in ordered), known.failure)

    async def named_host(self, name: str) -> MailHost:
        """A server that an operator named, without its MX; kept like a route. Without addresses while there are none.

        Operators may name servers of their own network.
        """
        known = await self._kept(f"at {name}", lambda: self._look_host(name))
        return _shuffled(known.servers[0][1]) if known.servers else MailHost(name, ())

    async def _look_host(self, name: str) -> _Known:
        answer = await self.addresses(name)
        if not answer.values:
            return _Known(seconds=SILENCE_CACHED)
        host = MailHost(name, answer.values[:ADDRESSES_KEPT])
        return _Known(((0, host),), seconds=min(answer.ttl, LONGEST_CACHED))

    async def _kept(self, key: str, look: Callable[[], Coroutine[Any, Any, _Known]]) -> _Known:
        """Those who ask for the same at once wait for one look."""
        entry = self._routes.get(key)
        if entry is None or entry.until <= time.monotonic():
            self._routes.pop(key, None)  # a new entry goes to the end of the order, which is by age
            while len(self._routes) >= ROUTES_CACHED:
                self._routes.pop(next(iter(self._routes)))
            entry = self._routes[key] = _Entry(asyncio.ensure_future(look()))
            entry.looking.add_done_callback(entry.stamp)
        return await asyncio.shield(entry.looking)

    async def _look_route(self, domain: str) -> _Known:
        answer = await self.mx(domain)
        if not answer.reachable:
            return _Known(failure=SILENT, seconds=SILENCE_CACHED)
        if answer.result is DnsResult.NO_NAME:
            return _Known(failure=NO_DOMAIN)
        if answer.result is DnsResult.NO_DATA:
            return await self._resolved([(0, domain)], LONGEST_CACHED)
        targets = [(int(preference), host) for preference, host in (value.split() for value in answer.values)]
        usable = sorted(target for target in targets if target[1] != ".")
        if not usable:
            return _Known(failure=NULL_MX)
        before = self._before_us(usable)
        return await self._resolved(before[:HOSTS_ASKED], answer.ttl) if before else _Known(failure=LOOP)

    def _before_us(self, targets: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Those that are preferred to ourselves (RFC 5321 §5.1): the others would send back to us."""
        ours = self._ourselves()
        own = min((preference for preference, host in targets if host in ours), default=math.inf)
        return [target for target in targets if target[0] < own]

    async def _resolved(self, targets: Sequence[tuple[int, str]], ttl: float) -> _Known:
        answers = await asyncio.gather(*(self.addresses(name) for _, name in targets))
        silent = any(not answer.reachable for answer in answers)
        servers = tuple(
            (preference, MailHost(name, reached))
            for (preference, name), answer in zip(targets, answers, strict=True)
            if (reached := self._reached(answer.values))
        )
        if not servers and silent:
            return _Known(failure=SILENT, seconds=SILENCE_CACHED)
        if not servers:
            return _Known(failure=NOT_PUBLIC if any(answer.values for answer in answers) else NO_HOST)
        kept = min([ttl, LONGEST_CACHED, *(answer.ttl for answer in answers if answer.values)])
        return _Known(servers, seconds=SILENCE_CACHED if silent else kept)

    def _reached(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        """Not of our own network (SSRF): whoever owns a domain says what its servers' addresses are."""
        reach = self._reach
        kept = addresses if reach is None else tuple(each for each in addresses if reach.permits(each))
        return kept[:ADDRESSES_KEPT]

    async def _ask(self, name: str, rrtype: str) -> DnsAnswer:
        try:
            answer = await self._resolver.resolve(name, rrtype, search=False)
        except dns.resolver.NXDOMAIN:
            return DnsAnswer(DnsResult.NO_NAME)
        except dns.resolver.NoAnswer:
            return DnsAnswer(DnsResult.NO_DATA)
        except dns.resolver.LifetimeTimeout:
            return DnsAnswer(DnsResult.TIMEOUT)
        except (dns.exception.DNSException, OSError):
            return DnsAnswer(DnsResult.SERVER_FAILURE)
        values = tuple(sorted(_text(rdata) for rdata in answer))
        return DnsAnswer(DnsResult.FOUND, values, int(answer.rrset.ttl if answer.rrset is not None else 0))


def _shuffled(host: MailHost) -> MailHost:
    if len(host.addresses) < 2:
        return host
    return replace(host, addresses=tuple(sorted(host.addresses, key=lambda each: (":" in each, random.random()))))


def _nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    """`127.0.0.1:8605` or `[::1]:53`; raises `ValueError` for anything but an address with a port."""
    host, _, port = text.rpartition(":")
    return dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(host.strip("[]"))), int(port))


def _text(rdata: object) -> str:
    if isinstance(rdata, TXT):
        return _printable(b"".join(rdata.strings))
    if isinstance(rdata, MX):
        return f"{rdata.preference} {_host(rdata.exchange.to_text())}"
    if isinstance(rdata, CNAME | PTR):
        return _host(rdata.target.to_text())
    return str(rdata)


def _host(text: str) -> str:
    return text.lower().rstrip(".") or "."


def _printable(value: bytes) -> str:
    """Text that a database and a page can take: anybody may publish any octets."""
    text = value.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
