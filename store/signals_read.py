"""What was counted of senders, added up: within an account, or for operators over all of them."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from domain.signals import COUNTS, By, Counts, Quality, Window, judge, periods
from store.db import Session

MOST = 2000
"""Lines of one answer; those with the most mails. A rate of few mails is not judged anyway."""
_COLUMNS = {
    By.DOMAIN: "domain_id::text",
    By.PROVIDER: "lane",
    By.TIME: "starts_at",
    By.ACCOUNT: "account_id::text",
    By.EGRESS: "egress",
}
_SUMS = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in COUNTS)


async def counted(
    session: Session, since: dt.datetime, by: Sequence[By] = (), account: UUID | None = None
) -> dict[tuple[Any, ...], Counts]:
    """Counts since that hour by these keys, of one account or of all (None: only operators may ask that).

    A domain and an account are keyed by the text of their id, an address of ours by its number, time by its hour.
    """
    keys = [_COLUMNS[each] for each in by]
    of_account = "AND account_id = :account" if account is not None else ""
    grouped = f"GROUP BY {', '.join(keys)} ORDER BY sum(delivered + hard + refused + expired) DESC" if keys else ""
    query = text(
        f"SELECT {''.join(f'{key}, ' for key in keys)}{_SUMS} FROM signal_count"  # noqa: S608 - columns of ours
        f" WHERE starts_at >= :since {of_account} {grouped} LIMIT :most"
    )
    connection = await session.connection()
    parameters = {"since": since, "most": MOST} | ({"account": account} if account is not None else {})
    rows = (await connection.execute(query, parameters)).all()
    return {tuple(row[: len(keys)]): Counts(*row[len(keys) :]) for row in rows}


async def quality(session: Session, window: Window, at: dt.datetime, account: UUID | None = None) -> Quality:
    """How one account's mails, or all of them, stand in the window that ends at this instant."""
    found = await counted(session, periods(window, at)[0], account=account)
    return judge(found.get((), Counts()))


_NAMES = {
    By.DOMAIN: "SELECT id::text, name FROM sender_domain WHERE id = ANY(CAST(:keys AS uuid[]))",
    By.ACCOUNT: "SELECT id::text, name FROM account WHERE id = ANY(CAST(:keys AS uuid[]))",
    By.EGRESS: "SELECT number, coalesce(nullif(public, ''), source) FROM egress_address"
    " WHERE number = ANY(CAST(:keys AS smallint[]))",
}


async def names(session: Session, by: By, keys: Sequence[Any]) -> dict[Any, str]:
    """What people call these keys of `counted`; what has no name of its own, or is gone, is left out."""
    if by not in _NAMES or not keys:
        return {}
    connection = await session.connection()
    rows = await connection.execute(text(_NAMES[by]), {"keys": list(keys)})
    return {row[0]: row[1] for row in rows}
