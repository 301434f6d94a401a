"""`songda chaos`: kill parts at random under load, then compare what was accepted with what arrived."""

from typing import Annotated

import typer

from commands.bench import JsonOption, finish, measure
from commands.terminal import leave


def chaos(
    kills: Annotated[int, typer.Option(min=0, max=1000, help="Processes to kill, or to stop and wake.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed strikes the same parts at the same intervals.")] = 7,
    accounts: Annotated[int, typer.Option(min=1, max=50, help="Customers that send single mails.")] = 4,
    members: Annotated[int, typer.Option(min=0, help="Recipients of each campaign; 0: no campaigns.")] = 5_000,
    processes: Annotated[int, typer.Option(min=1, max=8, help="Worker processes, and API processes.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Worker, API, Temporal, PostgreSQL and the SMTP doors of a stack of its own; exits 1 when anything was lost."""
    from bench import chaos as bench

    options = bench.Options(kills, seed, accounts, members, processes)
    report = measure(lambda screen: bench.run(options, screen))
    finish(report, as_json)
    leave(1 if bench.failed(report.figures) else 0)
