"""The freeze: a campaign's lists become its messages, in chunks that each are their own checkpoint (design §4.3).

Messages are numbered lane by lane, so that a page is a range. The copy walks the lanes' receiving domains in order;
a chunk is either some small domains as a whole, or a stretch of a large one. Members cannot change meanwhile
(`list_freeze`). asyncpg, no ORM objects.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.campaigns import CampaignState
from domain.suppressions import DEAD
from store.campaigns import content_version
from store.db import Connection
from store.suppressions import FIRST_SAID

CHUNK = 10_000
"""Members of one transaction of the copy."""
LONG = "SET LOCAL transaction_timeout = '120s'"
"""Counting a list of millions takes seconds; no page is locked by it."""

# Who deletes a list deletes its members later, step by step: they must not be written to meanwhile.
_LISTS = "SELECT id, deleted_at FROM address_list WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"
_FREEZE = """
INSERT INTO list_freeze (list_id, campaign_id) SELECT unnest($1::uuid[]), $2 ON CONFLICT DO NOTHING
"""
_SUBMISSION = """
INSERT INTO submission (id, account_id, api_user_id, template_version_id, domain_id, kind, is_test, sender,
                        sender_name, reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected,
                        is_campaign)
SELECT id, account_id, api_user_id, template_version_id, domain_id, 'batch', false, sender, sender_name, reply_to,
       label, $2::timestamptz, $2::timestamptz + make_interval(hours => lives_hours), 0, 0, '[]', true
FROM campaign WHERE id = $1 ON CONFLICT DO NOTHING
"""
_DOMAINS = """
SELECT domain, count(*)::int AS members FROM list_member WHERE list_id = ANY($1::uuid[]) GROUP BY domain
"""
_WRITE_DOMAINS = """
INSERT INTO campaign_domain (campaign_id, lane, domain, members)
SELECT $1, lane, domain, members FROM unnest($2::text[], $3::text[], $4::int[]) AS d (lane, domain, members)
ON CONFLICT DO NOTHING
"""
_AHEAD = """
SELECT lane, domain, members FROM campaign_domain WHERE campaign_id = $1 AND (lane, domain) > ($2, $3)
ORDER BY lane, domain LIMIT $4
"""
# The first address that ends a full chunk in one of the lists: up to there no list has more than a chunk.
_UPTO = """
SELECT min(s.last) FROM unnest($1::uuid[]) AS l (id) CROSS JOIN LATERAL (
    SELECT max(address) AS last, count(*) AS members FROM (
        SELECT address FROM list_member WHERE list_id = l.id AND domain = $2 AND address > $3
        ORDER BY address LIMIT $4) AS few) AS s
WHERE s.members = $4
"""
# An address that stands in several lists is taken from the first of them. Whom nobody may write to is looked up by
# whole keys (as in store/pages.py): a chunk costs the same however long those tables are.
_COPY = f"""
WITH listed AS MATERIALIZED (
    SELECT list_id, domain, address, variables FROM list_member
    WHERE list_id = ANY($2::uuid[]) AND domain = ANY($3::text[]) AND address > $4
      AND ($5::text IS NULL OR address <= $5)
), once AS (
    SELECT DISTINCT ON (domain, address) address, variables FROM listed
    ORDER BY domain, address, array_position($2::uuid[], list_id)
), sorted AS MATERIALIZED (
    SELECT o.address, o.variables, coalesce(s.reason, d.reason) AS held, o.variables ?& $6::text[] AS complete
    FROM once o
    LEFT JOIN LATERAL (
        SELECT reason FROM suppression WHERE account_id = $7 AND (until IS NULL OR until > now())
          AND address = lower(o.address COLLATE "C") COLLATE "default" ORDER BY {FIRST_SAID} LIMIT 1) s ON true
    LEFT JOIN LATERAL (
        SELECT '{DEAD}' AS reason FROM dead_address WHERE until > now()
          AND address = lower(o.address COLLATE "C") COLLATE "default" LIMIT 1) d ON true
), made AS (
    INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round, reason, code,
                         enhanced, reply, host, possible_duplicate)
    SELECT $1, $7, $8 + (row_number() OVER ())::int - 1, address, variables, 'queued', 0, 0, '', 0, '', '', '', false
    FROM sorted WHERE complete AND held IS NULL RETURNING 1
)
SELECT (SELECT count(*) FROM listed)::int AS listed, (SELECT count(*) FROM made)::int AS made,
       (SELECT count(*) FROM listed)::int - count(*)::int AS duplicates,
       count(held)::int AS suppressed,
       coalesce((SELECT jsonb_object_agg(held, n) FROM (SELECT held, count(*) AS n FROM sorted WHERE held IS NOT NULL
                                                       GROUP BY held) AS h), '{{}}') AS suppressed_by,
       count(*) FILTER (WHERE NOT complete AND held IS NULL)::int AS incomplete
