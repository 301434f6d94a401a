"""`songda audit` and `songda reconcile`: do rows, and workflows, say what they should?"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.markup import escape

from commands.terminal import DataOption, leave, load_settings, output
from stack import default_data, running_stack
from supervision.errors import CannotStart

if TYPE_CHECKING:
    from services.audit import AuditReport
    from store.db import Database

T = TypeVar("T")


def audit(
    data: DataOption = None,
    grace: Annotated[float, typer.Option(help="Seconds after which waiting is no longer excused.")] = 3600,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare what was accepted with what became of it; exits 1 on any difference, and names it."""
    from services.audit import audit as compare

    report_made = asyncio.run(with_database(data, lambda db: compare(db, timedelta(seconds=grace))))
    print_audit(report_made, as_json)
    leave(0 if report_made.clean else 1)


def print_audit(made: "AuditReport", as_json: bool) -> None:
    """Totals, checks, and every offending row by name."""
    if as_json:
        sys.stdout.write(json.dumps({"clean": made.clean, **asdict(made)}, default=str) + "\n")
        return
    output.print("  ".join(f"{name} [bold]{value}[/]" for name, value in made.totals.items()))
    for finding in made.findings:
        output.print(f"{'[bold red]✗' if finding.count else '[green]✓'}[/] {finding.name}")
        for row in finding.rows:
            output.print("    " + escape("  ".join(f"{name}={value}" for name, value in row.items())))
        if finding.count > len(finding.rows):
            output.print(f"    … and {finding.count - len(finding.rows)} more")
    for row in made.possible_duplicates:
        output.print(
            f"[yellow]possible duplicate[/] message {row['message']} ({row['state']}, {row['attempts']} tries)"
        )
    output.print("[green]The books are closed.[/]" if made.clean else "[bold red]The books do not close.[/]")


def reconcile(data: DataOption = None) -> None:
    """Compare every open process with Temporal: start what is missing, mark what was ended from outside.

    Workers start new processes by themselves; this is for after the Temporal database was lost.
    """
    found = asyncio.run(with_database(data, check_processes))
    output.print("  ".join(f"{name} [bold]{count}[/]" for name, count in found.items()))
    leave(0)


async def check_processes(db: "Database") -> dict[str, int]:
    """Start what was never started, then look at each open process."""
    from services.clockwork import Clockwork
    from worker import connect

    clockwork = Clockwork(db, await connect(load_settings()))
    started = await clockwork.start_unstarted()
    return {"started": started, **await clockwork.check_all()}


async def with_database(data: Path | None, work: "Callable[[Database], Awaitable[T]]") -> T:
    """Work on the running stack's database, or on DATABASE_URL."""
    from store.db import Database
    from supervision.schema import check_reachable

    running = running_stack(data or default_data())
    if running is not None:
        os.environ.setdefault("DATABASE_URL", running.database_url)
        os.environ.setdefault("TEMPORAL_ADDRESS", running.temporal_address)
    url = os.environ.get("DATABASE_URL")
    if not url:
        raise CannotStart("No stack is running on this data folder: name it with --data DIR, or set DATABASE_URL.")
    await check_reachable(url)
    db = await Database.open(url, connections=2)
    try:
        return await work(db)
    finally:
        await db.close()
