"""/portal/scheduled-tasks without a script: times before saving, both channels, edits, buttons; and /v1 of the same."""

import re
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import httpx2
import pytest

from domain.ids import new_id
from store.db import Database
from tests.campaign_doors import list_of
from tests.campaign_world import make_batch_customer
from tests.schedule_world import make_contacts, phones
from tests.sending_world import Customer
from tests.sends_doors import Browser, browser
from tests.sms_world import SmsCustomer, make_sms_customer

HOME = "/portal/scheduled-tasks"
DAILY = {"repeat": "daily", "time": "09:30"}


@pytest.fixture
async def customer(db: Database) -> SmsCustomer:
    return await make_sms_customer(db)


@pytest.fixture
async def portal(db: Database, customer: SmsCustomer) -> AsyncIterator[Browser]:
    whose = SimpleNamespace(account=customer.account, domain_name=f"{customer.account}.example")
    async with browser(db, cast("Customer", whose)) as made:
        yield made


@pytest.fixture
async def form(db: Database, customer: SmsCustomer) -> dict[str, str]:
    """Filled in, for SMS."""
    chosen = await make_contacts(db, customer.account, phones(3, 99_000_000), "Members <b>")
    return {
        "channel": "sms", "name": "Morning <b>", "sms_user": customer.name, "template": "notice",
        "contact_list": str(chosen), **DAILY, "form": new_id().hex,
    }  # fmt: skip


