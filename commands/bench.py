"""`songda bench …`: how fast it is here, beside what others make on the same machine in the same run."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from commands.terminal import leave, news, output
from domain.webhooks import Format
from supervision.errors import CannotStart

if TYPE_CHECKING:
    from bench.report import Report
    from bench.screen import Screen

app = typer.Typer(help="Measure. Each bench starts a stack of its own in a temporary folder.", no_args_is_help=True)
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
ProcessesOption = Annotated[int, typer.Option(min=0, max=64, help="Sender processes; 0: one per core.")]


@app.command()
def campaign(
    messages: Annotated[int, typer.Option(min=1, max=10_000_000, help="Recipients.")] = 20_000,
    processes: ProcessesOption = 0,
    baselines: Annotated[bool, typer.Option(help="Run the bare loop and Postfix as well.")] = True,
    as_json: JsonOption = False,
) -> None:
    """A personalised, signed, charged campaign; beside it the bare loop and Postfix relaying the same mails."""
    from bench import campaign as bench

    show(lambda screen: bench.run(bench.Options(messages, processes, baselines), screen), as_json)


@app.command()
def accept(
    seconds: Annotated[float, typer.Option(min=1, max=300, help="Of each of the two measurements.")] = 8.0,
    processes: Annotated[int, typer.Option(min=1, max=64, help="API processes, and of the bare insert.")] = 2,
    connections: Annotated[int, typer.Option(min=1, max=2000, help="One request at a time on each.")] = 64,
    as_json: JsonOption = False,
) -> None:
    """Requests of one recipient over SendCloud's wire; beside them a bare FastAPI application with one INSERT."""
    from bench import accept as bench

    show(lambda screen: bench.run(bench.Options(seconds, processes, connections), screen), as_json)


@app.command()
def latency(
    requests: Annotated[int, typer.Option(min=1, max=100_000, help="Single mails of each part.")] = 200,
    messages: Annotated[int, typer.Option(min=0, max=10_000_000, help="Of the campaign that is the load.")] = 100_000,
    processes: ProcessesOption = 0,
    as_json: JsonOption = False,
) -> None:
    """From accept to the first SMTP byte: idle, and while another account's campaign runs."""
    from bench import latency as bench

    show(lambda screen: bench.run(bench.Options(requests, messages, processes), screen), as_json)


@app.command()
def history(
    old: Annotated[int, typer.Option(min=1, max=50_000_000, help="Old messages in the tables.")] = 500_000,
    messages: Annotated[int, typer.Option(min=1, max=10_000_000, help="Of each of the two campaigns.")] = 20_000,
    processes: ProcessesOption = 0,
    as_json: JsonOption = False,
) -> None:
    """A campaign among old messages, beside one in empty tables."""
    from bench import history as bench

    show(lambda screen: bench.run(bench.Options(old, messages, processes), screen), as_json)


@app.command("import")
def importing(
    lines: Annotated[int, typer.Option(min=1, max=5_000_000, help="Lines of the file.")] = 1_000_000,
    as_json: JsonOption = False,
) -> None:
    """A CSV file that is uploaded over REST, until its last line is in the list."""
    from bench import importing as bench

    show(lambda screen: bench.run(bench.Options(lines), screen), as_json)


@app.command()
def webhooks(
    events: Annotated[int, typer.Option(min=1, max=1_000_000, help="To the endpoint that answers.")] = 20_000,
    form: Annotated[Format, typer.Option("--format", help="What is posted.")] = Format.STANDARD,
    processes: Annotated[int, typer.Option(min=0, max=64, help="Worker processes; 0: one per core.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Events to one webhook endpoint that answers, while ten are dead; beside it the bare loop."""
    from bench import webhooks as bench

    show(lambda screen: bench.run(bench.Options(events, form, processes), screen), as_json)


@app.command()
def sms(
    messages: Annotated[int, typer.Option(min=1, max=1_000_000, help="Numbers, one segment each.")] = 20_000,
    processes: ProcessesOption = 0,
    baselines: Annotated[bool, typer.Option(help="Run the bare loop as well.")] = True,
    as_json: JsonOption = False,
) -> None:
    """SMS over SMPP, charged and matched with their receipts; beside them the bare loop."""
    from bench import sms as bench

    show(lambda screen: bench.run(bench.Options(messages, processes, baselines), screen), as_json)


def show(run: "Callable[[Screen], Awaitable[Report]]", as_json: bool) -> None:
    """Measure, then the table, and with `--json` the object as the last line of standard output."""
    finish(measure(run), as_json)
    leave(0)


def measure(run: "Callable[[Screen], Awaitable[Report]]") -> "Report":
    """Ended by a signal, it says so in a line; what it started is gone by then. Raises `CannotStart`."""
    try:
        return asyncio.run(watched(run))
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise CannotStart("The measurement was broken off; its stack and its folder are gone.") from None


async def watched(run: "Callable[[Screen], Awaitable[Report]]") -> "Report":
    """Progress goes to the error stream. Told to end, it ends what it started."""
    from bench.screen import Screen

    work = asyncio.current_task()
    if work is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    try:
        with Screen(news).bars() as screen:
            return await run(screen)
    except BaseExceptionGroup as problems:
        raise problems.exceptions[0] from None  # the others follow from it


def finish(report: "Report", as_json: bool) -> None:
    from bench.report import table

    console = news if as_json else output
    console.print(table(report))
    for note in report.notes:
        console.print(f"[yellow]{note}[/]")
    if as_json:
        sys.stdout.write(report.to_json() + "\n")
