"""What a group commit writes of SMS beside their messages: the parts that a carrier took, and what is uncertain."""

from collections.abc import Iterable
from typing import Any

from domain.sending import MessageState, Reason
from store.db import Connection, by_column

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
    for row, ids in ended:
        parts += [(row["id"], row["attempts"], n, row["egress"], one, row["ended_at"]) for n, one in enumerate(ids)]
        if row["state"] == MessageState.SENT and row["reason"] == Reason.UNCERTAIN:
            lost.append((row["id"], row["address"], row["egress"], row["attempts"], row["ended_at"]))
    if parts or lost:
        await connection.execute(_TAKE, *by_column(parts, 6), *by_column(lost, 5))
