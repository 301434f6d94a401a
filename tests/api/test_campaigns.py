"""`/v1/campaigns`: made, watched, paused, resumed, cancelled, revised; refused with the field that is wrong."""

import datetime as dt
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.accounts import Caller
from domain.ids import new_id
from services.campaigns import Campaigns
from store.columns import now
from store.db import Database
from tests.campaign_doors import ADDRESSES, Door, add_version, begins, door, list_of, sends_all
from tests.campaign_world import engine
from tests.patience import until
from tests.sending_world import FakeServers

LATER = {"start_at": (now() + dt.timedelta(days=1)).isoformat()}
MORROW = (now() + dt.timedelta(days=2)).date()
"""After tomorrow."""


@pytest.fixture
async def api(db: Database) -> AsyncIterator[Door]:
    async with door(db) as made:
        yield made


async def charged(api: Door, campaign: str) -> bool:
    """Its three mails are paid."""
    return bool((await api.view(campaign))["cost"]["charged_micro"] == 3 * 4500)


async def made_campaigns(db: Database) -> int:
    return int(await db.pool.fetchval("SELECT count(*) FROM campaign"))


async def test_a_campaign_is_durable_when_it_is_answered(api: Door, db: Database) -> None:
    audience = await list_of(db, api.customer)
    body = api.body(
        audience, from_name="Shop", reply_to="help@shop.example", label="autumn", lives_hours=24,
        hours={"from": "22:00", "to": "06:30"}, start_at=f"{MORROW}T10:00:00+08:00",
    )  # fmt: skip
    answer = await api.http.post("/v1/campaigns", json=body)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert answer.headers["location"] == made["url"] == f"/v1/campaigns/{made['id']}"
    assert not made["repeated"]
    shown = await api.view(made["id"])
    assert {name: shown[name] for name in ("name", "state", "problem", "api_user", "template", "template_version")} == {
        "name": "Autumn", "state": "scheduled", "problem": None, "api_user": api.customer.api_user_name,
        "template": "hello", "template_version": 1,
    }  # fmt: skip
    assert (shown["from"], shown["from_name"], shown["reply_to"]) == (body["from"], "Shop", "help@shop.example")
    assert (shown["start_at"], shown["hours"]) == (f"{MORROW}T02:00:00Z", {"from": "22:00", "to": "06:30"})
    assert (shown["lives_hours"], shown["label"], shown["expires_at"]) == (24, "autumn", None)
    assert [one["id"] for one in shown["lists"]] == [str(audience)]
    assert shown["links"]["messages"] is None
    assert (await api.http.get(f"{made['url']}/messages.csv")).text.startswith("\ufeffaddress,outcome,")
    assert (await api.http.get(f"{made['url']}/messages")).json() == {"items": [], "next_cursor": None}
    process = await db.pool.fetchval("SELECT workflow_id FROM clockwork WHERE account_id = $1", api.customer.account)
    assert process == f"campaign/{made['id']}"


