"""What people see of lanes: operators all of them, a customer what waits in each (seed ⑪).

Waiting is what was accepted and is in no dialogue: rows of `due`, the rest of open pages, and what campaigns have not
put into pages yet. Single mails are counted up to `MOST_COUNTED`, so that a look costs the same however many there are.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from store.db import Session
from store.lanes import Lane

MOST_COUNTED = 20_000
PAGES_LOOKED_AT = 100


@dataclass(frozen=True)
class WaitingRow:
    """What one API user has waiting in one lane; `domain` where single mails say it."""

    api_user_id: UUID
    lane: str
    domain: str | None
    waiting: int
    since: dt.datetime


@dataclass(frozen=True)
class LaneUse:
    """What all workers together do in a lane right now."""

    bulk: int = 0
    express: int = 0
    wanting: int = 0
    processes: int = 0


# The lane of an SMS is that of the gateway that would be asked first.
_WAY = """
LEFT JOIN LATERAL (
    SELECT 'sms-' || g.number AS lane FROM sms_route t JOIN sms_gateway g ON g.id = t.gateway_id AND g.state = 'enabled'
    WHERE t.country IN (s.country, '') AND t.kind IN (s.kind, '')
    ORDER BY t.country = '', t.rank, t.kind = '', g.number LIMIT 1) way ON s.channel = 'sms'
"""
_LANE = """CASE s.channel WHEN 'sms' THEN coalesce(way.lane, 'sms') ELSE coalesce({named}, r.lane, 'other') END"""
_SINGLE = f"""
WITH due_now AS (
    SELECT message_id AS id, lane FROM due
    WHERE account_id = :account AND campaign_id IS NULL ORDER BY due_at LIMIT :most
), open_page AS (
    SELECT messages, rounds FROM page WHERE closed_at IS NULL AND campaign_id IS NULL ORDER BY created_at LIMIT :pages
), in_hand AS (
    SELECT m.id, NULL AS lane FROM open_page p CROSS JOIN unnest(p.messages, p.rounds) AS e (id, round)
    JOIN message m ON m.id = e.id AND m.round = e.round AND m.account_id = :account AND m.state = 'queued' LIMIT :most
), waiting AS (
    SELECT id, lane FROM due_now UNION ALL SELECT id, lane FROM in_hand
)
SELECT s.api_user_id, {_LANE.format(named="w.lane")} AS lane,
       CASE s.channel WHEN 'email' THEN split_part(m.address, '@', -1) END AS domain,
       count(*)::int AS waiting, min(s.accepted_at) AS since
FROM waiting w JOIN message m ON m.id = w.id JOIN submission s ON s.id = m.submission_id
LEFT JOIN recipient_domain r ON r.domain = split_part(m.address, '@', -1) {_WAY}
GROUP BY 1, 2, 3
"""  # noqa: S608 - constants of ours

_IN_CAMPAIGNS = """
WITH mine AS (
    SELECT id, api_user_id, coalesce(held_at, created_at) AS since FROM campaign
    WHERE {whose} finished_at IS NULL AND held_at IS NOT NULL
), part AS (
    SELECT m.api_user_id, m.since, l.lane, (l.end_ordinal - l.next_ordinal)::bigint AS waiting
    FROM mine m JOIN campaign_lane l ON l.campaign_id = m.id
    UNION ALL
    SELECT m.api_user_id, m.since, p.lane, greatest(0, coalesce(p.end_ordinal - p.first_ordinal, 0)
        + cardinality(p.messages) - p.delivered - p.deferred - p.bounced - p.dropped - p.uncertain)
    FROM mine m JOIN page p ON p.campaign_id = m.id AND p.closed_at IS NULL
    UNION ALL
    SELECT m.api_user_id, m.since, d.lane, d.waiting
    FROM mine m CROSS JOIN LATERAL (
        SELECT lane, count(*) AS waiting FROM due WHERE campaign_id = m.id GROUP BY lane) d
)
SELECT api_user_id, coalesce(lane, 'other') AS lane, NULL AS domain, sum(waiting)::int AS waiting, min(since) AS since
FROM part GROUP BY 1, 2 HAVING sum(waiting) > 0
"""


async def waiting_of(session: Session, account: UUID) -> list[WaitingRow]:
    """One account's; single mails up to `MOST_COUNTED`, campaigns whole."""
    mine: dict[str, Any] = {"account": account}
    single = await _rows(session, _SINGLE, mine | {"most": MOST_COUNTED, "pages": PAGES_LOOKED_AT})
    campaigns = await _rows(session, _IN_CAMPAIGNS.format(whose="account_id = :account AND"), mine)
    return [WaitingRow(*row) for row in (*single, *campaigns)]


_SINGLE_OF_ALL = f"""
SELECT {_LANE.format(named="d.lane")} AS lane, count(*)::int AS waiting
FROM (SELECT message_id, lane FROM due WHERE campaign_id IS NULL LIMIT :most) d
JOIN message m ON m.id = d.message_id JOIN submission s ON s.id = m.submission_id
LEFT JOIN recipient_domain r ON r.domain = split_part(m.address, '@', -1) {_WAY}
GROUP BY 1
"""  # noqa: S608 - constants of ours


async def waiting_of_all(session: Session) -> dict[str, int]:
    """The whole platform's, by lane: single mails up to `MOST_COUNTED`, what pages have in hand only of campaigns."""
    found: Counter[str] = Counter()
    for lane, waiting in await _rows(session, _SINGLE_OF_ALL, {"most": MOST_COUNTED}):
        found[lane] += waiting
    for _user, lane, _domain, waiting, _since in await _rows(session, _IN_CAMPAIGNS.format(whose=""), {}):
        found[lane] += waiting
    return dict(found)


async def every_lane(session: Session) -> dict[str, Lane]:
    """Lanes by name."""
    return {lane.name: lane for lane in await session.exec(select(Lane).order_by(col(Lane.name)))}


_USE = """
SELECT s.lane, sum(s.bulk)::int, sum(s.express)::int, sum(s.wanting)::int, count(DISTINCT s.sender_id)::int
FROM lane_share s JOIN sender p ON p.id = s.sender_id AND p.lease_until > clock_timestamp()
WHERE s.site = '' GROUP BY s.lane
"""


async def use_of_lanes(session: Session) -> dict[str, LaneUse]:
    """Connections that living processes hold."""
    return {lane: LaneUse(*numbers) for lane, *numbers in await _rows(session, _USE, {})}


async def api_user_names(session: Session, account: UUID, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Within the account; SMS users, too."""
    query = (
        "SELECT id, name FROM api_user WHERE account_id = :account AND id = ANY(:ids)"
        " UNION ALL SELECT id, name FROM sms_user WHERE account_id = :account AND id = ANY(:ids)"
    )
    return {row.id: row.name for row in await _rows(session, query, {"account": account, "ids": list(ids)})}


async def lock_lane(session: Session, name: str) -> Lane | None:
    """For a change of what operators decide."""
    return (await session.exec(select(Lane).where(col(Lane.name) == name).with_for_update(key_share=True))).first()


async def _rows(session: Session, query: str, parameters: Mapping[str, Any]) -> Sequence[Any]:
    connection = await session.connection()
    return (await connection.execute(text(query), parameters)).all()
