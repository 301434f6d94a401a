"""A runner of a campaign: page after page of one lane, for one activity's time (design §4.3, §4.4)."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from temporalio import activity

from activities.delivery import DeliveryActivities
from activities.page_work import PageWork, Sheet
from domain.campaigns import CampaignState, RunnerResult, RunnerShare
from store import campaigns, clockwork, pages
from store.db import DATABASE_TROUBLE, Connection, Database
from store.pages import Ahead, TakenPage

PAGE = 1_000
"""Messages of one page: what an activity that dies leaves to the next attempt, and what it holds in memory."""
STRETCH_SECONDS = 15.0
WATCH_SECONDS = 1.0
"""Between two looks whether the campaign is to go on."""
LEAST_SECONDS = 2.0
"""With less time left no page more is begun."""
NOTHING_CAME = 1.0
"""Seconds before a page is tried again of which nothing could be sent, for no reason that a lane gave."""


@dataclass
class _Tried:
    """Counts of this activity, for people who look at the workflow."""

    messages: int = 0
    delivered: int = 0
    waits: float | None = None
    stopped: bool = False


class CampaignPages:
    """One instance per worker process."""

    def __init__(self, db: Database, deliveries: DeliveryActivities) -> None:
        self._db = db
        self._deliveries = deliveries

    def waiting(self) -> int:
        """Runners of this process that only wait for their lane."""
        return sum(work.only_waits for work in self._deliveries.of_campaigns)

    @activity.defn(name="CampaignPages.send")
    async def send(self, share: RunnerShare) -> RunnerResult:
        """Send what the runner's lane holds until there is no more now, or the time is up.

        What a broken attempt left is in the runner's page; a repeated one takes it over.
        """
        async with self._db.read() as session:
            await clockwork.require_epoch(session, share.process)
        tried = await self._stretch(share)
        async with self._db.raw() as connection:
            ahead = await pages.ahead(connection, UUID(share.process.subject), share.lane)
        return _result(tried, ahead, share.runner)

    async def _stretch(self, share: RunnerShare) -> _Tried:
        tried = _Tried()
        ends_at = asyncio.get_running_loop().time() + STRETCH_SECONDS
        while ends_at - asyncio.get_running_loop().time() > LEAST_SECONDS:
            activity.heartbeat(tried.messages)
            taken = await self._take(share, ends_at)
            if taken is None or not await self._deliver(*taken, tried):
                break
        tried.stopped = not await self._is_sending(UUID(share.process.subject))
        return tried

    async def _take(self, share: RunnerShare, ends_at: float) -> tuple[TakenPage, Sheet] | None:
        campaign = UUID(share.process.subject)
        async with self._db.raw() as connection:
            if not await _may_send(connection, campaign):
                return None
            claimed = await pages.claim_campaign_page(connection, campaign, (share.lane, share.runner), PAGE)
            if claimed is None:
                return None
            page, revision = claimed
            taken = await pages.take_page(connection, page)
            version = await campaigns.version_of(connection, campaign, revision)
        return (taken, Sheet(ends_at, False, version, revision)) if taken is not None else None

    async def _deliver(self, page: TakenPage, sheet: Sheet, tried: _Tried) -> bool:
        """Deliver one page; False when the runner should not go on now."""
        work = self._deliveries.work(page, sheet)
        if page.campaign_id is not None and page.messages:
            self._deliveries.of_campaigns.add(work)
            try:
                async with self._watched(work, page.campaign_id):
                    await work.run()
            finally:
                self._deliveries.of_campaigns.discard(work)
        tried.messages += sum(work.counts.values())
        tried.delivered += work.counts["delivered"]
        async with self._db.raw() as connection:
            closed = await pages.close_campaign_page(connection, page, dt.timedelta(0))
        if work.waits is not None or (not work.counts and page.messages):
            tried.waits = NOTHING_CAME if work.waits is None else work.waits
        return closed and tried.waits is None

    @contextlib.asynccontextmanager
    async def _watched(self, work: PageWork, campaign: UUID) -> AsyncIterator[None]:
        """Stop the page when the campaign is paused, cancelled, or its hours are over."""
        watch = asyncio.create_task(self._watch(work, campaign))
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _watch(self, work: PageWork, campaign: UUID) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            with contextlib.suppress(*DATABASE_TROUBLE):
                if not await self._is_sending(campaign, work.sheet.revision):
                    work.stop()
                    return

    async def _is_sending(self, campaign: UUID, revision: int | None = None) -> bool:
        async with self._db.pool.acquire() as connection:
            return await _may_send(connection, campaign, revision)


async def _may_send(connection: Connection, campaign: UUID, revision: int | None = None) -> bool:
    """Whether it is sending, allowed to, inside its hours, and (when asked) still with this content."""
    row = await campaigns.sending_terms(connection, campaign)
    if row is None or row["state"] != CampaignState.SENDING or not row["allowed"]:
        return False
    hours = campaigns.daily_hours(row)
    if hours is not None and not hours.contains(row["now"]):
        return False
    return revision is None or row["revision"] == revision


def _result(tried: _Tried, ahead: Ahead, runner: int) -> RunnerResult:
    over = not ahead.ready and ahead.waits is None and not ahead.begun
    waits = tried.waits
    if waits is None and not ahead.ready and runner not in ahead.begun:
        waits = NOTHING_CAME if ahead.begun else ahead.waits  # others' pages may still give something back
    return RunnerResult(tried.messages, tried.delivered, waits, ahead.ready, ahead.begun, over, tried.stopped)
