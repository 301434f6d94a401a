"""The relays: what is due in a line becomes pages, and each page a `delivery/…` workflow (design §4.2)."""

import asyncio
import time
from collections.abc import Callable

import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from domain.accounts import SYSTEM_ACCOUNT
from domain.channels import DueLine
from domain.ids import Kind, Process
from domain.queues import EXPRESS
from services.clockwork import START_DEADLINE, STARTS
from store import clockwork, pages
from store.accepting import DUE_CHANNEL
from store.db import DATABASE_TROUBLE, Database
from workflows import visibility

log = structlog.get_logger(__name__)

BATCH_SECONDS = 0.1
"""At most ten batches a second: under load batches grow instead, and the cost of Temporal per message falls."""
POLL_SECONDS = 1.0


def _never() -> bool:
    return False


class Relay:
    """A task of the worker that serves `express`, one of each line.

    `has_room` keeps it from claiming more than this process can do.

    While `is_busy`, accounts that got a full share of a batch wait in `due` until it is not: what is in hand already
    keeps the connections busy, and the pages that are left are for the single mails of all others.
    """

    def __init__(
        self,
        db: Database,
        client: Client,
        has_room: Callable[[], bool],
        is_busy: Callable[[], bool] = _never,
        line: DueLine = DueLine.MAIL,
    ) -> None:
        self._line = line
        self._db = db
        self._client = client
        self._has_room = has_room
        self._is_busy = is_busy
        self._wake = asyncio.Event()
        self._turn = pages.ANYBODY

    async def run(self) -> None:
        """Until cancelled. A lost database connection is opened anew."""
        while True:
            try:
                await self._listen_and_serve()
            except DATABASE_TROUBLE as error:
                log.warning("relay_waits", error=type(error).__name__)
                await asyncio.sleep(0.5)

    async def _listen_and_serve(self) -> None:
        async with self._db.pool.acquire() as connection:
            await connection.add_listener(DUE_CHANNEL, self._heard)
            try:
                while not connection.is_closed():
                    await self._serve()
            finally:
                if not connection.is_closed():
                    await connection.remove_listener(DUE_CHANNEL, self._heard)

    def _heard(self, connection: object, process: int, name: str, channel: object) -> None:
        """Under load mails call hundreds of times a second: what is due in another channel is none of our business."""
        if channel in ("", self._line.channel.value):
            self._wake.set()

    async def _serve(self) -> None:
        """One batch, or a wait until something is due or somebody calls."""
        self._wake.clear()
        begun = time.monotonic()
        if self._has_room() and await self._one_batch():
            await asyncio.sleep(max(0.0, BATCH_SECONDS - (time.monotonic() - begun)))
            return
        try:
            async with asyncio.timeout(await self._idle_seconds()):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _idle_seconds(self) -> float:
        if not self._has_room() or self._is_busy():
            return BATCH_SECONDS
        async with self._db.pool.acquire() as connection:
            due = await pages.next_due(connection, self._line)
        return POLL_SECONDS if due is None else min(POLL_SECONDS, max(due, 0.01))

    def _whose_turn(self) -> pages.Turn:
        if not self._is_busy():
            self._turn = pages.Turn(self._turn.after)
        return self._turn

    async def _one_batch(self) -> bool:
        async with self._db.raw() as connection:
            claimed = await pages.claim_batch(connection, turn=self._whose_turn(), line=self._line)
            epoch = await connection.fetchval("SELECT epoch FROM database_epoch")
        if claimed is None:
            return False
        self._turn = pages.Turn(claimed.after, self._turn.without | claimed.full)
        await self._start(Process(Kind.DELIVERY, str(claimed.page), str(SYSTEM_ACCOUNT), epoch))
        return True

    async def _start(self, process: Process) -> None:
        """Start the page's workflow in this very process; if Temporal is away, reconcile does it later."""
        start = STARTS[Kind.DELIVERY]
        try:
            await self._client.start_workflow(
                start.workflow,
                process,
                id=process.workflow_id,
                task_queue=EXPRESS,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=visibility.at_start(process.account),
                static_summary=start.title,
                request_eager_start=True,
                rpc_timeout=START_DEADLINE,
            )
        except WorkflowAlreadyStartedError:  # reconcile was first, and the page is done already
            log.info("process_existed", workflow_id=process.workflow_id)
        except (RPCError, RuntimeError, TimeoutError) as error:
            log.warning("start_deferred", workflow_id=process.workflow_id, error=type(error).__name__)
            return
        async with self._db.begin() as session:
            await clockwork.stamp_started(session, process.workflow_id)
