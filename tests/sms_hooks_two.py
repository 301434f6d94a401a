"""What handsets and carriers said to an account, for the tests that ask of every route whose it is: by plain rows."""

from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import new_id
from store.db import Database

BLOCKED = "+8613800138009"
BLOCKED_BY_OTHERS = f"""
DELETE FROM sms_unblock_request WHERE phone = '{BLOCKED}';
INSERT INTO sms_interception (id, account_id, phone, code, scope, until, times, error, created_at, updated_at)
VALUES (gen_random_uuid(), '{SYSTEM_ACCOUNT}', '{BLOCKED}', 500, 'global', now() + interval '9 days', 1, '', now(),
        now())
ON CONFLICT DO NOTHING
"""
"""For `BEFORE`: somebody else's record blocks a number, and nobody has asked about it."""


async def with_sms_hooks(db: Database, account: UUID, secret: str, phone: str) -> dict[str, list[str]]:
    """One of each by the names that paths use; nothing of it keeps a message back."""
    interception, reply, opt_out, request = (new_id() for _ in range(4))
    await db.pool.execute(
        "INSERT INTO sms_interception (id, account_id, phone, code, scope, times, error, created_at, updated_at)"
        " VALUES ($1, $2, $3, 530, 'local', 1, 'BUSY', now(), now())",
        *(interception, account, phone),
    )
    await db.pool.execute(
        "INSERT INTO sms_reply (id, account_id, phone, recipient, gateway, content, is_opt_out, at)"
        " VALUES ($1, $2, $3, '1069', 1, $4, false, now())",
        *(reply, account, phone, secret),
    )
    await db.pool.execute(
        "INSERT INTO sms_opt_out (account_id, phone, id, source, word, created_at)"
        " VALUES ($1, $2, $3, 'member', '', now())",
        *(account, phone, opt_out),
    )
    await db.pool.execute(
        "INSERT INTO sms_unblock_request (id, account_id, phone, note, created_at, lifted, reason)"
        " VALUES ($1, $2, $3, $4, now(), false, '')",
        *(request, account, phone, secret),
    )
    return {
        "sms_interception_id": [str(interception)], "sms_reply_id": [str(reply)], "sms_opt_out_id": [str(opt_out)],
        "sms_unblock_id": [str(request)],
    }  # fmt: skip
