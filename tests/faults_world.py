"""What the fault tests share: where a stack is, its books once everything is settled, and what a failed demo said."""

import asyncio
import contextlib

from demo.parties import Places
from demo.show import DemoResult
from services.audit import AuditReport, audit
from stack import Stack
from store.db import DATABASE_TROUBLE, Database

SLOTS = 80
"""Connections a worker may have open (`Settings.sender_slots`)."""


def places(stack: Stack) -> Places:
    where = stack.addresses
    assert where.sandbox_url
    return Places(
        where.public_url, where.submission, where.sandbox_url, where.temporal_address, where.temporal_ui_url, where.data
    )


async def books(stack: Stack) -> AuditReport:
    """The audit once everything is settled; the last part killed may still be coming back."""
    report: AuditReport | None = None
    for _ in range(300):
        with contextlib.suppress(*DATABASE_TROUBLE):
            report = await look(stack)
            if report.totals["queued"] == 0:
                return report
        await asyncio.sleep(0.3)
    assert report is not None, "the database never came back"
    return report


async def look(stack: Stack) -> AuditReport:
    db = await Database.open(stack.addresses.database_url, connections=2)
    try:
        return await audit(db)
    finally:
        await db.close()


def explained(result: DemoResult) -> str:
    return "\n".join(f"{step.name}: {step.seconds:.1f} s, {step.evidence}" for step in result.steps)


def last_lines(stack: Stack) -> list[str]:
    """The ends of the logs of what a fault test stops or kills."""
    logs = sorted(stack.options.data.glob("logs/*.log"))
    return [f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs]
