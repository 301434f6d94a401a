"""Deliver one page: the connections that speak, and what each dialogue came to (design §4.4, §4.5)."""

import asyncio
import contextlib
import datetime as dt
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from cryptography.fernet import InvalidToken
from temporalio import activity

from activities.lane_seats import Seat
from activities.lanes import PAUSED_FOR, Lanes, Wait
from activities.recipient_lanes import route_lane
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.addresses import domain_of
from domain.errors import LeaseLost
from domain.ids import Process
from domain.sending import USUAL, Curve, MessageState, Outcome, OutcomeKind, Reason, Standing, settle
from domain.transport import Connection, Mail, MailRoute, Router, Transport
from store import clockwork, pages
from store.db import DATABASE_TROUBLE, Database
from store.dialogues import Ended, Intent, Turn
from store.pages import PageMessage, TakenPage

log = structlog.get_logger(__name__)

PAGE_SECONDS = 15.0
GIVE_BACK_AFTER = dt.timedelta(seconds=5)
MESSAGES_PER_CONNECTION = 1_000
"""Where a lane sets no limit."""
FEW = 5
"""Messages of a page to one destination that may use the slots that are kept for single mails: a flood of one account's
small requests is a campaign, too."""
MESSAGES_FOR_A_CONNECTION = 20
"""Of a page to one destination, before another connection is opened beside the first."""
EXPRESS_PATIENCE = 1.0
"""Seconds that a page of small requests waits for its turn in a lane, before it goes back to `due`."""
_BROKEN = Outcome(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN, text="the dialogue ended without an answer")
"""What is known of a dialogue that was broken off by a fault of ours, until it says otherwise."""
_EXPIRED = Outcome(OutcomeKind.BOUNCED, Reason.EXPIRED, text="its time to live ended before a try")
ROUTES_AT_ONCE = 20


@dataclass(frozen=True)
class PageResult:
    """What became of a page, for people who look at the workflow; totals for the books come from group commits."""

    delivered: int = 0
    deferred: int = 0
    bounced: int = 0
    dropped: int = 0
    uncertain: int = 0
    given_back: int = 0


@dataclass(frozen=True)
class Wire:
    """The world outside, injected by the composition root. `per_destination` bounds the connections of one page."""

    router: Router
    transport: Transport
    lanes: Lanes
    per_destination: int
    time_scale: float
    curves: Callable[[str, str], Curve] = lambda kind, reason: USUAL
    """When a message of this kind that was deferred for this reason is tried again."""
    may_speak: Callable[[], bool] = lambda: True
    """Whether this machine has an address of ours that is not paused."""


@dataclass(frozen=True)
class Sheet:
    """How a page is to be delivered: with which content, until when (the loop's clock), at whose cost.

    `express` pages are of small requests: a part of every lane and of this process is kept for them.
    """

    ends_at: float
    express: bool = True
    version: UUID | None = None
    """Of the template; None: the submission's own."""
    revision: int = 0


@dataclass(frozen=True)
class Began:
    """In which lane a try began, and when."""

    lane: str
    at: dt.datetime


class DeliveryActivities:
    """One instance per worker process."""

    def __init__(self, db: Database, sender: SenderProcess, renderer: Renderer, wire: Wire) -> None:
        self._db = db
        self.sender = sender
        self.renderer = renderer
        self.wire = wire
        self.pages_in_hand = 0
        self.of_campaigns: set[PageWork] = set()

    @activity.defn(name="deliver_page")
    async def deliver_page(self, process: Process) -> PageResult:
        """Take the page, speak to servers until it is done or its time is up, give back what was not tried."""
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
        page = await self._take(process)
        if page is None:
            return PageResult()
        self.pages_in_hand += 1
        try:
            work = PageWork(self, page, Sheet(asyncio.get_running_loop().time() + PAGE_SECONDS))
            await work.run()
        finally:
            self.pages_in_hand -= 1
        async with self._db.raw() as connection:
            await pages.close_page(connection, page.id, page.epoch, GIVE_BACK_AFTER / self.wire.time_scale)
        return work.result()

    async def _take(self, process: Process) -> TakenPage | None:
        async with self._db.raw() as connection:
            return await pages.take_page(connection, UUID(process.subject))


