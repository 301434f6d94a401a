"""Campaigns: a submission to address lists, frozen, paged by ranges (design §4.3). Tables; then queries."""

import datetime as dt
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel, Uuid

from domain.ids import new_id
from store.columns import json_object, moment, now


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
    incomplete: int = 0
    """Left out because they lack a variable of the template."""
    freeze_place: dict[str, Any] = json_object(default_factory=dict)
    """How far the freeze has come: its own checkpoint."""
    idempotency_key: str | None = None
    created_at: dt.datetime = moment(default_factory=now)
    created_by: str
    held_at: dt.datetime | None = moment(default=None)
    """When money and quota were taken: from then on it counts as accepted."""
    finished_at: dt.datetime | None = moment(default=None)
    row_version: int = 0


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
