"""/portal/campaigns: made in five steps without a script, watched, paused, cancelled, its content changed."""

import datetime as dt
import re
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest

from domain.campaigns import CampaignState
from domain.times import SHANGHAI
from store.columns import now
from store.db import Database
from tests.campaign_doors import add_version, begins, list_of, sends_all
from tests.campaign_world import engine, make_batch_customer
from tests.sending_world import Customer, FakeServers
from tests.sends_doors import Browser, browser

NEW = "/portal/campaigns/new"


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db, await make_batch_customer(db)) as made:
        yield made


@pytest.fixture
async def audience(db: Database, portal: Browser) -> UUID:
    return await list_of(db, portal.customer)


def filled(customer: Customer, audience: UUID | str, **changes: str) -> dict[str, str]:
    """What the form of the last step sends."""
    good = {
        "name": "Autumn <b>", "template": "hello", "api_user": customer.api_user_name,
        "from": f"news@{customer.domain_name}", "lists": str(audience), "when": "now", "lives_hours": "72",
        "form": "token-1", "step": "check", "to": "create",
    }  # fmt: skip
    return good | changes


async def created(portal: Browser, audience: UUID, **changes: str) -> str:
    answer = await portal.post(NEW, filled(portal.customer, audience, **changes))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def step_of(page: httpx2.Response) -> str:
    found = re.search(r'<li aria-current="step">([^<]+)', page.text)
    assert found, page.text[:2000]
    return found[1]


async def test_five_steps_without_a_script(portal: Browser, db: Database, audience: UUID) -> None:
    """Each page's form, with what a browser would send of it."""
    page = await portal.http.get(NEW)
    chosen = [
        {"name": "Autumn", "template": "hello"},
        {"api_user": portal.customer.api_user_name, "from": f"news@{portal.customer.domain_name}", "label": "a<b"},
        {"lists": str(audience)},
        {"when": "at", "start_at": "2099-01-01T10:00", "daily": "on", "hours_from": "22:00", "hours_to": "06:00"},
    ]
    soon = (now() + dt.timedelta(days=3)).astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M")
    chosen[3]["start_at"] = soon
    for step, fields in zip(("内容", "发件人", "地址列表", "时间"), chosen, strict=True):
        assert (page.status_code, step_of(page)) == (200, step)
        page = await portal.post(NEW, sent_by(page.text) | fields)
    assert step_of(page) == "确认"
    for said in ("Autumn", "你好 %name%", "a&lt;b", "4 个成员", "¥0.0045", "¥0.02", "22:00–06:00", soon[11:]):
        assert said in page.text, said
    assert await db.pool.fetchval("SELECT count(*) FROM campaign") == 0
    made = await portal.post(NEW, sent_by(page.text))
    row = await db.pool.fetchrow("SELECT * FROM campaign")
    assert made.headers["location"] == f"/portal/campaigns/{row['id']}"
    assert (row["name"], row["label"], row["lists"]) == ("Autumn", "a<b", [audience])
    assert row["start_at"].astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M") == soon
    assert (row["hours_from"], row["hours_to"], row["lives_hours"]) == (dt.time(22), dt.time(6), 72)


def sent_by(page: str) -> dict[str, str]:
    """What a browser sends of the form as it stands when Enter is pressed: its first button counts."""
    form = page[page.index('<form method="post" action="/portal/campaigns/new"') :]
    form = form[: form.index("</form>")]
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    text = re.findall(r'<input class="form-control" id="[^"]+" name="([^"]+)" type="[^"]+" value="([^"]*)"', form)
    button = re.findall(r'<button class="btn btn-primary" type="submit" name="(to)" value="([^"]+)"', form)
    return {name: value.replace("&lt;", "<") for name, value in (*hidden, *text, *button) if name != "csrf_token"}


