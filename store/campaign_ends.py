"""How a campaign gets under way and how it ends: the hold of money and quota, the cancelled rest. asyncpg."""

import datetime as dt
from typing import Any
from uuid import UUID

from domain.acceptance import Identity, check_identity
from domain.accounts import Caller
from domain.campaigns import CampaignState
from domain.errors import Refusal
from domain.ledger import Terms, first_charged
from domain.sending import SendRequest
from domain.times import business_day
from store import quota
from store.accepting import identify
from store.campaign_freeze import thaw
from store.campaigns import Row, daily_hours, lock, move
from store.db import Connection
from store.holding import Chargeable, reserve, tally

CANCEL_CHUNK = 5_000

_NAMED = """
SELECT u.name AS api_user, t.invoke_name AS template FROM campaign c JOIN api_user u ON u.id = c.api_user_id
JOIN template t ON t.id = c.template_id WHERE c.id = $1
"""
_START = """
UPDATE submission s
SET accepted_at = $2::timestamptz,
    expires_at = $4::timestamptz + make_interval(secs => c.lives_hours * 3600 / $3::float)
FROM campaign c WHERE s.id = $1 AND c.id = $1 RETURNING s.recipients
"""


async def hold(connection: Connection, campaign: UUID, now: dt.datetime, terms: Terms) -> CampaignState | None:
    """Take quota and money for every message, once: from here on the campaign counts as accepted.

    Returns its new state, or None when it is not waiting for that. Raises the refusal that stands in the way; then
    nothing was taken (the caller's transaction rolls back). Its life begins when it may send.
    """
    row = await lock(connection, campaign)
    if row is None or row["state"] != CampaignState.PREPARING or row["freeze_place"].get("step") != "copied":
        return None
    identity = await admit(connection, row)
    if row["held_at"] is None:
        hours = daily_hours(row)
        begins = hours.next_opening(now) if hours else now
        count = await connection.fetchval(_START, campaign, now, terms.scale, begins)
        if count:
            await _take(connection, row, (identity, count), (now, terms))
        await connection.execute("UPDATE campaign SET held_at = $2 WHERE id = $1", campaign, now)
    await move(connection, row, CampaignState.SENDING)
    return CampaignState.SENDING


async def admit(connection: Connection, row: Row) -> Identity:
    """What a campaign sends as, as it stands now. Raises the refusal that keeps it from sending."""
    named = await connection.fetchrow(_NAMED, row["id"])
    asked = SendRequest(named["api_user"], named["template"], row["sender"], ())
    identity = await identify(connection, Caller(row["account_id"]), asked)
    check_identity(identity, asked)
    return identity


async def _take(connection: Connection, row: Row, what: tuple[Identity, int], at: tuple[dt.datetime, Terms]) -> None:
    (identity, count), (now, terms) = what, at
    budget = row["account_id"], business_day(now), False
    taken = await quota.take(connection, budget, count, identity.daily_quota)
    if taken is None:
        used = await quota.used(connection, budget)
        raise Refusal("quota_exceeded", field="lists", limit=identity.daily_quota, used=used, asked=count)
    free = first_charged(taken, count, identity.free_quota)
    if free < count:
        chargeable = Chargeable(row["account_id"], row["id"], free, count - free)
        await reserve(connection, chargeable, now, terms.price_micro)


async def block(connection: Connection, campaign: UUID, refusal: Refusal) -> CampaignState | None:
    """Remember why it cannot begin, or go on; resuming tries again."""
    row = await lock(connection, campaign)
    if row is None or row["state"] not in (CampaignState.PREPARING, CampaignState.SENDING):
        return None
    await move(connection, row, CampaignState.BLOCKED, refusal)
    return CampaignState.BLOCKED


