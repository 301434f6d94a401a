"""SMS as a channel of pages: which carrier, in which text, and what each dialogue came to (design §4.4).

Carriers' connections are shared by all conversations (`gateways.smpp`); a conversation is one slot, which speaks of one
message at a time, and whose intent is durable before a byte of it is written.
"""

import datetime as dt
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from activities.lane_seats import Seat
from activities.lanes import Lanes, Wait
from activities.page_work import EXPRESS_PATIENCE, PageWork, Queue
from activities.sender_process import Pool
from activities.sms_routes import SmsRoutes
from domain import sms_text
from domain.errors import Refusal
from domain.sending import Outcome, OutcomeKind
from domain.sms import SmsKind
from domain.sms_outcomes import BROKEN, EXPIRED, held, reference_of, refusal_to_make, settle_sms
from domain.sms_results import SmsReason
from domain.sms_transport import Carrier, Carriers, ShortMessage, Submitted
from store import pages
from store.db import Database
from store.dialogues import Ended, Intent, Turn
from store.pages import PageMessage
from store.sms_sending import SmsContent, lane_of, load_content

FEW = 5
"""Notices of a page that may use the slots that are kept: a flood of one account's notices is a campaign, too."""
MESSAGES_FOR_A_CONVERSATION = 4
"""Of a page's queue, before another conversation is opened beside the first."""
LONG = EXPRESS_PATIENCE
"""Seconds from which on the next carrier is asked, instead of waiting for the first: a page waits no longer."""
NOT_YET = 0.2
"""Seconds until a process that has just begun looks for a carrier again."""
LEAST_VALIDITY = dt.timedelta(minutes=1)
CONTENTS_KEPT = 1_000


@dataclass(frozen=True)
class SmsWire:
    """The world outside, injected by the composition root. `conversations` bounds those of one page."""

    carriers: Carriers
    routes: SmsRoutes
    lanes: Lanes
    conversations: int
    time_scale: float
    opens: Callable[[SmsKind, dt.datetime], dt.datetime]
    """When such an SMS may be sent: `now` itself, or a later instant (`domain.sms_hours`)."""


