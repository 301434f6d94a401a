"""What pages and callers see of campaigns: rows, counts by lane, the report."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping

from domain.campaigns import OVER, CampaignCounts, CampaignState, LaneCount
from domain.money import show_unit
from store.db import Session


@dataclass(frozen=True)
class ListHead:
    """One of a campaign's address lists, as it is now (it may have been deleted since)."""

    id: UUID
    alias: str
    name: str
    deleted: bool = False


@dataclass(frozen=True)
class CampaignRow:
    """A campaign with the names behind its ids. Times are UTC; hours are Asia/Shanghai."""

    id: UUID
    name: str
    state: str
    problem: str
    problem_params: dict[str, Any]
    api_user: str
    template: str
    template_version: int
    """Number of the version that what is unsent gets."""
    revision: int
    sender: str
    sender_name: str
    reply_to: str
    label: str
    lists: tuple[ListHead, ...]
    start_at: dt.datetime | None
    hours_from: dt.time | None
    hours_to: dt.time | None
    lives_hours: int
    listed: int
    duplicates: int
    suppressed: int
    suppressed_by: dict[str, int]
    incomplete: int
    recipients: int
    created_at: dt.datetime
    held_at: dt.datetime | None
    expires_at: dt.datetime | None
    finished_at: dt.datetime | None

    @property
    def is_over(self) -> bool:
        return CampaignState(self.state) in OVER


@dataclass(frozen=True)
class RevisionRow:
    """A content of a campaign, and how many messages went out with it."""

    number: int
    template_version: int
    created_at: dt.datetime
    sent: int


_ROWS = """
SELECT c.id, c.name, c.state, c.problem, c.problem_params, u.name AS api_user, t.invoke_name AS template,
    coalesce(rv.number, v.number) AS template_version, c.revision, c.sender, c.sender_name, c.reply_to, c.label,
    c.start_at, c.hours_from, c.hours_to, c.lives_hours, c.listed, c.duplicates, c.suppressed, c.suppressed_by,
    c.incomplete,
    coalesce(s.recipients, 0) AS recipients, c.created_at, c.held_at, s.expires_at, c.finished_at,
    (SELECT jsonb_agg(jsonb_build_object('id', l.id, 'alias', l.alias, 'name', l.name,
                                         'deleted', l.deleted_at IS NOT NULL) ORDER BY asked.place)
     FROM unnest(c.lists) WITH ORDINALITY AS asked (id, place) JOIN address_list l ON l.id = asked.id) AS heads
FROM campaign c
JOIN api_user u ON u.id = c.api_user_id
JOIN template t ON t.id = c.template_id
JOIN template_version v ON v.id = c.template_version_id
LEFT JOIN campaign_revision r ON r.campaign_id = c.id AND r.number = c.revision
LEFT JOIN template_version rv ON rv.id = r.template_version_id
LEFT JOIN submission s ON s.id = c.id
WHERE c.account_id = :account
"""


