"""What the audit log holds is shown: all of it to operators, to customers what is theirs to read."""

import csv
import io
import json

import pytest

from domain.operators import OperatorRole
from services.sessions import TRIES_HERE
from store import audit_log
from store.db import Database
from tests.accounts_world import ALICE, House, house, submit
from tests.operators_world import at_the_console, exported, signed
from web.sessions import COOKIE

GRANTED = {"before": None, "quota": 5000, "reason": "ticket 7: 升级"}


async def granted(db: Database) -> tuple[House, str]:
    """(the house, the token of the customer's owner)."""
    home = await house(db)
    alice = await home.member()
    async with db.begin() as session:
        account = alice.caller.account_id
        subject = f"account/{account}"
        await audit_log.note(session, "operator/root", "account.quota_granted", subject, account, **GRANTED)
    return home, alice.token


@pytest.fixture
async def root(db: Database) -> str:
    return (await signed(await house(db), "root", OperatorRole.ADMIN)).token


async def test_operators_see_the_details_in_the_list_and_search_them(db: Database, root: str) -> None:
    home, _ = await granted(db)
    async with at_the_console(home, root) as client:
        for path in ("/console/audit/list", "/console/audit/list?q=ticket"):
            page = (await client.get(path)).text
            assert "quota: 5000 · before: — · reason: ticket 7: 升级" in page
        assert "quota: 5000" not in (await client.get("/console/audit/list?q=ticket%208")).text


async def test_operators_export_the_details(db: Database, root: str) -> None:
    home, _ = await granted(db)
    async with at_the_console(home, root) as client:
        [line] = csv.DictReader(io.StringIO((await exported(client, "audit", "?q=quota_granted")).lstrip("\ufeff")))
        assert json.loads(line["详情"]) == GRANTED
        [row] = json.loads(await exported(client, "audit", "?q=quota_granted", "json"))
    assert (row["action"], json.loads(row["detail"])) == ("account.quota_granted", GRANTED)


async def test_customers_see_what_is_theirs_to_read(db: Database) -> None:
    """The quota, and not what one operator wrote for the others."""
    home, token = await granted(db)
    async with home.browser() as client:
        client.cookies.set(COOKIE, token)
        for path in ("list", "export"):
            text = (await client.get(f"/portal/records/audit/{path}")).text
            assert "— → 5000" in text
            assert "ticket 7" not in text


async def test_customers_see_that_somebody_guessed_their_password(db: Database) -> None:
    home, token = await granted(db)
    async with home.browser() as client:
        for _ in range(TRIES_HERE.count + 1):
            await submit(client, "/login", email=ALICE, password="a guess")
        client.cookies.set(COOKIE, token)
        page = (await client.get("/portal/records/audit/list?lang=en")).text
    assert "Somebody who was not signed in" in page
    assert "Sign-in stopped after too many tries" in page
