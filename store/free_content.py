"""What free content is compared with: an account's approved templates. asyncpg."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from store.db import Connection

_APPROVED = """
SELECT t.account_id, t.invoke_name, t.kind, v.id AS version_id, v.subject
FROM template t
CROSS JOIN LATERAL (SELECT id, subject FROM template_version WHERE template_id = t.id AND state = 'approved'
                    ORDER BY number DESC LIMIT 1) v
WHERE t.account_id = ANY($1::uuid[]) AND t.deleted_at IS NULL
"""


async def approved(connection: Connection, accounts: Sequence[UUID]) -> list[Record]:
    """The version that a send of each template would use: account_id, invoke_name, kind, version_id, subject."""
    found: list[Record] = await connection.fetch(_APPROVED, accounts)
    return found


async def content(connection: Connection, account: UUID, version: UUID) -> Record | None:
    """What a version says: subject, html, text, variables. It never changes."""
    found: Record | None = await connection.fetchrow(
        "SELECT subject, html, text, variables FROM template_version WHERE account_id = $1 AND id = $2",
        account,
        version,
    )
    return found
