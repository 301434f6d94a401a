"""Accepting requests: small ones in groups, large and keyed ones alone (docs/decisions/0018)."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace

import asyncpg
import structlog

from domain.accounts import Caller
from domain.channels import Channel
from domain.ledger import Terms
from domain.sending import Accepted, Rejected, SendRequest
from services.foundation import Foundation
from services.gathering import Gathering
from store import accepting_groups as groups
from store.accepting import Asked, accept, ping_relay
from store.columns import now
from store.db import DATABASE_TROUBLE, Connection, Database
from store.left_out import note_left_out

log = structlog.get_logger(__name__)

MOST = 200
"""Requests of one group: some ten milliseconds of work."""
PING_EVERY = 0.005
"""Seconds between two calls to the relay: each takes a lock of the whole database for a moment."""
# What says nothing about the requests, so that trying them one by one would only be the same trouble many times.
_TROUBLE = (
    asyncpg.PostgresConnectionError, asyncpg.InsufficientResourcesError, asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
)  # fmt: skip


class Acceptance:
    """One per process: requests that come at the same time share a transaction."""

    def __init__(self, base: Foundation) -> None:
        self._db = base.db
        self._terms = Terms(base.policy.time_scale, base.policy.email_price_micro)
        self.groups: Gathering[Asked, Accepted] = Gathering(self._accept_group, MOST)
        self._bell = Bell(base.db)

    async def accept(
        self, caller: Caller, request: SendRequest, left_out: Sequence[Rejected] = (), duplicates: int = 0
    ) -> Accepted:
        """Durable when this returns. `left_out` and `duplicates` are of lines that the door did not take.

        Raises `Refusal` with nothing done.
        """
        asked = (caller, request)
        if groups.is_small(asked) and not left_out and not duplicates:
            return await self.groups.ask(asked)
        accepted = await self._accept_alone(asked, left_out, duplicates)
        await self._bell.ring()
        return accepted

    async def _accept_alone(self, asked: Asked, left_out: Sequence[Rejected] = (), duplicates: int = 0) -> Accepted:
        async with self._db.raw() as connection:
            accepted = await accept(connection, *asked, now(), self._terms)
            if (left_out or duplicates) and not accepted.repeated:
                accepted = await _with_left_out(connection, asked[0], accepted, (left_out, duplicates))
        return accepted

    async def _accept_group(self, asked: list[Asked]) -> Sequence[Accepted | Exception]:
        answers: Sequence[Accepted | Exception] = ()
        written = False
        async with self._db.pool.acquire() as connection:
            try:
                looked = await groups.examine(connection, asked, now())
                async with connection.transaction():
                    answers = await groups.write(connection, looked, now(), self._terms)
                    written = True
            except (asyncpg.PostgresError, asyncpg.DataError) as problem:
                if written or isinstance(problem, _TROUBLE):  # of the commit itself: what was written may stand
                    raise
                log.warning("group_tried_alone", error=type(problem).__name__, requests=len(asked))
        if not written:
            answers = await self._one_by_one(asked)
        await self._bell.ring()
        return answers

    async def _one_by_one(self, asked: list[Asked]) -> list[Accepted | Exception]:
        """What one of them broke, it breaks for itself alone."""
        found: list[Accepted | Exception] = []
        for one in asked:
            done = asyncio.ensure_future(self._accept_alone(one))
            await asyncio.wait([done])
            problem = done.exception()
            found.append(problem if isinstance(problem, Exception) else done.result())
        return found


async def _with_left_out(
    connection: Connection, caller: Caller, accepted: Accepted, more: tuple[Sequence[Rejected], int]
) -> Accepted:
    left_out, duplicates = more
    rejected = tuple(sorted((*left_out, *accepted.rejected), key=lambda one: one.line))
    found = replace(accepted, rejected=rejected, duplicates=accepted.duplicates + duplicates)
    await note_left_out(connection, caller.account_id, found.submission_id, rejected, found.duplicates)
    return found


class Bell:
    """Calls a channel's relays: at once when it was quiet, else within `PING_EVERY` and once for all who rang by then.

    What is rung for is accepted by then: a call that is lost costs a second (the relay polls), an error would cost a
    second sending.
    """

    def __init__(self, db: Database, channel: Channel = Channel.EMAIL) -> None:
        self._db = db
        self._channel = channel
        self._next = 0.0
        self._later: asyncio.Task[None] | None = None

    async def ring(self) -> None:
        """Returns when the call is made or will be."""
        if self._later is not None:
            return
        wait = self._next - asyncio.get_running_loop().time()
        if wait <= 0:
            await self._call()
        else:
            self._later = asyncio.create_task(self._call_after(wait))

    async def _call_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._later = None
        await self._call()

    async def _call(self) -> None:
        self._next = asyncio.get_running_loop().time() + PING_EVERY
        with contextlib.suppress(*DATABASE_TROUBLE):
            await ping_relay(self._db, self._channel)
