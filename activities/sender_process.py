"""This process as a sender: its lease, its slots, and the group commit that speaks for all its connections (§4.4)."""

import asyncio
import contextlib
import math
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

import structlog

from domain.errors import LeaseLost
from domain.ids import new_id
from store import dead_senders, dialogues, leases
from store.db import DATABASE_TROUBLE, Database
from store.dialogues import PastFirst, Turn

log = structlog.get_logger(__name__)

RENEW_SECONDS = 2.5
LEASE_PAUSE = 0.5
"""Before a new lease is begun where one was lost, in seconds."""
GATHER_SECONDS = 0.011
"""Between two commits under load: each costs the same, however many connections it speaks for."""
MANY_TURNS = 4
"""In the commit before: load. With fewer, a turn that comes is written at once."""
KEPT_FOR_EXPRESS = 0.2
"""Of a process's slots."""


@dataclass
class _Waiting:
    sender: UUID
    turn: Turn
    granted: asyncio.Future[bool]


class Pool(Enum):
    """Slots are of one pool or the other, so that neither channel waits for what the other one does."""

    MAIL = "mail"
    SMS = "sms"


class _Room:
    """The slots of a pool, numbered from `first` on; bulk may have most of them at once."""

    def __init__(self, first: int, slots: int) -> None:
        self.free = list(range(first + slots - 1, first - 1, -1))
        self.all = asyncio.Semaphore(slots)
        self.bulk = asyncio.Semaphore(max(1, slots - math.ceil(slots * KEPT_FOR_EXPRESS)))


class SenderProcess:
    """Owns connection slots. `run` keeps the lease and settles dead processes; `turn` is a connection's durable word.

    When the lease is lost every dialogue is cancelled at once, a new lease is begun, and the pages' next attempts go
    on: what was inside a dialogue is settled by whoever finds the old lease dead.
    """

    def __init__(self, db: Database, slots: int, sms_slots: int = 8) -> None:
        self._db = db
        self._rooms = {Pool.MAIL: _Room(1, slots), Pool.SMS: _Room(slots + 1, sms_slots)}
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._dialogues: set[asyncio.Task[None]] = set()
        self._past_first = PastFirst()
        self.id = new_id()
        self._alive = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled: hold a lease, begin anew when it is lost."""
        recorder = asyncio.create_task(self._record())
        try:
            while True:
                try:
                    await self._begin_lease()
                    await self._keep_lease(recorder)
                except LeaseLost:
                    log.warning("lease_lost", sender=str(self.id))
                except DATABASE_TROUBLE as error:
                    log.warning("no_lease_yet", error=type(error).__name__)
                self._abandon()
                await asyncio.sleep(LEASE_PAUSE)
        finally:
            await self._shut(recorder)

    async def _begin_lease(self) -> None:
        self.id = new_id()
        async with self._db.raw() as connection:
            await leases.register_sender(connection, self.id, socket.gethostname(), os.getpid())
        self._alive.set()

    async def _keep_lease(self, recorder: asyncio.Task[None]) -> None:
        """Renew until the database says that it ended. While the database is away, it decides when it is back.

        Raises what ended the recorder: without it every connection would wait for ever, under a lease that lives.
        """
        while True:
            await asyncio.wait([recorder], timeout=RENEW_SECONDS)
            if recorder.done():
                recorder.result()
            try:
                async with self._db.raw() as connection:
                    await leases.renew_lease(connection, self.id)
                await self._settle_dead()
            except DATABASE_TROUBLE as error:
                log.warning("database_away", error=type(error).__name__)

    async def _settle_dead(self) -> None:
        """Whoever is alive accounts for the dialogues of those who are not."""
        while True:
            async with self._db.raw() as connection:
                count = await dead_senders.settle_dead_sender(connection)
            if count is None:
                return
            log.warning("dead_sender_settled", uncertain=count)

    def _abandon(self) -> None:
        """The lease is gone: nothing that this process says counts any more."""
        self._alive.clear()
        for task in self._dialogues:
            task.cancel()
        while not self._queue.empty():
            _fail(self._queue.get_nowait())

    async def _shut(self, recorder: asyncio.Task[None]) -> None:
        """Let open dialogues end, then give the lease back."""
        if self._dialogues:
            await asyncio.wait(self._dialogues, timeout=8)
        recorder.cancel()
        self._abandon()
        with contextlib.suppress(*DATABASE_TROUBLE):
            async with self._db.raw() as connection:
                await leases.release_sender(connection, self.id)

    def spawn(self, dialogue: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run a connection's work as this process's own: it outlives the page that began it."""
        task = asyncio.create_task(dialogue)
        self._dialogues.add(task)
        task.add_done_callback(self._dialogues.discard)
        return task

    @contextlib.asynccontextmanager
    async def slot(self, *, express: bool = True, pool: Pool = Pool.MAIL) -> AsyncIterator[int]:
        """A free slot of the pool, or wait for one. Campaigns leave some to single messages."""
        await self._alive.wait()
        room = self._rooms[pool]
        async with contextlib.nullcontext() if express else room.bulk, room.all:
            number = room.free.pop()
            try:
                yield number
            finally:
                room.free.append(number)

    async def turn(self, turn: Turn) -> bool:
        """Make an outcome and an intent durable; True when the intent was granted. Raises `LeaseLost`."""
        if not self._alive.is_set():
            raise LeaseLost(str(self.id))
        waiting = _Waiting(self.id, turn, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        return await waiting.granted

    async def _record(self) -> None:
        """One commit after the other, each with whatever has gathered meanwhile."""
        batch: list[_Waiting] = []
        while True:
            if len(batch) >= MANY_TURNS:
                await asyncio.sleep(GATHER_SECONDS)
            batch = [await self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get_nowait())
            current = [waiting for waiting in batch if waiting.sender == self.id]
            try:
                await self._commit_surely(current)
            except LeaseLost:
                log.warning("commit_refused", turns=len(current))
            for waiting in batch:
                _fail(waiting)

    async def _commit_surely(self, batch: list[_Waiting]) -> None:
        """Again and again while the database is away: a repeated commit changes nothing, a lost one would strand
        the messages in our slots."""
        while batch:
            try:
                await self._commit(batch)
                return
            except DATABASE_TROUBLE as error:
                log.warning("commit_again", error=type(error).__name__, turns=len(batch))
                await asyncio.sleep(0.2)

    async def _commit(self, batch: list[_Waiting]) -> None:
        sender = batch[0].sender
        async with self._db.raw() as connection:
            turns = [waiting.turn for waiting in batch]
            granted = await dialogues.commit_turns(connection, sender, turns, self._past_first)
        for waiting in batch:
            if not waiting.granted.done():
                waiting.granted.set_result(waiting.turn.slot in granted)


def _fail(waiting: _Waiting) -> None:
    """The turn did not become durable; a turn that did has its answer already."""
    if not waiting.granted.done():
        waiting.granted.set_exception(LeaseLost("the commit did not happen"))
