"""`songda sandbox …`: the pretend Internet, or one pretend phone carrier of it, alone."""

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from commands.terminal import DataOption, output, report
from stack import SANDBOX_TIME_SCALE, default_data
from supervision.errors import CannotStart
from supervision.ports import DEFAULT_BASE, LOOPBACK, PROVIDER_NETWORK, Ports

if TYPE_CHECKING:
    from sandbox.config import Record
    from sandbox.smsc import Behaviour, Smsc

app = typer.Typer(help="The pretend Internet.", invoke_without_command=True)
SMPP_PORT = 2775


@app.callback(invoke_without_command=True)
def sandbox(
    context: typer.Context,
    data: DataOption = None,
    port_base: Annotated[
        int, typer.Option("--port-base", metavar="N", help="First of ten ports in a row.")
    ] = DEFAULT_BASE,
    records_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="DNS records to publish, as `songda migrate` writes them.")
    ] = None,
    time_scale: Annotated[
        float, typer.Option(min=0.001, help="Divides the intervals of the pay desk's notifications.")
    ] = SANDBOX_TIME_SCALE,
) -> None:
    """The pretend Internet alone: DNS, mailbox providers, phone carriers, webhook catcher, pay desk, pages."""
    if context.invoked_subcommand is not None:
        return
    from sandbox.config import SandboxConfig, SandboxError
    from sandbox.run import serve

    ports = Ports(port_base)
    config = SandboxConfig(
        (data or default_data() / "sandbox").absolute(), ports.sandbox, ports.dns, ports.providers,
        PROVIDER_NETWORK, LOOPBACK, read_records(records_file), time_scale,
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
def smsc(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = SMPP_PORT,
    carrier: Annotated[str, typer.Option(help="Which one it plays: cpm, or pit (hexadecimal ids).")] = "cpm",
    receipt_delay: Annotated[float, typer.Option(min=0, help="Seconds until the receipt.")] = 1.0,
    answer_delay: Annotated[float, typer.Option(min=0, help="Seconds until the answer to a submission.")] = 0.0,
    throttle: Annotated[int, typer.Option(min=0, help="Texts a second; more are throttled. 0: no limit.")] = 0,
    receipts: Annotated[bool, typer.Option("--receipts/--no-receipts", help="Whether it reports.")] = True,
    scripted: Annotated[bool, typer.Option("--table/--no-table", help="Whether some numbers fail.")] = True,
) -> None:
    """One SMPP 3.4 carrier alone, until Ctrl-C; it keeps nothing. Prints which numbers do what."""
    from sandbox.smsc import Behaviour

    behaviour = Behaviour(receipt_delay, answer_delay, throttle or None, receipts, scripted)
    asyncio.run(serve_smsc(host, port, carrier, behaviour))


async def serve_smsc(host: str, port: int, name: str, behaviour: "Behaviour") -> None:
    """Until SIGINT or SIGTERM. Raises `CannotStart`."""
    from sandbox.config import SandboxError
    from sandbox.smsc import Smsc
    from sandbox.smsc_carriers import CARRIERS

    chosen = next((each for each in CARRIERS if each.name == name), None)
    if chosen is None:
        raise CannotStart(f"--carrier {name}: one of {', '.join(each.name for each in CARRIERS)}.")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Smsc(chosen, host, port, behaviour, lambda _: None)
    try:
        await server.start()
    except SandboxError as problem:
        raise CannotStart(str(problem)) from None
    show(server)
    await stop.wait()
    report(f"Stopping: {json.dumps(dict(server.counts))}")
    await server.stop()


def show(server: "Smsc") -> None:
    """Where it is, who may bind, and the table of numbers."""
    from sandbox.smsc_script import table

    carrier = server.carrier
    output.print(f"[bold green]{escape(carrier.title)}[/] on {server.host}:{server.bound_port}")
    output.print(f"  system_id {carrier.system_id}, password {carrier.password}, source {carrier.source}")
    output.print("  A number that ends with")
    for digits, what in table() if server.behaviour.scripted else []:
        output.print(f"    {digits:<8} {escape(what)}")


async def ensure_carriers(database_url: str, secret: str, port: int) -> None:
    """The sandbox's carriers as gateways with routes: China's codes and notices go to the first, marketing to the
    second, each with the other behind it; other countries go to the second."""
    from domain.secrets import Vault
    from domain.sms_carriers import IdForm
    from domain.sms_gateways import GatewayEntry, RouteEntry
    from sandbox.smsc_carriers import CARRIERS
    from services.sms_gateways import SeededGateway, ensure_gateways
    from store.db import Database

    at_home = {"code": (1, 2), "notice": (1, 2), "marketing": (2, 1)}
    wanted = []
    for at, carrier in enumerate(CARRIERS):
        form = IdForm.HEX_TO_DECIMAL if carrier.hex_ids else IdForm.AS_IS
        entry = GatewayEntry(
            carrier.title, f"{PROVIDER_NETWORK}{carrier.number}", port, carrier.system_id, carrier.password,
            binds=2, source=carrier.source, id_form=form,
        )  # fmt: skip
        routes = [RouteEntry(0, "CN", kind, ranks[at], 35_000 - 3_000 * at) for kind, ranks in at_home.items()]
        routes += [RouteEntry(0, "", "", 1, 300_000)] if carrier.hex_ids else []
        wanted.append(SeededGateway(entry, tuple(routes)))
    db = await Database.open(database_url, connections=2)
    try:
        await ensure_gateways(db, Vault(secret), wanted)
    finally:
        await db.close()
