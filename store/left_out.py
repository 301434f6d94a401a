"""Lines of a file that the door left out, added to what accept counted, in the same transaction."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from domain.sending import Rejected
from store.db import Connection


async def note_left_out(
    connection: Connection, account: UUID, submission: UUID, rejected: Sequence[Rejected], duplicates: int
) -> None:
    """`rejected` and `duplicates` are all of them: a repeated request is answered from this row."""
    await connection.execute(
        "UPDATE submission SET rejected = $3, duplicates = $4 WHERE id = $2 AND account_id = $1",
        account,
        submission,
        [asdict(one) for one in rejected],
        duplicates,
    )
