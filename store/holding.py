"""Money held while a request is under way: reserved at accept, counted by the group commit (docs/decisions/0014).

asyncpg, no ORM objects. A request inside the free quota costs no statement here.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.acceptance import balance_refusal
from domain.channels import Channel
from domain.ledger import EMAIL, PREPAID, available_micro, is_charged
from domain.sending import MessageState, Reason
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
    """What one submission costs: messages from ordinal `free` on, which are `count` units of the price of `item`.

    A mail is one unit, an SMS as many as its segments.
    """

    account_id: UUID
    submission_id: UUID
    free: int
    count: int
    item: str = EMAIL


async def reserve(connection: Connection, asked: Chargeable, now: dt.datetime, price_micro: int) -> None:
    """Hold the price of these messages in the accept transaction. Raises the refusal `balance_insufficient`."""
    terms = (asked.account_id, now, asked.item, price_micro)
    if await connection.fetchval(_RESERVE, *terms, asked.submission_id, asked.free, asked.count) is None:
        unit = await connection.fetchval(PRICE, *terms)
        row = await connection.fetchrow(
            "SELECT balance_fen, carry_micro, held_micro FROM ledger_account WHERE account_id = $1 AND name = $2",
            *(asked.account_id, PREPAID),
        )
        raise balance_refusal(unit * asked.count, available_micro(*row) if row else 0)


def count_charged(rows: Iterable[Any]) -> list[tuple[Any, ...]]:
    """(submission, account, charged, not charged), in units, of the messages that were just decided and are chargeable.

    `rows` have `account_id`, `submission_id`, `charged_from`, `ordinal`, `state`, `reason`, `code`, `channel`,
    `segments`, `submitted`.
    """
    counts: dict[tuple[UUID, UUID], list[int]] = {}
    for row in rows:
        if row["charged_from"] is None or row["ordinal"] < row["charged_from"] or row["state"] == MessageState.QUEUED:
            continue
        sent, unsent = _segments(row) if row["channel"] == Channel.SMS else _mail(row)
        count = counts.setdefault((row["submission_id"], row["account_id"]), [0, 0])
        count[0] += sent
        count[1] += unsent
    return [(submission, account, *count) for (submission, account), count in counts.items() if any(count)]


def _mail(row: Any) -> tuple[int, int]:
    return (1, 0) if is_charged(row["state"], row["reason"], row["code"]) else (0, 1)


def _segments(row: Any) -> tuple[int, int]:
    """What a carrier took is charged; of an uncertain message nothing is decided before its receipt, or its time."""
    if row["state"] == MessageState.SENT and row["reason"] == Reason.UNCERTAIN:
        return 0, 0
    return row["submitted"], row["segments"] - row["submitted"]


async def tally(connection: Connection, rows: Iterable[Any]) -> None:
    """Keep what `count_charged` counts of these rows; nothing is locked, nothing waited for."""
    if lines := count_charged(rows):
        await connection.execute(_TALLY, *by_column(lines))
