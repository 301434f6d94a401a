"""What every command shares: the two streams, how it ends, the data folder, the settings."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from supervision.errors import CannotStart

if TYPE_CHECKING:
    from domain.policy import Policy
    from settings import Settings

news = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False, soft_wrap=True)

DataOption = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Data folder.", show_default=False)]


def leave(code: int) -> None:
    """End at once: an interpreter that has used a Temporal client may abort while it finalises (sdk-python #300)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def report(line: str) -> None:
    """News of the stack, on the error stream: standard output is for results."""
    news.print(f"[dim]songda:[/] {escape(line)}")


def policy_of(secret: str) -> "Policy":
    """The policy of the environment, with a master secret from elsewhere."""
    from settings import Settings

    return Settings(secret_key=secret).policy()


def load_settings() -> "Settings":
    """Raises `CannotStart` naming the variable that is missing or wrong."""
    from pydantic import ValidationError

    from settings import Settings

    try:
        return Settings()
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        raise CannotStart(
            f"{_variable(first['loc'])}: {first['msg']}. Set it in the environment; `songda up` makes one by itself."
        ) from None


def _variable(place: tuple[int | str, ...]) -> str:
    """The variable at which pydantic found something; what concerns several has no place."""
    if not place:
        return "The settings"
    name = str(place[0]).upper()
    return name if name.startswith(("DATABASE", "TEMPORAL")) else f"SONGDA_{name}"
