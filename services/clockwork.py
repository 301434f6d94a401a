"""Keeps workflows in step with rows: starts, nudges, the full check, and histories (design §3)."""

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.ids import Kind, Process
from domain.queues import CONTROL, EXPRESS
from store import clockwork as rows
from store import webhooks
from store.columns import now
from store.db import DATABASE_TROUBLE, Database
from workflows import visibility

log = structlog.get_logger(__name__)

START_DEADLINE = timedelta(seconds=1)
RECONCILE_LOCK = 0x50_6E_67_01
"""PostgreSQL advisory lock: one reconcile loop at a time."""
HUMAN_KINDS = [Kind.REGISTRATION.value, Kind.ONBOARDING.value, Kind.DOMAIN.value, Kind.TEMPLATE_REVIEW.value]


@dataclass(frozen=True)
class Start:
    """How a kind of process is started: the workflow's name, its queue, and its title in the Temporal UI."""

    workflow: str
    queue: str
    title: str


STARTS: dict[Kind, Start] = {
    Kind.REGISTRATION: Start("Registration", CONTROL, "Registration: confirm the e-mail address"),
    Kind.ONBOARDING: Start("Onboarding", CONTROL, "Onboarding: from registration to the first sends"),
    Kind.DOMAIN: Start("DomainVerification", CONTROL, "Sender domain: verify and keep watching its records"),
    Kind.TEMPLATE_REVIEW: Start("TemplateReview", CONTROL, "Template review: a person decides"),
    Kind.DELIVERY: Start("Delivery", EXPRESS, "Delivery of one batch of messages"),
    Kind.WEBHOOK: Start("WebhookDelivery", CONTROL, "Webhook endpoint: deliver its events"),
}


class Clockwork:
    """The link between rows and Temporal. Doors and activities only write rows; this makes workflows follow."""

    def __init__(self, db: Database, client: Client) -> None:
        self._db = db
        self._client = client

    async def start(self, workflow_id: str) -> bool:
        """Start an enlisted process now, after its transaction committed. False: reconcile will do it.

        Never raises for Temporal being slow or away: the row is the promise.
        """
        async with self._db.read() as session:
            row = await rows.find(session, workflow_id)
            epoch = await rows.epoch(session)
        if row is None or row.started_at is not None:
            return row is not None
        return await self._start(Process(Kind(row.kind), row.subject, str(row.account_id), epoch))

    async def _start(self, process: Process, *, reuse: bool = False) -> bool:
        start = STARTS[process.kind]
        try:
            await self._client.start_workflow(
                start.workflow,
                process,
                id=process.workflow_id,
                task_queue=start.queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=(
                    WorkflowIDReusePolicy.ALLOW_DUPLICATE if reuse else WorkflowIDReusePolicy.REJECT_DUPLICATE
                ),
                search_attributes=visibility.at_start(process.account),
                static_summary=start.title,
                rpc_timeout=START_DEADLINE,
            )
        except WorkflowAlreadyStartedError:
            log.info("process_existed", workflow_id=process.workflow_id)
        except (RPCError, RuntimeError, TimeoutError) as error:
            log.warning("start_deferred", workflow_id=process.workflow_id, error=type(error).__name__)
            return False
        async with self._db.begin() as session:
            await rows.stamp_started(session, process.workflow_id)
        return True

    async def start_unstarted(self) -> int:
        """Start what was accepted while Temporal was away; returns how many were started."""
        async with self._db.read() as session:
            waiting = await rows.unstarted(session)
        started = 0
        for process in waiting:
            if not await self._start(process):
                break
            started += 1
        return started

    async def send_nudges(self) -> int:
        """Send the wanted nudges, each once; a process that is gone is left to the full check."""
        async with self._db.begin() as session:
            names = await rows.take_nudges(session)
            for name in names:
                await self._nudge(name)
        return len(names)

    async def _nudge(self, name: str) -> None:
        try:
            await self._client.get_workflow_handle(name).signal("nudge", rpc_timeout=START_DEADLINE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            log.info("nudge_unheard", workflow_id=name)

    async def check_all(self) -> dict[str, int]:
        """Compare every open process with Temporal: rebuild what is missing, mark what was ended from outside."""
        async with self._db.read() as session:
            opened = await rows.open_processes(session)
        found = {"running": 0, "completed": 0, "restarted": 0, "needs_human": 0}
        for row in opened:
            found[await self._check(row)] += 1
        return found

    async def _check(self, row: rows.Clockwork) -> str:
        try:
            status = (await self._client.get_workflow_handle(row.workflow_id).describe()).status
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return await self._rebuild(row)
        if status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW):
            return "running"
        async with self._db.begin() as session:
            if status is WorkflowExecutionStatus.COMPLETED:
                await rows.stamp_closed(session, row.workflow_id)
                return "completed"
            await rows.stamp_needs_human(session, row.workflow_id, f"workflow is {status.name if status else '?'}")
        return "needs_human"

    async def _rebuild(self, row: rows.Clockwork) -> str:
        async with self._db.read() as session:
            epoch = await rows.epoch(session)
        started = await self._start(Process(Kind(row.kind), row.subject, str(row.account_id), epoch), reuse=True)
        return "restarted" if started else "needs_human"

    async def keep_histories(self) -> int:
        """Copy the histories of closed human processes into our database, before Temporal's retention ends."""
        async with self._db.read() as session:
            closed = await rows.unexported(session, HUMAN_KINDS)
        for row in closed:
            await self._export(row)
        return len(closed)

    async def _export(self, row: rows.Clockwork) -> None:
        handle = self._client.get_workflow_handle(row.workflow_id)
        description = await handle.describe()
        if description.status is WorkflowExecutionStatus.RUNNING or row.closed_at is None:
            return
        history = json.loads((await handle.fetch_history()).to_json())
        async with self._db.begin() as session:
            session.add(
                rows.ProcessHistory(
                    workflow_id=row.workflow_id,
                    run_id=description.run_id or "",
                    account_id=row.account_id,
                    closed_at=row.closed_at,
                    history=history,
                )
            )
            kept = await rows.find(session, row.workflow_id)
            if kept:
                kept.exported_at = now()

    async def run(self, interval: float = 1.0) -> None:
        """The reconcile loop of a worker: every second, in one process at a time, until cancelled."""
        while True:
            try:
                async with self._db.raw() as connection:
                    if await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", RECONCILE_LOCK):
                        await self._round()
            except (RPCError, RuntimeError, *DATABASE_TROUBLE) as error:
                log.warning("reconcile_waits", error=type(error).__name__)
            await asyncio.sleep(interval)

    async def _round(self) -> None:
        await self.start_unstarted()
        async with self._db.begin() as session:
            await webhooks.wake_pending(session)
        await self.send_nudges()
        await self.keep_histories()
