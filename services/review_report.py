"""The report per queue of reviews: how long decisions took, and which promises were broken."""

import datetime as dt
from collections.abc import Sequence

from domain.errors import Refusal
from domain.operators import Duty, Operator
from domain.review_queues import DUTY_OF, Queue
from domain.review_report import QueueReport, report
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
        """Each queue that the operator decides on, over the last `days` (1 to `LONGEST_SPAN`)."""
        own = [queue for queue in Queue if operator.may(DUTY_OF[queue])]
        if not own:
            raise Refusal("duty_forbidden", duty=Duty.REVIEW.value)
        return await queue_reports(self._base.db, self._base.policy.working_hours, days, own)


async def queue_reports(
    db: Database, hours: str, days: int, queues: Sequence[Queue] = tuple(Queue)
) -> list[QueueReport]:
    """The same for the command line. Raises `ValueError` for hours that cannot be read."""
    until = now()
    since = until - dt.timedelta(days=max(1, min(days, LONGEST_SPAN)))
    async with db.read() as session:
        known = await calendar.calendar(session, hours)
        return [
            report(
                queue, await reviews.decided(session, queue, since, until), await reviews.waiting(session, queue),
                known, until,
            )
            for queue in queues
        ]  # fmt: skip