async def _fetch(session: Session, query: str, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
    connection = await session.connection()
    return (await connection.execute(text(query), parameters)).mappings().all()


def _row(found: RowMapping) -> CampaignRow:
    values = dict(found)
    heads = values.pop("heads") or []
    return CampaignRow(**values, lists=tuple(ListHead(**head | {"id": UUID(head["id"])}) for head in heads))


async def find(session: Session, account: UUID, campaign: UUID) -> CampaignRow | None:
    """One campaign of this account."""
    rows = await _fetch(session, _ROWS + " AND c.id = :campaign", {"account": account, "campaign": campaign})
    return _row(rows[0]) if rows else None


async def page(session: Session, account: UUID, after: UUID | None, limit: int) -> list[CampaignRow]:
    """Newest first, older than `after`."""
    where = " AND c.id < :after" if after else ""
    parameters = {"account": account, "limit": limit} | ({"after": after} if after else {})
    return [_row(row) for row in await _fetch(session, f"{_ROWS}{where} ORDER BY c.id DESC LIMIT :limit", parameters)]


async def find_by_key(session: Session, account: UUID, key: str) -> UUID | None:
    """The campaign that was made with this idempotency key."""
    rows = await _fetch(
        session,
        "SELECT id FROM campaign WHERE account_id = :account AND idempotency_key = :key",
        {"account": account, "key": key},
    )
    return rows[0]["id"] if rows else None


_COUNTS = """
SELECT lane, sum(delivered)::int AS delivered, sum(bounced)::int AS bounced, sum(dropped)::int AS dropped,
    sum(unknown)::int AS unknown,
    coalesce(sum(delivered + bounced + dropped + unknown) FILTER (WHERE fresh), 0)::int AS lately,
    min(created_at) FILTER (WHERE fresh) AS since
FROM (SELECT lane, delivered, bounced, dropped, unknown, created_at,
             created_at > now() - interval '60 seconds' AS fresh FROM page WHERE campaign_id = :campaign
      UNION ALL
      SELECT lane, (to_state = 'delivered')::int - (from_state = 'delivered')::int, (to_state = 'bounced')::int, 0,
             - (from_state = 'unknown')::int, NULL, false FROM correction WHERE submission_id = :campaign) p
GROUP BY lane
"""
_LANES = """
SELECT l.lane, l.end_ordinal - l.first_ordinal AS recipients,
    (SELECT count(*) FROM due d WHERE d.campaign_id = l.campaign_id AND d.lane = l.lane)::int AS deferred
FROM campaign_lane l WHERE l.campaign_id = :campaign ORDER BY recipients DESC, l.lane
"""
_CANCELLED = "SELECT cancelled, now() AS now FROM campaign WHERE id = :campaign"


async def counts(session: Session, campaign: UUID) -> CampaignCounts:
    """How far it has come, from its pages' totals and later reports: the cost does not grow with its recipients.

    The caller has checked whose campaign it is. Messages that were cancelled count as dropped.
    """
    by_lane = {row["lane"]: row for row in await _fetch(session, _COUNTS, {"campaign": campaign})}
    lanes = tuple(
        _lane_count(row, by_lane.get(row["lane"])) for row in await _fetch(session, _LANES, {"campaign": campaign})
    )
    cancelled = (await _fetch(session, _CANCELLED, {"campaign": campaign}))[0]
    unknown = sum(row["unknown"] for row in by_lane.values())
    total = CampaignCounts(
        recipients=sum(lane.recipients for lane in lanes),
        delivered=sum(lane.delivered for lane in lanes),
        bounced=sum(lane.bounced for lane in lanes),
        dropped=sum(lane.dropped for lane in lanes) + cancelled["cancelled"],
        unknown=unknown,
        deferred=sum(lane.deferred for lane in lanes),
        lanes=lanes,
    )
    return _with_rate(total, by_lane, cancelled["now"])


def _lane_count(lane: RowMapping, counted: RowMapping | None) -> LaneCount:
    delivered, bounced, dropped = (counted[name] if counted else 0 for name in ("delivered", "bounced", "dropped"))
    return LaneCount(lane["lane"], lane["recipients"], delivered, bounced, dropped, lane["deferred"])


def _with_rate(total: CampaignCounts, by_lane: Mapping[str, RowMapping], now: dt.datetime) -> CampaignCounts:
    """From the pages of the last minute."""
    fresh = [row for row in by_lane.values() if row["since"] is not None]
    if not fresh:
        return total
    seconds = max(1.0, (now - min(row["since"] for row in fresh)).total_seconds())
    rate = sum(row["lately"] for row in fresh) / seconds
    left = total.recipients - total.settled - total.deferred
    ends_at = now + dt.timedelta(seconds=left / rate) if rate and left > 0 else None
    return replace(total, rate=rate, ends_at=ends_at)


_REVISIONS = """
WITH made AS (
    SELECT 0 AS number, template_version_id, created_at FROM campaign WHERE id = :campaign
    UNION ALL SELECT number, template_version_id, created_at FROM campaign_revision WHERE campaign_id = :campaign
), sent AS (
    SELECT revision, count(*)::int AS sent FROM message
    WHERE submission_id = :campaign AND attempts > 0 AND state <> 'dropped' GROUP BY 1
)
SELECT made.number, v.number AS template_version, made.created_at, coalesce(sent.sent, 0) AS sent
FROM made JOIN template_version v ON v.id = made.template_version_id LEFT JOIN sent ON sent.revision = made.number
ORDER BY made.number
"""


async def revisions(session: Session, campaign: UUID) -> list[RevisionRow]:
    """Every content of a campaign and how many messages were tried with it last: reads all its messages."""
    return [RevisionRow(**row) for row in await _fetch(session, _REVISIONS, {"campaign": campaign})]


_CHARGED = "SELECT coalesce((SELECT sent * unit_micro FROM hold WHERE submission_id = :campaign), 0) AS micro"


async def charged_micro(session: Session, campaign: UUID) -> int:
    """What it has cost so far, in micro-yuan."""
    return int((await _fetch(session, _CHARGED, {"campaign": campaign}))[0]["micro"])


async def report(session: Session, account: UUID, campaign: UUID) -> dict[str, str] | None:
    """The variables of the report's mail; None without such a campaign."""
    row = await find(session, account, campaign)
    if row is None:
        return None
    counted = await counts(session, campaign)
    names = ("recipients", "delivered", "bounced", "dropped", "unknown")
    return {name: str(getattr(counted, name)) for name in names} | {
        "name": row.name,
        "left_out": str(row.duplicates + row.suppressed + row.incomplete),
        "cost": show_unit(await charged_micro(session, campaign)),
    }
