"""Address lists of a bench: members made where they are kept, since importing has a bench of its own."""

from collections.abc import Callable
from uuid import UUID

from bench.ground import DOMAINS
from domain.ids import new_id
from store.db import Database

CHUNK = 100_000
_LIST = """
INSERT INTO address_list (id, account_id, alias, name, description, members, created_at, changed_at)
VALUES ($1, $2, $3, $4, '', $5, now(), now())
"""
# Readers are dealt out to the domains in turn; every one has all variables of the letter.
_MEMBERS = """
INSERT INTO list_member (list_id, domain, address, variables, created_at)
SELECT $1, d.domain, 'reader-' || lpad(n::text, 8, '0') || '.' || $5 || '@' || d.domain,
       jsonb_build_object('name', '读者' || n, 'city', '武汉', 'coupon', 'C-' || n, 'points', (n % 1000)::text,
                          'level', CASE WHEN n % 7 = 0 THEN '金卡 Gold' ELSE '银卡 Silver' END), now()
FROM generate_series($3::int, $4::int) AS n
JOIN LATERAL (SELECT ($2::text[])[1 + n % cardinality($2::text[])] AS domain) d ON true
"""


async def make_list(db: Database, account: UUID, tag: str, members: int, seen: Callable[[int], None]) -> UUID:
    """A list of so many readers, whose addresses hold `tag`, so that no other list has them.

    `seen` is told how many there are so far.
    """
    identity = new_id()
    async with db.raw() as connection:
        alias = f"bench-{tag}@lists.bench.example"
        await connection.execute(_LIST, identity, account, alias, f"Bench {tag}", members)
    for first in range(0, members, CHUNK):
        last = min(first + CHUNK, members) - 1
        async with db.raw() as connection:
            await connection.execute(_MEMBERS, identity, list(DOMAINS), first, last, tag)
        seen(last + 1)
    async with db.pool.acquire() as connection:
        await connection.execute("ANALYZE list_member")
    return identity
