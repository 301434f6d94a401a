"""One attempt at one page, whatever its messages travel by: conversations that take messages until there are none.

What differs between mail and SMS is in a `Channel`: how messages are sorted into queues, and what one conversation says
to the world. Slots, intents, lanes and the page's time are here (design §4.4).
"""

import asyncio
import contextlib
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from temporalio import activity

from activities.lane_seats import Seat
from activities.lanes import Wait
from activities.sender_process import Pool, SenderProcess
from domain.errors import LeaseLost
from domain.sending import OutcomeKind
from store.db import DATABASE_TROUBLE
from store.dialogues import Intent, Turn
from store.pages import PageMessage, TakenPage

log = structlog.get_logger(__name__)

EXPRESS_PATIENCE = 1.0
"""Seconds that a page of small requests waits for its turn in a lane, before it goes back to `due`."""


@dataclass(frozen=True)
class PageResult:
    """What became of a page, for people who look at the workflow; totals for the books come from group commits."""

    delivered: int = 0
    """Of SMS: taken by a carrier."""
    deferred: int = 0
    bounced: int = 0
    dropped: int = 0
    uncertain: int = 0
    given_back: int = 0


@dataclass(frozen=True)
class Sheet:
    """How a page is to be delivered: with which content, until when (the loop's clock), at whose cost.

    `express` pages are of small requests: a part of every lane and of this process is kept for them.
    """

    ends_at: float
    express: bool = True
    version: Any = None
    """Of the template (a UUID); None: the submission's own."""
    revision: int = 0


@dataclass(frozen=True)
class Queue:
    """Messages of a page that go one way, and how many conversations they are worth."""

    messages: deque[PageMessage]
    conversations: int
    way: Any
    """The channel's own."""
    lane: str = ""


class Conversation(Protocol):
    """One slot's dialogues."""

    async def run(self) -> None:
        """However it ends, its slot is emptied in order: whoever gets the slot next would write over what it holds."""


class Channel(Protocol):
    """What messages travel by."""

    pool: Pool
    """Which slots of the process its conversations use."""

    async def queues(self, work: "PageWork") -> list[Queue]:
        """The page's messages by their ways."""

    async def seat(self, work: "PageWork", queue: Queue) -> Seat | None:
        """The right to a connection, waited for while the page lasts; None: none is needed. Raises `NoSeat`."""

    def is_few(self, queue: Queue) -> bool:
        """Whether what is in the queue may use the slots that are kept for single messages."""

    def conversation(self, work: "PageWork", queue: Queue, slot: int) -> Conversation:
        """One more conversation about what is in the queue."""


class NoSeat(Exception):
    """The lane has no room for this connection while the page lasts."""


class PageWork:
    """One attempt at one page."""

    def __init__(self, sender: SenderProcess, channel: Channel, page: TakenPage, sheet: Sheet) -> None:
        self._sender = sender
        self._channel = channel
        self.page = page
        self.sheet = sheet
        self.counts: Counter[str] = Counter()
        self._talking = 0
        """Conversations that do not wait for their lane."""
        self._stopping = False
        self._lost = False
        self.waits: float | None = None
        """Seconds until the lane may take what was left; None: nothing was left because of its lane."""

    async def run(self) -> None:
        """Sort, open conversations, wait. A dialogue that hangs past the deadline stays with its slot."""
        queues = await self._channel.queues(self)
        tasks = {self._sender.spawn(self._converse(queue)) for queue in queues for _ in range(queue.conversations)}
        faults: list[BaseException] = []
        while tasks and (left := self.left()) > 0:
            done, tasks = await asyncio.wait(tasks, timeout=min(1.0, left))
            faults += [fault for task in done if not task.cancelled() and (fault := task.exception())]
            activity.heartbeat(sum(self.counts.values()))
        self._stopping = True
        if self._lost:
            raise LeaseLost(str(self.page.id))
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
        return PageResult(**self.counts, given_back=len(self.page.messages) - tried)

    async def _converse(self, queue: Queue) -> None:
        """One conversation's life: take messages until there are none, each with its intent made durable first."""
        self._talking += 1
        try:
            with await self._channel.seat(self, queue) or contextlib.nullcontext():
                express = self.sheet.express and self._channel.is_few(queue)
                async with self._sender.slot(express=express, pool=self._channel.pool) as slot:
                    await self._channel.conversation(self, queue, slot).run()
        except NoSeat:
            return  # what is left in the queue is tried by the next page
        except LeaseLost:
            self._lost = True
        except DATABASE_TROUBLE as error:  # as above
            log.warning("conversation_ended", error=type(error).__name__)
        finally:
            self._talking -= 1

    async def patience(self, wait: Wait) -> bool:
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

    def next_message(self, queue: "deque[PageMessage]") -> PageMessage | None:
        return queue.popleft() if queue and not self._stopping else None

    def put_back(self, queue: "deque[PageMessage]", message: PageMessage) -> None:
        """It was not tried after all."""
        queue.appendleft(message)

    def count(self, kind: OutcomeKind) -> None:
        """A try ended so."""
        self.counts[kind.value] += 1

    def intent(self, message: PageMessage) -> Intent:
        return Intent(message, self.page.id, self.page.epoch, self.sheet.revision)

    async def say(self, turn: Turn) -> bool:
        """Make it durable with the next group commit; whether the turn's intent was granted. Raises `LeaseLost`."""
        return await self._sender.turn(turn)
