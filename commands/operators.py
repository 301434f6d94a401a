"""`songda operators …`: who may sign in at the console, from the server's own command line."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.markup import escape

from commands.books import Books, books, with_database
from commands.terminal import DataOption, leave, load_settings, output, policy_of
from domain.errors import Refusal
from domain.operators import GivenOut, OperatorRole
from domain.refusals import explain
from stack import default_data
from supervision.errors import CannotStart
from supervision.folder import write_private

if TYPE_CHECKING:
    from services.staff import Staff
    from store.db import Database
    from store.operators import OperatorRow

T = TypeVar("T")
FIRST = "admin"
"""The operator that a stack with the sandbox makes at its first start."""

app = typer.Typer(help="Operators of the console.", no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The operator's name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def add(
    name: NameArgument,
    role: Annotated[list[OperatorRole], typer.Option(help="What they may do; give it several times for several.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """A new operator. Password and authenticator's secret are printed this once; they count at once."""
    show(run(data, lambda staff: staff.provide(name, [each.value for each in role])), as_json)


@app.command(name="list")
def listed(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Everybody, the disabled last."""
    rows = [described(row) for row in run(data, lambda staff: staff.everybody())]
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
    for row in rows if not as_json else []:
        output.print(escape(f"{row['name']:<20} {' '.join(row['roles']):<32} {row['state']}"))
    leave(0)


@app.command()
def disable(name: NameArgument, data: DataOption = None) -> None:
    """For good; their sessions end. The last administrator stays."""
    run(data, lambda staff: staff.disable_by_name(name))
    output.print(escape(f"{name} is disabled."))
    leave(0)


@app.command()
def reset(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """A new password and a new authenticator's secret, printed this once; their sessions end."""
    show(run(data, lambda staff: staff.reset_by_name(name)), as_json)


def show(given: GivenOut, as_json: bool) -> None:
    """What the operator needs to sign in."""
    if as_json:
        sys.stdout.write(json.dumps(asdict(given)) + "\n")
    else:
        rows = (("name", given.name), ("password", given.password), ("secret", given.secret), ("uri", given.uri))
        for label, value in rows:
            output.print(f"{label:<10} {escape(value)}")
        output.print("Shown this once. Enter the secret in an authenticator app, or scan the URI as a QR code.")
    leave(0)


def described(row: "OperatorRow") -> dict[str, str | list[str]]:
    """One line of the list; nothing secret."""
    state = "disabled" if row.disabled_at else "active" if row.totp_confirmed_at else "waits for the first sign-in"
    return {"name": row.name, "roles": list(row.roles), "state": state}


def run(data: Path | None, work: "Callable[[Staff], Awaitable[T]]") -> T:
    """Work with the operators of that stack. Raises `CannotStart` with the text of a refusal."""
    where = books(data)
    secret = secret_of(data)
    try:
        return asyncio.run(with_database(where, lambda db: with_staff(db, where, secret, work)))
    except Refusal as refusal:
        _, detail, step = explain(refusal, "en")
        raise CannotStart(f"{detail} {step}") from None


def secret_of(data: Path | None) -> str:
    """The master secret: of the environment where the database is, else of the stack on this folder."""
    if os.environ.get("DATABASE_URL") and data is None:
        return load_settings().secret_key.get_secret_value()
    return ((data or default_data()) / "secret-key").read_text().strip()


async def with_staff(db: "Database", where: Books, secret: str, work: "Callable[[Staff], Awaitable[T]]") -> T:
    """As the web process builds it; Temporal is not spoken to."""
    from temporalio.client import Client

    from domain.secrets import Vault
    from services.clockwork import Clockwork
    from services.foundation import Foundation
    from services.hashing import Hashing
    from services.staff import Staff

    client = await Client.connect(where.temporal_address, namespace=where.namespace, lazy=True)
    base = Foundation(db, Clockwork(db, client), Vault(secret), policy_of(secret))
    return await work(Staff(base, Hashing()))


async def ensure_first(where: Books, secret: str, file: Path) -> None:
    """Where nobody operates yet: an administrator, whose password and secret go into `file` (mode 600)."""

    async def begin(staff: "Staff") -> None:
        if not await staff.everybody():
            given = await staff.provide(FIRST, [OperatorRole.ADMIN.value])
            write_private(file, json.dumps(asdict(given), indent=1))

    await with_database(where, lambda db: with_staff(db, where, secret, begin))
