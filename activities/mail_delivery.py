"""Mail as a channel of pages: routes, connections, and what each dialogue came to (design §4.4, §4.5)."""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography.fernet import InvalidToken
from temporalio import activity

from activities.lane_seats import Seat
from activities.lanes import PAUSED_FOR, Lanes, Wait
from activities.page_work import NoSeat, PageWork, Queue, Sheet
from activities.recipient_lanes import route_lane
from activities.rendering import Renderer
from activities.sender_process import Pool
from domain.addresses import domain_of
from domain.sending import USUAL, Curve, MessageState, Outcome, OutcomeKind, Reason, Standing, settle
from domain.transport import Connection, Mail, MailRoute, Router, Transport
from store.dialogues import Ended, Intent, Turn
from store.pages import PageMessage

MESSAGES_PER_CONNECTION = 1_000
"""Where a lane sets no limit."""
FEW = 5
"""Messages of a page to one destination that may use the slots that are kept for single mails: a flood of one account's
small requests is a campaign, too."""
MESSAGES_FOR_A_CONNECTION = 20
"""Of a page to one destination, before another connection is opened beside the first."""
_BROKEN = Outcome(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN, text="the dialogue ended without an answer")
"""What is known of a dialogue that was broken off by a fault of ours, until it says otherwise."""
EXPIRED = Outcome(OutcomeKind.BOUNCED, Reason.EXPIRED, text="its time to live ended before a try")
ROUTES_AT_ONCE = 20


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
class Began:
    """In which lane a try began, and when."""

    lane: str
    at: dt.datetime


