"""`songda …`: the commands of one machine. A composition root: it reads settings and starts the other roots."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from stack import (
    SAME_SOURCE,
    SANDBOX_TIME_SCALE,
    Addresses,
    Options,
    Stack,
    default_data,
    running_stack,
    temporary_folder,
)
from supervision.errors import CannotStart
from supervision.folder import Folder
from supervision.ports import DEFAULT_BASE, LOOPBACK, PROVIDER_NETWORK, Ports, free_base

if TYPE_CHECKING:
    from demo.story import Material
    from sandbox.config import Record
    from services.audit import AuditReport
    from settings import Settings
    from store.db import Database

T = TypeVar("T")

app = typer.Typer(
    help="Songda 送达: a self-hosted e-mail and SMS sending platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
news = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False, soft_wrap=True)

DataOption = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data folder.", show_default=False)]
PortBaseOption = Annotated[int, typer.Option("--port-base", metavar="N", help="First of ten ports in a row.")]


def main() -> None:
    """The console script."""
    try:
        app()
    except CannotStart as problem:
        news.print(f"[bold red]songda:[/] {escape(str(problem))}")
        leave(2)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 1)


def leave(code: int) -> None:
    """End at once: an interpreter that has used a Temporal client may abort while it finalises (sdk-python #300)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def report(line: str) -> None:
    """News of the stack, on the error stream: standard output is for results."""
    news.print(f"[dim]songda:[/] {escape(line)}")


@app.command()
def up(
    data: DataOption = None,
    port_base: PortBaseOption = DEFAULT_BASE,
    time_scale: Annotated[
        float | None,
        typer.Option(min=0.001, help="Divides retry, polling and reminder intervals (60 with the sandbox, else 1)."),
    ] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox/--no-sandbox", help="The pretend Internet.")] = True,
    demo: Annotated[bool, typer.Option("--demo", help="Play the demo once everything is ready.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready.")] = False,
) -> None:
    """Everything on this machine: PostgreSQL, Temporal, sandbox, API, worker; stays up until Ctrl-C."""
    scale = time_scale or (SANDBOX_TIME_SCALE if sandbox else 1.0)
    options = Options((data or default_data()).absolute(), port_base, scale, sandbox)
    asyncio.run(run_up(options, demo, as_json))


async def run_up(options: Options, demo: bool, as_json: bool) -> None:
    """Start, announce, wait for a signal, stop."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    report(f"Starting on ports {options.port_base} and up, data in {options.data} …")
    stack = Stack(options, report)
    try:
        if await before(stop, stack.start()):
            announce(stack.addresses, as_json)
            if demo:
                await before(stop, play_demo(options))
                show(stack.addresses)
            await stop.wait()
            report("Stopping …")
    finally:
        await stack.stop()


async def before(stop: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Do the work unless told to stop; False when it was broken off. Raises what the work raises."""
    doing, waiting = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finished = doing.done()
    for task in (doing, waiting):
        task.cancel()
    await asyncio.gather(doing, waiting, return_exceptions=True)
    if finished:
        doing.result()
    return finished


async def play_demo(options: Options) -> None:
    """`songda demo` against the stack that we run."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "demo", "--data", str(options.data), env={**os.environ, **SAME_SOURCE}
    )
    try:
        if await process.wait() != 0:
            report("The demo did not end well; the stack stays up, so that you can look.")
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def announce(where: Addresses, as_json: bool) -> None:
    """The ready line, for people or for a program."""
    if as_json:
        sys.stdout.write(json.dumps({"ready": True, **asdict(where)}) + "\n")
        sys.stdout.flush()
    else:
        show(where)


def show(where: Addresses) -> None:
    """Where to go."""
    rows = [
        ("Portal and console", where.public_url),
        ("API reference", f"{where.public_url}/docs"),
        ("Sandbox: mails, DNS, webhooks", where.sandbox_url or "off: mails go to the real Internet"),
        ("Temporal UI, every process", where.temporal_ui_url),
        ("Intervals", f"retries, polls and reminders {where.time_scale:g} times as fast as in production"),
        ("Logs of the parts", where.logs),
    ]
    output.print("[bold green]Songda is ready.[/]")
    for label, value in rows:
        output.print(f"  {label:<30} {escape(value)}")
    output.print("Ctrl-C stops everything; the next `songda up` continues with the same data.")


@app.command()
def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = DEFAULT_BASE,
) -> None:
    """The REST API and the pages, against DATABASE_URL and TEMPORAL_ADDRESS."""
    settings = load_settings()
    asyncio.run(check_migrated(settings))
    import uvicorn

    from api.app import create_app

    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        log_level=settings.log_level.lower(),
        access_log=False,  # addresses of mails are part of some paths
        server_header=False,
        timeout_graceful_shutdown=5,  # live pages hold their connections open
    )


@app.command()
def worker() -> None:
    """The Temporal worker and the relay, against DATABASE_URL and TEMPORAL_ADDRESS."""
    settings = load_settings()
    asyncio.run(check_migrated(settings))
    asyncio.run(check_listening(settings.temporal_address))
    from worker import run

    asyncio.run(run(settings))


@app.command()
def migrate(
    records_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the platform's own DNS records there, as JSON.")
    ] = None,
) -> None:
    """Bring DATABASE_URL to the newest schema, and the platform's own account to what the settings say."""
    settings = load_settings()
    from supervision.schema import check_reachable, upgrade

    asyncio.run(check_reachable(settings.database_url))
    upgrade(settings.database_url)
    records = asyncio.run(ensure_platform(settings))
    if records_file is not None:
        records_file.write_text(json.dumps(records, ensure_ascii=False, indent=1))
    output.print("The schema is current.")


async def ensure_platform(settings: "Settings") -> list[dict[str, str]]:
    """The platform's account, domain and templates; returns the DNS records its operator publishes."""
    from domain.domain_records import expected_records
    from domain.secrets import Vault
    from services import platform
    from store.db import Database

    db = await Database.open(settings.database_url, connections=2)
    try:
        policy = settings.policy()
        row = await platform.ensure_platform(db, Vault(settings.secret_key.get_secret_value()), policy)
    finally:
        await db.close()
    wanted = expected_records(row.name, row.ownership_token, row.dkim_selector, row.dkim_public, policy)
    mine = [{"name": policy.spf_include, "type": "TXT", "value": "v=spf1 ip4:127.0.0.0/8 -all"}]
    hosts = [{"name": name, "type": "A", "value": LOOPBACK} for name in (policy.bounce_host, policy.tracking_host)]
    return [{"name": each.name, "type": each.type, "value": each.value} for each in wanted] + mine + hosts


@app.command()
def demo(
    recipients: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Your own recipients.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE.html", help="Your own letter.")] = None,
    exit_status: Annotated[bool, typer.Option("--exit", help="Exit 1 unless everything ended as it should.")] = False,
    data: DataOption = None,
) -> None:
    """A customer and an operator, from registration to the last outcome, over public interfaces only.

    Uses the stack that runs on the data folder; without one, a temporary stack that is stopped at the end.
    """
    from demo.material import load
    from demo.parties import DemoFailure

    try:
        passed = asyncio.run(run_demo(load(recipients, html), data))
    except DemoFailure as problem:
        raise CannotStart(str(problem)) from None
    leave(0 if passed or not exit_status else 1)


async def run_demo(material: "Material", data: Path | None) -> bool:
    """Against the running stack, or one of its own."""
    running = running_stack(data or default_data())
    if running is not None:
        return await play_against(running, material)
    async with temporary_folder() as folder:
        report("No stack is running here: starting a temporary one.")
        async with Stack(Options(folder, free_base()), report) as own:
            return await play_against(own.addresses, material)


async def play_against(where: Addresses, material: "Material") -> bool:
    """Play, show the tables; True when every step passed."""
    from demo import show as screen
    from demo.parties import Places

    if where.sandbox_url is None:
        raise CannotStart("The demo needs the sandbox: start the stack without --no-sandbox.")
    places = Places(where.public_url, where.sandbox_url, where.temporal_address, where.temporal_ui_url)
    result = await screen.play(places, material, output)
    screen.report(result, places, output)
    return result.passed


@app.command()
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
        output.print(f"[yellow]possible duplicate[/] message {row['message']} ({row['state']}, {row['attempts']} tries)")
    output.print("[green]The books are closed.[/]" if made.clean else "[bold red]The books do not close.[/]")


@app.command()
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


@app.command()
def sandbox(
    data: DataOption = None,
    port_base: PortBaseOption = DEFAULT_BASE,
    records_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="DNS records to publish, as `songda migrate` writes them.")
    ] = None,
) -> None:
    """The pretend Internet alone: DNS, mailbox providers, webhook catcher, pages."""
    from sandbox.config import SandboxConfig, SandboxError
    from sandbox.run import serve

    ports = Ports(port_base)
    config = SandboxConfig(
        (data or default_data() / "sandbox").absolute(), ports.sandbox, ports.dns, ports.providers,
        PROVIDER_NETWORK, LOOPBACK, read_records(records_file),
    )  # fmt: skip
    try:
        asyncio.run(serve(config))
    except SandboxError as problem:
        raise CannotStart(str(problem)) from None


