"""`songda operators`: what a script reads signs in, once; and the operator that a stack with the sandbox makes."""

import json
import stat
from pathlib import Path

from temporalio.client import Client

from commands.books import Books
from commands.operators import FIRST, ensure_first
from domain.operators import GivenOut
from domain.secrets import Vault
from services.catalog import build_services
from services.clockwork import Clockwork
from services.foundation import Foundation
from services.hashing import Hashing
from services.staff import Staff
from settings import Settings
from store.db import Database
from tests.accounts_world import SECRET
from tests.commands.test_books import run
from tests.operators_world import DESK, code_of
from tests.test_cli import complaint


async def foundation(db: Database) -> Foundation:
    client = await Client.connect("127.0.0.1:1", lazy=True)
    return Foundation(db, Clockwork(db, client), Vault(SECRET), Settings(secret_key=SECRET).policy())


async def signs_in(db: Database, given: GivenOut) -> str:
    operators = build_services(await foundation(db)).operators
    ticket = await operators.present(given.name, given.password, DESK)
    return (await operators.complete(ticket.token, code_of(given), DESK)).operator.name


async def test_an_operator_of_the_command_line_signs_in_until_disabled(db: Database) -> None:
    where = {"DATABASE_URL": db.url, "SONGDA_SECRET_KEY": SECRET}
    added = await run("operators", "add", "ci", "--role", "reviewer", "--role", "support", "--json", **where)
    assert (added.returncode, added.stderr) == (0, "")
    given = GivenOut(**json.loads(added.stdout))
    assert f"secret={given.secret}" in given.uri
    assert await signs_in(db, given) == "ci"
    assert "another name" in complaint(await run("operators", "add", "ci", "--role", "admin", **where))
    listed = await run("operators", "list", "--json", **where)
    assert json.loads(listed.stdout) == [{"name": "ci", "roles": ["reviewer", "support"], "state": "active"}]
    anew = await run("operators", "reset", "ci", **where)
    assert given.password not in anew.stdout and "Shown this once" in anew.stdout
    assert (await run("operators", "disable", "ci", **where)).returncode == 0
    assert "disabled" in (await run("operators", "list", **where)).stdout


async def test_the_first_operator_is_made_where_there_is_none(db: Database, tmp_path: Path) -> None:
    file, where = tmp_path / "console-admin.json", Books(db.url, "127.0.0.1:1")
    await ensure_first(where, SECRET, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = file.read_text()
    assert await signs_in(db, GivenOut(**json.loads(kept))) == FIRST
    await ensure_first(where, SECRET, file)
    assert file.read_text() == kept
    file.unlink()
    await ensure_first(where, SECRET, file)
    assert not file.exists(), "somebody operates already"
    staff = Staff(await foundation(db), Hashing())
    assert [row.name for row in await staff.everybody()] == [FIRST]
