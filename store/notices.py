"""Mails that Songda itself sends: accepted like any other, under the system account."""

from domain.accounts import SYSTEM_ACCOUNT, Caller
from domain.notices import Notice, invoke_name
from domain.sending import Recipient, SendRequest
from store.accepting import accept, ping_relay
from store.columns import now
from store.db import Connection, Database

SYSTEM_API_USER = "songda_system"


async def send_notice(
    db: Database, notice: Notice, to: str, language: str, variables: dict[str, str], key: str
) -> None:
    """Accept one notice for delivery; durable on return. The variable `platform` is filled in.

    `key` makes repeats harmless (a retried activity sends no second mail): same key, one mail. A changed address or
    text under the same key is a new fact and needs a new key; the first mail stands then.
    """
    async with db.raw() as connection:
        if await _sent(connection, key):
            return
        platform, domain = await _platform(connection)
        request = SendRequest(
            api_user=SYSTEM_API_USER,
            template=invoke_name(notice, language),
            sender=f"no-reply@{domain}",
            sender_name=platform,
            recipients=(Recipient(to, {"platform": platform, **variables}),),
            label=notice.value,
            idempotency_key=key,
        )
        await accept(connection, Caller(SYSTEM_ACCOUNT), request, now())
    await ping_relay(db)


async def _sent(connection: Connection, key: str) -> bool:
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM submission WHERE account_id = $1 AND idempotency_key = $2)", SYSTEM_ACCOUNT, key
    )
    return found


async def _platform(connection: Connection) -> tuple[str, str]:
    """(the platform's name, its sender domain), as `songda migrate` wrote them; the newest domain counts."""
    row = await connection.fetchrow(
        "SELECT a.name, d.name AS domain FROM account a JOIN sender_domain d ON d.account_id = a.id"
        " WHERE a.id = $1 ORDER BY d.created_at DESC LIMIT 1",
        SYSTEM_ACCOUNT,
    )
    if row is None:
        raise LookupError("there is no system account: run `songda migrate`")
    return row["name"], row["domain"]
