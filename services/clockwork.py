"""Keeps workflows in step with rows: starts, nudges, the full check, and histories (design §3)."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.ids import Kind, Process
from domain.queues import CONTROL, EXPRESS
from services.histories import Histories
from services.schedules import Schedules
from store import clockwork as rows
from store import webhooks
from store.db import DATABASE_TROUBLE, Database
from workflows import visibility

log = structlog.get_logger(__name__)

START_DEADLINE = timedelta(seconds=1)
LOOK_DEADLINE = timedelta(seconds=5)
RECONCILE_LOCK = 0x50_6E_67_01
"""PostgreSQL advisory lock: one reconcile loop at a time."""
ASIDE_SECONDS = 60.0
"""A process that cannot be helped now is passed over for so long, so that it stands in nobody's way."""
NUDGES_AT_ONCE = 20
THIS_ONE_ALONE = frozenset(
    {RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.OUT_OF_RANGE}
)
"""Answers that are about one process. Any other fault is about Temporal or the way to it, and would meet the rest."""
AWAY = (RPCError, RuntimeError, TimeoutError)
"""What a call raises when Temporal is away; `RuntimeError` comes from a client that never was connected."""


@dataclass(frozen=True)
class Start:
    """How a kind of process is started: the workflow's name, its queue, and its title in the Temporal UI."""

    workflow: str
    queue: str
    title: str


STARTS: dict[Kind, Start] = {
    Kind.REGISTRATION: Start("Registration", CONTROL, "Registration: confirm the e-mail address"),
    Kind.ONBOARDING: Start("Onboarding", CONTROL, "Onboarding: from registration to a paying customer"),
    Kind.DOMAIN: Start("DomainVerification", CONTROL, "Sender domain: verify and keep watching its records"),
    Kind.TEMPLATE_REVIEW: Start("TemplateReview", CONTROL, "Template review: a person decides"),
    Kind.CERTIFICATION_REVIEW: Start("CertificationReview", CONTROL, "Certification review: a person decides"),
    Kind.SMS_TEMPLATE_REVIEW: Start("SmsTemplateReview", CONTROL, "SMS template review: a person decides"),
    Kind.SMS_SIGNATURE_REVIEW: Start("SmsSignatureReview", CONTROL, "SMS signature review: a person decides"),
    Kind.RECHARGE: Start("Recharge", CONTROL, "Recharge: wait for the payment, ask on silence, close on timeout"),
    Kind.REFUND: Start("Refund", CONTROL, "Refund of a payment that could not be credited"),
    Kind.CAMPAIGN: Start("Campaign", CONTROL, "Campaign: freeze, hold, send, settle, report"),
    Kind.DELIVERY: Start("Delivery", EXPRESS, "Delivery of one batch of messages"),
    Kind.WEBHOOK: Start("WebhookDelivery", CONTROL, "Webhook endpoint: deliver its events"),
    Kind.SCHEDULED_TASK: Start("ScheduledTask", CONTROL, "Scheduled task: one run"),
    Kind.LIST_IMPORT: Start("ListImport", CONTROL, "Import of a file into a list"),
}


