"""When a review that is submitted now is due. In the transaction that submits it: Temporal or the worker may be down,
and the customer, the queue and the report shall know the time all the same."""

import datetime as dt

from domain.ids import Kind
from domain.policy import Policy
from domain.working_time import Due
from store import calendar
from store.db import Session


async def promised(session: Session, policy: Policy, kind: Kind, at: dt.datetime) -> Due:
    """By the calendar of this moment; whatever becomes of that later, what is stored stands."""
    known = await calendar.calendar(session, policy.working_hours, at)
    return known.due(at, policy.review_allowance(kind))
