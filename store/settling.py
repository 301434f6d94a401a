"""Settlement: what the group commits counted becomes charges and releases (design §4.8, docs/decisions/0014).

A customer's `prepaid` row is the lock: whoever holds it is the only one who settles that customer.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from domain.ids import new_id
from domain.ledger import PREPAID, REVENUE, JournalKind, in_fen
from domain.money import show_unit
from store.db import Connection, by_column
from store.ledger import ledger_account

AT_ONCE = 2000
"""Tallies of one transaction: it must not hold a customer's money for long."""

_WAITING = "SELECT DISTINCT account_id FROM tally"
_LOCK = "SELECT id, balance_fen, carry_micro FROM ledger_account WHERE account_id = $1 AND name = $2 FOR NO KEY UPDATE"
_TAKE = """
WITH taken AS (
    DELETE FROM tally WHERE id IN (SELECT id FROM tally WHERE account_id = $1 ORDER BY id LIMIT $2)
    RETURNING submission_id, sent, unsent
)
SELECT submission_id, sum(sent)::int AS sent, sum(unsent)::int AS unsent, count(*)::int AS tallies
FROM taken GROUP BY 1 ORDER BY 1
"""
_SETTLE = """
UPDATE hold h SET sent = h.sent + t.sent, unsent = h.unsent + t.unsent, round = h.round + 1,
    closed_at = CASE WHEN h.sent + h.unsent + t.sent + t.unsent = h.messages THEN now() END
FROM unnest($2::uuid[], $3::int[], $4::int[]) AS t (submission_id, sent, unsent)
WHERE h.submission_id = t.submission_id AND h.account_id = $1
RETURNING h.submission_id, h.unit_micro, h.round, t.sent, t.unsent
"""
_MOVE = """
UPDATE ledger_account SET balance_fen = balance_fen - $2, carry_micro = $3, held_micro = held_micro - $4 WHERE id = $1
"""
_JOURNALS = """
INSERT INTO journal (id, kind, reference, round, account_id, at, memo)
SELECT j.id, $2, j.reference, j.round, $1, now(), j.memo
FROM unnest($3::uuid[], $4::uuid[], $5::int[], $6::text[]) AS j (id, reference, round, memo)
"""
_ENTRIES = """
INSERT INTO entry (journal_id, ledger_account_id, amount_fen, balance_after_fen)
SELECT e.journal, e.account, e.amount, e.after
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[])
     WITH ORDINALITY AS e (journal, account, amount, after, n)
ORDER BY e.n
"""
Charge: TypeAlias = tuple[Any, int]
"""A settled hold, and the fen that are posted with it."""


async def waiting(connection: Connection) -> list[UUID]:
    """The accounts for which something is to be settled."""
    return [row["account_id"] for row in await connection.fetch(_WAITING)]


async def settle_account(connection: Connection, account: UUID, limit: int = AT_ONCE) -> int:
    """Settle what was counted for one account, in the caller's transaction; the number of tallies taken.

    Raises `RuntimeError` when the books cannot be right, and then nothing must be kept.
    """
    prepaid = await connection.fetchrow(_LOCK, account, PREPAID)
    taken = await connection.fetch(_TAKE, account, limit)
    if not taken:
        return 0
    columns = [[row[name] for row in taken] for name in ("submission_id", "sent", "unsent")]
    settled = await connection.fetch(_SETTLE, account, *columns)
    if prepaid is None or len(settled) != len(taken):
        raise RuntimeError(f"a tally of account {account} has no hold")
    await charge(connection, account, prepaid, sorted(settled, key=lambda hold: hold["submission_id"]))
    return sum(row["tallies"] for row in taken)


async def charge(
    connection: Connection,
    account: UUID,
    prepaid: Any,
    settled: Sequence[Any],
    kind: JournalKind = JournalKind.CHARGE,
) -> None:
    """Take what was counted as sent, and give back what was held for all that was counted.

    `prepaid` is the customer's row as it was locked; of `settled` are needed `submission_id` and `round` (which name
    the journals), `unit_micro`, `sent`, `unsent`.
    """
    posted, carry = in_fen(prepaid["carry_micro"], [hold["sent"] * hold["unit_micro"] for hold in settled])
    charges = [(hold, fen) for hold, fen in zip(settled, posted, strict=True) if fen]
    released = sum((hold["sent"] + hold["unsent"]) * hold["unit_micro"] for hold in settled)
    await connection.execute(_MOVE, prepaid["id"], sum(posted), carry, released)
    if charges:
        await _post(connection, account, prepaid, charges, kind)


async def _post(
    connection: Connection, account: UUID, prepaid: Any, charges: Sequence[Charge], kind: JournalKind
) -> None:
    """One journal per hold and round; a second one of the same round is an error, not a repeat."""
    revenue = await ledger_account(connection, REVENUE)
    ids = [new_id() for _ in charges]
    memos = [f"{hold['sent']} × {show_unit(hold['unit_micro'])}" for hold, _ in charges]
    holds = [[hold[name] for hold, _ in charges] for name in ("submission_id", "round")]
    await connection.execute(_JOURNALS, account, kind.value, ids, *holds, memos)
    lines: list[tuple[UUID, int, int, int | None]] = []
    balance = prepaid["balance_fen"]
    for journal, (_, fen) in zip(ids, charges, strict=True):
        balance -= fen
        lines += [(journal, prepaid["id"], -fen, balance), (journal, revenue, fen, None)]
    await connection.execute(_ENTRIES, *by_column(lines))
