"""The way of a mail: by the MX of its domain, unless a rule names smart hosts; and how it must be encrypted."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

from domain.destinations import USUAL, Destinations, SmartHost, Treatment
from domain.sending import Outcome, OutcomeKind, Reason, Scope
from domain.transport import MailHost, MailRoute
from gateways.dns import DnsResolver

NO_SMART_HOST = Outcome(
    OutcomeKind.DEFERRED, Reason.CONN, 0, "4.4.4", "no address of the smart host is known", scope=Scope.CONNECTION
)
"""A fault of ours, so nobody's mail bounces for it."""


class Routes:
    """A `domain.transport.Router` by the rules of `destinations`, which may change at any time."""

    def __init__(self, resolver: DnsResolver, destinations: Callable[[], Destinations]) -> None:
        self._resolver = resolver
        self._destinations = destinations

    async def mail_hosts(self, domain: str) -> MailRoute:
        """Smart hosts in the order of the rule; operators choose them, so they may be on our own network."""
        destinations = self._destinations()
        known = destinations.of_domain(domain)
        if known is not None and known.smart_hosts:
            return await self._relayed(domain, known)
        route = await self._resolver.mail_hosts(domain)
        treatment = known or destinations.of_servers(route.domain, [host.name for host in route.hosts])
        if treatment.smart_hosts and route.hosts:
            return await self._relayed(route.domain, treatment)
        return route if treatment is USUAL else replace(route, tls=treatment.tls)

    async def _relayed(self, domain: str, treatment: Treatment) -> MailRoute:
        found = await asyncio.gather(*(self._found(host) for host in treatment.smart_hosts))
        hosts = tuple(host for host in found if host.addresses)
        failure = None if hosts else NO_SMART_HOST
        return MailRoute(domain, hosts, failure, treatment.tls, True, treatment.login)

    async def _found(self, host: SmartHost) -> MailHost:
        try:
            return MailHost(host.name, (str(ip_address(host.name)),), host.port)
        except ValueError:
            return replace(await self._resolver.named_host(host.name), port=host.port)
