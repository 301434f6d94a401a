"""Copies of closed human processes' event histories, kept after Temporal's retention (design §3)."""

import json
from collections.abc import Callable, Collection
from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from domain.ids import Kind
from store import clockwork as rows
from store.db import Database

log = structlog.get_logger(__name__)

LOOK_DEADLINE = timedelta(seconds=5)
HUMAN_KINDS = [
    Kind.RECHARGE.value,
    Kind.REFUND.value,
    Kind.REGISTRATION.value,
    Kind.ONBOARDING.value,
    Kind.DOMAIN.value,
    Kind.TEMPLATE_REVIEW.value,
    Kind.CERTIFICATION_REVIEW.value,
    Kind.SMS_TEMPLATE_REVIEW.value,
    Kind.SMS_SIGNATURE_REVIEW.value,
]


class Histories:
    """What the reconcile loop does for the archive."""

    def __init__(self, db: Database, client: Client) -> None:
        self._db = db
        self._client = client

    async def keep(self, passed_over: Collection[str], pass_over: Callable[[str], None]) -> int:
        """Keep some that are due; returns how many. Raises `RPCError` when Temporal is away.

        A process that has stamped its end but has not ended yet is passed over, so that the next ones get their turn.
        """
        async with self._db.read() as session:
            closed = await rows.unexported(session, HUMAN_KINDS, passed_over)
        kept = 0
        for row in closed:
            try:
                exported = await self._export(row)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                await self._give_up(row)
                continue
            kept += exported
            if not exported:
                pass_over(row.workflow_id)
        return kept

    async def _export(self, row: rows.Clockwork) -> bool:
        """False while the workflow still runs."""
        handle = self._client.get_workflow_handle(row.workflow_id)
        description = await handle.describe(rpc_timeout=LOOK_DEADLINE)
        if description.status is WorkflowExecutionStatus.RUNNING or row.closed_at is None:
            return False
        # PostgreSQL's jsonb holds no NUL, and one in a failure's text must not lose the whole history.
        history = json.loads((await handle.fetch_history()).to_json().replace("\\u0000", ""))
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
            await rows.stamp_exported(session, row.workflow_id)
        return True

    async def _give_up(self, row: rows.Clockwork) -> None:
        """Temporal no longer has it: its retention ended, or its database was lost."""
        log.warning("history_lost", workflow_id=row.workflow_id)
        async with self._db.begin() as session:
            await rows.stamp_exported(session, row.workflow_id)
