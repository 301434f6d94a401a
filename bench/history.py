"""Whether it slows down as the tables grow: a campaign in an empty database, and one among millions of old messages."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.campaign import played
from bench.customers import NEWSLETTER, Customer, make_customer
from bench.ground import DOMAINS, Plan, ground, processes_here
from bench.report import Report, machine, ratio
from bench.screen import Screen
from store.db import Database

PER_SUBMISSION = 1_000
CHUNK = 100
"""Submissions per transaction: 100,000 messages."""
DAYS = 90
"""Over which the old messages are spread."""
# Requests of the old days, and all their messages delivered at the first try: what a year of use leaves behind, in the
# shape in which it leaves it. Free of charge, so that the ledger has nothing to say about them.
_OLD = """
WITH made AS (
    INSERT INTO submission (id, account_id, api_user_id, template_version_id, domain_id, kind, is_test, sender,
                            sender_name, reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected,
                            is_campaign)
    SELECT uuidv7(-age), a.id, u.id, v.id, d.id, 'batch', false, 'news@' || d.name, '', '', 'old', now() - age,
           now() - age + interval '3 days', $4, 0, '[]', false
    FROM (SELECT ($2::int + n) * interval '1 day' * $6::float / $5::int AS age FROM generate_series(1, $3::int) n) ages,
         account a, api_user u, sender_domain d, template t JOIN template_version v ON v.template_id = t.id
    WHERE a.id = $1 AND u.account_id = a.id AND u.kind = 'batch' AND d.account_id = a.id
      AND t.account_id = a.id AND t.invoke_name = $7
    RETURNING id, account_id, accepted_at
), told AS (
    INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round,
                         attempted_at, finished_at, reason, code, enhanced, reply, host, possible_duplicate, revision)
    SELECT made.id, made.account_id, o, 'old-' || o || '-' || substr(made.id::text, 25) || '@'
             || ($8::text[])[1 + o % cardinality($8::text[])],
           jsonb_build_object('name', '读者' || o, 'city', '武汉', 'coupon', 'C-' || o, 'points', '1', 'level', '银卡'),
           'delivered', 1, 0, made.accepted_at, made.accepted_at, '', 250, '', '2.0.0 taken', 'mx.qq.com', false, 0
    FROM made CROSS JOIN generate_series(0, $4::int - 1) AS o RETURNING id
), used AS (
    INSERT INTO quota_use (account_id, day, is_test, used)
    SELECT account_id, (accepted_at AT TIME ZONE 'Asia/Shanghai')::date, false, count(*) * $4::int FROM made
    GROUP BY 1, 2 ON CONFLICT (account_id, day, is_test) DO UPDATE SET used = quota_use.used + excluded.used
)
INSERT INTO page (id, epoch, messages, rounds, created_at, closed_at, delivered, deferred, bounced, dropped, uncertain,
                  unknown)
SELECT uuidv7(), 1, '{}', '{}', now(), now(), count(*), 0, 0, 0, 0, 0 FROM told
"""


@dataclass(frozen=True)
class Options:
    old: int
    """Old messages; rounded up to whole requests of a thousand."""
    messages: int
    """Of each campaign."""
    processes: int


async def run(options: Options, screen: Screen) -> Report:
    """One stack: the first campaign is sent when there is nothing else, the second among the old messages."""
    processes = options.processes or processes_here()
    screen.step("Starting a stack")
    async with ground(Plan(workers=processes), screen.say) as place:
        customer = await make_customer(place.db, place.vault, "history")
        _, empty = await played(place, customer, "empty", options.messages, screen)
        screen.step("Filling the tables with old messages", options.old)
        began = time.monotonic()
        old = await fill(place.db, await make_customer(place.db, place.vault, "old"), options.old, screen.at)
        filled = time.monotonic() - began
        _, full = await played(place, customer, "full", options.messages, screen)
        size = await place.db.pool.fetchval("SELECT pg_database_size(current_database())")
        screen.done()
        figures = {
            "old_messages": old,
            "messages": options.messages,
            "delivered_per_s": round(full.per_second, 1),
            "empty_per_s": round(empty.per_second, 1),
            "freeze_s": round(full.freeze.total_seconds(), 2),
            "empty_freeze_s": round(empty.freeze.total_seconds(), 2),
            "filling_s": round(filled, 1),
            "database_mb": size // 2**20,
            "worker_rss_mb": round(place.worker_rss_mb(), 1),
            "processes": processes,
        }
        baselines = {"empty": round(empty.per_second, 1)}
        ratios = {"empty": ratio(full.per_second, empty.per_second)}
        return Report("history", figures, baselines, ratios, machine(sink=place.sink.name))


async def fill(db: Database, customer: Customer, messages: int, seen: Callable[[int], None]) -> int:
    """So many old messages, in requests of a thousand; then what nights bring: vacuum, statistics, a checkpoint."""
    requests = -(-messages // PER_SUBMISSION)
    for first in range(0, requests, CHUNK):
        count = min(CHUNK, requests - first)
        async with db.raw() as connection:
            await connection.execute("SET LOCAL transaction_timeout = 0")
            terms = (first, count, PER_SUBMISSION, requests, float(DAYS), NEWSLETTER, list(DOMAINS))
            await connection.execute(_OLD, customer.account, *terms)
        seen(min((first + count) * PER_SUBMISSION, messages))
    async with db.pool.acquire() as connection:
        await connection.execute("SET transaction_timeout = 0")
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    await asyncio.sleep(1)  # let the disk be quiet
    return requests * PER_SUBMISSION
