"""What a campaign's process does besides sending: look, freeze, hold, cancel the rest, end (design §4.3)."""

import asyncio
import datetime as dt
from uuid import UUID

import structlog
from temporalio import activity

from activities import news
from activities.recipient_lanes import RecipientLanes
from domain.campaigns import (
    CampaignLook,
    CampaignLookRequest,
    CampaignState,
    CampaignStep,
    Command,
    CommandResult,
    CommandStep,
    share_runners,
)
from domain.errors import Refusal
from domain.ids import Process
from domain.ledger import Terms
from domain.notices import Notice
from domain.policy import Policy
from domain.refusals import explain
from store import campaign_ends, campaign_freeze, campaign_read, campaigns, clockwork
from store.db import Connection, Database
from store.webhooks import owner_of

log = structlog.get_logger(__name__)

IMPORT_LOOK = 1.0
"""Seconds between looks whether the imports into a campaign's lists have ended."""
FINISHING = (0.0, 0.3, 0.5, 0.7, 1.0, 1.0)
"""Seconds between looks whether the last dialogue and the money are settled, within one activity."""


class CampaignActivities:
    """Every method raises `StaleEpoch` when the database was restored after the process began."""

    def __init__(self, db: Database, lanes: RecipientLanes, policy: Policy) -> None:
        self._db = db
        self._lanes = lanes
        self._policy = policy

    @activity.defn(name="CampaignActivities.look")
    async def look(self, request: CampaignLookRequest) -> CampaignLook:
        """Read the rows: what state it is in, and which lanes hold something to send."""
        await self._require_epoch(request.process)
        campaign = UUID(request.process.subject)
        async with self._db.raw() as connection:
            row = await campaigns.lock(connection, campaign)
            if row is None:
                return CampaignLook(CampaignState.CANCELLED)
            row = await self._begun(connection, row, request.now)
            state = CampaignState(row["state"])
            left = await campaigns.left_by_lane(connection, campaign) if state is CampaignState.SENDING else []
            hours = campaigns.daily_hours(row)
            return CampaignLook(
                state=state,
                start_at=row["start_at"],
                rests_until=hours.next_opening(request.now) if hours and not hours.contains(request.now) else None,
                lanes=share_runners(left),
                problem=row["problem"],
                recipients=await campaigns.recipients(connection, campaign),
                settled=await campaigns.settled(connection, campaign),
                revision=row["revision"],
            )

    async def _begun(self, connection: Connection, row: campaigns.Row, now: dt.datetime) -> campaigns.Row:
        """Once its time has come it is being prepared; when it may no longer send, it is blocked."""
        if row["state"] == CampaignState.SENDING:
            return await self._allowed(connection, row)
        if row["state"] != CampaignState.SCHEDULED or (row["start_at"] is not None and row["start_at"] > now):
            return row
        await campaigns.move(connection, row, CampaignState.PREPARING)
        return await campaigns.lock(connection, row["id"])

    async def _allowed(self, connection: Connection, row: campaigns.Row) -> campaigns.Row:
        terms = await campaigns.sending_terms(connection, row["id"])
        if terms["allowed"]:
            return row
        try:
            await campaign_ends.admit(connection, row)
        except Refusal as refusal:
            await campaign_ends.block(connection, row["id"], refusal)
        return await campaigns.lock(connection, row["id"])

    @activity.defn(name="CampaignActivities.prepare")
    async def prepare(self, step: CampaignStep) -> int:
        """Copy the members of its lists, then hold money and quota for all of them; the number of messages.

        Chunk by chunk: it goes on where a broken attempt stopped. What stands in the way of the hold is remembered.
        """
        await self._require_epoch(step.process)
        begun = asyncio.get_running_loop().time()
        recipients = await self._freeze(UUID(step.process.subject))
        took = dt.timedelta(seconds=asyncio.get_running_loop().time() - begun)
        await self._hold(UUID(step.process.subject), max(step.now, activity.info().started_time) + took)
        return recipients

    async def _freeze(self, campaign: UUID) -> int:
        await self._resolve(campaign)
        copied = 0
        while True:
            async with self._db.raw() as connection:
                frozen = await campaign_freeze.copy_chunk(connection, campaign)
            if frozen is None or frozen.over:
                return frozen.recipients if frozen else copied
            copied = frozen.recipients
            activity.heartbeat(frozen.listed)

    async def _resolve(self, campaign: UUID) -> None:
        lists = await self._begin(campaign)
        if lists is None:
            return
        async with self._db.raw() as connection:
            members = await campaign_freeze.domains(connection, campaign, lists)
        if members is None:
            return
        lanes = await self._lanes.resolve(members, lambda: activity.heartbeat(0))
        async with self._db.raw() as connection:
            await campaign_freeze.write_lanes(connection, campaign, members, lanes)

    async def _begin(self, campaign: UUID) -> list[UUID] | None:
        """Files that are being read into its lists are read to their end first."""
        while True:
            async with self._db.raw() as connection:
                if not await campaign_freeze.are_imported(connection, campaign):
                    return await campaign_freeze.begin(connection, campaign, dt.datetime.now(dt.UTC))
            activity.heartbeat(0)
            await asyncio.sleep(IMPORT_LOOK)

    async def _hold(self, campaign: UUID, now: dt.datetime) -> None:
        terms = Terms(self._policy.time_scale, self._policy.email_price_micro)
        try:
            async with self._db.raw() as connection:
                await campaign_ends.hold(connection, campaign, now, terms)
        except Refusal as refusal:
            log.info("campaign_blocked", campaign=str(campaign), code=refusal.code)
            async with self._db.raw() as connection:
                await campaign_ends.block(connection, campaign, refusal)

    @activity.defn(name="CampaignActivities.cancel")
    async def cancel(self, process: Process) -> None:
        """Drop everything that is unsent and not being spoken of just now."""
        await self._require_epoch(process)
        more = True
        while more:
            async with self._db.raw() as connection:
                more = await campaign_ends.cancel_some(connection, UUID(process.subject))
            activity.heartbeat()

    @activity.defn(name="CampaignActivities.finish")
    async def finish(self, process: Process) -> CampaignState | None:
        """End it if nothing is left and its money is settled, which takes a moment: it is waited for."""
        await self._require_epoch(process)
        ended = None
        for wait in FINISHING:
            await asyncio.sleep(wait)
            async with self._db.raw() as connection:
                ended = await campaign_ends.finish(connection, UUID(process.subject))
            if ended is not None:
                break
        return ended

    @activity.defn(name="CampaignActivities.command")
    async def command(self, step: CommandStep) -> CommandResult:
        """What an operator asked for in the Temporal UI: the same compare-and-set as behind the API."""
        await self._require_epoch(step.process)
        campaign = UUID(step.process.subject)
        by = "temporal-ui"
        async with self._db.raw() as connection:
            row = await campaigns.lock(connection, campaign)
            if row is None:
                return CommandResult(CampaignState.CANCELLED.value, "campaign_not_found")
            try:
                if step.command is Command.REVISE:
                    await campaigns.revise(connection, row, step.version, by)
                    state = CampaignState(row["state"])
                else:
                    state = await campaigns.command(connection, row, step.command)
            except Refusal as refusal:
                if activity.info().attempt > 1:  # the attempt before may have done it, and its answer was lost
                    return CommandResult(row["state"])
                return CommandResult(row["state"], refusal.code, explain(refusal, "en")[1])
            await campaigns.note(connection, row, step.command, by)
        return CommandResult(state.value)

    @activity.defn(name="CampaignActivities.close")
    async def close(self, process: Process) -> CampaignState:
        """Mail the report to the account's owner, and note that the process has ended; the final state."""
        await self._announce(process)
        async with self._db.begin() as session:
            await clockwork.stamp_closed(session, process.workflow_id)
            row = await campaign_read.find(session, UUID(process.account), UUID(process.subject))
            return CampaignState(row.state) if row else CampaignState.CANCELLED

    async def _announce(self, process: Process) -> None:
        campaign = UUID(process.subject)
        async with self._db.read() as session:
            owner = await owner_of(session, UUID(process.account))
            told = await campaign_read.report(session, UUID(process.account), campaign)
        if owner is None or told is None:
            return
        variables = told | {"platform": self._policy.platform_name, "link": self._link(campaign)}
        key = f"campaign-report/{campaign}"
        await news.tell(self._db, Notice.CAMPAIGN_REPORT, owner.email, owner.language, variables, key)

    def _link(self, campaign: UUID) -> str:
        return f"{self._policy.public_url}/portal/campaigns/{campaign}"

    async def _require_epoch(self, process: Process) -> None:
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