@pytest.mark.parametrize("odd", ["a\0b", "a\ud800b"])
@pytest.mark.parametrize(
    "field", ["name", "api_user", "template", "from", "from_name", "reply_to", "label", "lists[0]"]
)
async def test_what_no_row_can_hold_is_refused(api: Door, db: Database, field: str, odd: str) -> None:
    body = api.body(await list_of(db, api.customer)) | ({"lists": [odd]} if field == "lists[0]" else {field: odd})
    headers = {"content-type": "application/json"}
    answer = await api.http.post("/v1/campaigns", content=json.dumps(body), headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


async def test_lists_are_named_by_id_or_alias(api: Door, db: Database) -> None:
    one, two = await list_of(db, api.customer), await list_of(db, api.customer)
    alias = await db.pool.fetchval("SELECT alias FROM address_list WHERE id = $1", two)
    shown = await api.view(await api.create(one, alias.upper(), one, **LATER))
    assert [each["id"] for each in shown["lists"]] == [str(one), str(two)]
    await db.pool.execute("UPDATE address_list SET deleted_at = now() WHERE id = $1", two)
    assert [each["deleted"] for each in (await api.view(shown["id"]))["lists"]] == [False, True]


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"colour": "red"}, "colour", "invalid"),
        ({"name": " "}, "name", "campaign_name"),
        ({"name": "x" * 101}, "name", "campaign_name"),
        ({"api_user": ""}, "api_user", "required"),
        ({"api_user": "nobody"}, "api_user", "api_user_unknown"),
        ({"template": "none"}, "template", "template_unknown"),
        ({"from": "a@elsewhere.example"}, "from", "domain_unknown"),
        ({"from": "nowhere"}, "from", "invalid"),
        ({"from_name": "x" * 500}, "from_name", "invalid"),
        ({"reply_to": "nobody"}, "reply_to", "address_no_at"),
        ({"label": "a\nb"}, "label", "invalid"),
        ({"lists": []}, "lists", "campaign_no_lists"),
        ({"lists": ["x"] * 21}, "lists", "campaign_too_many_lists"),
        ({"lists": ["nobody@lists.test"]}, "lists[0]", "campaign_list_unknown"),
        ({"lists": [str(new_id())]}, "lists[0]", "campaign_list_unknown"),
        ({"start_at": "tomorrow"}, "start_at", "invalid"),
        ({"start_at": "2026-12-24T10:00:00"}, "start_at", "invalid"),
        ({"start_at": "2099-01-01T00:00:00Z"}, "start_at", "campaign_too_far_ahead"),
        ({"hours": {"from": "9", "to": "18:00"}}, "hours.from", "invalid"),
        ({"hours": {"from": "09:00"}}, "hours.to", "invalid"),
        ({"hours": {"from": "09:00", "to": "09:10"}}, "hours", "campaign_hours_short"),
        ({"lives_hours": 0}, "lives_hours", "campaign_life"),
        ({"lives_hours": 169}, "lives_hours", "campaign_life"),
    ],
)  # fmt: skip
async def test_refusals_name_the_field_and_the_next_step(
    api: Door, db: Database, changes: dict[str, Any], field: str, code: str
) -> None:
    body = api.body(await list_of(db, api.customer)) | changes
    for language in ("zh-CN", "en"):
        answer = await api.http.post("/v1/campaigns", json=body, headers={"Accept-Language": language})
        problem = answer.json()
        assert (answer.status_code, problem["field"], problem["code"]) == (422, field, code)
        assert problem["detail"] and problem["next_step"]
    assert await made_campaigns(db) == 0


async def test_who_may_not_send_campaigns(api: Door, db: Database) -> None:
    body = api.body(await list_of(db, api.customer))
    for change, code in (("is_test = true", "campaign_test_user"), ("kind = 'trigger'", "campaign_needs_batch")):
        await db.pool.execute(f"UPDATE api_user SET is_test = false, kind = 'batch'; UPDATE api_user SET {change}")
        answer = await api.http.post("/v1/campaigns", json=body)
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, "api_user")
    assert await made_campaigns(db) == 0


