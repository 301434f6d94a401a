"""Refused sign-ins in the audit log: so few that no stranger fills it, and nothing of what was typed.

Of operators each; of members only that somebody was stopped. Who is told "wrong" must not learn from the time it took
whether there is such a member (decision 0008): so both cases write about as much.
"""

import datetime as dt
from uuid import UUID

from services.foundation import Foundation
from services.limits import Limit, Limits
from store import audit_log
from store.accounts import Member

VISITOR = "visitor"
"""The actor: whoever is refused is nobody yet."""
WINDOW = dt.timedelta(minutes=15)
NOBODY = Limit("noted-nobody", 20, WINDOW)
"""Entries of names that no operator has, all names together."""
STOPPED = Limit("noted-stopped", 1, WINDOW)
"""Entries of one operator or member that a limit was reached."""


class SignInLog:
    def __init__(self, base: Foundation, limits: Limits) -> None:
        self._base = base
        self._limits = limits

    async def refused(self, why: str, operator: UUID | None) -> None:
        """`operator.refused.<why>`; the door's own limits bound how often that can be."""
        async with self._base.db.begin() as session:
            if operator is not None or await self._limits.has_room(session, NOBODY, why):
                action, subject = f"operator.refused.{why}", f"operator/{operator or 'unknown'}"
                await audit_log.note(session, VISITOR, action, subject)

    async def operator_stopped(self, operator: UUID | None) -> None:
        """Too many tries at the console's door."""
        limit, subject = (STOPPED, f"operator/{operator}") if operator else (NOBODY, "stopped")
        async with self._base.db.begin() as session:
            if await self._limits.has_room(session, limit, subject):
                action, subject = "operator.refused.too_many", f"operator/{operator or 'unknown'}"
                await audit_log.note(session, VISITOR, action, subject)

    async def member_stopped(self, address: str, member: Member | None) -> None:
        """Too many tries for this address, whether a member has it or not."""
        async with self._base.db.begin() as session:
            if await self._limits.has_room(session, STOPPED, address) and member is not None:
                subject = f"member/{member.id}"
                await audit_log.note(session, VISITOR, "session.refused.too_many", subject, member.account_id)
