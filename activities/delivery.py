"""Deliver one page: the connections that speak, and what each dialogue came to (design §4.4, §4.5)."""

import asyncio
import datetime as dt
from collections import Counter, deque
from dataclasses import dataclass, replace
from uuid import UUID

import structlog
from cryptography.fernet import InvalidToken
from temporalio import activity

from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.addresses import domain_of
from domain.errors import LeaseLost
from domain.ids import Process
from domain.sending import MessageState, Outcome, OutcomeKind, Reason, Standing, settle
from domain.transport import Connection, Mail, MailRoute, Router, Transport
from store import clockwork, pages
from store.db import DATABASE_TROUBLE, Database
from store.dialogues import Ended, Intent, Turn
from store.pages import PageMessage, TakenPage

log = structlog.get_logger(__name__)

PAGE_SECONDS = 15.0
GIVE_BACK_AFTER = dt.timedelta(seconds=5)
MESSAGES_PER_CONNECTION = 20
_BROKEN = Outcome(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN, text="the dialogue ended without an answer")
"""What is known of a dialogue that was broken off by a fault of ours, until it says otherwise."""
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
    """The world outside, injected by the composition root. `per_destination` bounds connections of this process."""

    router: Router
    transport: Transport
    per_destination: int
    time_scale: float


class DeliveryActivities:
    """One instance per worker process."""

    def __init__(self, db: Database, sender: SenderProcess, renderer: Renderer, wire: Wire) -> None:
        self._db = db
        self.sender = sender
        self.renderer = renderer
        self.wire = wire
        self.open_to: Counter[str] = Counter()
        self.pages_in_hand = 0

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
            work = PageWork(self, page)
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

    def __init__(self, activities: DeliveryActivities, page: TakenPage) -> None:
        self._activities = activities
        self._sender = activities.sender
        self._wire = activities.wire
        self._page = page
        self._counts: Counter[str] = Counter()
        self._stopping = False
        self._lost = False

    async def run(self) -> None:
        """Route, open connections, wait. A dialogue that hangs past the deadline stays with its slot."""
        queues = await self._queues()
        tasks = {
            self._sender.spawn(self._converse(route, queue))
            for route, queue in queues
            for _ in range(min(self._wire.per_destination, 1 + len(queue) // MESSAGES_PER_CONNECTION))
        }
        end = asyncio.get_running_loop().time() + PAGE_SECONDS
        faults: list[BaseException] = []
        while tasks and asyncio.get_running_loop().time() < end:
            done, tasks = await asyncio.wait(tasks, timeout=1)
            faults += [fault for task in done if not task.cancelled() and (fault := task.exception())]
            activity.heartbeat(sum(self._counts.values()))
        self._stopping = True
        if self._lost:
            raise LeaseLost(str(self._page.id))
        for fault in faults:
            raise fault

    def result(self) -> PageResult:
        tried = sum(self._counts.values())
        return PageResult(**self._counts, given_back=len(self._page.messages) - tried)

    async def _queues(self) -> list[tuple[MailRoute, deque[PageMessage]]]:
        """The page's messages by destination: domains with the same servers share connections."""
        by_domain: dict[str, list[PageMessage]] = {}
        for message in self._page.messages:
            by_domain.setdefault(domain_of(message.address), []).append(message)
        routes = await self._routes(list(by_domain))
        queues: dict[str, tuple[MailRoute, deque[PageMessage]]] = {}
        for route in routes:
            queues.setdefault(route.destination, (route, deque()))[1].extend(by_domain[route.domain])
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
        open_to = self._activities.open_to
        if open_to[route.destination] >= self._wire.per_destination:
            return  # what is left in the queue goes back to `due`
        open_to[route.destination] += 1
        try:
            async with self._sender.slot() as slot:
                await _Conversation(self, route, queue, slot).run()
        except LeaseLost:
            self._lost = True
        except DATABASE_TROUBLE as error:  # what is left in the queue goes back to `due`
            log.warning("conversation_ended", error=type(error).__name__)
        finally:
            open_to[route.destination] -= 1

    def next_message(self, queue: "deque[PageMessage]") -> PageMessage | None:
        return queue.popleft() if queue and not self._stopping else None

    async def prepare(self, message: PageMessage) -> tuple[Mail | Outcome, bool]:
        """(the mail or why it cannot be made, whether an uncertain end may be tried again)."""
        content = await self._activities.renderer.content(message.submission_id)
        may_resend = content.resend_uncertain and not message.possible_duplicate
        try:
            return self._activities.renderer.render(message, content), may_resend
        except (ValueError, TypeError, LookupError, InvalidToken) as error:
            return Outcome(OutcomeKind.DROPPED, Reason.RENDER_FAILED, text=type(error).__name__), may_resend

    def ended(
        self, intent: Intent, outcome: Outcome, started: dt.datetime, *, may_resend: bool, spoken: bool = True
    ) -> Ended:
        """The record of one attempt."""
        now = dt.datetime.now(dt.UTC)
        standing = Standing(intent.message.attempts, intent.message.expires_at, may_resend)
        state, next_at = settle(outcome, standing, now, self._wire.time_scale)
        if outcome.kind is OutcomeKind.DEFERRED and state is MessageState.BOUNCED:
            outcome = replace(outcome, kind=OutcomeKind.BOUNCED, reason=Reason.EXPIRED)
        self._counts[outcome.kind.value] += 1
        return Ended(intent, outcome, state, next_at, started, now, spoken)

    def intent(self, message: PageMessage) -> Intent:
        return Intent(message, self._page.id, self._page.epoch)

    async def say(self, turn: Turn) -> bool:
        return await self._sender.turn(turn)

    async def connect(self, route: MailRoute) -> Connection | Outcome:
        return route.failure or await self._wire.transport.connect(route)


class _Conversation:
    """One slot's dialogues with one destination. `_ended` is the last outcome that no commit carried yet."""

    def __init__(self, work: PageWork, route: MailRoute, queue: "deque[PageMessage]", slot: int) -> None:
        self._work = work
        self._route = route
        self._queue = queue
        self._slot = slot
        self._connection: Connection | None = None
        self._served = 0
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
        mail, may_resend = await self._work.prepare(message)
        if isinstance(mail, Outcome):
            return await self._unspoken(message, mail)
        connection = await self._usable()
        if isinstance(connection, Outcome):
            return await self._unspoken(message, connection)
        intent = self._work.intent(message)
        ended, self._ended = self._ended, None
        if not await self._work.say(Turn(self._slot, ended, intent)):
            return False  # a newer attempt holds the page
        started = dt.datetime.now(dt.UTC)
        outcome = _BROKEN
        try:
            outcome = await connection.deliver(mail)
        finally:
            self._served += 1
            self._ended = self._work.ended(intent, outcome, started, may_resend=may_resend)
        return True

    async def _usable(self) -> Connection | Outcome:
        """The open connection, or a new one when it closed or has served its share."""
        connection = self._connection
        if connection is not None and connection.alive and self._served < MESSAGES_PER_CONNECTION:
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
        now = dt.datetime.now(dt.UTC)
        ended = self._work.ended(self._work.intent(message), outcome, now, may_resend=False, spoken=False)
        await self._work.say(Turn(self._slot, ended))
        return True

    async def _flush(self) -> None:
        """Make the last outcome durable and empty the slot."""
        if self._ended is not None:
            ended, self._ended = self._ended, None
            await self._work.say(Turn(self._slot, ended))