FROM sorted
"""  # noqa: S608 - constants of ours
_LANE = """
INSERT INTO campaign_lane (campaign_id, lane, first_ordinal, end_ordinal, next_ordinal)
VALUES ($1, $2, $3::int, $3::int + $4::int, $3::int)
ON CONFLICT (campaign_id, lane) DO UPDATE SET end_ordinal = campaign_lane.end_ordinal + $4::int
"""
_COUNT = """
UPDATE campaign SET listed = listed + $2, duplicates = duplicates + $3, suppressed = suppressed + $4,
    incomplete = incomplete + $5, freeze_place = $6, suppressed_by = $7 WHERE id = $1
"""
_EVENTS = """
INSERT INTO webhook_event (endpoint_id, account_id, kind, message_id, occurred_at, attempts, data)
SELECT e.id, $2, 'request', m.id, now(), 0, jsonb_build_object('submission_id', $1::uuid, 'message_id', m.id,
       'ordinal', m.ordinal, 'recipient', m.address, 'label', s.label)
FROM message m JOIN submission s ON s.id = m.submission_id
JOIN webhook_endpoint e ON e.account_id = $2 AND e.state = 'enabled' AND e.deleted_at IS NULL
     AND 'request' = ANY(e.events)
WHERE m.submission_id = $1 AND m.ordinal >= $3 AND m.ordinal < $3 + $4
"""


@dataclass(frozen=True)
class Frozen:
    """How far a freeze has come."""

    listed: int
    recipients: int
    over: bool


@dataclass(frozen=True)
class _Stretch:
    """What the next chunk copies: domains of one lane, or a part of one domain (`after` < address <= `upto`)."""

    lane: str
    domains: list[str]
    after: str = ""
    upto: str | None = None

    @property
    def place(self) -> dict[str, str]:
        """The checkpoint when this is done."""
        place = {"step": "copying", "lane": self.lane, "domain": self.domains[-1]}
        return place | ({"address": self.upto} if self.upto is not None else {})


_IMPORTED = """
SELECT EXISTS (SELECT FROM campaign c JOIN list_import i ON i.list_id = ANY(c.lists)
               WHERE c.id = $1 AND c.state = 'preparing' AND c.freeze_place = '{}'
                 AND i.state IN ('waiting', 'preparing', 'running') AND NOT i.held)
"""


async def are_imported(connection: Connection, campaign: UUID) -> bool:
    """Whether a file is being read into one of its lists, and the copy has not begun."""
    return bool(await connection.fetchval(_IMPORTED, campaign))


async def begin(connection: Connection, campaign: UUID, now: dt.datetime) -> list[UUID] | None:
    """Lock the lists against changes and write the submission; the lists, or None when there is nothing to freeze."""
    row = await _locked(connection, campaign)
    if row is None or row["freeze_place"].get("step") == "copied":
        return None
    found = {each["id"]: each["deleted_at"] for each in await connection.fetch(_LISTS, row["lists"])}
    lists: list[UUID] = [each for each in row["lists"] if each in found and found[each] is None]
    if lists != row["lists"]:
        await connection.execute("UPDATE campaign SET lists = $2 WHERE id = $1", campaign, lists)
    await connection.execute(_FREEZE, lists, campaign)
    await connection.execute(_SUBMISSION, campaign, now)
    return lists


async def domains(connection: Connection, campaign: UUID, lists: Sequence[UUID]) -> dict[str, int] | None:
    """The lists' receiving domains and their members; None when the lanes are known already."""
    place = await connection.fetchval("SELECT freeze_place FROM campaign WHERE id = $1", campaign)
    if place:
        return None
    await connection.execute(LONG)
    return {row["domain"]: row["members"] for row in await connection.fetch(_DOMAINS, list(lists))}


async def write_lanes(
    connection: Connection, campaign: UUID, members: Mapping[str, int], lanes: Mapping[str, str]
) -> None:
    """Remember which domain goes through which lane: from here on it does not change for this campaign."""
    row = await _locked(connection, campaign)
    if row is None or row["freeze_place"]:
        return
    await connection.execute(LONG)
    names = list(members)
    await connection.execute(
        _WRITE_DOMAINS, campaign, [lanes[name] for name in names], names, [members[name] for name in names]
    )
    await connection.execute("UPDATE campaign SET freeze_place = $2 WHERE id = $1", campaign, {"step": "copying"})


