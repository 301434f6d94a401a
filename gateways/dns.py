"""Questions to the DNS (RFC 1034, 1035), and the way to the mail servers of a domain (RFC 5321 §5.1, RFC 7505)."""

import asyncio
import ipaddress
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from domain.dns import DnsAnswer, DnsResult
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

NULL_MX = Outcome(OutcomeKind.BOUNCED, Reason.BAD_DOMAIN, 0, "5.1.10", "The domain accepts no mail (null MX).")
NO_DOMAIN = Outcome(OutcomeKind.BOUNCED, Reason.BAD_DOMAIN, 0, "5.1.2", "The domain does not exist.")
NO_HOST = Outcome(OutcomeKind.BOUNCED, Reason.BAD_DOMAIN, 0, "5.4.4", "The domain has no mail server with an address.")
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

    def __init__(self, nameservers: Sequence[str] = (), lifetime: float = LIFETIME) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = [_nameserver(text) for text in nameservers]
        self._resolver.lifetime = lifetime
        self._resolver.timeout = min(ONE_TRY, lifetime)
        self._resolver.use_edns(0, 0, EDNS_PAYLOAD)
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

    async def addresses(self, name: str) -> DnsAnswer:
        """IPv4 and IPv6 addresses; found when there is one of either, unreachable when that cannot be known."""
        four, six = await asyncio.gather(self._ask(name, "A"), self._ask(name, "AAAA"))
        values = four.values + six.values
        if values:
            return DnsAnswer(DnsResult.FOUND, values, min(a.ttl for a in (four, six) if a.values))
        return six if four.reachable and not six.reachable else four

    async def mail_hosts(self, domain: str) -> MailRoute:
        """The servers that take mail for a domain, in the order to try them; equal preferences in random order.

        Kept for as long as the DNS allows, at most five minutes; silence for seconds only.
        """
        name = domain.rstrip(".").lower()
        known = await self._known_route(name)
        ordered = sorted(known.servers, key=lambda server: (server[0], random.random()))
        return MailRoute(name, tuple(host for _, host in ordered), known.failure)

    async def _known_route(self, domain: str) -> _Known:
        """Those who ask for the same domain at once wait for one look."""
        entry = self._routes.get(domain)
        if entry is None or entry.until <= time.monotonic():
            self._routes.pop(domain, None)  # a new entry goes to the end of the order, which is by age
            while len(self._routes) >= ROUTES_CACHED:
                self._routes.pop(next(iter(self._routes)))
            entry = self._routes[domain] = _Entry(asyncio.ensure_future(self._look_route(domain)))
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
        usable = [target for target in targets if target[1] != "."]
        return await self._resolved(usable, answer.ttl) if usable else _Known(failure=NULL_MX)

    async def _resolved(self, targets: Sequence[tuple[int, str]], ttl: float) -> _Known:
        answers = await asyncio.gather(*(self.addresses(name) for _, name in targets))
        silent = any(not answer.reachable for answer in answers)
        servers = tuple(
            (preference, MailHost(name, answer.values))
            for (preference, name), answer in zip(targets, answers, strict=True)
            if answer.values
        )
        if not servers:
            return _Known(failure=SILENT, seconds=SILENCE_CACHED) if silent else _Known(failure=NO_HOST)
        kept = min([ttl, LONGEST_CACHED, *(answer.ttl for answer in answers if answer.values)])
        return _Known(servers, seconds=SILENCE_CACHED if silent else kept)

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


def _nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    """`127.0.0.1:8605` or `[::1]:53`; raises `ValueError` for anything but an address with a port."""
    host, _, port = text.rpartition(":")
    return dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(host.strip("[]"))), int(port))


def _text(rdata: object) -> str:
    if isinstance(rdata, TXT):
        return _printable(b"".join(rdata.strings))
    if isinstance(rdata, MX):
        return f"{rdata.preference} {_host(rdata.exchange.to_text())}"
    if isinstance(rdata, CNAME):
        return _host(rdata.target.to_text())
    return str(rdata)


def _host(text: str) -> str:
    return text.lower().rstrip(".") or "."


def _printable(value: bytes) -> str:
    """Text that a database and a page can take: anybody may publish any octets."""
    text = value.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