@pytest.mark.parametrize(
    ("shown", "to", "changes", "step", "words"),
    [
        ("content", "sender", {"name": ""}, "内容", "name"),
        ("content", "sender", {"name": "x" * 101}, "内容", "name"),
        ("content", "sender", {"template": "none", "api_user": ""}, "发件人", ""),
        ("sender", "lists", {"from": "a@elsewhere.example"}, "发件人", "from"),
        ("sender", "lists", {"template": "none"}, "内容", "template"),
        ("sender", "lists", {"reply_to": "x"}, "发件人", "reply_to"),
        ("lists", "time", {"lists": ""}, "地址列表", "lists"),
        ("lists", "time", {"lists": "nobody@lists.test"}, "地址列表", "lists"),
        ("time", "check", {"when": "at", "start_at": ""}, "时间", "start_at"),
        ("time", "check", {"when": "at", "start_at": "2999-01-01T00:00"}, "时间", "start_at"),
        ("time", "check", {"daily": "on", "hours_from": "x", "hours_to": "18:00"}, "时间", "hours"),
        ("time", "check", {"daily": "on", "hours_from": "09:00", "hours_to": "09:05"}, "时间", "hours"),
        ("time", "check", {"lives_hours": "many"}, "时间", "lives_hours"),
        ("content", "check", {"lives_hours": "0"}, "时间", "lives_hours"),
        ("check", "create", {"lists": "nobody@lists.test"}, "地址列表", "lists"),
        ("check", "create", {"api_user": "nobody"}, "发件人", "api_user"),
    ],
)
async def test_a_wrong_field_is_shown_at_its_step(
    portal: Browser, db: Database, audience: UUID, shown: str, to: str, changes: dict[str, str], step: str, words: str
) -> None:
    fields = filled(portal.customer, audience, step=shown, to=to) | changes
    if not fields["lists"]:
        del fields["lists"]
    page = await portal.post(NEW, fields)
    assert step_of(page) == step
    assert page.status_code == (422 if words else 200)
    if words:
        assert f'id="e-{words}"' in page.text
    assert 'value="token-1"' in page.text
    assert await db.pool.fetchval("SELECT count(*) FROM campaign") == 0


async def test_going_back_asks_nothing_and_keeps_everything(portal: Browser, audience: UUID) -> None:
    fields = filled(portal.customer, audience, step="time", to="lists", lives_hours="never", label="kept")
    page = await portal.post(NEW, fields)
    assert (page.status_code, step_of(page)) == (200, "地址列表")
    assert f'value="{audience}" checked' in page.text
    for value in ("never", "kept", "hello"):
        assert f'value="{value}">' in page.text


async def test_the_last_step_warns(portal: Browser, db: Database, audience: UUID) -> None:
    await db.pool.execute("UPDATE account SET daily_quota = 3; UPDATE ledger_account SET balance_fen = 0")
    empty = await list_of(db, portal.customer, "x@qq.com")
    await db.pool.execute("UPDATE address_list SET members = 0 WHERE id = $1", empty)
    page = await portal.post(NEW, filled(portal.customer, audience, to="check", step="time"))
    assert "当日额度还剩 3 封，少于 4 个成员" in page.text and "可用余额不足" in page.text
    page = await portal.post(NEW, filled(portal.customer, empty, to="check", step="time", when="at") | {
        "start_at": "2026-01-01T00:00"
    })  # fmt: skip
    assert "还没有成员" in page.text and "开始时间已过" in page.text and "可用余额不足" not in page.text


async def test_a_form_makes_one_campaign(portal: Browser, db: Database, audience: UUID) -> None:
    first = await created(portal, audience)
    assert await created(portal, audience) == first
    other = await portal.post(NEW, filled(portal.customer, audience, name="Other"))
    assert other.status_code == 409 and 'value="token-1"' not in other.text
    assert await db.pool.fetchval("SELECT count(*) FROM campaign") == 1


