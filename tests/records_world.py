"""One row of every record for an account, by the keys of `web.portal.records.views`."""

from uuid import UUID

from domain.ids import new_id
from store.db import Database
from tests.accounts_world import House

_LEDGER = (
    "INSERT INTO ledger_account (account_id, name, balance_fen, carry_micro, held_micro) VALUES ($1, $2, $3, 0, 0)"
    " ON CONFLICT DO NOTHING"
)
_JOURNAL = (
    "INSERT INTO journal (id, kind, reference, round, account_id, at, memo)"
    " VALUES ($1, 'recharge', $1, 0, $2, now(), $3)"
)
_ENTRY = (
    "INSERT INTO entry (journal_id, ledger_account_id, amount_fen, balance_after_fen)"
    " VALUES ($1, $2, $3, $4) RETURNING id"
)
_ATTEMPT = (
    "INSERT INTO webhook_attempt (endpoint_id, event_id, kind, number, at, status, response, milliseconds)"
    " VALUES ($1, 1, 'deliver', 1, now(), 500, $2, 7) RETURNING id"
)
_FIRST = {
    "messages": "SELECT m.id FROM message m WHERE account_id = $1",
    "sends": "SELECT id FROM submission WHERE account_id = $1",
    "template-versions": "SELECT v.id FROM template_version v JOIN template t ON t.id = v.template_id"
    " WHERE t.account_id = $1 AND NOT t.is_sample",
    "domains": "SELECT id FROM sender_domain WHERE account_id = $1 AND NOT is_test",
    "api-users": "SELECT id FROM api_user WHERE account_id = $1",
    "webhooks": "SELECT id FROM webhook_endpoint WHERE account_id = $1",
    "recharges": "SELECT id FROM recharge WHERE account_id = $1",
    "certifications": "SELECT id FROM certification WHERE account_id = $1",
    "members": "SELECT id FROM member WHERE account_id = $1",
    "sign-ins": "SELECT id FROM login_session WHERE account_id = $1",
    "audit": "SELECT id FROM audit_entry WHERE account_id = $1",
}


async def recorded(home: House, account: UUID, word: str) -> dict[str, str]:
    """{key of a record: the id of a row}; the account must have sent and must have an endpoint. `word` is in memos."""
    pool, found = home.db.pool, {}
    for key, query in _FIRST.items():
        found[key] = str(await pool.fetchval(f"{query} LIMIT 1", account))
    found["webhook-events"] = str(await pool.fetchval(_ATTEMPT, UUID(found["webhooks"]), f"{word} said no"))
    found["journals"] = await _journal(home.db, account, word)
    assert "None" not in found.values(), found
    return found


async def _journal(db: Database, account: UUID, word: str) -> str:
    journal = new_id()
    async with db.raw() as connection:
        await connection.execute(_LEDGER, account, "prepaid", 10_000)
        own = await connection.fetchval("SELECT id FROM ledger_account WHERE account_id = $1", account)
        await connection.execute(_LEDGER, None, "clearing:alipay", 0)
        clearing = await connection.fetchval("SELECT id FROM ledger_account WHERE name = 'clearing:alipay'")
        await connection.execute(_JOURNAL, journal, account, f"{word} recharge")
        await connection.execute(_ENTRY, journal, clearing, -10_000, None)
        return str(await connection.fetchval(_ENTRY, journal, own, 10_000, 10_000))
