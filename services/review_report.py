"""The report per queue of reviews: how long decisions took, and which promises were broken."""

import datetime as dt

from domain.operators import Duty, Operator
from domain.review_report import QUEUES, QueueReport, report
from services.foundation import Foundation
from store import calendar, reviews
from store.columns import now
from store.db import Database

LONGEST_SPAN = 366
"""Days."""


class ReviewReport:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def queues(self, operator: Operator, days: int = 30) -> list[QueueReport]:
        """Each queue over the last `days` (1 to `LONGEST_SPAN`)."""
        operator.require(Duty.REVIEW)
        return await queue_reports(self._base.db, self._base.policy.working_hours, days)


async def queue_reports(db: Database, hours: str, days: int) -> list[QueueReport]:
    """The same without an operator, for the command line. Raises `ValueError` for hours that cannot be read."""
    until = now()
    since = until - dt.timedelta(days=max(1, min(days, LONGEST_SPAN)))
    async with db.read() as session:
        known = await calendar.calendar(session, hours)
        return [
            report(
                kind, await reviews.decided(session, kind, since, until), await reviews.waiting(session, kind),
                known, until,
            )
            for kind in QUEUES
        ]  # fmt: skip
