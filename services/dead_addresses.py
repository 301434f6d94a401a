"""Dead addresses as operators see them: looked up one by one, freed by hand."""

from domain.addresses import normalise_address
from domain.errors import Refusal
from domain.operators import Duty, Operator, reason_of
from domain.suppressions import suppression_key
from services.foundation import Foundation
from store import dead_addresses as rows
from store.audit_log import note
from store.dead_addresses import DeadAddress, DeadCounts


class DeadAddressDesk:
    """Needs `Duty.ACCOUNTS`: a customer writes that a mailbox is there after all. Nobody adds one by hand."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def counts(self, operator: Operator) -> DeadCounts:
        """Of the whole platform."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.read() as session:
            return await rows.counts(session)

    async def find(self, operator: Operator, address: str) -> DeadAddress:
        """What is known of exactly this address. Raises `BadAddress`, `Refusal("dead_address_unknown")`."""
        operator.require(Duty.ACCOUNTS)
        known = normalise_address(address)
        async with self._base.db.read() as session:
            found = await rows.find(session, known)
        if found is None:
            raise Refusal("dead_address_unknown", field="address")
        return found

    async def free(self, operator: Operator, address: str, reason: str) -> None:
        """The next mail to it is tried, whoever sends it; that it was freed is on record.

        Raises `BadAddress`, `Refusal`: `dead_address_unknown`, `required`, `text_too_long`, `duty_forbidden`.
        """
        operator.require(Duty.ACCOUNTS)
        known, words = normalise_address(address), reason_of(reason)
        async with self._base.db.begin() as session:
            failures = await rows.free(session, known)
            if failures is None:
                raise Refusal("dead_address_unknown", field="address")
            await note(
                session, operator.actor, "dead_address.freed", self._subject(known), reason=words, failures=failures
            )

    def _subject(self, address: str) -> str:
        """The record holds no address, but tells whether it was this one."""
        mark = self._base.vault.digest(suppression_key(address))
        return f"dead-address/{mark.hex()[:16]}"
