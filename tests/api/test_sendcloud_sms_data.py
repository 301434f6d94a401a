"""`/smsapi/data/*` and `/smsapi/status/query` on the wire: names, strings and windows of reference §7.5."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.sendcloud import sms_data
from domain.sendcloud_sms import sms_id
from domain.sms import SmsKind
from domain.sms_results import ResultCode, SmsReason
from domain.times import SHANGHAI, business_day
from store.columns import now
from store.db import Database
from tests.sms_past_world import Fate, texted
from tests.smsapi_world import Wire, wire_of

FATES = (
    Fate(submitted=2), Fate(), Fate(state="bounced", reason="sms.empty_number", reply="UNDELIV MK:0001"),
    Fate(state="dropped", reason="sms.opted_out", submitted=0), Fate(state="sent"),
)  # fmt: skip


@pytest.fixture
async def wire(db: Database) -> AsyncIterator[Wire]:
    async with wire_of(db) as made:
        yield made


def noon(days_ago: int = 0) -> dt.datetime:
    """Of a day in Shanghai; of today a moment ago, so that it is no future."""
    day = business_day(now()) - dt.timedelta(days=days_ago)
    return now() if not days_ago else dt.datetime.combine(day, dt.time(12), SHANGHAI)


async def test_a_row_by_day_and_template(wire: Wire) -> None:
    await texted(wire.db, wire.customer, *FATES, at=noon())
    info = await wire.done("data/sendDay", days=1)
    assert info == {
        "dataList": [{
            "sendDate": business_day(now()).isoformat(), "templateId": str(wire.customer.numbers[SmsKind.NOTICE]),
            "msgType": "0", "requestNum": "5", "sendNum": "2", "processFailedNum": "1", "sendFailedNum": "1",
            "billingNum": "5", "sendRatio": "40.00", "processFailedRatio": "20.00", "sendFailedRatio": "20.00",
        }],
        "dataListSize": 1,
    }  # fmt: skip
    assert await wire.done("data/sendDay") == info, "a day is what nobody asks for"


async def test_tests_are_counted_and_not_billed(wire: Wire) -> None:
    test = await texted(wire.db, wire.customer, Fate(submitted=3), at=noon())
    await wire.db.pool.execute("UPDATE submission SET is_test = true WHERE id = $1", test)
    await texted(wire.db, wire.customer, Fate(submitted=2), at=noon())
    total = (await wire.done("data/sendDay", aggregate=1))["total"]
    assert (total["requestNum"], total["billingNum"]) == ("2", "2")


async def test_all_together_over_a_window(wire: Wire) -> None:
    await texted(wire.db, wire.customer, Fate(), at=noon(3))
    await texted(wire.db, wire.customer, Fate(), kind=SmsKind.MARKETING, at=noon(1))
    await texted(wire.db, wire.customer, Fate(), at=noon(120))
    today = business_day(now())
    first, last = (today - dt.timedelta(days=3)).isoformat(), today.isoformat()
    total = (await wire.done("data/sendDay", startDate=first, endDate=last, aggregate=1))["total"]
    assert (total["sendDate"], total["templateId"], total["msgType"]) == (f"{first}到{last}", "None", "None")
    assert (total["requestNum"], total["sendRatio"]) == ("2", "100.00")
    only = str(wire.customer.numbers[SmsKind.MARKETING])
    rows = (await wire.done("data/sendDay", days=100, templateIdsStr=f"{only};999"))["dataList"]
    assert [row["templateId"] for row in rows] == [only]
    assert (await wire.done("data/sendDay", days=100, msgTypeStr="2"))["dataList"] == []


async def test_why_they_failed(wire: Wire) -> None:
    await texted(wire.db, wire.customer, *FATES, Fate(state="bounced", reason="expired"), at=noon())
    processing = await wire.done("data/processFailed")
    assert processing["count"] == 1
    row = processing["voList"][0]
    assert {name: count for name, count in row.items() if name.endswith("Num")} == {
        "globalBlackListNum": "0", "userBlackListNum": "0", "unsubscribleNum": "1", "keyWordFilterNum": "0",
        "errorVarsNum": "0", "varsContentTooLongNum": "0", "encodingExceptionNum": "0", "sendTypeUnsupportedNum": "0",
    }  # fmt: skip
    total = (await wire.done("data/sendFailed", aggregate="1"))["total"]
    counts = {name: count for name, count in total.items() if name.endswith("Num")}
    assert counts == dict.fromkeys(counts, "0") | {"emptyPhoneNumberNum": "1", "othersNum": "1"}
    assert len(counts) == 10


@pytest.mark.parametrize(
    "given",
    [
        {"days": 0}, {"days": 101}, {"days": "x"}, {"days": "٣"}, {"startDate": "2026-11-01"},
        {"startDate": "2026-11-02", "endDate": "2026-11-01"}, {"startDate": "2026-01-01", "endDate": "2026-12-01"},
        {"startDate": "1.11.2026", "endDate": "2.11.2026"}, {"msgTypeStr": "9"}, {"aggregate": "yes"},
        {"templateIdsStr": "1;two"}, {"startDate": "9999-12-31", "endDate": "9999-12-31"},
        {"startDate": "0001-01-01", "endDate": "0001-01-01"}, {"startDate": "20261101", "endDate": "20261102"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["data/sendDay", "data/processFailed", "data/sendFailed"])
async def test_what_cannot_be_asked(wire: Wire, path: str, given: dict[str, object]) -> None:
    message = await wire.refused(path, 501, **given)
    assert any(f"参数{name}: " in message for name in (*given, "endDate"))


async def test_what_became_of_messages(wire: Wire) -> None:
    send = await texted(
        wire.db, wire.customer, Fate("+8613100000000"),
        Fate("+8613100000001", "dropped", "sms.blocked_local", 0), Fate("+8613100000002", "sent"),
        Fate("+447400123456", "queued", submitted=0, attempts=0), at=noon(),
    )  # fmt: skip
    info = await wire.done("status/query")
    assert (info["total"], info["voListSize"]) == ("4", 4)
    assert [(row["status"], row["statusCode"]) for row in info["voList"]] == [
        ("送达", 200), ("处理失败-局部拦截列表", 420), ("请求", 0), ("请求", 0),
    ]  # fmt: skip
    assert [row["sendLog"] for row in info["voList"]] == [
        "发送成功", "smsworker:address in local bounce list", "", "",
    ]  # fmt: skip
    first = info["voList"][0]
    assert first["smsId"] == sms_id(send, 0, "+8613100000000")
    assert (first["receiver"], first["smsUser"], first["msgType"]) == ("13100000000", wire.customer.name, "国内短信")
    assert (first["templateId"], first["templateName"]) == (str(wire.customer.numbers[SmsKind.NOTICE]), "notice")
    assert dt.datetime.strptime(first["requestTime"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - of Shanghai
    assert info["voList"][3]["receiver"] == "+447400123456"

    async def receivers(**given: Any) -> list[str]:
        return [row["receiver"] for row in (await wire.done("status/query", **given))["voList"]]

    assert await receivers(phones="131 0000 0001;+8613100000002") == ["13100000001", "13100000002"]
    assert await receivers(smsIds=f"{first['smsId']};{sms_id(send, 2, '+8613100000002')}") == [
        "13100000000", "13100000002",
    ]  # fmt: skip
    assert await receivers(templateName="marketing") == await receivers(templateName="\0") == []
    assert await receivers(templateId=0) == []
    assert await receivers(msgTypeStr="2") == []
    assert await receivers(templateId=first["templateId"], start=1, limit=1) == ["13100000001"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"phones": "12345"}, 412), ({"phones": ";".join(["13100000000"] * 101)}, 501), ({"smsIds": "x"}, 501),
        ({"smsIds": "1_1_1_1_zzzzzz$13800138000"}, 501), ({"startDate": "9999-12-31", "endDate": "9999-12-31"}, 501),
        ({"days": 31}, 501), ({"limit": 101}, 501), ({"start": "-1"}, 501), ({"templateId": "x"}, 501),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_of_messages(wire: Wire, given: dict[str, object], code: int) -> None:
    await wire.refused("status/query", code, **given)


async def test_a_message_is_found_by_its_id_for_thirty_days_and_others_for_the_days_that_are_asked(wire: Wire) -> None:
    send = await texted(wire.db, wire.customer, Fate("+8613100000000"), at=noon(20))
    name = sms_id(send, 0, "+8613100000000")
    assert (await wire.done("status/query", smsIds=name))["total"] == "1"
    assert (await wire.done("status/query", smsIds=name, days=3))["total"] == "0"
    assert (await wire.done("status/query", phones="13100000000"))["total"] == "0"


def test_every_result_has_words_and_one_column() -> None:
    counted = [*sms_data.NOT_PROCESSED.values(), *sms_data.NOT_DELIVERED.values()]
    assert sorted(code for code in counted if code) == sorted(ResultCode) == sorted(sms_data.FAILURES)
    assert set(sms_data.LOGS) == set(ResultCode)
    assert {code for code in sms_data.NOT_DELIVERED.values() if code.is_delivery} == set(
        sms_data.NOT_DELIVERED.values()
    )


@pytest.mark.parametrize("reason", list(SmsReason))
async def test_status_says_each_result(wire: Wire, reason: SmsReason) -> None:
    await texted(wire.db, wire.customer, Fate(state="bounced", reason=reason.value), at=noon())
    (row,) = (await wire.done("status/query"))["voList"]
    code = row["statusCode"]
    assert row["status"].startswith("发送失败-" if code >= 500 else "处理失败-")
    assert row["sendLog"]
    column = "data/sendFailed" if code >= 500 else "data/processFailed"
    counts = (await wire.done(column, aggregate=1))["total"]
    assert [count for name, count in counts.items() if name.endswith("Num") and count != "0"] == ["1"]


async def test_nobody_asks_about_anothers(wire: Wire) -> None:
    send = await texted(wire.db, wire.customer, Fate(), at=noon())
    async with wire_of(wire.db) as other:
        assert (await other.done("status/query", smsIds=sms_id(send, 0, "+8613800138000")))["total"] == "0"
        assert (await other.done("data/sendDay"))["dataList"] == []
