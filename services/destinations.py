"""How destinations are reached, as operators decide it, and what that means for one recipient."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.addresses import BadAddress, domain_of, normalise_address, normalise_domain
from domain.destinations import USUAL, Destinations, PolicyEntry, Rule, Treatment, checked_login
from domain.errors import Refusal
from domain.ids import new_id
from domain.lanes import RELAY, lane_of
from domain.operators import Duty, Operator
from domain.transport import MailRoute, Tls
from services.foundation import Foundation, Outside
from store import destinations as rows
from store.audit_log import note
from store.columns import now
from store.db import Session
from store.destinations import DestinationPolicy, rule_of


@dataclass(frozen=True)
class Way:
    """How a recipient would be reached now. `rule` None: what holds for all."""

    domain: str
    route: MailRoute
    lane: str
    rule: Rule | None


class DestinationDesk:
    """Needs `Duty.LANES`. Workers follow every change within about a second."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def listed(self, operator: Operator) -> list[DestinationPolicy]:
        """Every rule; passwords are never shown."""
        operator.require(Duty.LANES)
        async with self._base.db.read() as session:
            return await rows.every_policy(session)

    @property
    def otherwise(self) -> Treatment:
        """What holds where no rule applies: the settings say it."""
        return self._base.outside.otherwise if self._base.outside else USUAL

    async def add(self, operator: Operator, entry: PolicyEntry) -> UUID:
        """Raises `Refusal`: `policy_exists`, `smart_host_login_alone`, `smart_host_login_in_clear`."""
        operator.require(Duty.LANES)
        checked_login(entry.tls, entry.smart_hosts, entry.user, entry.password)
        row = DestinationPolicy(
            id=new_id(), match=entry.match.value, pattern=entry.pattern, tls=entry.tls.value, changed_by=operator.actor
        )
        self._write(row, entry)
        try:
            async with self._base.db.begin() as session:
                session.add(row)
                await session.flush()
                await note(session, operator.actor, "destination.added", f"destination/{row.id}", **_told(row))
        except IntegrityError:
            raise Refusal("policy_exists", field="pattern") from None
        return row.id

    async def change(self, operator: Operator, policy_id: UUID, entry: PolicyEntry, row_version: int) -> None:
        """What it is about stays. Without a new password the one that is kept holds, as long as there is a user, and
        nobody else would hear it.

        Raises `Refusal`: `not_found`, `egress_changed_meanwhile`, `required`, and those of `add`.
        """
        async with self._change(operator, policy_id) as (session, row):
            if row.row_version - 1 != row_version:
                raise Refusal("egress_changed_meanwhile")
            checked_login(entry.tls, entry.smart_hosts, entry.user, entry.password)
            if entry.user and entry.password is None and _tells_others(row, entry):
                raise Refusal("required", field="password")
            before = _told(row)
            self._write(row, entry)
            about = f"destination/{policy_id}"
            await note(session, operator.actor, "destination.changed", about, before=before, after=_told(row))

    async def remove(self, operator: Operator, policy_id: UUID) -> None:
        """Raises the refusal `not_found`."""
        async with self._change(operator, policy_id) as (session, row):
            await note(session, operator.actor, "destination.removed", f"destination/{policy_id}", **_told(row))
            await session.delete(row)

    def _write(self, row: DestinationPolicy, entry: PolicyEntry) -> None:
        row.tls, row.smart_hosts = entry.tls.value, [str(host) for host in entry.smart_hosts]
        row.login_user, row.note = entry.user, entry.note
        if not entry.user:
            row.login_password = None
        elif entry.password is not None:
            row.login_password = self._base.vault.seal(entry.password.encode(), f"destination/{row.id}")

    @asynccontextmanager
    async def _change(self, operator: Operator, policy_id: UUID) -> AsyncIterator[tuple[Session, DestinationPolicy]]:
        operator.require(Duty.LANES)
        async with self._base.db.begin() as session:
            row = await rows.lock_policy(session, policy_id)
            if row is None:
                raise Refusal("not_found", what="destination")
            row.row_version += 1
            row.changed_at, row.changed_by = now(), operator.actor
            yield session, row

    async def way(self, operator: Operator, recipient: str) -> Way:
        """How a mail to an address, or a domain, would leave now. Asks the DNS, connects to nobody.

        Raises the refusal `mail_address_malformed`.
        """
        operator.require(Duty.LANES)
        domain = read_recipient(recipient)
        outside = self._base.outside
        if outside is None:
            raise Refusal("not_found", what="destination")
        rules = tuple(rule_of(row) for row in await self.listed(operator))
        route = await outside.router(Destinations(rules, outside.otherwise)).mail_hosts(domain)
        lane = RELAY if route.relay else lane_of(host.name for host in route.hosts)
        return Way(domain, route, lane, await self._rule(outside, rules, domain))

    async def _rule(self, outside: Outside, rules: tuple[Rule, ...], domain: str) -> Rule | None:
        """Which one decided: by its servers, if not by the domain."""
        direct = await outside.router(Destinations()).mail_hosts(domain)
        return Destinations(rules).deciding(domain, [host.name for host in direct.hosts])


def read_recipient(text: str) -> str:
    """The domain of an address, or a domain. Raises the refusal `mail_address_malformed` on field `to`."""
    words = text.strip()
    try:
        return domain_of(normalise_address(words)) if "@" in words else normalise_domain(words)
    except BadAddress:
        raise Refusal("mail_address_malformed", field="to") from None


def _tells_others(row: DestinationPolicy, entry: PolicyEntry) -> bool:
    """Whether the password that is kept would be said to another server, or to one that proves less who it is."""
    hosts = {str(host) for host in entry.smart_hosts} - set(row.smart_hosts)
    return row.login_password is not None and (bool(hosts) or (row.tls == Tls.VERIFIED and entry.tls != Tls.VERIFIED))


def _told(row: DestinationPolicy) -> dict[str, Any]:
    """For the audit log: no password."""
    return {
        "match": row.match, "pattern": row.pattern, "tls": row.tls, "smart_hosts": list(row.smart_hosts),
        "user": row.login_user,
    }  # fmt: skip
