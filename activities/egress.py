"""Which addresses of ours this worker may send from, and how destinations are to be reached: looked up every second.

Connections ask without waiting; what an operator changes holds for those that are opened a second later.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import structlog
from cryptography.fernet import InvalidToken

from domain.destinations import USUAL, Destinations, Rule, Treatment
from domain.egress import Source
from domain.secrets import Vault
from domain.transport import Login
from store import destinations, egress
from store.db import DATABASE_TROUBLE, Connection, Database
from store.destinations import DestinationPolicy, rule_of
from store.egress import ActiveAddress

log = structlog.get_logger(__name__)

PERIOD = 1.0
"""Seconds between two looks."""
SAID_AGAIN = 60.0
"""Seconds after which this machine says once more which addresses it has."""


@dataclass(frozen=True)
class Place:
    """Where this worker runs: the machine's name, how it says hello where no address has a name of its own, and how
    destinations are reached that no rule is about."""

    host: str
    ehlo_name: str
    otherwise: Treatment = USUAL


class Egress:
    """One instance per worker process. `look` once before anything is sent, then `run`."""

    def __init__(self, db: Database, vault: Vault, place: Place, bind_problem: Callable[[str], str]) -> None:
        self._db = db
        self._vault = vault
        self._place = place
        self._bind_problem = bind_problem
        self._sources: tuple[Source, ...] = ()
        self._destinations = Destinations((), place.otherwise)
        self._read: dict[object, Rule] = {}
        """Rules by the version of their row, so that passwords are unsealed once."""
        self._said: dict[int, str] = {}
        self._said_at = 0.0

    def sources(self) -> Sequence[Source]:
        """Addresses that are active and of this machine; none: nothing may be sent from here."""
        return self._sources

    def may_speak(self) -> bool:
        """Whether there is any."""
        return bool(self._sources)

    def destinations(self) -> Destinations:
        """The rules that hold now."""
        return self._destinations

    def names(self) -> Collection[str]:
        """How we say hello."""
        return {source.ehlo_name for source in self._sources} | {self._place.ehlo_name}

    async def run(self) -> None:
        """Until cancelled. While the database is away, what was known last holds."""
        while True:
            await asyncio.sleep(PERIOD)
            try:
                await self.look()
            except DATABASE_TROUBLE as error:
                log.warning("egress_out_of_touch", error=type(error).__name__)

    async def look(self) -> None:
        """Read what operators decided, and say which addresses this machine has."""
        async with self._db.raw() as connection:
            addresses = await egress.active_addresses(connection)
            policies = await destinations.read_policies(connection)
            if addresses is None:
                self._sources = (Source(0, "", self._place.ehlo_name),)
            else:
                await self._choose(connection, [each for each in addresses if each.host in ("", self._place.host)])
        self._take(policies)

    async def _choose(self, connection: Connection, addresses: list[ActiveAddress]) -> None:
        found = {each.number: self._bind_problem(each.source) for each in addresses}
        usable = tuple(Source(a.number, a.source, a.ehlo_name) for a in addresses if not found[a.number])
        if usable != self._sources:
            log.info("egress_addresses", numbers=[each.number for each in usable], unusable=len(found) - len(usable))
        self._sources = usable
        if found != self._said or time.monotonic() - self._said_at > SAID_AGAIN:
            await egress.say_seen(connection, self._place.host, list(found.items()))
            self._said, self._said_at = found, time.monotonic()

    def _take(self, policies: list[DestinationPolicy]) -> None:
        keys = [(policy.id, policy.row_version) for policy in policies]
        if keys == list(self._read):
            return
        self._read = {
            key: self._read.get(key) or rule_of(row, self._login(row)) for key, row in zip(keys, policies, strict=True)
        }
        self._destinations = Destinations(tuple(self._read.values()), self._place.otherwise)

    def _login(self, row: DestinationPolicy) -> Login | None:
        """A password that cannot be unsealed is sent as none: the smart host refuses it, and that is seen."""
        if not row.login_user:
            return None
        try:
            password = self._vault.unseal(row.login_password or b"", f"destination/{row.id}")
        except InvalidToken:
            log.error("smart_host_password_unreadable", policy=str(row.id))
            password = b""
        return Login(row.login_user, password.decode())
