"""/portal/queue-status and /console/lanes over HTTP: the colours of the guide, and an administrator's acts."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from domain.operators import OperatorRole
from store.db import Database
from tests.accounts_world import House, csrf_of, house
from tests.lanes_world import learn, single_mails, with_lanes
from tests.operators_world import at_the_console, signed
from tests.sends_doors import Browser, browser


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    await with_lanes(db)
    async with browser(db) as made:
        yield made


async def page(portal: Browser, language: str) -> str:
    answer = await portal.http.get(f"/portal/queue-status?lang={language}")
    assert answer.status_code == 200
    return answer.text


async def test_nothing_waits(portal: Browser) -> None:
    assert "没有排队的邮件和短信" in await page(portal, "zh")
    assert "Nothing is waiting" in await page(portal, "en")


async def test_no_mark_is_normal_green_slow_red_paused(portal: Browser, db: Database) -> None:
    await learn(db, qq_com="qq", sina_com="sina")
    await single_mails(db, portal.customer, "a@qq.com", "b@sina.com", "c@far.example")
    said = await page(portal, "zh")
    assert "QQ 邮箱、腾讯企业邮" in said and "far.example" in said and "共 3 封" in said
    assert "缓慢发送</span>" not in said and "暂停发送</span>" not in said
    await db.pool.execute("UPDATE lane SET pace = 0.5, slow_since = now() WHERE name = 'qq'")
    await db.pool.execute("UPDATE lane SET paused_at = now(), pause_reason = 'Until <noon>' WHERE name = 'sina'")
    said = await page(portal, "zh")
    assert 'bg-success-lt">缓慢发送</span>' in said and 'bg-danger-lt">暂停发送</span>' in said
    said = await page(portal, "en")
    assert 'bg-success-lt">Slow</span>' in said and 'bg-danger-lt">Paused</span>' in said
    assert "QQ Mail, Tencent Exmail" in said and "Until &lt;noon&gt;" in said and "do not send them again" in said


async def test_one_account_sees_nothing_of_anothers(portal: Browser, db: Database) -> None:
    async with browser(db) as other:
        await single_mails(db, other.customer, "a@secret.example")
        assert "secret.example" in await page(other, "en")
    assert "secret.example" not in await page(portal, "en")


async def test_a_count_that_takes_too_long_is_said(
    portal: Browser, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.lanes.LONGEST_LOOK", 1)
    async with db.raw() as connection:
        await connection.execute("LOCK TABLE due IN ACCESS EXCLUSIVE MODE")
        answer = await portal.http.get("/portal/queue-status?lang=en")
    assert answer.status_code == 503
    assert "Mails go on; look again in a moment." in answer.text


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


@pytest.fixture
async def admin(there: House, db: Database) -> AsyncIterator[httpx2.AsyncClient]:
    who = await signed(there, "root", OperatorRole.ADMIN)
    await with_lanes(db)
    async with at_the_console(there, who.token) as client:
        client.headers["x-csrf-token"] = csrf_of(await client.get("/console/me"))
        yield client


async def shown(client: httpx2.AsyncClient, lane: str = "") -> str:
    answer = await client.get(f"/console/lanes?lang=en&lane={lane}")
    assert answer.status_code == 200
    return answer.text


async def test_before_the_first_worker_there_is_no_lane(db: Database, there: House) -> None:
    who = await signed(there, "root", OperatorRole.ADMIN)
    async with at_the_console(there, who.token) as client:
        assert "There is no lane yet" in await shown(client)


async def test_a_lane_is_paused_and_resumed(admin: httpx2.AsyncClient) -> None:
    assert (await admin.post("/console/lanes/qq/pause", data={"reason": "QQ <down>"})).status_code == 303
    said = await shown(admin, "qq")
    assert "QQ &lt;down&gt;" in said and "operator/root" in said and "/console/lanes/qq/resume" in said
    answer = await admin.post("/console/lanes/qq/pause", data={"reason": "again"})
    assert answer.status_code == 409
    assert (await admin.post("/console/lanes/qq/resume")).status_code == 303
    assert "/console/lanes/qq/pause" in await shown(admin, "qq")
    assert (await admin.post("/console/lanes/qq/resume", follow_redirects=True)).status_code == 200


async def test_limits_are_saved_for_all_workers(admin: httpx2.AsyncClient, db: Database) -> None:
    said = await shown(admin, "qq")
    assert 'name="rate" type="text" value="60"' in said and 'name="per_connection" type="text" value="20"' in said
    assert "15 mails on one connection" in said, "NetEase's, in the list"
    form = {"rate": "90", "burst": "30", "connections": "", "per_site": "", "per_connection": "8", "row_version": "0"}
    assert (await admin.post("/console/lanes/qq/limits", data=form)).status_code == 303
    row = await db.pool.fetchrow(
        "SELECT rate_per_s, burst, connections, per_connection, row_version FROM lane WHERE name = 'qq'"
    )
    assert tuple(row) == (1.5, 30, None, 8, 1)
    assert (await admin.post("/console/lanes/qq/limits", data=form)).status_code == 409
    wrong = await admin.post("/console/lanes/qq/limits", data=form | {"rate": "fast", "row_version": "1"})
    assert wrong.status_code == 422
    assert 'id="e-rate"' in wrong.text and 'value="fast"' in wrong.text
    wrong = await admin.post("/console/lanes/qq/limits", data=form | {"per_connection": "0", "row_version": "1"})
    assert wrong.status_code == 422
    assert 'id="e-per_connection"' in wrong.text and "from 1 to 10000" in wrong.text
    form |= {"per_connection": "", "row_version": "1"}
    assert (await admin.post("/console/lanes/qq/limits", data=form)).status_code == 303
    assert await db.pool.fetchval("SELECT per_connection FROM lane WHERE name = 'qq'") is None


async def test_a_lane_is_put_back_at_full_speed(admin: httpx2.AsyncClient, db: Database) -> None:
    await db.pool.execute("UPDATE lane SET pace = 0.5, slow_since = now(), backoff_at = now() WHERE name = 'qq'")
    assert "the rate is 50.0% of the limit" in await shown(admin, "qq")
    assert (await admin.post("/console/lanes/qq/full-speed")).status_code == 303
    assert await db.pool.fetchval("SELECT pace FROM lane WHERE name = 'qq'") == 1


@pytest.mark.parametrize("act", ["pause", "resume", "full-speed", "limits"])
async def test_an_unknown_lane_is_not_found(admin: httpx2.AsyncClient, act: str) -> None:
    answer = await admin.post(f"/console/lanes/nowhere/{act}", data={"reason": "x", "burst": "20"})
    assert answer.status_code == 404


async def test_other_operators_find_no_lanes(there: House) -> None:
    who = await signed(there, "sue", OperatorRole.SUPPORT)
    async with at_the_console(there, who.token) as client:
        assert (await client.get("/console/lanes")).status_code == 403
        assert "/console/lanes" not in (await client.get("/console/")).text
