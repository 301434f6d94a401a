"""What a group commit writes of SMS beside messages: parts that were taken, what is uncertain, who was refused."""

from collections.abc import Iterable
from typing import Any

from domain.accounts import SYSTEM_ACCOUNT
from domain.sending import MessageState, Reason
from store.columns import now
from store.db import Connection, by_column
from store.sms_interceptions import SmsFailure, note_failures

# One statement, whatever the commit holds of SMS.
_TAKE = """
WITH taken AS (
    INSERT INTO sms_part (message_id, attempt, part, gateway, smsc_id, submitted_at, state, error)
    SELECT *, '', '' FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::smallint[], $5::text[],
                                 $6::timestamptz[])
)
INSERT INTO sms_uncertain (message_id, phone, gateway, attempt, since)
SELECT * FROM unnest($7::bigint[], $8::text[], $9::smallint[], $10::smallint[], $11::timestamptz[])
"""


async def record(connection: Connection, ended: Iterable[tuple[Any, tuple[str, ...]]]) -> None:
    """Keep what carriers took of these messages (rows as `store.dialogues` returns them, each with its parts' ids).

    Each row is there only once, as the commit changed it only once.
    """
    parts: list[tuple[Any, ...]] = []
    lost: list[tuple[Any, ...]] = []
    refused: list[SmsFailure] = []
    for row, ids in ended:
        parts += [(row["id"], row["attempts"], n, row["egress"], one, row["ended_at"]) for n, one in enumerate(ids)]
        if row["state"] == MessageState.SENT and row["reason"] == Reason.UNCERTAIN:
            lost.append((row["id"], row["address"], row["egress"], row["attempts"], row["ended_at"]))
        elif _is_refused(row):
            refused.append(SmsFailure(row["account_id"], row["address"], row["id"], row["reason"], row["reply"]))
    if parts or lost:
        await connection.execute(_TAKE, *by_column(parts, 6), *by_column(lost, 5))
    await note_failures(connection, refused, now())


def _is_refused(row: Any) -> bool:
    """A carrier had it and failed it at once; what expired while it waited says nothing of its number."""
    failed = row["state"] == MessageState.BOUNCED and row["reason"] != Reason.EXPIRED
    return failed and row["account_id"] != SYSTEM_ACCOUNT
