"""Objects of SMS for the tests that ask of every route whose it is: by plain rows, one of each for an account."""

from uuid import UUID

from domain.ids import new_id
from store.db import Database
from tests.sms_hooks_two import with_sms_hooks

SMS_OPEN = """
INSERT INTO certification (id, account_id, kind, number, details, exception, state, row_version, created_at,
                           due_provisional, part_reasons)
SELECT gen_random_uuid(), a.id, 'enterprise', 90, '', false, 'approved', 1, now() - interval '9 days', false, '{}'
FROM account a WHERE a.state = 'active' AND EXISTS (SELECT FROM onboarding o WHERE o.account_id = a.id);
INSERT INTO recharge (id, account_id, channel, amount_fen, state, created_at, expires_at, credited_at, close_reason)
SELECT gen_random_uuid(), a.id, 'alipay', 10000, 'credited', now(), now(), now(), ''
FROM account a WHERE a.state = 'active' AND EXISTS (SELECT FROM onboarding o WHERE o.account_id = a.id);
INSERT INTO ledger_account (account_id, name, balance_fen, carry_micro, held_micro)
SELECT a.id, 'prepaid', 10000, 0, 0
FROM account a WHERE a.state = 'active' AND EXISTS (SELECT FROM onboarding o WHERE o.account_id = a.id)
ON CONFLICT DO NOTHING
"""
"""For `BEFORE`: both accounts are certified as enterprises and have money, so that SMS is open to them."""
_SEND = """
INSERT INTO submission (id, account_id, channel, api_user_id, template_version_id, kind, is_test, sender, sender_name,
                        reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected, is_campaign,
                        country)
VALUES ($1, $2, 'sms', $3, $4, 'notice', false, '', '', '', $5, now(), now(), 1, 0, '[]', false, 'CN')
"""
_MESSAGE = """
INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round, reason, code,
                     enhanced, reply, host, possible_duplicate, finished_at)
VALUES ($1, $2, 0, $3, '{}', 'delivered', 1, 0, '', 0, '', '', '', false, now()) RETURNING id
"""


async def with_sms(db: Database, account: UUID, secret: str, phone: str) -> dict[str, list[str]]:
    """One of each by the names that paths use. `secret` is in what only the account may see."""
    user, signature, template, version, send = (new_id() for _ in range(5))
    pool = db.pool
    await pool.execute(
        "INSERT INTO sms_user (id, account_id, name, created_at) VALUES ($1, $2, $3, now())",
        *(user, account, f"sms_{user.hex[-12:]}"),
    )
    await pool.execute(
        "INSERT INTO sms_signature (id, account_id, text, market, source, note, is_builtin, state, row_version,"
        " created_at, due_provisional) VALUES ($1, $2, $3, 'domestic', 'company', '', false, 'approved', 1, now(),"
        " false)",
        *(signature, account, f"签{signature.hex[-8:]}"),
    )
    await pool.execute(
        "INSERT INTO sms_template (id, account_id, name, is_builtin, created_at, updated_at)"
        " VALUES ($1, $2, $3, false, now(), now())",
        *(template, account, f"{secret} {template.hex[-6:]}"),
    )
    await pool.execute(
        "INSERT INTO sms_template_version (id, template_id, account_id, number, kind, market, signature_id,"
        " signature_last, content, variables, state, row_version, created_at, due_provisional)"
        " VALUES ($1, $2, $3, 1, 'notice', 'domestic', $4, false, '您的订单已发货', '{}', 'approved', 1, now(), false)",
        *(version, template, account, signature),
    )
    await pool.execute(_SEND, send, account, user, version, secret)
    message = await pool.fetchval(_MESSAGE, send, account, phone)
    said = await with_sms_hooks(db, account, secret, phone)
    return said | await _with_contacts(db, account, secret) | {
        "sms_user_id": [str(user)], "sms_signature_id": [str(signature)], "sms_template_id": [str(template)],
        "sms_id": [str(send)], "sms_message_id": [str(message)],
    }  # fmt: skip


async def _with_contacts(db: Database, account: UUID, secret: str) -> dict[str, list[str]]:
    """A contact list with a member, and an import into it that has ended."""
    target, imported = new_id(), new_id()
    await db.pool.execute(
        "INSERT INTO contact_list (id, account_id, name, description, members, created_at, updated_at)"
        " VALUES ($1, $2, $3, '', 1, now(), now())",
        *(target, account, f"{secret} {target.hex[-6:]}"),
    )
    contact = await db.pool.fetchval(
        "INSERT INTO contact (list_id, account_id, phone, user_name, variables, created_at, updated_at)"
        " VALUES ($1, $2, '+8613800138000', $3, '{}', now(), now()) RETURNING id",
        *(target, account, secret),
    )
    await db.pool.execute(
        "INSERT INTO list_import (id, account_id, list_id, kind, filename, format, size, state, total_bytes,"
        " done_bytes, line, added, updated, repeated, refused, held, failure_params, created_at, finished_at) VALUES"
        " ($1, $2, $3, 'contacts', 'x.csv', 'csv', 20, 'done', 20, 20, 2, 0, 0, 0, 0, false, '{}', now(), now())",
        *(imported, account, target),
    )
    return {"contact_list_id": [str(target)], "contact_id": [str(contact)], "contact_import_id": [str(imported)]}


async def names_of(db: Database, objects: dict[str, list[str]]) -> dict[str, str]:
    """How bodies name them: the SMS user's name and the template's number."""
    user, template = UUID(objects["sms_user_id"][0]), UUID(objects["sms_template_id"][0])
    return {
        "sms_user": await db.pool.fetchval("SELECT name FROM sms_user WHERE id = $1", user),
        "sms_template": str(await db.pool.fetchval("SELECT number FROM sms_template WHERE id = $1", template)),
    }
