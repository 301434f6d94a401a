"""The platform as its own customer, in a test's empty database.

`ensure_platform` makes it with some hundred queries and an RSA key. It does so once in a process; whoever wants the
same platform after that gets its rows as they were.
"""

from domain.accounts import SYSTEM_ACCOUNT
from domain.policy import Policy
from domain.secrets import Vault
from services.platform import ensure_platform
from store.db import Database

OWN = {
    "account": "id = $1",
    "sender_domain": "account_id = $1",
    "api_user": "account_id = $1",
    "api_user_domain": "api_user_id IN (SELECT id FROM api_user WHERE account_id = $1)",
    "template": "account_id = $1",
    "template_version": "account_id = $1",
    "sms_user": "account_id = $1",
    "sms_signature": "account_id = $1",
    "sms_template": "account_id = $1",
    "sms_template_version": "account_id = $1",
}
"""The tables that `ensure_platform` writes, each after those it refers to, and which of their rows it writes."""
NUMBERED = ("sms_signature", "sms_template")
"""Those whose rows have numbers of a sequence, which goes on behind them."""
Rows = dict[str, str]
"""The rows of each table, as JSON."""
MADE: dict[tuple[str, str, str], Rows] = {}
"""By what they depend on: the platform's name and domain, and the secret that seals its key."""


async def have_platform(db: Database, vault: Vault, policy: Policy) -> None:
    """The platform's rows, as `songda migrate` leaves them."""
    known = (policy.platform_name, policy.platform_domain, str(vault.digest("which secret is this?")))
    begun = await db.pool.fetchval("SELECT EXISTS (SELECT FROM account WHERE id = $1)", SYSTEM_ACCOUNT)
    if known in MADE and not begun:
        await _put(db, MADE[known])
        return
    await ensure_platform(db, vault, policy)
    if not begun:
        MADE[known] = await _look(db)


async def _look(db: Database) -> Rows:
    return {
        name: await db.pool.fetchval(
            f"SELECT coalesce(json_agg(row), '[]')::text FROM {name} AS row WHERE {own}", SYSTEM_ACCOUNT
        )
        for name, own in OWN.items()
    }


async def _put(db: Database, rows: Rows) -> None:
    async with db.raw() as connection:
        for name, found in rows.items():
            await connection.execute(
                f"INSERT INTO {name} SELECT * FROM json_populate_recordset(NULL::{name}, $1::text::json)", found
            )
        for name in NUMBERED:
            await connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'number'),"
                f" greatest((SELECT max(number) FROM {name}), nextval(pg_get_serial_sequence('{name}', 'number'))))"
            )
