"""Campaigns: a submission to address lists, frozen, paged by ranges (design §4.3). Tables; then queries."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel, Uuid

from domain.campaigns import (
    CampaignNames,
    CampaignState,
    Command,
    DailyHours,
    LaneLeft,
    NewCampaign,
    require_allowed,
)
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from store import audit_log, clockwork
from store.columns import json_object, moment, now
from store.db import Connection, Session

Row: TypeAlias = Any
"""A row of `campaign` as asyncpg gives it."""


class Campaign(SQLModel, table=True):
    """Its id is its submission's, too. Outcomes are counted on its pages and messages."""

    __tablename__ = "campaign"
    __table_args__ = (
        Index("campaign_account", "account_id", "id"),
        Index(
            "campaign_idempotency",
            "account_id",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    name: str
    api_user_id: UUID
    template_id: UUID
    template_version_id: UUID
    """Of revision 0."""
    domain_id: UUID
    sender: str
    sender_name: str = ""
    reply_to: str = ""
    label: str = ""
    lists: list[UUID] = Field(sa_type=ARRAY(Uuid))
    state: str
    problem: str = ""
    """Code of the refusal that blocks it."""
    problem_params: dict[str, Any] = json_object(default_factory=dict)
    paused_from: str = ""
    """The state that `resume` goes back to."""
    paused_at: dt.datetime | None = moment(default=None)
    start_at: dt.datetime | None = moment(default=None)
    hours_from: dt.time | None = None
    """Asia/Shanghai; inside these hours of a day it sends."""
    hours_to: dt.time | None = None
    lives_hours: int
    """From the start of sending until what is still deferred is given up."""
    revision: int = 0
    listed: int = 0
    """Members that the freeze has looked at; what became messages is `submission.recipients`."""
    duplicates: int = 0
    suppressed: int = 0
    suppressed_by: dict[str, int] = json_object(default_factory=dict, sa_column_kwargs={"server_default": text("'{}'")})
    """The same by reason: `domain.suppressions.Held`."""
    incomplete: int = 0
    """Left out because they lack a variable of the template."""
    cancelled: int = 0
    """Messages dropped because it was cancelled; no page counts them."""
    freeze_place: dict[str, Any] = json_object(default_factory=dict)
    """How far the freeze has come: its own checkpoint."""
    idempotency_key: str | None = None
    created_at: dt.datetime = moment(default_factory=now)
    created_by: str
    held_at: dt.datetime | None = moment(default=None)
    """When money and quota were taken: from then on it counts as accepted."""
    finished_at: dt.datetime | None = moment(default=None)


class CampaignDomain(SQLModel, table=True):
    """A receiving domain of a campaign's lists, its lane, and how many members it has there."""

    __tablename__ = "campaign_domain"
    campaign_id: UUID = Field(primary_key=True)
    lane: str = Field(primary_key=True)
    domain: str = Field(primary_key=True)
    members: int


class CampaignLane(SQLModel, table=True):
    """The ordinals of a campaign's messages in one lane; those from `next_ordinal` on are in no page yet."""

    __tablename__ = "campaign_lane"
    campaign_id: UUID = Field(primary_key=True)
    lane: str = Field(primary_key=True)
    first_ordinal: int
    end_ordinal: int
    next_ordinal: int


class CampaignRevision(SQLModel, table=True):
    """A later content of a campaign; revision 0 is on the campaign itself."""

    __tablename__ = "campaign_revision"
    campaign_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True)
    template_version_id: UUID
    created_at: dt.datetime = moment(default_factory=now)
    created_by: str


_FIND_LISTS = """
SELECT asked.name, l.id FROM unnest($2::text[]) WITH ORDINALITY AS asked (name, place)
LEFT JOIN address_list l ON l.account_id = $1 AND l.deleted_at IS NULL
     AND (l.id::text = lower(asked.name) OR l.alias = lower(asked.name))
ORDER BY asked.place
"""
_CREATE = """
INSERT INTO campaign (id, account_id, name, api_user_id, template_id, template_version_id, domain_id, sender,
    sender_name, reply_to, label, lists, state, problem, problem_params, paused_from, start_at, hours_from, hours_to,
    lives_hours, revision, listed, duplicates, suppressed, incomplete, cancelled, freeze_place, idempotency_key,
    created_at, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'scheduled', '', '{}', '', $13, $14, $15, $16,
    0, 0, 0, 0, 0, 0, '{}', $17, $18, $19)
ON CONFLICT (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id
"""
_MOVE = """
UPDATE campaign
SET state = $3::text, problem = $4, problem_params = $5, paused_from = $6,
    paused_at = CASE WHEN $3::text = 'paused' THEN now() END,
    finished_at = CASE WHEN $3::text IN ('finished', 'cancelled') THEN now() END
WHERE id = $1 AND state = $2 RETURNING state
"""


# A pause does not count towards the time to live.
_LIVE_ON = "UPDATE submission SET expires_at = expires_at + (now() - $2::timestamptz) WHERE id = $1"


async def find_lists(connection: Connection, account: UUID, names: Sequence[str]) -> list[tuple[str, UUID | None]]:
    """Each list as it was asked for (id or alias address), and its id; None where the account has no such list."""
    return [(row["name"], row["id"]) for row in await connection.fetch(_FIND_LISTS, account, list(names))]


async def create(
    connection: Connection, account: UUID, asked: NewCampaign, names: CampaignNames, made: tuple[dt.datetime, str]
) -> UUID | None:
    """Write the campaign and enlist its process; None when the idempotency key was used before."""
    at, by = made
    campaign: UUID | None = await connection.fetchval(
        _CREATE,
        *(new_id(), account, asked.name.strip(), names.api_user, names.template, names.version, names.domain),
        *(asked.sender, asked.sender_name, asked.reply_to, asked.label, list(names.lists), asked.start_at),
        *((asked.hours.since, asked.hours.until) if asked.hours else (None, None)),
        *(asked.lives_hours, asked.idempotency_key, at, by),
    )
    if campaign is not None:
        await clockwork.enlist_on(connection, Kind.CAMPAIGN, campaign, account)
    return campaign


def daily_hours(row: Row) -> DailyHours | None:
    """Of a row with `hours_from` and `hours_to`; None: it sends at any hour."""
    return DailyHours(row["hours_from"], row["hours_to"]) if row["hours_from"] is not None else None


async def lock(connection: Connection, campaign: UUID, account: UUID | None = None) -> Row | None:
    """The row, locked; None when the account has no such campaign."""
    return await connection.fetchrow(
        "SELECT * FROM campaign WHERE id = $1 AND ($2::uuid IS NULL OR account_id = $2) FOR NO KEY UPDATE",
        campaign,
        account,
    )


async def move(connection: Connection, row: Row, to: CampaignState, refusal: Refusal | None = None) -> bool:
    """Compare-and-set of the state; the problem that blocks it is kept with it. False: somebody else moved it."""
    params = {name: str(value) for name, value in refusal.params.items()} if refusal else {}
    back = row["state"] if to is CampaignState.PAUSED else ""
    code = refusal.code if refusal else ""
    return await connection.fetchval(_MOVE, row["id"], row["state"], to.value, code, params, back) is not None


async def command(connection: Connection, row: Row, asked: Command) -> CampaignState:
    """Pause, resume or cancel a locked campaign. Raises the refusal `campaign_state`."""
    require_allowed(asked, row["state"])
    to = {Command.PAUSE: CampaignState.PAUSED, Command.CANCEL: CampaignState.CANCELLING}.get(asked)
    if to is None:
        to = CampaignState(row["paused_from"] or CampaignState.PREPARING.value)
        if row["paused_at"] is not None:
            await connection.execute(_LIVE_ON, row["id"], row["paused_at"])
    await move(connection, row, to)
    return to


_APPROVED = """
SELECT id, number, variables FROM template_version
WHERE template_id = $1 AND state = 'approved' AND ($2::int IS NULL OR number = $2) ORDER BY number DESC LIMIT 1
"""


async def content_version(connection: Connection, row: Row) -> UUID:
    """The template version that what is unsent gets."""
    later = await version_of(connection, row["id"], row["revision"])
    return UUID(str(later or row["template_version_id"]))


async def revise(connection: Connection, row: Row, version: int | None, by: str) -> int:
    """Give what is unsent another approved version of the template (None: its newest); the revision's number.

    Raises a refusal when there is none, it is the current one, or it needs variables that the copied members lack.
    """
    require_allowed(Command.REVISE, row["state"])
    found = await connection.fetchrow(_APPROVED, row["template_id"], version)
    if found is None:
        raise Refusal("campaign_version", field="version")
    current = await content_version(connection, row)
    if found["id"] == current:
        raise Refusal("campaign_version_same", field="version", number=found["number"])
    if row["freeze_place"]:
        had = await connection.fetchval("SELECT variables FROM template_version WHERE id = $1", current)
        if lacking := sorted(set(found["variables"]) - set(had)):
            raise Refusal("campaign_version_variables", field="version", names=", ".join(lacking))
    number = int(row["revision"]) + 1
    await connection.execute(
        "INSERT INTO campaign_revision (campaign_id, number, template_version_id, created_at, created_by)"
        " VALUES ($1, $2, $3, now(), $4)",
        *(row["id"], number, found["id"], by),
    )
    await connection.execute("UPDATE campaign SET revision = $2 WHERE id = $1", row["id"], number)
    return number


_LEFT = """
SELECT lane, sum(waiting)::int AS waiting,
       coalesce(array_agg(runner ORDER BY runner) FILTER (WHERE runner IS NOT NULL), '{}') AS begun
FROM (
    SELECT lane, (end_ordinal - next_ordinal)::bigint AS waiting, NULL::int AS runner FROM campaign_lane
    WHERE campaign_id = $1 AND next_ordinal < end_ordinal
    UNION ALL SELECT lane, count(*), NULL FROM due WHERE campaign_id = $1 GROUP BY lane
    UNION ALL SELECT lane, 1, runner FROM page WHERE campaign_id = $1 AND closed_at IS NULL
) AS left_over GROUP BY lane ORDER BY lane
"""


async def left_by_lane(connection: Connection, campaign: UUID) -> list[LaneLeft]:
    """The lanes in which something is left to send, now or in a later round."""
    return [LaneLeft(**row) for row in await connection.fetch(_LEFT, campaign)]


async def settled(connection: Connection, campaign: UUID) -> int:
    """Messages with a final outcome, as the pages counted them."""
    return int(
        await connection.fetchval(
            "SELECT coalesce(sum(delivered + bounced + dropped + unknown), 0) FROM page WHERE campaign_id = $1",
            campaign,
        )
    )


async def version_of(connection: Connection, campaign: UUID, revision: int) -> UUID | None:
    """The template version of a revision; None for revision 0, which is the submission's own."""
    found: UUID | None = await connection.fetchval(
        "SELECT template_version_id FROM campaign_revision WHERE campaign_id = $1 AND number = $2", campaign, revision
    )
    return found


_TERMS = """
SELECT c.state, c.revision, c.hours_from, c.hours_to, clock_timestamp() AS now,
       a.state = 'active' AND u.disabled_at IS NULL AND d.state = 'usable' AS allowed
FROM campaign c JOIN account a ON a.id = c.account_id JOIN api_user u ON u.id = c.api_user_id
JOIN sender_domain d ON d.id = c.domain_id WHERE c.id = $1
"""


async def sending_terms(connection: Connection, campaign: UUID) -> Any:
    """`state`, `revision`, `hours_from`, `hours_to`, the database's `now`; None without such a campaign.

    `allowed`: the account, the API user and the sender domain may still send.
    """
    return await connection.fetchrow(_TERMS, campaign)


async def recipients(connection: Connection, campaign: UUID) -> int:
    """Messages that the freeze has made so far."""
    return int(
        await connection.fetchval("SELECT coalesce((SELECT recipients FROM submission WHERE id = $1), 0)", campaign)
    )


async def note(connection: Connection, row: Row, asked: Command, by: str) -> None:
    """Write it into the audit log, and wake the process."""
    await audit_log.note_on(connection, f"campaign.{asked.value}", f"campaign/{row['id']}", row["account_id"], by)
    await clockwork.want_nudge_on(connection, workflow_id(Kind.CAMPAIGN, row["id"]))


_WAKE_LANE = """
UPDATE clockwork SET nudge_wanted = true WHERE workflow_id IN (
    SELECT :kind || '/' || c.id FROM campaign c JOIN campaign_lane l ON l.campaign_id = c.id
    WHERE l.lane = :lane AND c.state = 'sending')
"""


async def wake_lane(session: Session, lane: str) -> None:
    """Have the campaigns that send through a lane look again: they sleep long while it takes nothing."""
    await (await session.connection()).execute(text(_WAKE_LANE), {"kind": Kind.CAMPAIGN.value, "lane": lane})
