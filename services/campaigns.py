"""Campaigns: create, watch, pause, resume, cancel, revise (design §4.3)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

from domain.accounts import Caller
from domain.campaigns import Command, NewCampaign, check_new
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.members import Right, require
from services.campaign_feed import WatchedCampaigns
from services.campaign_view import CampaignView, engaged, read
from services.domains import actor
from services.foundation import Foundation
from services.live_feed import LiveFeed, Subject
from store import audit_log, campaign_names, campaign_read, campaigns
from store.campaign_read import RevisionRow
from store.columns import now

STREAM_SECONDS = 300.0
"""A live stream ends after this, so that a session that was revoked does not go on watching; clients reconnect."""


@dataclass(frozen=True)
class Created:
    """`repeated`: the answer of an earlier request with the same idempotency key."""

    id: UUID
    repeated: bool = False


class Campaigns:
    """What a caller can do with campaigns. Every method refuses what is not the caller's account's."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        look = WatchedCampaigns(base.db).look
        self._feed = LiveFeed(Subject("campaign", look, is_over=lambda view: view.row.is_over))

    async def create(self, caller: Caller, asked: NewCampaign) -> Created:
        """Make a campaign; it starts at its time, or at once. Raises `Refusal` with the field that is wrong."""
        self._check(caller, asked)
        async with self._base.db.raw() as connection:
            names = await campaign_names.names_in(connection, caller, asked)
            made = (now(), actor(caller))
            campaign = await campaigns.create(connection, caller.account_id, asked, names, made)
            if campaign is not None:
                about = f"campaign/{campaign}"
                await audit_log.note_on(connection, "campaign.create", about, caller.account_id, actor(caller))
        if campaign is None:
            return Created(await self._earlier(caller, asked), repeated=True)
        await self._base.clockwork.start(workflow_id(Kind.CAMPAIGN, campaign))
        return Created(campaign)

    async def check(self, caller: Caller, asked: NewCampaign) -> None:
        """Raise what `create` would refuse; nothing is made."""
        self._check(caller, asked)
        async with self._base.db.raw() as connection:
            await campaign_names.names_in(connection, caller, asked)

    def _check(self, caller: Caller, asked: NewCampaign) -> None:
        require(caller, Right.SEND)
        check_new(asked, now())
        if not asked.api_user and caller.api_user_id is None:
            raise Refusal("required", field="api_user")

    async def _earlier(self, caller: Caller, asked: NewCampaign) -> UUID:
        async with self._base.db.read() as session:
            found = await campaign_read.find_by_key(session, caller.account_id, asked.idempotency_key or "")
            row = await campaign_read.find(session, caller.account_id, found) if found else None
        if row is None or (row.name, row.template, row.sender) != (asked.name.strip(), asked.template, asked.sender):
            raise Refusal("idempotency_reused", field="Idempotency-Key")
        return row.id

    async def view(self, caller: Caller, campaign: UUID) -> CampaignView:
        """One campaign as it stands now; raises `Refusal("campaign_not_found")`."""
        async with self._base.db.read() as session:
            found = await read(session, caller.account_id, campaign)
            if found is None:
                raise Refusal("campaign_not_found")
            return replace(found, engagement=await engaged(session, caller.account_id, campaign))

    async def watch(
        self, caller: Caller, campaign: UUID, seconds: float = STREAM_SECONDS
    ) -> AsyncIterator[CampaignView]:
        """The campaign now and at most every second while it changes; ends with it, or after `seconds`."""
        async for found in self._feed.follow((caller.account_id, campaign), seconds):
            yield found

    async def page(self, caller: Caller, after: UUID | None, limit: int) -> list[CampaignView]:
        """The account's campaigns, newest first, older than `after`."""
        async with self._base.db.read() as session:
            rows = await campaign_read.page(session, caller.account_id, after, limit)
            return [CampaignView(row, await campaign_read.counts(session, row.id)) for row in rows]

    async def revisions(self, caller: Caller, campaign: UUID) -> list[RevisionRow]:
        """Every content it had, and how many messages went out with each. Reads all its messages: not for polling."""
        async with self._base.db.look(20) as session:
            if await campaign_read.find(session, caller.account_id, campaign) is None:
                raise Refusal("campaign_not_found")
            return await campaign_read.revisions(session, campaign)

    async def act(self, caller: Caller, campaign: UUID, asked: Command, version: int | None = None) -> CampaignView:
        """Pause, resume, cancel, or revise with a template version's number (None: the newest approved).

        Durable on return; its process follows within about a second. Raises `Refusal`.
        """
        require(caller, Right.SEND)
        async with self._base.db.raw() as connection:
            row = await campaigns.lock(connection, campaign, caller.account_id)
            if row is None:
                raise Refusal("campaign_not_found")
            if asked is Command.REVISE:
                await campaigns.revise(connection, row, version, actor(caller))
            else:
                await campaigns.command(connection, row, asked)
            await campaigns.note(connection, row, asked, actor(caller))
        return await self.view(caller, campaign)