class Aside:
    """Names to pass over for a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[str, float] = {}

    def put(self, name: str) -> None:
        self._until[name] = time.monotonic() + self._seconds

    def names(self) -> set[str]:
        current = time.monotonic()
        self._until = {name: until for name, until in self._until.items() if until > current}
        return set(self._until)


class Clockwork:
    """The link between rows and Temporal. Doors and activities only write rows; this makes workflows follow."""

    def __init__(self, db: Database, client: Client, aside_seconds: float = ASIDE_SECONDS) -> None:
        self._db = db
        self._client = client
        self._aside = Aside(aside_seconds)
        self._histories = Histories(db, client)
        self.schedules = Schedules(db, client)

    async def start(self, workflow_id: str) -> bool:
        """Start an enlisted process now, after its transaction committed. False: reconcile will do it.

        Never raises for Temporal or the database being slow or away: the row is the promise.
        """
        try:
            async with self._db.read() as session:
                row = await rows.find(session, workflow_id)
            if row is None or row.started_at is not None:
                return row is not None
            return await self._start(row)
        except (*AWAY, *DATABASE_TROUBLE) as error:
            log.warning("start_deferred", workflow_id=workflow_id, error=type(error).__name__)
            return False

    async def _start(self, row: rows.Clockwork) -> bool:
        """True when the workflow exists now; False when this one is set aside. Raises when Temporal is away."""
        if row.kind not in STARTS:  # written by a newer version
            return self._set_aside(row.workflow_id, "unknown_kind")
        try:
            await self._request(row)
        except WorkflowAlreadyStartedError:
            log.info("process_existed", workflow_id=row.workflow_id)
        except RPCError as error:
            if error.status not in THIS_ONE_ALONE:
                raise
            return self._set_aside(row.workflow_id, error.status.name)
        async with self._db.begin() as session:
            await rows.stamp_started(session, row.workflow_id)
        return True

    async def _request(self, row: rows.Clockwork) -> None:
        async with self._db.read() as session:
            epoch = await rows.epoch(session)
        kind = Kind(row.kind)
        await self._client.start_workflow(
            STARTS[kind].workflow,
            Process(kind, row.subject, str(row.account_id), epoch),
            id=row.workflow_id,
            task_queue=STARTS[kind].queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=visibility.at_start(str(row.account_id)),
            static_summary=STARTS[kind].title,
            rpc_timeout=START_DEADLINE,
        )

    def _set_aside(self, name: str, why: str) -> bool:
        log.warning("process_set_aside", workflow_id=name, why=why)
        self._aside.put(name)
        return False

    async def start_unstarted(self) -> int:
        """Start what was accepted while Temporal was away; returns how many were started."""
        async with self._db.read() as session:
            waiting = await rows.unstarted(session, self._aside.names())
        started = 0
        for row in waiting:
            try:
                started += await self._start(row)
            except AWAY as error:
                log.warning("starts_wait", waiting=len(waiting) - started, error=type(error).__name__)
                break
        return started

    async def send_nudges(self) -> int:
        """Send the wanted nudges, each process one; returns how many are done with. Those not sent stay wanted."""
        async with self._db.raw() as connection:
            wanted = await rows.wanted_nudges(connection, self._aside.names())
        done = 0
        for first in range(0, len(wanted), NUDGES_AT_ONCE):
            some = wanted[first : first + NUDGES_AT_ONCE]
            sent = await self._send(some)
            done += sent
            if sent < len(some):
                break
        return done

    async def _send(self, wanted: list[rows.WantedNudge]) -> int:
        """Nudge these together; how many are done with, heard or not."""
        heard = await asyncio.gather(*(self._nudge(each.workflow_id) for each in wanted))
        answers = dict(zip(wanted, heard, strict=True))
        done = [each for each, was_heard in answers.items() if was_heard is not None]
        async with self._db.raw() as connection:
            await rows.stamp_nudged(connection, done)
        for each in done:
            if not answers[each]:
                await self._notice_end(each.workflow_id)
        return len(done)

    async def _nudge(self, name: str) -> bool | None:
        """True: heard. False: nobody there, or it can hear no more. None: Temporal is away, try again."""
        try:
            await self._client.get_workflow_handle(name).signal("nudge", rpc_timeout=START_DEADLINE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND and error.status not in THIS_ONE_ALONE:
                log.warning("nudge_waits", workflow_id=name, error=error.status.name)
                return None
            log.info("nudge_unheard", workflow_id=name, why=error.status.name)
            return False
        except (RuntimeError, TimeoutError) as error:
            log.warning("nudge_waits", workflow_id=name, error=type(error).__name__)
            return None
        return True

    async def _notice_end(self, name: str) -> None:
        """Who did not hear may have been ended from outside. What is missing waits for the full check."""
        async with self._db.read() as session:
            row = await rows.find(session, name)
        if row is None or row.closed_at is not None or row.needs_human is not None:
            return
        if status := await self._status(name):
            await self._note(row, status)

    async def check_all(self) -> dict[str, int]:
        """Compare every open process with Temporal: rebuild what is missing, mark what was ended from outside.

        Raises `RPCError` when Temporal goes away meanwhile; what was done stays done.
        """
        async with self._db.read() as session:
            opened = await rows.open_processes(session)
        found: Counter[str] = Counter(running=0, completed=0, restarted=0, needs_human=0, set_aside=0)
        for row in opened:
            found[await self._check(row)] += 1
        await self.schedules.survey()
        return dict(found)

    async def _check(self, row: rows.Clockwork) -> str:
        status = await self._status(row.workflow_id)
        if status is not None:
            return await self._note(row, status)
        if row.needs_human:
            return "needs_human"  # ended by a person; only a person starts it again
        async with self._db.begin() as session:  # first, so that the loop starts it should we not come to it
            await rows.stamp_missing(session, row.workflow_id)
        return "restarted" if await self._start(row) else "set_aside"

    async def _status(self, name: str) -> WorkflowExecutionStatus | None:
        """None: Temporal does not know it."""
        try:
            return (await self._client.get_workflow_handle(name).describe(rpc_timeout=LOOK_DEADLINE)).status
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None

    async def _note(self, row: rows.Clockwork, status: WorkflowExecutionStatus) -> str:
        name = row.workflow_id
        if status in (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW):
            if row.needs_human:  # reset in the Temporal UI
                async with self._db.begin() as session:
                    await rows.stamp_resumed(session, name)
            return "running"
        async with self._db.begin() as session:
            if status is WorkflowExecutionStatus.COMPLETED:
                await rows.stamp_closed(session, name)
                return "completed"
            await rows.stamp_needs_human(session, name, f"workflow is {status.name}")
        log.warning("needs_human", workflow_id=name, status=status.name)
        return "needs_human"

    async def keep_histories(self) -> int:
        """Copy the histories of closed human processes into our database, before Temporal's retention ends."""
        return await self._histories.keep(self._aside.names(), self._aside.put)

    async def run(self, interval: float = 1.0) -> None:
        """The reconcile loop of a worker: every second, in one process at a time, until cancelled."""
        while True:
            try:
                async with self._db.raw() as connection:
                    if await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", RECONCILE_LOCK):
                        await self._round()
            except DATABASE_TROUBLE as error:
                log.warning("reconcile_waits", error=type(error).__name__)
            await asyncio.sleep(interval)

    async def _round(self) -> None:
        """Each part by itself: one that cannot go on now holds up none of the others."""
        parts: tuple[Callable[[], Awaitable[object]], ...] = (
            self.schedules.make_up,
            self.start_unstarted,
            self.schedules.apply_wanted,
            self._wake_webhooks,
            self.send_nudges,
            self.keep_histories,
            self.schedules.survey_now_and_then,
        )
        for part in parts:
            try:
                await part()
            except (*AWAY, *DATABASE_TROUBLE) as error:
                log.warning("reconcile_waits", part=part.__name__, error=type(error).__name__)

    async def _wake_webhooks(self) -> None:
        async with self._db.begin() as session:
            await webhooks.wake_pending(session)
