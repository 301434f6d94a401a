"""`/smsapi`: tasks on contact lists on the wire (reference §7.4)."""

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.sms import SmsKind
from domain.times import business_day
from store import onboarding
from store.columns import now
from store.db import Database
from tests.sms_world import make_sms_customer
from tests.smsapi_world import Wire, wire_of

SECOND = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
SAVED, FOUND = "联系人列表任务保存成功", "查询成功"


@pytest.fixture
async def wire(db: Database) -> AsyncIterator[Wire]:
    async with wire_of(db) as made:
        async with db.begin() as session:
            await onboarding.begin(session, made.customer.account)
        yield made


@pytest.fixture
async def other(wire: Wire) -> Wire:
    """Another account."""
    return Wire(wire.http, wire.db, await make_sms_customer(wire.db))


async def with_members(wire: Wire) -> dict[str, Any]:
    """The parameters of a good task."""
    await wire.done("smsContactList/save", "保存成功", contactListName="会员")
    for phone in ("13800138000", "13800138001"):
        await wire.done("smsContactListMember/saveOrUpdate", "保存成功", contactListName="会员", phone=phone)
    return {
        "contactListName": "会员", "taskName": "上新", "senderName": wire.customer.name,
        "templateId": wire.customer.numbers[SmsKind.MARKETING],
    }  # fmt: skip


async def test_a_task_is_made_and_asked_for(wire: Wire, other: Wire) -> None:
    good = await with_members(wire)
    label = (await wire.done("label/save", "插入成功", labelName="春季"))["labelId"]
    day = business_day(now()) + dt.timedelta(days=60)
    at = f"{day} 10:00:00"
    made = (await wire.done("sendContactListTask", SAVED, **good, labelId=label, executeTime=at))["smsTask"]
    number = made.pop("taskId")
    assert isinstance(number, int) and SECOND.fullmatch(made.pop("createTime"))
    assert made == {
        "contactListName": "会员", "taskName": "上新", "senderName": wire.customer.name,
        "templateId": wire.customer.numbers[SmsKind.MARKETING], "memberCount": 2, "status": "等待执行", "endTime": "",
    }  # fmt: skip
    planned = await wire.db.pool.fetchval("SELECT next_at FROM scheduled_task")
    assert planned.isoformat() == f"{day}T02:00:00+00:00"
    shown = (await wire.done("queryContactListTask", FOUND, taskId=number))["smsTask"]
    assert (shown["status"], shown["labelId"]) == ("等待执行", label)
    await wire.done("smsContactList/update", "更新成功", contactListName="会员", newContactListName="老会员")
    assert (await wire.done("queryContactListTask", FOUND, taskId=number))["smsTask"]["contactListName"] == "老会员"
    await wire.done("smsContactList/delete", "删除联系人列表和对应的成员成功", contactListName="老会员")
    assert (await wire.done("queryContactListTask", FOUND, taskId=number))["smsTask"]["memberCount"] == 0
    for wrong in ("", "x", "0", "9" * 40):
        await wire.refused("queryContactListTask", 501, taskId=wrong)
    await other.refused("queryContactListTask", 501, taskId=number)


async def test_a_task_without_a_time_runs_now_and_says_what_became_of_it(wire: Wire) -> None:
    good = await with_members(wire)
    made = (await wire.done("sendContactListTask", SAVED, **good))["smsTask"]
    assert made["status"] in ("等待执行", "执行中")
    await wire.db.pool.execute("UPDATE scheduled_run SET state = 'done', listed = 2, accepted = 2, ended_at = now()")
    shown = (await wire.done("queryContactListTask", FOUND, taskId=made["taskId"]))["smsTask"]
    assert (shown["status"], shown["memberCount"]) == ("执行完成", 2)
    assert SECOND.fullmatch(shown["endTime"])


async def test_a_task_is_made_once_for_a_request_id_and_sent_by_who_signs(wire: Wire) -> None:
    good = await with_members(wire) | {"senderName": "闪达科技", "sendRequestId": "spring-1"}
    first = (await wire.done("sendContactListTask", SAVED, **good))["smsTask"]
    assert (await wire.done("sendContactListTask", SAVED, **good))["smsTask"]["taskId"] == first["taskId"]
    assert await wire.db.pool.fetchval("SELECT count(*) FROM scheduled_task") == 1
    assert first["senderName"] == wire.customer.name
    good["sendRequestId"] = "spring-2"
    at_once = await asyncio.gather(*(wire.done("sendContactListTask", SAVED, **good) for _ in range(5)))
    assert len({each["smsTask"]["taskId"] for each in at_once}) == 1
    await wire.refused("sendContactListTask", 501, **(good | {"taskName": "another"}))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"executeTime": "2027-13-01 10:00:00"}, 451),
        ({"executeTime": "2027-03-01"}, 451),
        ({"executeTime": "2027-03-01T10:00:00"}, 451),
        ({"executeTime": "1767225600"}, 451),
        ({"executeTime": "2199-01-01 00:00:00"}, 451),
        ({"executeTime": "2020-01-01 00:00:00"}, 452),
        ({"templateId": ""}, 433),
        ({"templateId": "marketing"}, 431),
        ({"templateId": "999999"}, 431),
        ({"sendRequestId": "x" * 129}, 501),
        ({"contactListName": "没有"}, 501),
        ({"contactListName": ""}, 501),
        ({"taskName": ""}, 501),
        ({"taskName": "x" * 101}, 501),
        ({"labelId": "999"}, 501),
    ],
    ids=str,
)
async def test_a_task_that_cannot_be_is_not_made(wire: Wire, wrong: dict[str, str], code: int) -> None:
    good = await with_members(wire)
    assert await wire.refused("sendContactListTask", code, **(good | wrong)) != ""
    assert await wire.db.pool.fetchval("SELECT count(*) FROM scheduled_task") == 0


async def test_a_task_with_what_is_another_accounts_is_not_made(wire: Wire, other: Wire) -> None:
    good, hers = await with_members(wire), await with_members(other)
    label = (await other.done("label/save", "插入成功", labelName="x"))["labelId"]
    await wire.refused("sendContactListTask", 431, **(good | {"templateId": hers["templateId"]}))
    await wire.refused("sendContactListTask", 501, **(good | {"labelId": label}))
    assert await wire.db.pool.fetchval("SELECT count(*) FROM scheduled_task") == 0