class SmsChannel:
    """How SMS are sent; one instance per worker process."""

    pool = Pool.SMS

    def __init__(self, db: Database, wire: SmsWire) -> None:
        self._db = db
        self.wire = wire
        self._contents: OrderedDict[UUID, SmsContent] = OrderedDict()

    async def queues(self, work: PageWork) -> list[Queue]:
        """The page's messages by country and kind. Marketing outside its hours goes back to `due` for when they begin;
        that is no try."""
        now = dt.datetime.now(dt.UTC)
        waiting = [(message, self._opens(message, now)) for message in work.page.messages]
        later = [(message, at) for message, at in waiting if at > now]
        if later:
            async with self._db.raw() as connection:
                await pages.postpone(connection, work.page, later)
        found: dict[tuple[str, str], deque[PageMessage]] = {}
        for message, at in waiting:
            if at <= now:
                found.setdefault((message.country, message.kind), deque()).append(message)
        return [self._queue(way, messages) for way, messages in found.items()]

    def _opens(self, message: PageMessage, now: dt.datetime) -> dt.datetime:
        """What ends without a carrier needs no hours; what is too old by then ends when its time does."""
        if message.expires_at <= now or message.suppressed:
            return now
        return min(self.wire.opens(SmsKind(message.kind), now), message.expires_at)

    def _queue(self, way: tuple[str, str], messages: deque[PageMessage]) -> Queue:
        worth = min(self.wire.conversations, 1 + len(messages) // MESSAGES_FOR_A_CONVERSATION)
        return Queue(messages, worth, way)

    def is_few(self, queue: Queue) -> bool:
        """Codes, and single notices."""
        return bool(queue.way[1] == SmsKind.CODE) or len(queue.messages) <= FEW

    async def seat(self, work: PageWork, queue: Queue) -> Seat | None:
        """Binds are shared."""
        return None

    def conversation(self, work: PageWork, queue: Queue, slot: int) -> "_Conversation":
        return _Conversation(self, work, queue.messages, slot)

    async def prepare(self, message: PageMessage) -> ShortMessage | Outcome | None:
        """What is sent, or why it is not; None: not now, as its hours are over."""
        now = dt.datetime.now(dt.UTC)
        if message.expires_at <= now:
            return EXPIRED
        if message.suppressed:
            return held(message.suppressed)
        if self.wire.opens(SmsKind(message.kind), now) > now:
            return None
        text = await self._text(message)
        if isinstance(text, Outcome):
            return text
        validity = max(LEAST_VALIDITY, message.expires_at - now)
        return ShortMessage(message.address, text, message.segments, reference_of(message.id), validity)

    async def _text(self, message: PageMessage) -> str | Outcome:
        """It is cut into as many parts as were counted, and paid, when it was accepted; or it is not sent."""
        try:
            content = await self._content(message.version_id)
            text = sms_text.fill(content.text, message.variables)
            sms_text.check_length(text)
            counted = sms_text.segments(text)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            return refusal_to_make(error)
        except Refusal:
            return Outcome(OutcomeKind.DROPPED, SmsReason.TOO_LONG, text="longer than a text may be")
        if counted != message.segments:
            return Outcome(OutcomeKind.DROPPED, SmsReason.TOO_LONG, text=f"{counted} parts instead of those accepted")
        return text

    async def _content(self, version: UUID | None) -> SmsContent:
        if version is None:
            raise LookupError("an SMS without a template")
        if version not in self._contents:
            async with self._db.pool.acquire() as connection:
                self._contents[version] = await load_content(connection, version)
            while len(self._contents) > CONTENTS_KEPT:
                self._contents.popitem(last=False)
        return self._contents[version]

    def choose(self, message: PageMessage, *, express: bool) -> Carrier | Wait | Outcome:
        """The first carrier that is there and whose lane takes all parts; how long to wait for one; or that there is
        none."""
        ways, soonest = self.wire.routes.ways(message.country, message.kind), LONG * 1e6
        for number in ways:
            carrier = self.wire.carriers.get(number)
            if carrier is None or not carrier.ready:
                continue
            wait = self.wire.routes.pause_of(number)
            wait = wait or self.wire.lanes.take(lane_of(number), express=express, count=message.segments)
            if not wait:
                return carrier
            soonest = min(soonest, wait)
            if wait < LONG:
                break
        if soonest < LONG * 1e6:
            return Wait(soonest)
        if self.wire.routes.is_new:
            return Wait(NOT_YET)
        text = f"no carrier of {list(ways)} is ready" if ways else f"no route to {message.country} for {message.kind}"
        return Outcome(OutcomeKind.DEFERRED, SmsReason.NO_ROUTE, text=text)

    def ended(self, work: PageWork, intent: Intent, submitted: Submitted, began: dt.datetime, spoken: bool) -> Ended:
        """The record of one attempt."""
        now, message = dt.datetime.now(dt.UTC), intent.message
        end = settle_sms(submitted, message.attempts, message.expires_at, now, self.wire.time_scale)
        work.count(end.outcome.kind)
        lane = lane_of(end.outcome.egress) if spoken else ""
        return Ended(intent, end.outcome, end.state, end.next_at, began, now, spoken, lane, end.ids)


class _Conversation:
    """One slot's dialogues. `_ended` is the last outcome that no commit carried yet."""

    def __init__(self, sms: SmsChannel, work: PageWork, queue: deque[PageMessage], slot: int) -> None:
        self._sms = sms
        self._work = work
        self._queue = queue
        self._slot = slot
        self._ended: Ended | None = None

    async def run(self) -> None:
        try:
            while (message := self._work.next_message(self._queue)) is not None:
                if not await self._one(message):
                    break
        finally:
            await self._flush()

    async def _one(self, message: PageMessage) -> bool:
        """Send one message; False when this conversation should end."""
        short = await self._sms.prepare(message)
        if short is None:
            return True  # the page gives it back
        if isinstance(short, Outcome):
            return await self._unspoken(message, short)
        carrier = await self._carrier(message)
        if carrier is None:
            return False
        if isinstance(carrier, Outcome):
            return await self._unspoken(message, carrier)
        return await self._submit(carrier, short, message)

    async def _carrier(self, message: PageMessage) -> Carrier | Outcome | None:
        """None: not within this page; then the message waits for the next one. Nothing hangs in the slot meanwhile."""
        express = self._work.sheet.express
        while isinstance(chosen := self._sms.choose(message, express=express), Wait):
            await self._flush()
            if not await self._work.patience(chosen):
                self._work.put_back(self._queue, message)
                return None
        return chosen

    async def _submit(self, carrier: Carrier, short: ShortMessage, message: PageMessage) -> bool:
        intent = self._work.intent(message)
        ended, self._ended = self._ended, None
        if not await self._work.say(Turn(self._slot, ended, intent)):
            return False  # a newer attempt holds the page
        began, submitted = dt.datetime.now(dt.UTC), BROKEN
        try:
            submitted = await carrier.submit(short)
        finally:
            outcome = replace(submitted.outcome, egress=carrier.number, host=carrier.name)
            submitted = replace(submitted, outcome=outcome, ids=submitted.ids[: message.segments])
            self._ended = self._sms.ended(self._work, intent, submitted, began, spoken=True)
        self._sms.wire.routes.heard(carrier.number, submitted)
        return True

    async def _unspoken(self, message: PageMessage, outcome: Outcome) -> bool:
        """Record what ended without a dialogue."""
        await self._flush()
        began, submitted = dt.datetime.now(dt.UTC), Submitted(outcome)
        ended = self._sms.ended(self._work, self._work.intent(message), submitted, began, spoken=False)
        await self._work.say(Turn(self._slot, ended))
        return True

    async def _flush(self) -> None:
        """Make the last outcome durable and empty the slot."""
        if self._ended is not None:
            ended, self._ended = self._ended, None
            await self._work.say(Turn(self._slot, ended))
