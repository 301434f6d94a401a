"""Money held while a request is under way: reserved at accept, counted by the group commit (docs/decisions/0014).

asyncpg, no ORM objects. A request inside the free quota costs no statement here.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.acceptance import balance_refusal
from domain.ledger import EMAIL, PREPAID, available_micro, is_charged
from domain.sending import MessageState
from store.db import Connection, by_column

# $1 account, $2 the instant, $3 item, $4 where no price was set; `domain.ledger.price_at` is the same rule.
PRICE = """
SELECT coalesce((SELECT unit_micro FROM price WHERE item = $3 AND (account_id = $1 OR account_id IS NULL)
                 AND effective_from <= $2 ORDER BY account_id IS NULL, effective_from DESC, id DESC LIMIT 1),
                $4::bigint) AS unit
"""
# One statement: the money, the hold, and where in the submission it begins. The money is looked at again after
# waiting for the row, so requests at once cannot hold more than there is.
_RESERVE = f"""
WITH current AS ({PRICE}), reserved AS (
    UPDATE ledger_account l SET held_micro = l.held_micro + $7::int * current.unit FROM current
    WHERE l.account_id = $1 AND l.name = '{PREPAID}'
      AND l.balance_fen * 10000 - l.carry_micro - l.held_micro >= $7::int * current.unit
    RETURNING current.unit
), kept AS (
    INSERT INTO hold (submission_id, account_id, unit_micro, free, messages, sent, unsent, round, opened_at)
    SELECT $5, $1, unit, $6::int, $7::int, 0, 0, 0, $2 FROM reserved RETURNING submission_id, free
)
UPDATE submission s SET charged_from = kept.free FROM kept WHERE s.id = kept.submission_id RETURNING s.id
"""  # noqa: S608 - constants of ours
_TALLY = """
INSERT INTO tally (submission_id, account_id, sent, unsent)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[])
"""


@dataclass(frozen=True)
class Chargeable:
    """The messages of one submission that the free quota does not cover: `count` of them, from ordinal `free` on."""

    account_id: UUID
    submission_id: UUID
    free: int
    count: int


async def reserve(connection: Connection, asked: Chargeable, now: dt.datetime, price_micro: int) -> None:
    """Hold the price of these messages in the accept transaction. Raises the refusal `balance_insufficient`."""
    terms = (asked.account_id, now, EMAIL, price_micro)
    if await connection.fetchval(_RESERVE, *terms, asked.submission_id, asked.free, asked.count) is None:
        unit = await connection.fetchval(PRICE, *terms)
        row = await connection.fetchrow(
            "SELECT balance_fen, carry_micro, held_micro FROM ledger_account WHERE account_id = $1 AND name = $2",
            *(asked.account_id, PREPAID),
        )
        raise balance_refusal(unit * asked.count, available_micro(*row) if row else 0)


def count_charged(rows: Iterable[Any]) -> list[tuple[UUID, UUID, int, int]]:
    """(submission, account, charged, not charged) of the messages that just became final and are chargeable.

    `rows` have `account_id`, `submission_id`, `charged_from`, `ordinal`, `state`, `reason`, `code`.
    """
    counts: dict[tuple[UUID, UUID], list[int]] = {}
    for row in rows:
        if row["charged_from"] is None or row["ordinal"] < row["charged_from"] or row["state"] == MessageState.QUEUED:
            continue
        is_sent = is_charged(row["state"], row["reason"], row["code"])
        counts.setdefault((row["submission_id"], row["account_id"]), [0, 0])[0 if is_sent else 1] += 1
    return [(submission, account, sent, unsent) for (submission, account), (sent, unsent) in counts.items()]


async def tally(connection: Connection, rows: Iterable[Any]) -> None:
    """Keep what `count_charged` counts of these rows; nothing is locked, nothing waited for."""
    if lines := count_charged(rows):
        await connection.execute(_TALLY, *by_column(lines))
