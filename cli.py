"""`songda …`: the commands of one machine. A composition root: it reads settings and starts the other roots."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import uvloop
from rich.markup import escape

from commands import bench as bench_command
from commands import books, operators
from commands import chaos as chaos_command
from commands import demo as demo_command
from commands import report as report_command
from commands import sandbox as sandbox_command
from commands.terminal import DataOption, leave, load_settings, news, output, report
from domain.policy import Policy
from smtp.doors import Door
from stack import (
    SAME_SOURCE,
    SANDBOX_PAID_QUOTA,
    SANDBOX_TIME_SCALE,
    Addresses,
    Options,
    Stack,
    default_data,
    first_operator_file,
)
from supervision.errors import CannotStart
from supervision.folder import Folder
from supervision.ports import DEFAULT_BASE, INBOUND_ADDRESS, LOOPBACK

if TYPE_CHECKING:
    from settings import Settings

app = typer.Typer(
    help="Songda 送达: a self-hosted e-mail and SMS sending platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo_command.demo)
app.command()(books.audit)
app.command()(books.reconcile)
app.add_typer(operators.app, name="operators")
app.command()(report_command.report)
app.add_typer(bench_command.app, name="bench")
app.command()(chaos_command.chaos)
app.add_typer(sandbox_command.app, name="sandbox")

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
    paid = f"{SANDBOX_PAID_QUOTA if where.sandbox_url else Policy.paid_daily_quota:,}"
    rows = [
        ("Portal", where.public_url),
        ("Console, for operators", f"{where.public_url}/console/{console_hint(where)}"),
        ("API reference", f"{where.public_url}/docs"),
        ("SMTP submission", where.submission),
        ("Sandbox: mails, texts, hooks", where.sandbox_url or "off: mails go to the real Internet"),
        ("Temporal UI, every process", where.temporal_ui_url),
        ("Intervals", f"retries, polls and reminders {where.time_scale:g} times as fast as in production"),
        ("Quota", f"{Policy.free_daily_quota} messages a day are free; {paid} a day once certified and recharged"),
        ("Logs of the parts", where.logs),
    ]
    output.print("[bold green]Songda is ready.[/]")
    for label, value in rows:
        output.print(f"  {label:<30} {escape(value)}")
    output.print("Ctrl-C stops everything; the next `songda up` continues with the same data.")


def console_hint(where: Addresses) -> str:
    """Where to read how to sign in; only a stack with the sandbox makes an operator by itself."""
    file = first_operator_file(Path(where.data))
    if where.sandbox_url and file.exists():
        return f" (name, password and authenticator's secret: {file})"
    return " (`songda operators add NAME --role admin` makes the first)"


@app.command()
def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = DEFAULT_BASE,
    share_port: Annotated[
        bool, typer.Option("--share-port", help="Let several processes listen there: the system deals out connections.")
    ] = False,
) -> None:
    """The REST API and the pages, against DATABASE_URL and TEMPORAL_ADDRESS."""
    settings = load_settings()
    asyncio.run(check_migrated(settings))
    import uvicorn

    from api.app import create_app

    if share_port:
        server = uvicorn.Server(uvicorn.Config(create_app(settings), **web_server(settings)))
        server.run(sockets=[shared_socket(host, port)])
        leave(0 if server.started else 3)
    uvicorn.run(create_app(settings), host=host, port=port, **web_server(settings))


def shared_socket(host: str, port: int) -> socket.socket:
    """Bound so that other processes of the same user may bind it, too (SO_REUSEPORT). Raises `CannotStart`."""
    shared = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        shared.bind((host, port))
    except OSError as problem:
        raise CannotStart(f"The API cannot listen on {host}:{port} ({problem.strerror}).") from None
    return shared


def web_server(settings: "Settings") -> dict[str, Any]:
    """How uvicorn serves: the visitor's address is the connection's, or what a trusted proxy says."""
    return {
        "proxy_headers": True,
        "forwarded_allow_ips": settings.trusted_proxies,
        "log_level": settings.log_level.lower(),
        "access_log": False,  # addresses of mails are part of some paths
        "server_header": False,
        "timeout_graceful_shutdown": 5,  # live pages hold their connections open
    }


@app.command()
def worker() -> None:
    """The Temporal worker and the relay, against DATABASE_URL and TEMPORAL_ADDRESS."""
    settings = load_settings()
    asyncio.run(check_migrated(settings))
    asyncio.run(check_listening(settings.temporal_address))
    from worker import run

    uvloop.run(run(settings))


@app.command()
def smtp(
    door: Annotated[Door, typer.Argument(help="submission: mails of customers; inbound: bounces and complaints.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 2525,
) -> None:
    """One of the two SMTP servers, against DATABASE_URL."""
    settings = load_settings()
    asyncio.run(check_migrated(settings))
    from smtp.app import serve

    uvloop.run(serve(settings, door, host, port))


@app.command()
def migrate(
    records_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the platform's own DNS records there, as JSON.")
    ] = None,
    first_operator: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where nobody operates yet: make `admin`, and write how to sign in there."),
    ] = None,
    sandbox_carriers: Annotated[
        int | None, typer.Option(metavar="PORT", help="Enter the sandbox's phone carriers as gateways, once.")
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
    if sandbox_carriers is not None:
        secret = settings.secret_key.get_secret_value()
        asyncio.run(sandbox_command.ensure_carriers(settings.database_url, secret, sandbox_carriers))
    if first_operator is not None:
        where = books.Books(settings.database_url, settings.temporal_address, settings.temporal_namespace)
        asyncio.run(operators.ensure_first(where, settings.secret_key.get_secret_value(), first_operator))
    output.print("The schema is current.")


async def ensure_platform(settings: "Settings") -> list[dict[str, str]]:
    """The platform's account, domain and templates, the classifier's table; returns the DNS records to publish."""
    from domain.domain_records import expected_records
    from domain.secrets import Vault
    from services import platform
    from services.reply_seeding import ensure_reply_rules
    from store.db import Database

    db = await Database.open(settings.database_url, connections=2)
    try:
        policy = settings.policy()
        await ensure_reply_rules(db)
        row = await platform.ensure_platform(db, Vault(settings.secret_key.get_secret_value()), policy)
    finally:
        await db.close()
    wanted = expected_records(row.name, row.ownership_token, row.dkim_selector, row.dkim_public, policy)
    mine = [{"name": policy.spf_include, "type": "TXT", "value": "v=spf1 ip4:127.0.0.0/8 -all"}]
    hosts = [(policy.bounce_host, INBOUND_ADDRESS), (policy.tracking_host, LOOPBACK)]
    mine += [{"name": name, "type": "A", "value": address} for name, address in hosts]
    mine += [{"name": policy.bounce_host, "type": "MX", "value": f"10 {policy.bounce_host}"}]
    return [{"name": each.name, "type": each.type, "value": each.value} for each in wanted] + mine


@app.command()
def logs(
    role: Annotated[
        str, typer.Argument(help="postgres, temporal, migrate, sandbox, api, worker, submission, inbound.")
    ],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    data: DataOption = None,
) -> None:
    """What a part of the stack wrote lately."""
    log = Folder((data or default_data()).absolute()).log(role)
    if not log.exists():
        raise CannotStart(f"There is no log {log}: is the role right, and --data the folder of that stack?")
    os.execvp("tail", ["tail", "-n", "100", *(["-F"] if follow else []), str(log)])  # noqa: S606 - no shell is what we want


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
