"""Deliver one page of small requests, over whatever its messages travel by (design §4.3)."""

import asyncio
import datetime as dt
from collections import Counter
from uuid import UUID

from temporalio import activity

from activities.mail_delivery import MailChannel, Wire
from activities.page_work import Channel, PageResult, PageWork, Sheet
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain import channels
from domain.channels import DueLine
from domain.ids import Process
from store import clockwork, pages
from store.db import Database
from store.pages import TakenPage

PAGE_SECONDS = 15.0
GIVE_BACK_AFTER = dt.timedelta(seconds=5)


class DeliveryActivities:
    """One instance per worker process. Without `sms` (a process of tests) a page of SMS is an error."""

    def __init__(
        self, db: Database, sender: SenderProcess, renderer: Renderer, wire: Wire, sms: Channel | None = None
    ) -> None:
        self._db = db
        self.sender = sender
        self.renderer = renderer
        self.wire = wire
        self._sms = sms
        self.in_hand: Counter[DueLine] = Counter()
        """Pages of the relays."""
        self.of_campaigns: set[PageWork] = set()

    @property
    def pages_in_hand(self) -> int:
        """Of mail."""
        return self.in_hand[DueLine.MAIL]

    @activity.defn(name="deliver_page")
    async def deliver_page(self, process: Process) -> PageResult:
        """Take the page, speak to servers until it is done or its time is up, give back what was not tried."""
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
        page = await self._take(process)
        if page is None:
            return PageResult()
        express = page.line is not DueLine.SMS_MARKETING
        work = self.work(page, Sheet(asyncio.get_running_loop().time() + PAGE_SECONDS, express))
        self.in_hand[page.line] += 1
        try:
            await work.run()
        finally:
            self.in_hand[page.line] -= 1
        async with self._db.raw() as connection:
            await pages.close_page(connection, page.id, page.epoch, GIVE_BACK_AFTER / self.wire.time_scale)
        return work.result()

    def work(self, page: TakenPage, sheet: Sheet) -> PageWork:
        """An attempt at a page."""
        channel: Channel = MailChannel(self.renderer, self.wire)
        if page.channel is channels.Channel.SMS:
            if self._sms is None:
                raise RuntimeError("this process sends no SMS")
            channel = self._sms
        return PageWork(self.sender, channel, page, sheet)

    async def _take(self, process: Process) -> TakenPage | None:
        async with self._db.raw() as connection:
            return await pages.take_page(connection, UUID(process.subject))
