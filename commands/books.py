"""`songda audit` and `songda reconcile`: do rows, and workflows, say what they should?"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.markup import escape

from commands.terminal import DataOption, leave, output
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

    where = books(data)
    report_made = asyncio.run(with_database(where, lambda db: compare(db, timedelta(seconds=grace))))
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


def reconcile(
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare every open process with Temporal: start what is missing, mark what was ended from outside.

    Workers start new processes by themselves; this is for after the Temporal database was lost. Exits 1 when it found a
    process that a person must look at, or one that could not be started.
    """
    where = books(data)
    found = asyncio.run(with_database(where, lambda db: check_processes(db, where)))
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        output.print("  ".join(f"{name} [bold]{count}[/]" for name, count in found.items()))
    leave(1 if found["needs_human"] or found["set_aside"] else 0)


async def check_processes(db: "Database", where: "Books") -> dict[str, int]:
    """Start what was never started, then look at each open process. Raises `CannotStart` when Temporal is away."""
    from temporalio.client import Client
    from temporalio.service import RPCError

    from services.clockwork import Clockwork

    try:
        clockwork = Clockwork(db, await Client.connect(where.temporal_address, namespace=where.namespace))
        started = await clockwork.start_unstarted()
        return {"started": started, **await clockwork.check_all()}
    except (RPCError, RuntimeError, TimeoutError) as problem:
        raise CannotStart(
            f"Temporal does not answer at {where.temporal_address} ({type(problem).__name__}): start it, or set "
            "TEMPORAL_ADDRESS to host:port."
        ) from None


@dataclass(frozen=True)
class Books:
    """A database and the Temporal that goes with it: to compare one with another's would mark every process."""

    database_url: str
    temporal_address: str
    namespace: str = "default"


def books(data: Path | None) -> Books:
    """Those of the stack on this folder; without a folder, those of the environment, else of the default folder."""
    url = os.environ.get("DATABASE_URL")
    if url and data is None:
        address = os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233")
        return Books(url, address, os.environ.get("TEMPORAL_NAMESPACE", "default"))
    running = running_stack(data or default_data())
    if running is None:
        raise CannotStart("No stack is running on this data folder: name it with --data DIR, or set DATABASE_URL.")
    return Books(running.database_url, running.temporal_address)


async def with_database(where: Books, work: "Callable[[Database], Awaitable[T]]") -> T:
    """Work on that database. Raises `CannotStart` when it cannot be reached or has no tables."""
    from store.db import Database
    from supervision.schema import check_migrated

    await check_migrated(where.database_url)
    db = await Database.open(where.database_url, connections=2)
    try:
        return await work(db)
    finally:
        await db.close()
