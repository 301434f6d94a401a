"""/console/reply-rules and /console/retry-curves over HTTP: an administrator reads, tries, changes and restores."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from domain.operators import OperatorRole
from domain.reply_rule_seeds import SEEDS
from services.reply_seeding import ensure_reply_rules
from store.db import Database
from tests.accounts_world import House, csrf_of, house
from tests.operators_world import at_the_console, signed

RULES, CURVES = "/console/reply-rules", "/console/retry-curves"
OWN = {
    "provider": "qq", "enhanced": "", "code": "5xx", "text": "frequency <limited>", "reason": "policy.refused",
    "action": "bounced", "scope": "recipient", "note": "Asked <Tencent>", "position": "1",
}  # fmt: skip
GREY = f"{CURVES}/soft.greylist/trigger"


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


@pytest.fixture
async def admin(there: House, db: Database) -> AsyncIterator[httpx2.AsyncClient]:
    who = await signed(there, "root", OperatorRole.ADMIN)
    await ensure_reply_rules(db)
    async with at_the_console(there, who.token) as client:
        client.headers["x-csrf-token"] = csrf_of(await client.get("/console/me"))
        yield client


async def page(client: httpx2.AsyncClient, path: str) -> str:
    answer = await client.get(path, params={"lang": "en"}) if "?" not in path else await client.get(f"{path}&lang=en")
    assert answer.status_code == 200, answer.text[:300]
    return answer.text


async def made(db: Database, seed: str = "") -> str:
    return str(await db.pool.fetchval("SELECT id FROM reply_rule WHERE seed = $1", seed))


async def test_the_table_is_shown_in_its_order_and_searched(admin: httpx2.AsyncClient) -> None:
    said = await page(admin, RULES)
    assert f"{len(SEEDS)} of {len(SEEDS)} rules" in said
    assert said.index("ip frequency limited") < said.index("hl:icc") < said.index("5.1.10")
    assert "our sending IP" in said and "soft.rate_limited" in said
    found = await page(admin, f"{RULES}?q=HL%3AICC")
    assert f"1 of {len(SEEDS)} rules" in found and "ip frequency limited" not in found
    assert "No rule has these words" in await page(admin, f"{RULES}?q=%3Cb%3E")


async def test_the_table_is_exported_on_record(admin: httpx2.AsyncClient, db: Database) -> None:
    assert (await admin.post(f"{RULES}/new", data=OWN | {"note": "=1+1"})).status_code == 303
    answer = await admin.get(f"{RULES}/export.csv")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("position,provider,enhanced") and len(lines) == len(SEEDS) + 2
    assert lines[1].startswith("1,qq,,5xx,frequency <limited>,policy.refused,bounced") and ",=1+1" not in lines[1]
    assert (
        await db.pool.fetchval("SELECT subject FROM audit_entry WHERE action = 'list.exported'") == "list/reply-rules"
    )


async def test_before_it_is_filled_the_page_says_so(there: House, db: Database) -> None:
    who = await signed(there, "root", OperatorRole.ADMIN)
    async with at_the_console(there, who.token) as client:
        assert "The table is empty" in await page(client, RULES)
        assert "+0:05" in await page(client, CURVES)


async def tried(client: httpx2.AsyncClient, host: str, code: str, reply: str) -> httpx2.Response:
    form = {"host": host, "reply_code": code, "reply": reply}
    return await client.post(f"{RULES}/try?lang=en", data=form)


async def test_a_reply_is_tried(admin: httpx2.AsyncClient) -> None:
    answer = await tried(admin, "mxbiz1.qq.com", "550", "Ip frequency limited")
    assert answer.status_code == 200
    assert "Rule 1 decides:" in answer.text and "Tried again" in answer.text and "soft.rate_limited" in answer.text
    assert "About: our sending IP" in answer.text
    assert "+0:05" in answer.text and "+0:15" in answer.text, "for both kinds"
    said = (await tried(admin, "mx.x.example", "", "5.1.1 <b>user</b> unknown")).text
    assert "hard.invalid_mailbox" in said and "tried again after the first try" not in said
    assert "&lt;b&gt;user&lt;/b&gt;" in said and "<b>user" not in said
    wrong = await tried(admin, "mx", "250", "fine")
    assert wrong.status_code == 422 and 'id="e-reply_code"' in wrong.text and 'value="fine"' in wrong.text
    assert (await tried(admin, "mx", "²²²", "fine")).status_code == 422


async def test_a_row_is_added_edited_moved_disabled_and_deleted(admin: httpx2.AsyncClient, db: Database) -> None:
    assert 'name="position"' in await page(admin, f"{RULES}/new")
    assert (await admin.post(f"{RULES}/new", data=OWN)).status_code == 303
    said = await page(admin, RULES)
    assert "frequency &lt;limited&gt;" in said and "Asked &lt;Tencent&gt;" in said and "Your own" in said
    place = f"{RULES}/{await made(db)}"
    assert 'value="Asked &lt;Tencent&gt;"' in await page(admin, place)
    edited = OWN | {"text": "frequency limited", "row_version": "0"}
    assert (await admin.post(f"{place}/edit", data=edited)).status_code == 303
    stale = await admin.post(f"{place}/edit?lang=en", data=edited)
    assert stale.status_code == 409 and "Somebody else changed this rule" in stale.text
    assert "Rule 1 decides:" in (await tried(admin, "mx1.qq.com", "550", "Ip frequency limited")).text
    assert (await admin.post(f"{place}/move", data={"position": "7", "row_version": "1"})).status_code == 303
    assert await db.pool.fetchval("SELECT position FROM reply_rule WHERE seed = ''") == 7
    assert (await admin.post(f"{place}/move", data={"position": "x", "row_version": "2"})).status_code == 422
    assert (await admin.post(f"{place}/disable", data={"row_version": "2"})).status_code == 303
    assert f"{place}/enable" in await page(admin, place)
    assert (await admin.post(f"{place}/enable", data={"row_version": "3"})).status_code == 303
    assert (await admin.post(f"{place}/delete", data={"row_version": "4"})).status_code == 303
    assert (await admin.get(place)).status_code == 404
    assert await db.pool.fetchval("SELECT count(*) FROM audit_entry WHERE subject LIKE 'reply-rule/%'") == 6


async def test_what_is_wrong_is_said_at_its_field(admin: httpx2.AsyncClient, db: Database) -> None:
    for change, field in (
        ({"provider": "163"}, "provider"), ({"enhanced": "5.1"}, "enhanced"), ({"code": "250"}, "code"),
        ({"text": "a||b"}, "text"), ({"reason": "soft.odd"}, "reason"), ({"scope": ""}, "scope"),
        ({"reason": "hard.disabled", "action": "deferred"}, "action"), ({"position": "first"}, "position"),
        ({"note": "x" * 201}, "note"),
    ):  # fmt: skip
        answer = await admin.post(f"{RULES}/new?lang=en", data=OWN | change)
        assert answer.status_code == 422 and f'id="e-{field}"' in answer.text, field
        assert "frequency &lt;limited&gt;" in answer.text or field == "text"
    assert await made(db) == "None"


async def test_what_ships_is_restored(admin: httpx2.AsyncClient, db: Database) -> None:
    place = f"{RULES}/{await made(db, 'qq.flood')}"
    assert "restore" not in await page(admin, place) and "/delete" not in await page(admin, place)
    assert (await admin.post(f"{place}/edit", data=OWN | {"row_version": "0"})).status_code == 303
    assert "Changed" in await page(admin, RULES) and f"{place}/restore" in await page(admin, place)
    assert (await admin.post(f"{place}/restore", data={"row_version": "1"})).status_code == 303
    assert "mailbox unavailable or access denied" in await page(admin, place)
    await admin.post(f"{place}/disable", data={"row_version": "2"})
    assert (await admin.post(f"{RULES}/restore-all")).status_code == 303
    assert await db.pool.fetchval("SELECT enabled FROM reply_rule WHERE seed = 'qq.flood'")


async def test_a_curve_is_set_and_restored(admin: httpx2.AsyncClient, db: Database) -> None:
    said = await page(admin, f"{CURVES}?curve=soft.greylist/trigger")
    assert 'value="5, 10, 15, 30, 60"' in said and 'value="240"' in said and "+3:00" in said
    form = {"waits": "7, 20", "give_up_after": "90", "row_version": "0"}
    assert (await admin.post(GREY, data=form)).status_code == 303
    said = await page(admin, f"{CURVES}?curve=soft.greylist/trigger")
    assert "+0:07" in said and "+0:27" in said and "1:30" in said and f"{GREY}/restore" in said
    assert (await admin.post(GREY, data=form)).status_code == 409
    wrong = await admin.post(GREY, data=form | {"waits": "soon", "row_version": "1"})
    assert wrong.status_code == 422 and 'id="e-waits"' in wrong.text and 'value="soon"' in wrong.text
    wrong = await admin.post(GREY, data=form | {"give_up_after": "1441", "row_version": "1"})
    assert wrong.status_code == 422 and 'id="e-give_up_after"' in wrong.text
    assert (await admin.post(f"{CURVES}/soft.greylist/neither", data=form)).status_code == 404
    assert (await admin.post(f"{GREY}/restore", data={"row_version": "1"})).status_code == 303
    assert "+3:00" in await page(admin, CURVES)
    noted = await db.pool.fetch("SELECT action FROM audit_entry WHERE subject LIKE 'retry-curve/%' ORDER BY id")
    assert [row["action"] for row in noted] == ["retry_curve.set", "retry_curve.restored"]


async def test_other_operators_find_neither(there: House) -> None:
    who = await signed(there, "sue", OperatorRole.SUPPORT)
    async with at_the_console(there, who.token) as client:
        for path in (RULES, f"{RULES}/new", CURVES):
            assert (await client.get(path)).status_code == 403
        assert RULES not in (await client.get("/console/")).text
