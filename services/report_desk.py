"""What came in at the inbound door, for operators."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.errors import Refusal
from domain.masking import mask_address
from domain.operators import Duty, Operator
from domain.outcomes import legible
from services.foundation import Foundation
from services.inbound import binding
from store import reports_read as rows
from store.reports_read import ReportCount, ReportLine, Wanted

SLOWEST = 10
"""Seconds of one query."""


@dataclass(frozen=True)
class Letter:
    """The beginning of a mail to the postmaster, as it came."""

    received_at: dt.datetime
    text: str


class ReportDesk:
    """Needs `Duty.ACCOUNTS`: customers ask why a mail came back."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def counts(self, operator: Operator) -> Mapping[str, ReportCount]:
        """Of the last days, by kind."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.look(SLOWEST) as session:
            return await rows.counts(session)

    async def page(self, operator: Operator, wanted: Wanted, limit: int) -> Sequence[ReportLine]:
        """Newest first, with recipients masked."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.look(SLOWEST) as session:
            found = await rows.page(session, wanted, limit)
        return [replace(one, address=one.address and mask_address(one.address)) for one in found]

    async def letter(self, operator: Operator, report: int) -> Letter:
        """What somebody wrote to the postmaster. Raises `not_found`."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.read() as session:
            found = await rows.letter(session, report)
        if found is None:
            raise Refusal("not_found", what="contact request")
        raw = self._base.vault.unseal(found.sealed, binding(found.fingerprint))
        return Letter(found.received_at, legible(raw.decode("utf-8", "surrogateescape")))
