"""Which lane a receiving domain is in: what its MX says, kept for a day (design §4.3, §4.7)."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from domain.lanes import OTHER, RELAY, TRUSTED_FOR, lane_of
from domain.sending import OutcomeKind
from domain.transport import MailRoute, Router
from store import lanes
from store.db import Connection, Database

LOOKUPS_AT_ONCE = 100
AT_A_TIME = 2_000
"""Domains between two visits to the database: what is known after a crash."""
BEAT = 1.0
"""Seconds between two signs of life."""
MOST_KNOWN = 50_000


class RecipientLanes:
    """Resolves the domains of a campaign's lists before its messages are numbered by lane."""

    def __init__(self, db: Database, router: Router) -> None:
        self._db = db
        self._router = router

    async def resolve(self, domains: Iterable[str], beat: Callable[[], object] = lambda: None) -> dict[str, str]:
        """Lane by domain, for any number of domains. `beat` is called about every second.

        What the DNS does not answer is in `other`, and is asked again the next time.
        """
        found: dict[str, str] = {}
        every = list(dict.fromkeys(domains))
        for start in range(0, len(every), AT_A_TIME):
            chunk = every[start : start + AT_A_TIME]
            async with self._db.raw() as connection:
                known = await lanes.known_lanes(connection, chunk)
            found |= known
            found |= await self._look_up([domain for domain in chunk if domain not in known], beat)
            beat()
        return found

    async def _look_up(self, domains: Sequence[str], beat: Callable[[], object]) -> dict[str, str]:
        if not domains:
            return {}
        room = asyncio.Semaphore(LOOKUPS_AT_ONCE)

        async def route(domain: str) -> MailRoute:
            async with room:
                return await self._router.mail_hosts(domain)

        lookups = asyncio.gather(*(route(domain) for domain in domains))
        try:
            while not lookups.done():
                await asyncio.wait([lookups], timeout=BEAT)
                beat()
        finally:
            lookups.cancel()
        routes = lookups.result()
        await self._remember(domains, routes)
        return {domain: route_lane(route) for domain, route in zip(domains, routes, strict=True)}

    async def _remember(self, domains: Sequence[str], routes: Sequence[MailRoute]) -> None:
        """Silence is no answer, so it is not kept."""
        rows = [
            (domain, route_lane(route), route.destination)
            for domain, route in zip(domains, routes, strict=True)
            if route.failure is None or route.failure.kind is OutcomeKind.BOUNCED
        ]
        async with self._db.raw() as connection:
            await lanes.remember_lanes(connection, rows)


class Learned:
    """Lanes of domains that deliveries looked up anyway, so that the queue status knows them, too.

    `learn` is for the hot path: it remembers, and `write` is called by whoever has time.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._known_since = time.monotonic()
        self._new: dict[str, tuple[str, str]] = {}

    def learn(self, route: MailRoute) -> None:
        """A domain's servers, if it is the first time today."""
        if route.domain not in self._known and route.hosts:
            self._known.add(route.domain)
            self._new[route.domain] = (route_lane(route), route.destination)

    async def write(self, connection: Connection) -> None:
        """Keep what is new."""
        new = dict(self._new)
        if new:
            await lanes.remember_lanes(connection, [(domain, *found) for domain, found in new.items()])
            self._new = {domain: found for domain, found in self._new.items() if domain not in new}
        if len(self._known) > MOST_KNOWN or time.monotonic() - self._known_since > TRUSTED_FOR.total_seconds():
            self._known, self._known_since = set(), time.monotonic()


def route_lane(route: MailRoute) -> str:
    """The lane of a route that is at hand; without servers it is of no provider."""
    if route.relay:
        return RELAY
    return lane_of(host.name for host in route.hosts) if route.hosts else OTHER