class MailChannel:
    """How one page's mails are sent."""

    pool = Pool.MAIL

    def __init__(self, renderer: Renderer, wire: Wire) -> None:
        self._renderer = renderer
        self._wire = wire

    async def queues(self, work: PageWork) -> list[Queue]:
        """The page's messages by destination: domains with the same servers share connections."""
        by_domain: dict[str, list[PageMessage]] = {}
        late: deque[PageMessage] = deque()
        now = dt.datetime.now(dt.UTC)
        for message in work.page.messages:
            if message.expires_at <= now:  # it needs no lane that may be closed for long
                late.append(message)
            else:
                by_domain.setdefault(domain_of(message.address), []).append(message)
        routes = await self._routes(list(by_domain))
        found: dict[object, tuple[MailRoute, deque[PageMessage]]] = {}
        if late:
            found[""] = (MailRoute("", failure=EXPIRED), late)
        for route in routes:
            self._wire.lanes.learn(route)
            found.setdefault(route.connection, (route, deque()))[1].extend(by_domain[route.domain])
        return [self._queue(route, messages) for route, messages in found.values()]

    def _queue(self, route: MailRoute, messages: deque[PageMessage]) -> Queue:
        worth = min(self._wire.per_destination, 1 + len(messages) // MESSAGES_FOR_A_CONNECTION)
        return Queue(messages, worth, route, route_lane(route))

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

    def is_few(self, queue: Queue) -> bool:
        """A flood of one account's small requests to one destination is a campaign, too."""
        return len(queue.messages) <= FEW

    async def seat(self, work: PageWork, queue: Queue) -> Seat | None:
        """Without an address of ours nothing is tried: a message has not so many tries that a pause may take them."""
        route: MailRoute = queue.way
        while route.hosts:
            seat: Seat | Wait = Wait(PAUSED_FOR)
            if self._wire.may_speak():
                seat = self._wire.lanes.seat(queue.lane, route.destination, express=work.sheet.express)
            if isinstance(seat, Seat):
                return seat
            if not await work.patience(seat):
                raise NoSeat
        return None

    def conversation(self, work: PageWork, queue: Queue, slot: int) -> "_Conversation":
        return _Conversation(self, work, queue, slot)

    def may_send_at_once(self, work: PageWork, lane: str) -> bool:
        """Take a token if there is one."""
        return not self._wire.lanes.take(lane, express=work.sheet.express)

    async def turn_in(self, work: PageWork, lane: str) -> bool:
        """Wait until the lane takes one more message; False: not within this page."""
        while wait := self._wire.lanes.take(lane, express=work.sheet.express):
            if not await work.patience(Wait(wait)):
                return False
        return True

    def messages_per_connection(self, lane: str) -> int:
        """After which a connection is closed, and another opened."""
        limit = self._wire.lanes.messages_per_connection(lane)
        return MESSAGES_PER_CONNECTION if limit is None else limit

    def heard(self, lane: str, route: MailRoute, outcome: Outcome) -> None:
        """Tell the lane what its servers answered."""
        self._wire.lanes.heard(lane, outcome, destination=route.destination)

    async def prepare(self, message: PageMessage, sheet: Sheet) -> tuple[Mail | Outcome, bool]:
        """(the mail or why it cannot be made, whether an uncertain end may be tried again)."""
        if message.expires_at <= dt.datetime.now(dt.UTC):
            return EXPIRED, False
        if message.suppressed:
            return Outcome(OutcomeKind.DROPPED, Reason.SUPPRESSED, text=message.suppressed), False
        content = await self._renderer.content(message.submission_id, sheet.version)
        may_resend = content.resend_uncertain and not message.possible_duplicate
        try:
            return self._renderer.render(message, content), may_resend
        except (ValueError, TypeError, LookupError, AttributeError, InvalidToken) as error:
            return Outcome(OutcomeKind.DROPPED, Reason.RENDER_FAILED, text=type(error).__name__), may_resend

    def ended(
        self, work: PageWork, intent: Intent, outcome: Outcome, began: Began, *, may_resend: bool, spoken: bool = True
    ) -> Ended:
        """The record of one attempt."""
        now = dt.datetime.now(dt.UTC)
        message = intent.message
        curve, scale = self._wire.curves(message.kind, outcome.reason), self._wire.time_scale
        standing = Standing(message.attempts, message.expires_at, may_resend, curve, message.life(scale))
        state, next_at = settle(outcome, standing, now, scale)
        if outcome.kind is OutcomeKind.DEFERRED and state is MessageState.BOUNCED:
            outcome = replace(outcome, kind=OutcomeKind.BOUNCED, reason=Reason.EXPIRED)
        work.count(outcome.kind)
        return Ended(intent, outcome, state, next_at, began.at, now, spoken, began.lane)

    async def connect(self, route: MailRoute) -> Connection | Outcome:
        return route.failure or await self._wire.transport.connect(route)


class _Conversation:
    """One slot's dialogues with one destination. `_ended` is the last outcome that no commit carried yet."""

    def __init__(self, mail: "MailChannel", work: PageWork, queue: Queue, slot: int) -> None:
        self._mail = mail
        self._work = work
        self._route: MailRoute = queue.way
        self._lane = queue.lane
        self._queue = queue.messages
        self._slot = slot
        self._connection: Connection | None = None
        self._served = 0
        self._share = mail.messages_per_connection(self._lane)
        self._ended: Ended | None = None

    async def run(self) -> None:
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
        mail, may_resend = await self._mail.prepare(message, self._work.sheet)
        if isinstance(mail, Outcome):
            return await self._unspoken(message, mail)
        connection = await self._usable()
        if isinstance(connection, Outcome):
            self._mail.heard(self._lane, self._route, connection)
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
            self._ended = self._mail.ended(self._work, intent, outcome, began, may_resend=may_resend)
        self._mail.heard(self._lane, self._route, outcome)
        return True

    async def _has_turn(self, message: PageMessage) -> bool:
        """The lane takes one more; else the message waits for the next page. Nothing hangs in the slot meanwhile."""
        if self._route.failure is not None or self._mail.may_send_at_once(self._work, self._lane):
            return True
        await self._flush()
        if await self._mail.turn_in(self._work, self._lane):
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
        opened = await self._mail.connect(self._route)
        if not isinstance(opened, Outcome):
            self._connection = opened
        return opened

    async def _unspoken(self, message: PageMessage, outcome: Outcome) -> bool:
        """Record what ended without a dialogue."""
        await self._flush()
        began = Began(self._lane, dt.datetime.now(dt.UTC))
        intent = self._work.intent(message)
        ended = self._mail.ended(self._work, intent, outcome, began, may_resend=False, spoken=False)
        await self._work.say(Turn(self._slot, ended))
        return True

    async def _flush(self) -> None:
        """Make the last outcome durable and empty the slot."""
        if self._ended is not None:
            ended, self._ended = self._ended, None
            await self._work.say(Turn(self._slot, ended))