def hidden(page: httpx2.Response) -> dict[str, str]:
    """What the page's form sends along."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    return {name: value.replace("&lt;", "<").replace("&gt;", ">") for name, value in found if name != "csrf_token"}


async def saved(portal: Browser, form: dict[str, str]) -> str:
    answer = await portal.post(f"{HOME}/new", form | {"step": "save"})
    assert answer.status_code == 303, answer.text[:3000]
    return str(answer.headers["location"])


async def test_the_times_are_shown_before_it_is_saved(portal: Browser, db: Database, form: dict[str, str]) -> None:
    assert 'name="contact_list"' in (await portal.http.get(f"{HOME}/new")).text
    page = await portal.post(f"{HOME}/new", form | {"step": "check"})
    assert page.status_code == 200
    times = re.findall(r"<time [^>]*>(\d{4}-\d\d-\d\d 09:30)", page.text)
    assert len(times) == 5 and times == sorted(set(times))
    assert await db.pool.fetchval("SELECT count(*) FROM scheduled_task") == 0
    place = await saved(portal, hidden(page))
    shown = (await portal.http.get(place)).text
    assert "Morning &lt;b&gt;" in shown and times[0] in shown and "Members &lt;b&gt; (3)" in shown
    await db.pool.execute("UPDATE contact_list SET deleted_at = now()")
    assert form["contact_list"] in (await portal.http.get(place)).text
    await db.pool.execute("UPDATE contact_list SET deleted_at = NULL")
    assert "Morning &lt;b&gt;" in (await portal.http.get(HOME)).text
    again = await portal.post(f"{HOME}/new", hidden(page) | {"step": "save"})
    assert again.headers["location"] == place  # the form sent twice is one task


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"repeat": "once", "at": "2020-01-01T09:00"}, "at"),
        ({"repeat": "once", "at": "soon"}, "at"),
        ({"repeat": "once", "at": "0001-01-01T00:00"}, "at"),
        ({"starts_at": "8999-12-31T23:59"}, "starts_at"),
        ({"ends_at": "9999-12-31T23:59"}, "ends_at"),
        ({"repeat": "once", "at": "2027-03-14T02:30", "time_zone": "America/New_York"}, "at"),
        ({"repeat": "weekly"}, "weekdays"),
        ({"repeat": "monthly", "days": "0, x"}, "days"),
        ({"repeat": "cron", "cron": "* * * * *"}, "cron"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"late_minutes": "9999"}, "late_minutes"),
        ({"contact_list": "nobody"}, "contact_list"),
        ({"template": "nothing"}, "template"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    portal: Browser, form: dict[str, str], changes: dict[str, str], field: str
) -> None:
    for step in ("check", "save"):
        page = await portal.post(f"{HOME}/new", form | changes | {"step": step})
        assert page.status_code == 422
        assert f'id="e-{field}"' in page.text, step


async def test_when_marketing_is_really_sent_is_said_before(portal: Browser, form: dict[str, str]) -> None:
    evening = form | {"time": "21:00", "step": "check"}
    notice = (await portal.post(f"{HOME}/new", evening)).text
    assert "Members &lt;b&gt; (3)" in notice and "营销" not in notice
    marketing = (await portal.post(f"{HOME}/new", evening | {"template": "marketing"})).text
    said = re.findall(r"营销时段开始后发送：<time [^>]*>\d{4}-\d\d-\d\d (\d\d:\d\d)", marketing)
    assert said == ["08:00"] * 5


async def test_a_time_that_a_clock_shows_twice_can_be_written(portal: Browser, form: dict[str, str]) -> None:
    twice = form | {"repeat": "once", "at": "2027-11-07T01:30", "time_zone": "America/New_York"}
    refused = await portal.post(f"{HOME}/new", twice | {"step": "check"})
    assert refused.status_code == 422 and 'name="at" type="text"' in refused.text
    assert 'name="starts_at" type="datetime-local"' in refused.text
    spelt = twice | {"at": "2027-11-07T01:30-05:00"}
    page = await portal.post(f"{HOME}/new", spelt | {"step": "check"})
    assert page.status_code == 200 and "2027-11-07 14:30" in page.text
    back = await portal.post(f"{HOME}/new", hidden(page) | {"step": ""})
    assert 'name="at" type="text" value="2027-11-07T01:30-05:00"' in back.text
    place = await saved(portal, spelt)
    assert 'value="2027-11-07T01:30:00-05:00"' in (await portal.http.get(f"{place}/edit")).text


async def test_edited_by_one_at_a_time(portal: Browser, db: Database, form: dict[str, str]) -> None:
    place = await saved(portal, form)
    page = await portal.http.get(f"{place}/edit")
    assert 'value="09:30"' in page.text and f'<option value="{form["contact_list"]}" selected>' in page.text
    edit = form | {"time": "20:00", "version": "1", "step": "save"}
    assert (await portal.post(f"{place}/edit", edit)).status_code == 303
    late = await portal.post(f"{place}/edit", edit)
    assert late.status_code == 409 and "2" in late.text
    assert await db.pool.fetchval("SELECT cadence->>'time' FROM scheduled_task") == "20:00"


async def test_buttons(portal: Browser, db: Database, form: dict[str, str]) -> None:
    place = await saved(portal, form)
    for button, words in (("pause", "stock-taking"), ("resume", "按时执行"), ("run", "排队中")):
        assert (await portal.post(f"{place}/{button}", {"reason": "stock-taking"})).status_code == 303
        assert words in (await portal.http.get(place)).text, button
    run = await db.pool.fetchval("UPDATE scheduled_run SET state = 'asked', expires_at = now() RETURNING id")
    assert "照常发送" in (await portal.http.get(place)).text
    assert (await portal.post(f"{place}/runs/{run}/decide", {"decision": "skip"})).status_code == 303
    assert "人工决定" in (await portal.http.get(place)).text
    again = await portal.post(f"{place}/runs/{run}/decide", {"decision": "send"})
    assert again.status_code == 303 and "已跳过" in (await portal.http.get(place)).text
    await portal.post(f"{place}/cancel", {})
    assert await db.pool.fetchval("SELECT state FROM scheduled_task") == "cancelled"


async def test_a_mail_task(db: Database) -> None:
    customer = await make_batch_customer(db)
    async with browser(db, customer) as portal:
        chosen: UUID = await list_of(db, customer)
        form = {
            "channel": "email", "name": "News", "api_user": customer.api_user_name, "template": "hello",
            "from": f"news@{customer.domain_name}", "lists": str(chosen), "repeat": "weekly", "time": "08:00",
            "weekdays": "1", "form": "f",
        }  # fmt: skip
        assert 'name="lists"' in (await portal.http.get(f"{HOME}/new?channel=email")).text
        page = await portal.post(f"{HOME}/new", form | {"step": "check"})
        assert page.status_code == 200, page.text[:2000]
        shown = await portal.http.get(await saved(portal, hidden(page)))
        name = await db.pool.fetchval("SELECT name FROM address_list WHERE id = $1", chosen)
        assert f">{name}<" in shown.text and "周一" in shown.text
        wrong = await portal.post(f"{HOME}/new", form | {"from": "x@elsewhere.example", "step": "save", "form": "g"})
        assert wrong.status_code == 422 and 'id="e-from"' in wrong.text