_DROP = """
UPDATE message m SET state = 'dropped', reason = 'cancelled', next_at = NULL, finished_at = now()
FROM submission s WHERE s.id = m.submission_id AND m.state = 'queued'
  AND NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id) AND {which}
RETURNING m.account_id, m.submission_id, m.ordinal, m.state, m.reason, m.code, s.charged_from, s.channel,
    m.segments, m.submitted
"""
_DROP_RANGE = _DROP.format(which="m.submission_id = $1 AND m.ordinal >= $2 AND m.ordinal < $3 AND m.round = 0")
_DROP_DUE = _DROP.format(which="m.submission_id = $1 AND m.id = ANY($2::bigint[])")
_DROP_NAMED = _DROP.format(
    which="m.submission_id = $1 AND (m.id, m.round) IN (SELECT * FROM unnest($2::bigint[], $3::int[]))"
)
# Named first: a plan that reads it again inside the join finds the first lane changed by itself, and takes another.
_NEXT_RANGE = """
WITH old AS MATERIALIZED (
    SELECT lane, next_ordinal FROM campaign_lane WHERE campaign_id = $1 AND next_ordinal < end_ordinal
    ORDER BY lane LIMIT 1 FOR UPDATE
)
UPDATE campaign_lane l SET next_ordinal = least(l.end_ordinal, l.next_ordinal + $2) FROM old
WHERE l.campaign_id = $1 AND l.lane = old.lane
RETURNING old.next_ordinal AS first_ordinal, l.next_ordinal AS end_ordinal
"""
_DUE = """
DELETE FROM due WHERE message_id IN (SELECT message_id FROM due WHERE campaign_id = $1 LIMIT $2) RETURNING message_id
"""
_PAGE = """
UPDATE page SET closed_at = now(), epoch = epoch + 1
WHERE id = (SELECT id FROM page WHERE campaign_id = $1 AND closed_at IS NULL LIMIT 1)
RETURNING messages, rounds, first_ordinal, end_ordinal
"""


async def cancel_some(connection: Connection, campaign: UUID) -> bool:
    """Drop the next of what is unsent; False when nothing is left but what is being spoken of."""
    row = await lock(connection, campaign)
    if row is None or row["state"] != CampaignState.CANCELLING:
        return False
    dropped = await _drop_next(connection, campaign)
    if dropped is None:
        return False
    await tally(connection, dropped)
    await connection.execute("UPDATE campaign SET cancelled = cancelled + $2 WHERE id = $1", campaign, len(dropped))
    return True


async def _drop_next(connection: Connection, campaign: UUID) -> list[Any] | None:
    found = await connection.fetchrow(_NEXT_RANGE, campaign, CANCEL_CHUNK)
    if found is not None:
        return list(await connection.fetch(_DROP_RANGE, campaign, found["first_ordinal"], found["end_ordinal"]))
    due = await connection.fetch(_DUE, campaign, CANCEL_CHUNK)
    if due:
        return list(await connection.fetch(_DROP_DUE, campaign, [row["message_id"] for row in due]))
    page = await connection.fetchrow(_PAGE, campaign)
    if page is None:
        return None
    if page["first_ordinal"] is None:
        return list(await connection.fetch(_DROP_NAMED, campaign, page["messages"], page["rounds"]))
    return list(await connection.fetch(_DROP_RANGE, campaign, page["first_ordinal"], page["end_ordinal"]))


async def finish(connection: Connection, campaign: UUID) -> CampaignState | None:
    """End it when nothing is left to send and its money is settled; its final state, or None: not yet."""
    row = await lock(connection, campaign)
    if row is None:
        return CampaignState.CANCELLED
    ends = {
        CampaignState.SENDING.value: CampaignState.FINISHED,
        CampaignState.CANCELLING.value: CampaignState.CANCELLED,
    }
    to = ends.get(row["state"])
    if to is None or await _is_left(connection, campaign):
        return None
    await thaw(connection, campaign)
    await connection.execute("DELETE FROM campaign_domain WHERE campaign_id = $1", campaign)
    await move(connection, row, to)
    return to


_IS_LEFT = """
SELECT EXISTS (SELECT FROM campaign_lane WHERE campaign_id = $1 AND next_ordinal < end_ordinal)
    OR EXISTS (SELECT FROM due WHERE campaign_id = $1)
    OR EXISTS (SELECT FROM page WHERE campaign_id = $1 AND closed_at IS NULL)
    OR EXISTS (SELECT FROM slot s JOIN message m ON m.id = s.message_id WHERE m.submission_id = $1)
    OR EXISTS (SELECT FROM hold WHERE submission_id = $1 AND closed_at IS NULL)
"""


async def _is_left(connection: Connection, campaign: UUID) -> bool:
    return bool(await connection.fetchval(_IS_LEFT, campaign))
