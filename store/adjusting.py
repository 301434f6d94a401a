"""The books after a settlement: a message that turns out to have been handed over is charged after all (design §4.8).

The customer's `prepaid` row is the lock, as in `store.settling`: who holds it may look at what waits to be settled.
"""

from uuid import UUID

from domain.corrections import Charging
from domain.ledger import PREPAID, JournalKind, available_micro
from store.db import Connection
from store.settling import charge

_LOCK = """
SELECT id, balance_fen, carry_micro, held_micro FROM ledger_account WHERE account_id = $1 AND name = $2
FOR NO KEY UPDATE
"""
# Which of a submission's messages a tally counted does not matter: they cost the same. Nobody else changes tallies.
_RECOUNT = """
WITH waiting AS MATERIALIZED (
    SELECT id FROM tally WHERE account_id = $1 AND submission_id = $2 AND unsent > 0 ORDER BY id LIMIT 1 FOR UPDATE
)
UPDATE tally SET sent = sent + 1, unsent = unsent - 1 FROM waiting WHERE tally.id = waiting.id RETURNING tally.id
"""
_MOVE = """
UPDATE hold SET sent = sent + 1, unsent = unsent - 1 WHERE submission_id = $2 AND account_id = $1 AND unsent > 0
"""


async def charge_after_all(connection: Connection, account: UUID, submission: UUID, correction: UUID) -> Charging:
    """One message of this submission was counted as not charged, and is; in the transaction that corrects it.

    While that count waits for its settlement the money is still held. Later it has been given back: then it is taken
    from what is available, by a journal of its own; and where that is not enough, nothing is taken. Raises
    `RuntimeError` when the books cannot be right.
    """
    prepaid = await connection.fetchrow(_LOCK, account, PREPAID)
    if await connection.fetchval(_RECOUNT, account, submission) is not None:
        return Charging.CHARGED
    unit = await connection.fetchval(
        "SELECT unit_micro FROM hold WHERE submission_id = $1 AND account_id = $2 AND unsent > 0", submission, account
    )
    if prepaid is None or unit is None:
        raise RuntimeError(f"submission {submission} has no hold that counts its messages")
    if available_micro(prepaid["balance_fen"], prepaid["carry_micro"], prepaid["held_micro"]) < unit:
        return Charging.WAIVED
    await connection.execute(_MOVE, account, submission)
    moved = {"submission_id": correction, "round": 0, "unit_micro": unit, "sent": 1, "unsent": -1}
    await charge(connection, account, prepaid, [moved], JournalKind.ADJUSTMENT)
    return Charging.CHARGED