async def test_an_idempotency_key_makes_one_campaign(api: Door, db: Database) -> None:
    headers, body = {"Idempotency-Key": "autumn-1"}, api.body(await list_of(db, api.customer))
    first = (await api.http.post("/v1/campaigns", json=body, headers=headers)).json()
    again = (await api.http.post("/v1/campaigns", json=body, headers=headers)).json()
    assert again == first | {"repeated": True}
    other = await api.http.post("/v1/campaigns", json=body | {"name": "Winter"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_reused")
    assert await made_campaigns(db) == 1


async def test_an_api_users_key_makes_campaigns_of_its_own(api: Door, db: Database) -> None:
    body = api.body(await list_of(db, api.customer)) | {"api_user": ""}
    api.caller = Caller(api.customer.account, api_user_id=api.customer.api_user)
    made = await api.http.post("/v1/campaigns", json=body)
    assert made.status_code == 202
    assert (await api.view(made.json()["id"]))["api_user"] == api.customer.api_user_name
    api.caller = Caller(api.customer.account, api_user_id=new_id())
    refused = await api.http.post("/v1/campaigns", json=body | {"api_user": api.customer.api_user_name})
    assert refused.json()["code"] == "api_user_not_yours"


async def test_pages_of_campaigns(api: Door, db: Database) -> None:
    audience = await list_of(db, api.customer)
    made = [await api.create(audience, name=f"Number {number}", **LATER) for number in range(3)]
    first = (await api.http.get("/v1/campaigns", params={"limit": 2})).json()
    assert [one["id"] for one in first["items"]] == made[:0:-1]
    rest = (await api.http.get("/v1/campaigns", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert ([one["id"] for one in rest["items"]], rest["next_cursor"]) == (made[:1], None)


async def test_from_its_beginning_to_its_messages(api: Door, db: Database) -> None:
    """What is shown while it is sent, and where its messages are."""
    await db.pool.execute(
        "INSERT INTO suppression (account_id, address, reason, created_at) VALUES ($1, 'd@other.example', 'manual',"
        " now())",
        api.customer.account,
    )
    lists = [await list_of(db, api.customer), await list_of(db, api.customer, ADDRESSES[0])]
    campaign = await api.create(*lists)
    async with engine(db, FakeServers()) as made:
        process, lanes = await begins(made, campaign, api.customer)
        shown = await api.view(campaign)
        assert (shown["state"], shown["members"], shown["progress"]) == ("sending", 5, 0)
        assert shown["left_out"] == {
            "duplicates": 1, "suppressed": 1, "suppressed_by": {"manual": 1}, "incomplete": 0,
        }  # fmt: skip
        assert (shown["counts"]["recipients"], shown["counts"]["waiting"]) == (3, 3)
        await sends_all(made, process, lanes)
        await until(lambda: charged(api, campaign))
    shown = await api.view(campaign)
    assert (shown["counts"]["delivered"], shown["counts"]["waiting"], shown["progress"]) == (3, 0, 1)
    assert sum(lane["delivered"] for lane in shown["lanes"]) == 3
    assert all(lane["title"] for lane in shown["lanes"]) and shown["rate"] > 0
    assert shown["cost"] == {"currency": "CNY", "charged": "0.0135", "charged_micro": 13500}
    by_send = (await api.http.get(f"/v1/sends/{campaign}/messages")).json()
    found = (await api.http.get(shown["links"]["messages"], params={"state": "delivered"})).json()
    assert found == by_send
    assert sorted(one["address"] for one in found["items"]) == sorted(ADDRESSES[:3])
    export = await api.http.get(shown["links"]["export"])
    assert export.text.count("delivered") == 3


async def test_a_blocked_campaign_says_what_to_do(api: Door, db: Database) -> None:
    await db.pool.execute("UPDATE account SET daily_quota = 2")
    campaign = await api.create(await list_of(db, api.customer))
    async with engine(db, FakeServers()) as made:
        await begins(made, campaign, api.customer)
        shown = await api.view(campaign)
        assert (shown["state"], shown["problem"]["code"]) == ("blocked", "quota_exceeded")
        assert "4" in shown["problem"]["detail"] and shown["problem"]["next_step"]
        await db.pool.execute("UPDATE account SET daily_quota = 10")
        resumed = await api.act(campaign, "resume")
        assert (resumed.status_code, resumed.json()["state"], resumed.json()["problem"]) == (200, "preparing", None)
        await begins(made, campaign, api.customer)
    assert (await api.view(campaign))["state"] == "sending"


async def test_pause_resume_cancel_and_what_its_state_forbids(api: Door, db: Database) -> None:
    campaign = await api.create(await list_of(db, api.customer), **LATER)
    for verb, state in (("pause", "paused"), ("resume", "scheduled"), ("cancel", "cancelling")):
        answer = await api.act(campaign, verb)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    for verb in ("pause", "resume", "cancel", "revise"):
        for language in ("zh-CN", "en"):
            path = f"/v1/campaigns/{campaign}/{verb}"
            refused = await api.http.post(path, headers={"Accept-Language": language})
            assert (refused.status_code, refused.json()["code"]) == (409, "campaign_state")
    noted = await db.pool.fetch("SELECT action FROM audit_entry WHERE action LIKE 'campaign.%' ORDER BY id")
    assert [row["action"] for row in noted] == [f"campaign.{one}" for one in ("create", "pause", "resume", "cancel")]


async def test_what_is_unsent_gets_another_version(api: Door, db: Database) -> None:
    campaign = await api.create(await list_of(db, api.customer), **LATER)
    same = await api.act(campaign, "revise")
    assert (same.status_code, same.json()["code"]) == (409, "campaign_version_same")
    await add_version(db, api.customer, 2)
    await add_version(db, api.customer, 3, "draft")
    missing = await api.act(campaign, "revise", {"version": 3})
    assert (missing.status_code, missing.json()["code"], missing.json()["field"]) == (
        422, "campaign_version", "version",
    )  # fmt: skip
    assert (await api.act(campaign, "revise", {"version": 0})).status_code == 422
    revised = await api.act(campaign, "revise", {"version": 2})
    assert (revised.json()["template_version"], revised.json()["revision"]) == (2, 1)
    async with engine(db, FakeServers()) as made:
        await sends_all(made, *await begins(made, campaign, api.customer))
    revisions = (await api.http.get(f"/v1/campaigns/{campaign}/revisions")).json()["items"]
    assert [(one["number"], one["template_version"], one["sent"]) for one in revisions] == [(0, 1, 0), (1, 2, 4)]


async def test_events_end_with_the_campaign(api: Door, db: Database) -> None:
    campaign = await api.create(await list_of(db, api.customer))
    await db.pool.execute("UPDATE campaign SET state = 'finished', finished_at = now()")
    answer = await api.http.get(f"/v1/campaigns/{campaign}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line for line in answer.text.splitlines() if line.startswith(("event:", "data:"))]
    assert events[0] == "event: campaign" and len(events) == 2
    told = json.loads(events[1].removeprefix("data:"))
    assert told == await api.view(campaign)


async def test_a_stream_tells_each_change_to_all_who_watch(api: Door, db: Database) -> None:
    """Two watch, one reader looks, and nobody is left behind it."""
    campaign = await api.create(await list_of(db, api.customer), **LATER)
    service: Campaigns = api.services.campaigns
    own = (await service.page(api.caller, None, 1))[0].row.id
    one, two = (service.watch(api.caller, own) for _ in range(2))
    assert [(await anext(each)).row.state for each in (one, two)] == ["scheduled", "scheduled"]
    await api.act(campaign, "pause")
    assert [(await anext(each)).row.state for each in (one, two)] == ["paused", "paused"]
    assert len(service._feed.followed) == 1
    await db.pool.execute("UPDATE campaign SET state = 'cancelled'")
    assert [[view.row.state async for view in each] for each in (one, two)] == [["cancelled"], ["cancelled"]]
    assert not service._feed.followed


async def test_others_find_nothing(api: Door, db: Database) -> None:
    campaign = await api.create(await list_of(db, api.customer), **LATER)
    api.caller = Caller(new_id())
    for path in ("", "/events", "/revisions", "/messages", "/messages.csv"):
        answer = await api.http.get(f"/v1/campaigns/{campaign}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "campaign_not_found"), path
    for verb in ("pause", "resume", "cancel", "revise"):
        assert (await api.act(campaign, verb)).status_code == 404