async def copy_chunk(connection: Connection, campaign: UUID, chunk: int = CHUNK) -> Frozen | None:
    """Copy the next members, and remember how far that is; None when the campaign is not being prepared."""
    row = await _locked(connection, campaign)
    if row is None:
        return None
    recipients = await connection.fetchval("SELECT recipients FROM submission WHERE id = $1", campaign)
    if row["freeze_place"].get("step") == "copied":
        return Frozen(row["listed"], recipients, over=True)
    stretch = await _next_stretch(connection, row, chunk)
    if stretch is None:
        await _finish(connection, campaign)
        return Frozen(row["listed"], recipients, over=True)
    done = await _copy(connection, row, stretch, recipients)
    return Frozen(row["listed"] + done["listed"], recipients + done["made"], over=False)


async def _locked(connection: Connection, campaign: UUID) -> Any:
    return await connection.fetchrow(
        "SELECT id, account_id, lists, listed, freeze_place, template_version_id, revision, suppressed_by"
        " FROM campaign WHERE id = $1 AND state = $2 FOR NO KEY UPDATE",
        campaign,
        CampaignState.PREPARING.value,
    )


async def _next_stretch(connection: Connection, row: Any, chunk: int) -> _Stretch | None:
    place = row["freeze_place"]
    lane, domain = place.get("lane", ""), place.get("domain", "")
    if "address" in place:  # in the midst of a large domain
        return await _part(connection, row["lists"], (lane, domain, place["address"]), chunk)
    ahead = await connection.fetch(_AHEAD, row["id"], lane, domain, chunk)
    if not ahead:
        return None
    if ahead[0]["members"] > chunk:
        return await _part(connection, row["lists"], (ahead[0]["lane"], ahead[0]["domain"], ""), chunk)
    return _Stretch(ahead[0]["lane"], _small(ahead, chunk))


def _small(ahead: Sequence[Any], chunk: int) -> list[str]:
    """As many whole domains of the first one's lane as fit into a chunk."""
    chosen: list[str] = []
    room = chunk
    for each in ahead:
        if each["lane"] != ahead[0]["lane"] or each["members"] > room:
            break
        chosen.append(each["domain"])
        room -= each["members"]
    return chosen


async def _part(connection: Connection, lists: Sequence[UUID], begin_at: tuple[str, str, str], chunk: int) -> _Stretch:
    lane, domain, after = begin_at
    each = max(1, chunk // len(lists))  # every list may have so many before the first that is full
    upto = await connection.fetchval(_UPTO, list(lists), domain, after, each)
    return _Stretch(lane, [domain], after, upto)


async def _copy(connection: Connection, row: Any, stretch: _Stretch, base: int) -> Any:
    version = await content_version(connection, row)  # a revision may have come before
    needed = await connection.fetchval("SELECT variables FROM template_version WHERE id = $1", version)
    campaign, account = row["id"], row["account_id"]
    done = await connection.fetchrow(
        _COPY, campaign, row["lists"], stretch.domains, stretch.after, stretch.upto, needed, account, base
    )
    counts = [done[name] for name in ("listed", "duplicates", "suppressed", "incomplete")]
    held = dict(Counter(row["suppressed_by"]) + Counter(done["suppressed_by"]))
    await connection.execute(_COUNT, campaign, *counts, stretch.place, held)
    if done["made"]:
        await connection.execute(_LANE, campaign, stretch.lane, base, done["made"])
        await connection.execute(
            "UPDATE submission SET recipients = recipients + $2 WHERE id = $1", campaign, done["made"]
        )
        await connection.execute(_EVENTS, campaign, account, base, done["made"])
    return done


async def _finish(connection: Connection, campaign: UUID) -> None:
    await connection.execute("UPDATE campaign SET freeze_place = $2 WHERE id = $1", campaign, {"step": "copied"})
    await connection.execute(
        "UPDATE submission s SET duplicates = c.duplicates FROM campaign c WHERE c.id = $1 AND s.id = c.id", campaign
    )
    await thaw(connection, campaign)


async def thaw(connection: Connection, campaign: UUID) -> None:
    """Let the lists be changed again."""
    await connection.execute("DELETE FROM list_freeze WHERE campaign_id = $1", campaign)
