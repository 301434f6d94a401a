"""The addresses that we send from, as operators keep them (design §4.7)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from sqlalchemy.exc import IntegrityError

from domain.dns import DnsAnswer, DnsResult
from domain.egress import MOST_NUMBERS, EgressEntry, EgressState, Reverse, judge
from domain.errors import Refusal
from domain.operators import Duty, Operator
from services.foundation import Foundation
from store import egress as rows
from store.audit_log import note
from store.db import Session
from store.egress import EgressAddress, EgressSight

LOOK_SECONDS = 3.0
"""For what the DNS says of all addresses; who has not answered by then is unknown."""
_SILENT = DnsAnswer(DnsResult.TIMEOUT)


@dataclass(frozen=True)
class EgressView:
    """An address as operators see it. `sights`: what machines said of it lately."""

    row: EgressAddress
    sights: tuple[EgressSight, ...]
    reverse: Reverse

    @property
    def usable(self) -> bool:
        """Whether a machine sends from it, or would if it were not paused."""
        return any(not sight.problem for sight in self.sights)


class EgressDesk:
    """Needs `Duty.LANES`. Workers follow every change within about a second."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def listed(self, operator: Operator) -> list[EgressView]:
        """Every address by its number, with what the DNS says of it now."""
        operator.require(Duty.LANES)
        async with self._base.db.read() as session:
            addresses, seen = await rows.every_address(session), await rows.sights(session)
        reverse = await self._reverse([entry_of(row) for row in addresses])
        return [
            EgressView(row, tuple(sight for sight in seen if sight.number == row.number), state)
            for row, state in zip(addresses, reverse, strict=True)
        ]

    async def _reverse(self, entries: Sequence[EgressEntry]) -> list[Reverse]:
        looks = [asyncio.ensure_future(self._look(entry)) for entry in entries]
        if looks:
            await asyncio.wait(looks, timeout=LOOK_SECONDS)
        for look in looks:
            look.cancel()
        return [look.result() if look.done() and not look.cancelled() else Reverse.UNKNOWN for look in looks]

    async def _look(self, entry: EgressEntry) -> Reverse:
        if self._base.outside is None:
            return Reverse.UNKNOWN
        dns = self._base.outside.lookup
        return judge(entry, *await asyncio.gather(dns.names(entry.seen_as), dns.addresses(entry.ehlo_name)))

    async def add(self, operator: Operator, entry: EgressEntry) -> int:
        """Its number. It is used from the next second on by machines that have it.

        Raises `Refusal`: `egress_address_taken`, `egress_numbers_used_up`, `egress_changed_meanwhile` (two at once).
        """
        operator.require(Duty.LANES)
        try:
            async with self._base.db.begin() as session:
                await _require_free(session, entry)
                number = await rows.next_number(session)
                if number > MOST_NUMBERS:
                    raise Refusal("egress_numbers_used_up", field="source")
                session.add(EgressAddress(number=number, **asdict(entry)))
                await session.flush()
                await note(session, operator.actor, "egress.added", f"egress/{number}", **asdict(entry))
        except IntegrityError:
            raise Refusal("egress_changed_meanwhile") from None
        return number

    async def change(self, operator: Operator, number: int, entry: EgressEntry, row_version: int) -> None:
        """What messages remember is the number. Raises `Refusal`: `not_found`, `egress_address_taken`,
        `egress_changed_meanwhile`."""
        async with self._change(operator, number, row_version) as (session, row):
            await _require_free(session, entry, number)
            before = asdict(entry_of(row))
            for name, value in asdict(entry).items():
                setattr(row, name, value)
            await note(
                session, operator.actor, "egress.changed", f"egress/{number}", before=before, after=asdict(entry)
            )

    async def pause(self, operator: Operator, number: int) -> None:
        """It begins no new connection. Raises the refusal `not_found`."""
        async with self._change(operator, number) as (session, row):
            row.state = EgressState.PAUSED.value
            await note(session, operator.actor, "egress.paused", f"egress/{number}")

    async def resume(self, operator: Operator, number: int) -> None:
        """Raises the refusal `not_found`."""
        async with self._change(operator, number) as (session, row):
            row.state = EgressState.ACTIVE.value
            await note(session, operator.actor, "egress.resumed", f"egress/{number}")

    async def remove(self, operator: Operator, number: int) -> None:
        """For good; without any address the system chooses again. Raises the refusal `not_found`."""
        async with self._change(operator, number) as (session, row):
            row.state = EgressState.REMOVED.value
            await note(session, operator.actor, "egress.removed", f"egress/{number}", **asdict(entry_of(row)))

    @asynccontextmanager
    async def _change(
        self, operator: Operator, number: int, row_version: int | None = None
    ) -> AsyncIterator[tuple[Session, EgressAddress]]:
        operator.require(Duty.LANES)
        async with self._base.db.begin() as session:
            row = await rows.lock_address(session, number) if 0 < number <= MOST_NUMBERS else None
            if row is None:
                raise Refusal("not_found", what="egress")
            if row_version not in (None, row.row_version):
                raise Refusal("egress_changed_meanwhile")
            row.row_version += 1
            yield session, row


async def _require_free(session: Session, entry: EgressEntry, but: int = 0) -> None:
    if await rows.address_used(session, entry.source, entry.host, but):
        raise Refusal("egress_address_taken", field="source")


def entry_of(row: EgressAddress) -> EgressEntry:
    """A row as an operator would enter it."""
    return EgressEntry(row.source, row.ehlo_name, row.host, row.public, row.note)
