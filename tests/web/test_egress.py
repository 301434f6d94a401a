"""/console/egress and /console/destinations over HTTP, and in a browser as wide as a phone."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe

from domain.destinations import USUAL
from domain.operators import OperatorRole
from gateways.routes import Routes
from services.catalog import build_services
from services.foundation import Outside
from store.db import Database
from tests.accounts_world import House, csrf_of, house
from tests.browsing import LOOKS, Chrome, on_a_port, shoot, window
from tests.dns_world import DnsWorld, dns_world
from tests.operators_world import COOKIE, at_the_console, signed

ADDRESS = {"source": "127.0.0.2", "ehlo_name": "out2.songda.test", "host": "", "public": "192.0.2.2", "note": "first"}
RULE = {"match": "domain", "pattern": "bank.example", "tls": "verified", "smart_hosts": "", "user": "", "note": ""}
RELAY = {"tls": "required", "smart_hosts": "relay.test:587\n10.0.0.9", "user": "songda", "password": "a secret"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[DnsWorld]:
    async with dns_world(tmp_path) as started:
        await started.put("bank.example", "MX", "10 mx1.qq.com.")
        await started.put("mx1.qq.com", "A", "192.0.2.1")
        await started.put("relay.test", "A", "10.0.0.1")
        yield started


@pytest.fixture
async def there(db: Database, world: DnsWorld) -> House:
    made = await house(db)
    ways = Outside(world.resolver, lambda found: Routes(world.resolver, lambda: found), USUAL)
    services = build_services(replace(made.base, outside=ways))
    made.app.state.services = services
    return replace(made, services=services)


@pytest.fixture
async def admin(there: House) -> AsyncIterator[httpx2.AsyncClient]:
    who = await signed(there, "root", OperatorRole.ADMIN)
    async with at_the_console(there, who.token) as client:
        client.headers["x-csrf-token"] = csrf_of(await client.get("/console/me"))
        yield client


async def page(client: httpx2.AsyncClient, path: str) -> str:
    answer = await client.get(path, params={"lang": "en"})
    assert answer.status_code == 200
    return answer.text


async def test_an_address_is_added_changed_paused_and_resumed(admin: httpx2.AsyncClient, db: Database) -> None:
    assert "There is no egress address yet" in await page(admin, "/console/egress")
    assert (await admin.post("/console/egress", data=ADDRESS)).status_code == 303
    said = await page(admin, "/console/egress")
    assert "127.0.0.2" in said and "Seen as 192.0.2.2" in said and "No machine has it" in said
    assert "No PTR record" in said and "No egress address can be used just now" in said
    assert (await admin.post("/console/egress", data=ADDRESS)).status_code == 409
    form = (await admin.get("/console/egress?number=1&lang=en")).text
    assert 'name="row_version" value="0"' in form and 'value="out2.songda.test"' in form
    changed = ADDRESS | {"ehlo_name": "out9.songda.test", "row_version": "0"}
    assert (await admin.post("/console/egress/1", data=changed)).status_code == 303
    assert (await admin.post("/console/egress/1", data=changed)).status_code == 409
    assert (await admin.post("/console/egress/1/pause")).status_code == 303
    assert "/console/egress/1/resume" in await page(admin, "/console/egress")
    assert (await admin.post("/console/egress/1/resume")).status_code == 303
    row = await db.pool.fetchrow("SELECT source, ehlo_name, state, note FROM egress_address")
    assert tuple(row) == ("127.0.0.2", "out9.songda.test", "active", "first")


async def test_a_removed_address_is_gone_and_without_any_the_system_chooses(
    admin: httpx2.AsyncClient, db: Database
) -> None:
    await admin.post("/console/egress", data=ADDRESS)
    assert (await admin.post("/console/egress/1/remove")).status_code == 303
    assert "There is no egress address yet" in await page(admin, "/console/egress")
    assert (await admin.post("/console/egress/1/resume")).status_code == 404
    assert (await admin.post("/console/egress", data=ADDRESS)).status_code == 303
    assert await db.pool.fetchval("SELECT max(number) FROM egress_address") == 2, "messages remember the first one"


async def test_that_nothing_is_sent_is_said_until_an_address_can_be_used(
    admin: httpx2.AsyncClient, db: Database
) -> None:
    stands = "No egress address can be used just now"
    assert stands not in await page(admin, "/console/egress"), "the system chooses"
    await admin.post("/console/egress", data=ADDRESS)
    assert stands in await page(admin, "/console/egress")
    await db.pool.execute("INSERT INTO egress_sight VALUES (1, 'mail-1', '', now())")
    assert stands not in await page(admin, "/console/egress")
    await admin.post("/console/egress/1/pause")
    assert stands in await page(admin, "/console/egress")


async def test_what_is_wrong_is_said_at_its_field(admin: httpx2.AsyncClient) -> None:
    answer = await admin.post("/console/egress", data=ADDRESS | {"source": "<nowhere>"})
    assert answer.status_code == 422
    assert 'id="e-source"' in answer.text and "&lt;nowhere&gt;" in answer.text
    answer = await admin.post("/console/destinations", data=RULE | {"smart_hosts": "a b:x"})
    assert answer.status_code == 422 and 'id="e-smart_hosts"' in answer.text
    answer = await admin.post("/console/destinations", data=RULE | RELAY | {"tls": "opportunistic"})
    assert answer.status_code == 422 and 'id="e-tls"' in answer.text and "a secret" not in answer.text
    answer = await admin.post("/console/destinations", data=RULE | {"note": "x" * 201})
    assert answer.status_code == 422 and 'id="e-note"' in answer.text


async def test_a_rule_is_added_changed_and_removed(admin: httpx2.AsyncClient, db: Database) -> None:
    assert "There are no rules" in await page(admin, "/console/destinations")
    assert (await admin.post("/console/destinations", data=RULE)).status_code == 303
    assert (await admin.post("/console/destinations", data=RULE)).status_code == 409
    said = await page(admin, "/console/destinations")
    assert "Always encrypted, verified certificate" in said and "None: by MX" in said
    match = re.search(r"\?rule=([0-9a-f-]{36})", said)
    assert match is not None
    where = f"/console/destinations/{match[1]}"
    assert (await admin.post(where, data=RELAY | {"row_version": "0"})).status_code == 303
    said = (await admin.get(f"/console/destinations?rule={match[1]}&lang=en")).text
    assert "relay.test:587\n10.0.0.9:25</textarea>" in said and "User: songda" in said and "a secret" not in said
    assert (await admin.post(where, data=RELAY | {"row_version": "0"})).status_code == 409
    assert (await admin.post(f"{where}/remove")).status_code == 303
    assert (await admin.post(f"{where}/remove")).status_code == 404
    assert await db.pool.fetchval("SELECT count(*) FROM destination_policy") == 0


async def test_a_recipient_is_tried(admin: httpx2.AsyncClient) -> None:
    tried = "/console/destinations?lang=en&to="
    said = (await admin.get(tried + "amy@bank.example")).text
    assert "mx1.qq.com" in said and "192.0.2.1" in said and "QQ Mail" in said and "None: the usual way" in said
    await admin.post("/console/destinations", data=RULE | RELAY)
    said = (await admin.get(tried + "amy@bank.example")).text
    assert "relay.test:587" in said and "10.0.0.1" in said and "Always encrypted, any certificate" in said
    assert "The domain does not exist." in (await admin.get(tried + "gone.example")).text
    answer = await admin.get(tried + "no address")
    assert answer.status_code == 422 and 'id="e-to"' in answer.text


async def test_other_operators_find_neither(there: House) -> None:
    who = await signed(there, "sue", OperatorRole.SUPPORT)
    async with at_the_console(there, who.token) as client:
        for path in ("/console/egress", "/console/destinations", "/console/destinations?to=a.example"):
            assert (await client.get(path)).status_code == 403
        assert "/console/egress" not in (await client.get("/console/")).text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_the_pages_fit_a_phone(
    there: House, admin: httpx2.AsyncClient, db: Database, chrome: Chrome, width: int, language: str
) -> None:
    for host in ("", "mail-2"):
        await admin.post("/console/egress", data=ADDRESS | {"host": host})
    await db.pool.execute("INSERT INTO egress_sight VALUES (1, 'mail-1', '', now()), (2, 'mail-1', 'not here', now())")
    await admin.post("/console/destinations", data=RULE | RELAY)
    await admin.post("/console/destinations", data=RULE | {"match": "lane", "pattern": "qq"})
    token = admin.cookies.get(COOKIE, path="/console") or ""
    async with on_a_port(there.app) as base, await window(chrome, width) as context:
        await context.add_cookies([{"name": COOKIE, "value": token, "url": f"{base}/console"}])
        opened = await context.new_page()
        for name, path in (("egress", "/console/egress"), ("destinations", "/console/destinations?to=a@bank.example")):
            await opened.goto(f"{base}{path}{'&' if '?' in path else '?'}lang={language}")
            await shoot(opened, f"{name}-{width}")
            found = await Axe().run(opened)
            assert found.violations_count == 0, found.generate_report()
