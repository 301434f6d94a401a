"""`songda demo`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.terminal import DataOption, leave, output, report
from stack import Addresses, Options, Stack, default_data, running_stack, temporary_folder
from supervision.errors import CannotStart
from supervision.ports import free_base

if TYPE_CHECKING:
    from demo.scene import Material


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
    """Play, show the tables, audit; True when every step passed and the books close."""
    from commands.books import Books, print_audit, with_database
    from demo import show as screen
    from demo.parties import Places
    from services.audit import audit

    if where.sandbox_url is None:
        raise CannotStart("The demo needs the sandbox: start the stack without --no-sandbox.")
    places = Places(
        where.public_url, where.submission, where.sandbox_url, where.temporal_address, where.temporal_ui_url, where.data
    )
    result = await screen.play(places, material, output)
    screen.report(result, places, output)
    found = await with_database(Books(where.database_url, where.temporal_address), audit)
    print_audit(found, as_json=False)
    return result.passed and found.clean
