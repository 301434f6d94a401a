"""Addresses that must not be written to, for tests of whoever asks."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from domain.ids import new_id
from domain.senders import SendKind
from domain.suppressions import DEAD, SuppressionReason, SuppressionScope
from store.columns import now
from store.db import Database

HOUR = dt.timedelta(hours=1)
KINDS = (SendKind.TRIGGER, SendKind.BATCH)


@dataclass(frozen=True)
class Case:
    """One reason that holds an address back, and whether it does for a kind of mail. `ends`: hours from now."""

    reason: str
    scope: SuppressionScope = SuppressionScope.ALL
    ends: int | None = None

    def __str__(self) -> str:
        return f"{self.reason}-{self.scope}-{self.ends}"

    def holds(self, kind: SendKind) -> bool:
        """The rule, in other words than the code's."""
        if self.ends is not None and self.ends <= 0:
            return False
        return self.reason == DEAD or kind is SendKind.BATCH or self.scope is SuppressionScope.ALL

    async def enter(self, db: Database, account: UUID, address: str) -> None:
        """Make it so. `address` is a key."""
        until = None if self.ends is None else now() + self.ends * HOUR
        if self.reason == DEAD:
            await bury(db, address, until or now() + HOUR)
            return
        await db.pool.execute(
            "INSERT INTO suppression (account_id, address, id, reason, scope, until, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, now())",
            *(account, address, new_id(), self.reason, self.scope.value, until),
        )


async def bury(db: Database, address: str, until: dt.datetime, failures: int = 1) -> None:
    """Its server said that there is no such mailbox."""
    await db.pool.execute(
        "INSERT INTO dead_address (address, failures, first_at, last_at, until) VALUES ($1, $2, now(), now(), $3)",
        *(address, failures, until),
    )


CASES = [
    *(Case(why, scope, ends) for why in SuppressionReason for scope in SuppressionScope for ends in (None, 1, -1)),
    Case(DEAD, ends=1),
    Case(DEAD, ends=-1),
]  # fmt: skip
"""Every reason, scope and end."""
