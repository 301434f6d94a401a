"""`songda audit`: the books, compared in one snapshot (design §4.9)."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from store import audit as rows
from store.db import Database

GRACE = dt.timedelta(hours=1)


@dataclass(frozen=True)
class AuditReport:
    """`clean` when every check passed. Possible duplicates are named, and are no failure."""

    totals: dict[str, int]
    findings: list[rows.Finding]
    possible_duplicates: list[dict[str, Any]]

    @property
    def clean(self) -> bool:
        return not any(finding.count for finding in self.findings)


async def audit(db: Database, grace: dt.timedelta = GRACE) -> AuditReport:
    """Compare independent facts in one repeatable-read snapshot, while everything goes on."""
    late = dt.datetime.now(dt.UTC) - grace
    async with db.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL transaction_timeout = 0")  # it locks nothing, and years take their time
        return AuditReport(
            totals=await rows.totals(connection),
            findings=await rows.check(connection, late),
            possible_duplicates=await rows.possible_duplicates(connection),
        )