async def test_what_is_lacking_is_said_instead_of_the_form(portal: Browser, db: Database) -> None:
    for lacking, change in (
        ("/portal/address-lists", ""),
        ("/portal/templates", "UPDATE template SET kind = 'trigger'"),
        ("/portal/api-users", "UPDATE api_user SET kind = 'trigger'"),
    ):
        if change:
            await db.pool.execute(change)
        page = await portal.http.get(NEW)
        assert f'<a class="btn btn-primary" href="{lacking}">' in page.text and "<ol class" not in page.text


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_state_is_shown_in_words(portal: Browser, db: Database, audience: UUID, language: str) -> None:
    place = await created(portal, audience)
    await portal.http.get(place)  # takes the message
    for state in CampaignState:
        await db.pool.execute("UPDATE campaign SET state = $1", state.value)
        page = await portal.http.get(place, params={"lang": language})
        assert page.status_code == 200 and f'data-state="{state.value}"' in page.text
        assert ('<meta http-equiv="refresh"' in page.text) is (state not in ("finished", "cancelled"))
        if language == "en":
            assert not re.findall(r"[\u4e00-\u9fff]+", re.sub(r">中文<|Songda 送达", "", page.text))
        listed = await portal.http.get("/portal/campaigns", params={"lang": language})
        assert "Autumn &lt;b&gt;" in listed.text and place in listed.text


async def test_acts_and_what_its_state_forbids(portal: Browser, db: Database, audience: UUID) -> None:
    place = await created(portal, audience, when="at", start_at="2027-01-01T10:00")
    for verb, state in (("pause", "paused"), ("resume", "scheduled"), ("cancel", "cancelling")):
        answer = await portal.post(f"{place}/{verb}", {})
        assert (answer.status_code, answer.headers["location"]) == (303, place)
        page = await portal.http.get(place)
        assert "alert-success" in page.text and f'data-state="{state}"' in page.text
    await portal.post(f"{place}/pause", {})
    page = await portal.http.get(place)
    assert "alert-danger" in page.text
    assert f'action="{place}/' not in page.text, "there is nothing left to ask of it"


async def test_a_blocked_campaign_says_what_to_do(portal: Browser, db: Database, audience: UUID) -> None:
    place = await created(portal, audience)
    params = {"needed": "¥5.00", "available": "¥1.00"}
    await db.pool.execute(
        "UPDATE campaign SET state = 'blocked', problem = 'balance_insufficient', problem_params = $1", params
    )
    page = await portal.http.get(place)
    assert "¥5.00" in page.text and "¥1.00" in page.text
    assert "/portal/recharges" in page.text and f'action="{place}/resume"' in page.text


async def test_figures_contents_and_messages_of_a_running_one(portal: Browser, db: Database, audience: UUID) -> None:
    place = await created(portal, audience, when="at", start_at="2027-01-01T10:00")
    await add_version(db, portal.customer, 2)
    contents = await portal.http.get(f"{place}/contents")
    assert '<option value="2"' in contents.text and '<option value="1"' not in contents.text
    refused = await portal.post(f"{place}/revise", {"version": "9"})
    assert refused.status_code == 422 and 'id="e-version"' in refused.text
    assert (await portal.post(f"{place}/revise", {"version": "2"})).status_code == 303
    assert '<option value="1"' in (await portal.http.get(f"{place}/contents")).text
    async with engine(db, FakeServers()) as made:
        await sends_all(made, *await begins(made, place.rpartition("/")[2], portal.customer))
    page = await portal.http.get(place)
    for said in ("100%", "已有结果 4 / 4", "QQ 邮箱、腾讯企业邮", "网易 163", "其他域名"):
        assert said in page.text, said
    contents = await portal.http.get(f"{place}/contents")
    assert re.findall(r"<td>(\d) 封</td>", contents.text) == ["0", "4"]
    messages = await portal.http.get(place.replace("campaigns", "sends"))
    assert messages.status_code == 200 and "a@qq.com" in messages.text


async def test_the_stream_carries_the_part_that_changes(portal: Browser, db: Database, audience: UUID) -> None:
    place = await created(portal, audience)
    await db.pool.execute("UPDATE campaign SET state = 'finished', finished_at = now()")
    answer = await portal.http.get(f"{place}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: campaign" in answer.text and 'data-state=\\"finished\\"' in answer.text
    elsewhere = await portal.http.get("/portal/campaigns/01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f/events")
    assert elsewhere.status_code == 404
