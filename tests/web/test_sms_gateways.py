"""/console/sms-gateways and /console/sms-routes over HTTP."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from activities.sms_gateways import SmsGatewayRows
from domain.operators import OperatorRole
from domain.sms_carriers import GatewaySight, IdForm
from domain.transport import Tls
from store.db import Database
from tests.accounts_world import House, csrf_of, house
from tests.operators_world import at_the_console, signed

GATEWAY = {
    "name": "China Mobile", "host": "smpp.carrier.example", "port": "2775", "system_id": "songda",
    "password": "hush-hush", "system_type": "", "tls": "verified", "bind": "pair",
    "binds": "2", "window": "50", "rate_per_s": "300",
    "source": "106900001", "id_form": "hex_to_decimal", "clock_offset_minutes": "480", "enquire_seconds": "30",
}  # fmt: skip
ROUTE = {"gateway": "1", "country": "cn", "kind": "code", "rank": "1", "cost": "0.0355"}


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


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


async def number_of(db: Database) -> int:
    return int(await db.pool.fetchval("SELECT max(number) FROM sms_gateway"))


async def test_a_gateway_is_added_changed_paused_resumed_and_removed(
    admin: httpx2.AsyncClient, db: Database, there: House
) -> None:
    assert "There is no SMS gateway yet" in await page(admin, "/console/sms-gateways")
    assert (await admin.post("/console/sms-gateways", data=GATEWAY)).status_code == 303
    number = await number_of(db)
    book = SmsGatewayRows(db, there.base.vault, "worker-1")
    (config,) = await book.configs() or []
    assert (config.password, config.tls, config.id_form, config.binds) == (
        "hush-hush", Tls.VERIFIED, IdForm.HEX_TO_DECIMAL, 2,
    )  # fmt: skip
    assert await db.pool.fetchval("SELECT rate_per_s FROM lane WHERE name = $1", f"sms-{number}") == 300
    said = await page(admin, "/console/sms-gateways")
    assert "Not bound" in said and "smpp.carrier.example:2775" in said
    await book.say([GatewaySight(number, 1, "bind refused: ESME_RINVPASWD")])
    said = await page(admin, "/console/sms-gateways")
    assert "1 bound" in said and "ESME_RINVPASWD" in said and "Process rker-1: 1 of 2" in said

    form = (await admin.get(f"/console/sms-gateways?number={number}&lang=en")).text
    seen = re.search(r'name="seen" value="([^"]+)"', form)
    assert seen and "hush-hush" not in form
    changed = GATEWAY | {"password": "", "window": "10", "rate_per_s": "", "seen": seen[1].replace("&#43;", "+")}
    assert (await admin.post(f"/console/sms-gateways/{number}", data=changed)).status_code == 303
    again = await admin.post(f"/console/sms-gateways/{number}", data=changed)
    assert again.status_code == 409, "a stale page"
    (config,) = await book.configs() or []
    assert (config.password, config.window) == ("hush-hush", 10)
    assert await db.pool.fetchval("SELECT rate_per_s FROM lane WHERE name = $1", f"sms-{number}") is None

    await admin.post(f"/console/sms-gateways/{number}/pause", data={"reason": ""})
    assert await book.configs() != [], "a reason has to be given"
    await admin.post(f"/console/sms-gateways/{number}/pause", data={"reason": "line is down"})
    assert await book.configs() == [] and "line is down" in await page(admin, "/console/sms-gateways")
    await admin.post(f"/console/sms-gateways/{number}/resume")
    assert len(await book.configs() or []) == 1
    assert (await admin.post("/console/sms-routes", data=ROUTE | {"gateway": str(number)})).status_code == 303
    await admin.post(f"/console/sms-gateways/{number}/remove")
    assert await book.configs() == [] and "There is no SMS gateway yet" in await page(admin, "/console/sms-gateways")
    assert await db.pool.fetchval("SELECT count(*) FROM sms_route") == 0
    assert (await admin.post(f"/console/sms-gateways/{number}/resume")).status_code == 404
    assert (await admin.post("/console/sms-gateways", data=GATEWAY)).status_code == 409, "messages still show its name"
    log = await db.pool.fetch("SELECT action, detail::text AS said FROM audit_entry WHERE action LIKE 'sms_%'")
    assert {row["action"] for row in log} == {
        *(f"sms_gateway.{act}" for act in ("added", "changed", "paused", "resumed", "removed")), "sms_route.added",
    }  # fmt: skip
    assert not any("hush-hush" in row["said"] for row in log)


async def test_a_password_is_told_to_no_other_server(admin: httpx2.AsyncClient, db: Database, there: House) -> None:
    """Who may change a gateway could have it said to a server of theirs, and read it there."""
    await admin.post("/console/sms-gateways", data=GATEWAY)
    number = await number_of(db)
    seen = (await db.pool.fetchval("SELECT changed_at FROM sms_gateway")).isoformat()
    same = GATEWAY | {"password": "", "seen": seen}
    for change in ({"host": "smpp.thief.example"}, {"port": "2776"}, {"tls": "required"}, {"tls": "none"}):
        answer = await admin.post(f"/console/sms-gateways/{number}?lang=en", data=same | change)
        assert answer.status_code == 422 and 'id="e-password"' in answer.text, change
    (config,) = await SmsGatewayRows(db, there.base.vault, "worker-1").configs() or []
    assert (config.host, config.port, config.tls) == ("smpp.carrier.example", 2775, Tls.VERIFIED)
    moved = same | {"host": "smpp.carrier2.example", "password": "said-again"}
    assert (await admin.post(f"/console/sms-gateways/{number}", data=moved)).status_code == 303
    (config,) = await SmsGatewayRows(db, there.base.vault, "worker-1").configs() or []
    assert (config.host, config.password) == ("smpp.carrier2.example", "said-again")


async def test_the_first_page_warns_of_a_gateway_that_nobody_is_bound_to(
    admin: httpx2.AsyncClient, db: Database, there: House
) -> None:
    warning = "SMS gateways without a bind: China Mobile."
    assert warning not in await page(admin, "/console/")
    await admin.post("/console/sms-gateways", data=GATEWAY)
    number = await number_of(db)
    assert warning in await page(admin, "/console/")
    reviewer = await signed(there, "rita", OperatorRole.REVIEWER)
    async with at_the_console(there, reviewer.token) as other:
        assert "SMS gateways" not in await page(other, "/console/"), "it is nothing that a reviewer can mend"
    book = SmsGatewayRows(db, there.base.vault, "worker-1")
    await book.say([GatewaySight(number, 1, "bind refused: ESME_RALYBND")])
    assert warning not in await page(admin, "/console/")
    await db.pool.execute("UPDATE sms_gateway_sight SET seen_at = now() - interval '3 minutes'")
    assert warning in await page(admin, "/console/"), "the process that was bound is gone"
    await admin.post(f"/console/sms-gateways/{number}/pause", data={"reason": "line is down"})
    assert warning not in await page(admin, "/console/"), "somebody decided so"


async def test_receipts_that_belong_to_nobody_are_told(admin: httpx2.AsyncClient, db: Database) -> None:
    await admin.post("/console/sms-gateways", data=GATEWAY)
    number = await number_of(db)
    for fate, smsc_id, days in (("unknown", "0001A", 0), ("unknown", "0001B", 0), ("unknown", "9", 2), ("", "8", 0)):
        await db.pool.execute(
            "INSERT INTO sms_receipt (gateway, smsc_id, phone, state, error, body, arrived_at, fate)"
            " VALUES ($1, $2, '+8613800138000', 'DELIVRD', '', 'text:secret', now() - $3 * interval '1 day', $4)",
            *(number, smsc_id, days, fate),
        )
    said = await page(admin, "/console/sms-gateways")
    assert "belong to no message: 2; the id of the newest: 0001B." in said
    assert "13800138000" not in said and "secret" not in said


BAD = [
    ("name", ""), ("name", "x" * 61), ("host", "no host"), ("host", ""), ("port", "0"), ("port", "70000"),
    ("port", "二"), ("system_id", "x" * 16), ("system_id", "中文"), ("password", ""), ("password", "x" * 65),
    ("password", "密码"), ("tls", "opportunistic"), ("tls", "x"), ("bind", "x"), ("binds", "0"), ("binds", "99"),
    ("window", "-1"), ("rate_per_s", "0"), ("source", "a long word here"), ("source", "中"), ("id_form", ""),
    ("clock_offset_minutes", "9999"), ("enquire_seconds", "1"), ("name", "a\0b"),
]  # fmt: skip


async def test_bad_input_is_refused_at_its_field(admin: httpx2.AsyncClient, db: Database) -> None:
    for field, value in BAD:
        answer = await admin.post("/console/sms-gateways?lang=en", data=GATEWAY | {field: value})
        assert answer.status_code == 422 and f'id="e-{field}"' in answer.text, (field, value)
        assert "hush-hush" not in answer.text, "the password is not written back"
    assert await db.pool.fetchval("SELECT count(*) FROM sms_gateway") == 0


async def test_routes(admin: httpx2.AsyncClient, db: Database) -> None:
    assert "Add an SMS gateway first" in await page(admin, "/console/sms-routes")
    await admin.post("/console/sms-gateways", data=GATEWAY)
    number = str(await number_of(db))
    route = ROUTE | {"gateway": number}
    assert (await admin.post("/console/sms-routes", data=route)).status_code == 303
    assert (await admin.post("/console/sms-routes", data=route)).status_code == 409
    assert (await admin.post("/console/sms-routes", data=route | {"cost": " "})).status_code == 409, (
        "nothing costs nothing"
    )
    for field, value in (
        ("country", "ZZ"),
        ("country", "中国"),
        ("rank", "0"),
        ("cost", "-1"),
        ("cost", "x"),
        ("kind", "x"),
    ):
        answer = await admin.post("/console/sms-routes?lang=en", data=route | {field: value})
        assert answer.status_code == 422 and f'id="e-{field}"' in answer.text
    assert (await admin.post("/console/sms-routes", data=route | {"gateway": "999"})).status_code == 404
    said = await page(admin, "/console/sms-routes")
    assert "0.0355" in said and "China Mobile" in said
    row = await db.pool.fetchrow("SELECT id, country, kind, rank, cost_micro FROM sms_route")
    assert tuple(row)[1:] == ("CN", "code", 1, 35_500)
    assert (await admin.post(f"/console/sms-routes/{row['id']}/remove")).status_code == 303
    assert (await admin.post(f"/console/sms-routes/{row['id']}/remove")).status_code == 404


async def test_which_gateway_a_number_takes(admin: httpx2.AsyncClient, db: Database, there: House) -> None:
    numbers = []
    for name in ("Mobile", "Abroad"):
        await admin.post("/console/sms-gateways", data=GATEWAY | {"name": name})
        numbers.append(await number_of(db))
    mobile, abroad = map(str, numbers)
    await admin.post("/console/sms-routes", data=ROUTE | {"gateway": mobile, "rank": "5", "cost": "0.03"})
    await admin.post("/console/sms-routes", data=ROUTE | {"gateway": mobile, "rank": "9", "kind": "", "cost": "0.09"})
    await admin.post("/console/sms-routes", data=ROUTE | {"gateway": abroad, "rank": "2", "cost": "0.04"})
    await admin.post("/console/sms-routes", data=ROUTE | {"gateway": abroad, "country": "", "kind": "notice"})
    await SmsGatewayRows(db, there.base.vault, "worker-1").say([GatewaySight(numbers[0], 2)])

    async def ways(phone: str, kind: str = "code") -> list[str]:
        answer = await admin.get("/console/sms-routes", params={"phone": phone, "of_kind": kind, "lang": "en"})
        part = answer.text.split('id="t-ways"')[1].split("</section>")[0]
        found = re.findall(r"<li>(\w+) <span[^>]*>([^<]+)</span>\s*<span[^>]*>([^<]+)</span>", part)
        return [" ".join(each) for each in found] or re.findall(r"There is no route|is-invalid", part)

    in_order = ["Abroad Not bound 0.0400 yuan a segment", "Mobile 2 bound 0.0300 yuan a segment"]
    assert await ways("138 0013-8000") == await ways("+8613800138000") == in_order, "each once, as it is asked first"
    assert await ways("13800138000", "marketing") == ["Mobile 2 bound 0.0900 yuan a segment"]
    assert await ways("+447400123456") == ["There is no route"]
    assert await ways("+447400123456", "notice") == ["Abroad Not bound 0.0355 yuan a segment"]
    assert await ways("123") == ["is-invalid"]