class PageWork:
    """One attempt at one page."""

    def __init__(self, activities: DeliveryActivities, page: TakenPage, sheet: Sheet) -> None:
        self._activities = activities
        self._sender = activities.sender
        self._wire = activities.wire
        self._page = page
        self.sheet = sheet
        self.counts: Counter[str] = Counter()
        self._talking = 0
        """Conversations that do not wait for their lane."""
        self._stopping = False
        self._lost = False
        self.waits: float | None = None
        """Seconds until the lane may take what was left; None: nothing was left because of its lane."""

    async def run(self) -> None:
        """Route, open connections, wait. A dialogue that hangs past the deadline stays with its slot."""
        queues = await self._queues()
        tasks = {
            self._sender.spawn(self._converse(route, queue))
            for route, queue in queues
            for _ in range(min(self._wire.per_destination, 1 + len(queue) // MESSAGES_FOR_A_CONNECTION))
        }
        faults: list[BaseException] = []
        while tasks and (left := self.left()) > 0:
            done, tasks = await asyncio.wait(tasks, timeout=min(1.0, left))
            faults += [fault for task in done if not task.cancelled() and (fault := task.exception())]
            activity.heartbeat(sum(self.counts.values()))
        self._stopping = True
        if self._lost:
            raise LeaseLost(str(self._page.id))
        for fault in faults:
            raise fault

    @property
    def only_waits(self) -> bool:
        """Whether every conversation waits for its lane."""
        return self._talking == 0

    def stop(self) -> None:
        """Begin no message more."""
        self._stopping = True

    def left(self) -> float:
        """Seconds of this page."""
        return self.sheet.ends_at - asyncio.get_running_loop().time()

    def result(self) -> PageResult:
        tried = sum(self.counts.values())
        return PageResult(**self.counts, given_back=len(self._page.messages) - tried)

    async def _queues(self) -> list[tuple[MailRoute, deque[PageMessage]]]:
        """The page's messages by destination: domains with the same servers share connections."""
        by_domain: dict[str, list[PageMessage]] = {}
        late: deque[PageMessage] = deque()
        now = dt.datetime.now(dt.UTC)
        for message in self._page.messages:
            if message.expires_at <= now:  # it needs no lane that may be closed for long
                late.append(message)
            else:
                by_domain.setdefault(domain_of(message.address), []).append(message)
        routes = await self._routes(list(by_domain))
        queues: dict[object, tuple[MailRoute, deque[PageMessage]]] = {}
        if late:
            queues[""] = (MailRoute("", failure=_EXPIRED), late)
        for route in routes:
            self._wire.lanes.learn(route)
            queues.setdefault(route.connection, (route, deque()))[1].extend(by_domain[route.domain])
        return list(queues.values())

    async def _routes(self, domains: list[str]) -> list[MailRoute]:
        room = asyncio.Semaphore(ROUTES_AT_ONCE)

        async def look_up(domain: str) -> MailRoute:
            async with room:
                return await self._wire.router.mail_hosts(domain)

        lookups = asyncio.gather(*(look_up(domain) for domain in domains))
        while not lookups.done():
            await asyncio.wait([lookups], timeout=1)
            activity.heartbeat(0)
        return lookups.result()

    async def _converse(self, route: MailRoute, queue: "deque[PageMessage]") -> None:
        """One connection's life: take messages until there are none, each with its intent made durable first."""
        lane = route_lane(route)
        self._talking += 1
        try:
            with await self._seat(lane, route) or contextlib.nullcontext():
                async with self._sender.slot(express=self.sheet.express and len(queue) <= FEW) as slot:
                    await _Conversation(self, (route, lane), queue, slot).run()
        except _NoSeat:
            return  # what is left in the queue is tried by the next page
        except LeaseLost:
            self._lost = True
        except DATABASE_TROUBLE as error:  # as above
            log.warning("conversation_ended", error=type(error).__name__)
        finally:
            self._talking -= 1

    async def _seat(self, lane: str, route: MailRoute) -> Seat | None:
        """The right to a connection, waited for while the page lasts; None: there is no server, so none is needed.

        Without an address nothing is tried: a message has not so many tries that a pause may take them.
        """
        while route.hosts:
            seat: Seat | Wait = Wait(PAUSED_FOR)
            if self._wire.may_speak():
                seat = self._wire.lanes.seat(lane, route.destination, express=self.sheet.express)
            if isinstance(seat, Seat):
                return seat
            if not await self._patience(seat):
                raise _NoSeat
        return None

    def may_send_at_once(self, lane: str) -> bool:
        """Take a token if there is one."""
        return not self._wire.lanes.take(lane, express=self.sheet.express)

    async def turn_in(self, lane: str) -> bool:
        """Wait until the lane takes one more message; False: not within this page."""
        while wait := self._wire.lanes.take(lane, express=self.sheet.express):
            if not await self._patience(Wait(wait)):
                return False
        return True

    async def _patience(self, wait: Wait) -> bool:
        """Wait so long if that is worth while; else remember it for whoever tries next."""
        longest = min(self.left(), EXPRESS_PATIENCE) if self.sheet.express else self.left()
        if wait.seconds >= longest or self._stopping:
            self.waits = wait.seconds if self.waits is None else min(self.waits, wait.seconds)
            return False
        self._talking -= 1
        try:
            await asyncio.sleep(wait.seconds)
        finally:
            self._talking += 1
        return not self._stopping

    def messages_per_connection(self, lane: str) -> int:
        """After which a connection is closed, and another opened."""
        limit = self._wire.lanes.messages_per_connection(lane)
        return MESSAGES_PER_CONNECTION if limit is None else limit

    def heard(self, lane: str, route: MailRoute, outcome: Outcome) -> None:
        """Tell the lane what its servers answered."""
        self._wire.lanes.heard(lane, outcome, destination=route.destination)

    def next_message(self, queue: "deque[PageMessage]") -> PageMessage | None:
        return queue.popleft() if queue and not self._stopping else None

    def put_back(self, queue: "deque[PageMessage]", message: PageMessage) -> None:
        """It was not tried after all."""
        queue.appendleft(message)

    async def prepare(self, message: PageMessage) -> tuple[Mail | Outcome, bool]:
        """(the mail or why it cannot be made, whether an uncertain end may be tried again)."""
        if message.expires_at <= dt.datetime.now(dt.UTC):
            return _EXPIRED, False
        if message.suppressed:
            return Outcome(OutcomeKind.DROPPED, Reason.SUPPRESSED, text=message.suppressed), False
        content = await self._activities.renderer.content(message.submission_id, self.sheet.version)
        may_resend = content.resend_uncertain and not message.possible_duplicate
        try:
            return self._activities.renderer.render(message, content), may_resend
        except (ValueError, TypeError, LookupError, AttributeError, InvalidToken) as error:
            return Outcome(OutcomeKind.DROPPED, Reason.RENDER_FAILED, text=type(error).__name__), may_resend

    def ended(self, intent: Intent, outcome: Outcome, began: Began, *, may_resend: bool, spoken: bool = True) -> Ended:
        """The record of one attempt."""
        now = dt.datetime.now(dt.UTC)
        message = intent.message
        curve, scale = self._wire.curves(message.kind, outcome.reason), self._wire.time_scale
        standing = Standing(message.attempts, message.expires_at, may_resend, curve, message.life(scale))
        state, next_at = settle(outcome, standing, now, scale)
        if outcome.kind is OutcomeKind.DEFERRED and state is MessageState.BOUNCED:
            outcome = replace(outcome, kind=OutcomeKind.BOUNCED, reason=Reason.EXPIRED)
        self.counts[outcome.kind.value] += 1
        return Ended(intent, outcome, state, next_at, began.at, now, spoken, began.lane)

    def intent(self, message: PageMessage) -> Intent:
        return Intent(message, self._page.id, self._page.epoch, self.sheet.revision)

    async def say(self, turn: Turn) -> bool:
        return await self._sender.turn(turn)

    async def connect(self, route: MailRoute) -> Connection | Outcome:
        return route.failure or await self._wire.transport.connect(route)


class _NoSeat(Exception):
    """The lane has no room for this connection while the page lasts."""


class _Conversation:
    """One slot's dialogues with one destination. `_ended` is the last outcome that no commit carried yet."""

    def __init__(self, work: PageWork, where: tuple[MailRoute, str], queue: "deque[PageMessage]", slot: int) -> None:
        self._work = work
        self._route, self._lane = where
        self._queue = queue
        self._slot = slot
        self._connection: Connection | None = None
        self._served = 0
        self._share = work.messages_per_connection(self._lane)
        self._ended: Ended | None = None

    async def run(self) -> None:
        """However it ends, its slot is emptied in order: whoever gets the slot next would write over what it holds."""
        try:
            while (message := self._work.next_message(self._queue)) is not None:
                if not await self._one(message):
                    break
        finally:
            try:
                await self._flush()
            finally:
                if self._connection is not None:
                    await self._connection.close()

    async def _one(self, message: PageMessage) -> bool:
        """Deliver one message; False when this connection should end."""
        if not await self._has_turn(message):
            return False
        mail, may_resend = await self._work.prepare(message)
        if isinstance(mail, Outcome):
            return await self._unspoken(message, mail)
        connection = await self._usable()
        if isinstance(connection, Outcome):
            self._work.heard(self._lane, self._route, connection)
            return await self._unspoken(message, connection)
        intent = self._work.intent(message)
        ended, self._ended = self._ended, None
        if not await self._work.say(Turn(self._slot, ended, intent)):
            return False  # a newer attempt holds the page
        began = Began(self._lane, dt.datetime.now(dt.UTC))
        outcome = _BROKEN
        try:
            outcome = await connection.deliver(mail)
        finally:
            self._served += 1
            self._ended = self._work.ended(intent, outcome, began, may_resend=may_resend)
        self._work.heard(self._lane, self._route, outcome)
        return True

    async def _has_turn(self, message: PageMessage) -> bool:
        """The lane takes one more; else the message waits for the next page. Nothing hangs in the slot meanwhile."""
        if self._route.failure is not None or self._work.may_send_at_once(self._lane):
            return True
        await self._flush()
        if await self._work.turn_in(self._lane):
            return True
        self._work.put_back(self._queue, message)
        return False

    async def _usable(self) -> Connection | Outcome:
        """The open connection, or a new one when it closed or has served its share."""
        connection = self._connection
        if connection is not None and connection.alive and self._served < self._share:
            return connection
        await self._flush()
        if connection is not None:
            await connection.close()
        self._connection, self._served = None, 0
        opened = await self._work.connect(self._route)
        if not isinstance(opened, Outcome):
            self._connection = opened
        return opened

    async def _unspoken(self, message: PageMessage, outcome: Outcome) -> bool:
        """Record what ended without a dialogue."""
        await self._flush()
        began = Began(self._lane, dt.datetime.now(dt.UTC))
        ended = self._work.ended(self._work.intent(message), outcome, began, may_resend=False, spoken=False)
        await self._work.say(Turn(self._slot, ended))
        return True

    async def _flush(self) -> None:
        """Make the last outcome durable and empty the slot."""
        if self._ended is not None:
            ended, self._ended = self._ended, None
            await self._work.say(Turn(self._slot, ended))