def read_records(path: Path | None) -> "tuple[Record, ...]":
    """Each name and type is one set; values of the same set are joined."""
    from sandbox.config import Record

    sets: dict[tuple[str, str], list[str]] = {}
    for entry in json.loads(path.read_text()) if path else []:
        sets.setdefault((entry["name"], entry["type"]), []).append(entry["value"])
    return tuple(Record(name, kind, tuple(values)) for (name, kind), values in sets.items())


@app.command()
def logs(
    role: Annotated[str, typer.Argument(help="postgres, temporal, migrate, sandbox, api or worker.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    data: DataOption = None,
) -> None:
    """What a part of the stack wrote lately."""
    log = Folder((data or default_data()).absolute()).log(role)
    if not log.exists():
        raise CannotStart(f"There is no log {log}: is the role right, and --data the folder of that stack?")
    os.execvp("tail", ["tail", "-n", "100", *(["-F"] if follow else []), str(log)])  # noqa: S606 - no shell is what we want


def load_settings() -> "Settings":
    """Raises `CannotStart` naming the variable that is missing or wrong."""
    from pydantic import ValidationError

    from settings import Settings

    try:
        return Settings()
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]).upper()
        raise CannotStart(
            f"{name if name.startswith(('DATABASE', 'TEMPORAL')) else f'SONGDA_{name}'}: {first['msg']}. "
            "Set it in the environment; `songda up` makes one by itself."
        ) from None


async def check_migrated(settings: "Settings") -> None:
    """Raises `CannotStart` when the database cannot be used."""
    from supervision import schema

    await schema.check_migrated(settings.database_url)


async def check_listening(address: str) -> None:
    """Raises `CannotStart` when nobody listens at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 10)
    except (OSError, TimeoutError, ValueError) as problem:
        raise CannotStart(
            f"Temporal does not answer at {address} ({problem}): start it, or set TEMPORAL_ADDRESS to host:port."
        ) from None
    writer.close()


if __name__ == "__main__":
    main()
