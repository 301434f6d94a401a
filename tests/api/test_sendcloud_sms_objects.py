"""`/smsapi`: templates, signatures, labels and contact lists on the wire (reference §7.4, §7.6)."""

import json
import re
from collections.abc import AsyncIterator

import pytest

from api.sendcloud import sms_contacts, sms_labels, sms_signs, sms_tasks, sms_templates
from domain.sms import SmsKind
from domain.sms_signatures import SignatureDraft, SignatureSource
from services.catalog import build_services
from store import onboarding
from store.db import Database
from tests.sends_doors import foundation
from tests.sms_world import CONTENTS, SIGNATURE, SmsCustomer, make_sms_customer
from tests.smsapi_world import Wire, envelope, wire_of

MODULES = (sms_templates, sms_signs, sms_labels, sms_contacts, sms_tasks)
PATHS = sorted({route.path for module in MODULES for route in module.ROUTES})
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
SECOND = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
SIGNS = "获取短信签名成功"


@pytest.fixture
async def wire(db: Database) -> AsyncIterator[Wire]:
    async with wire_of(db, await begun(db, await make_sms_customer(db))) as made:
        yield made


async def begun(db: Database, customer: SmsCustomer) -> SmsCustomer:
    """Reviews ask how far the account has come."""
    async with db.begin() as session:
        await onboarding.begin(session, customer.account)
    return customer


@pytest.fixture
async def other(wire: Wire) -> Wire:
    """Another account."""
    return Wire(wire.http, wire.db, await make_sms_customer(wire.db))


@pytest.mark.parametrize("path", PATHS)
async def test_every_call_wants_a_signature(wire: Wire, path: str) -> None:
    for method, given, code in (
        ("GET", {}, 472),
        ("POST", {"smsUser": wire.customer.name}, 421),
        ("POST", {"smsUser": wire.customer.name, "signature": "0" * 32}, 422),
        ("POST", {"smsUser": "nobody", "signature": "0" * 32}, 471),
    ):
        if method == "GET":
            answer = envelope(await wire.http.get(path, params=given))
        else:
            answer = envelope(await wire.http.post(path, data=given))
        assert (answer["result"], answer["statusCode"]) == (False, code), (given, answer)


async def test_a_disabled_user_may_nothing(wire: Wire) -> None:
    await wire.db.pool.execute("UPDATE sms_user SET disabled_at = now()")
    await wire.refused("label/save", 473, labelName="x")
    assert await wire.db.pool.fetchval("SELECT count(*) FROM sms_label") == 0


async def test_a_template_by_get_and_in_the_list(wire: Wire) -> None:
    number = wire.customer.numbers[SmsKind.CODE]
    for path, method in (("get", "GET"), ("get", "POST"), ("template/get", "GET")):
        answer = await wire.call(path, method, templateIdStr=number)
        assert answer["message"] == "请求成功"
        info = answer["info"]
        assert DAY.fullmatch(info.pop("createTime")) and DAY.fullmatch(info.pop("updateTime"))
        assert info == {
            "templateId": number, "templateName": "code", "msgType": "国内短信", "smsType": "验证码",
            "templateContent": CONTENTS[SmsKind.CODE], "isVerify": "审核通过",
        }  # fmt: skip
    found = await wire.done("list")
    assert (found["total"], [each["smsType"] for each in found["list"]]) == (3, ["营销", "通知", "验证码"])
    assert set(found["list"][0]) == {
        "templateId", "templateName", "msgType", "smsType", "templateContent", "isVerify", "templateCreateTime",
        "templateUpdateTime",
    }  # fmt: skip
    assert (await wire.done("list", isVerifyStr="0"))["total"] == 0
    assert (await wire.done("list", isVerifyStr="1"))["total"] == 3
    await wire.refused("list", 501, isVerifyStr="7")


async def test_a_template_is_added_changed_submitted_and_deleted(wire: Wire) -> None:
    sign_id = (await wire.done("sign/list", SIGNS))["voList"][0]["id"]
    made = await wire.done(
        "addsms",
        "插入成功",
        templateName="登录",
        templateText="验证码是%code%，请勿泄露。",
        signId=sign_id,
        smsTypeStr="0",
    )
    number = made["templateId"]
    assert isinstance(number, int) and set(made) == {"templateId"}
    shown = await wire.done("get", templateIdStr=number)
    assert (shown["isVerify"], shown["smsType"]) == ("未提交审核", "验证码")
    change = {"templateName": "登录二", "signPositionStr": "1", "smsTypeStr": "1", "signName": f"【{SIGNATURE}】"}
    assert await wire.done("updatesms", "更新成功", templateIdStr=number, **change) == {}
    shown = await wire.done("get", templateIdStr=number)
    assert (shown["templateName"], shown["smsType"]) == ("登录二", "通知")
    assert shown["templateContent"] == "验证码是%code%，请勿泄露。"
    assert await wire.done("submitsms", "提交成功", templateIdStr=number) == {}
    assert (await wire.done("get", templateIdStr=number))["isVerify"] == "待审核"
    assert [each["templateId"] for each in (await wire.done("list", isVerifyStr="0"))["list"]] == [number]
    await wire.db.pool.execute(
        "UPDATE sms_template_version SET state = 'rejected' WHERE template_id = (SELECT id FROM sms_template"
        " WHERE number = $1)",
        number,
    )
    assert [each["isVerify"] for each in (await wire.done("list", isVerifyStr="-1"))["list"]] == ["审核不通过"]
    assert await wire.done("deletesms", "删除成功", templateIdStr=number) == {}
    await wire.refused("get", 431, templateIdStr=number)


@pytest.mark.parametrize(("number", "word"), [("0", "验证码"), ("1", "通知"), ("2", "营销")])
@pytest.mark.parametrize(("position", "last"), [(None, False), ("0", False), ("1", True)])
async def test_what_a_template_is_for_and_where_its_signature_stands(
    wire: Wire, number: str, word: str, position: str | None, last: bool
) -> None:
    good = {"templateName": "新", "templateText": "验证码%code%", "signName": SIGNATURE, "smsTypeStr": number}
    made = (await wire.done("addsms", "插入成功", **good, signPositionStr=position))["templateId"]
    assert (await wire.done("get", templateIdStr=made))["smsType"] == word
    versions = "SELECT signature_last FROM sms_template_version WHERE template_id ="
    assert await wire.db.pool.fetchval(f"{versions} (SELECT id FROM sms_template WHERE number = $1)", made) is last


@pytest.mark.parametrize("path", ["get", "updatesms", "submitsms", "deletesms"])
async def test_templates_that_are_not_there(wire: Wire, other: Wire, path: str) -> None:
    await wire.refused(path, 433)
    for number in ("0", "999999", "code", "-1", "1" * 30, "１", "\x00", str(other.customer.numbers[SmsKind.CODE])):
        await wire.refused(path, 431, templateIdStr=number)
    assert (await other.done("list"))["total"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"templateName": ""},
        {"templateName": "code"},
        {"templateName": "1234"},
        {"templateText": None},
        {"templateText": "\x00"},
        {"smsTypeStr": None},
        {"smsTypeStr": "9"},
        {"signPositionStr": "2"},
        {"signName": None},
        {"signName": "没有的签名"},
        {"signId": "9999999"},
        {"signId": "x"},
    ],
    ids=str,
)
async def test_a_template_that_cannot_be_is_not_added(wire: Wire, wrong: dict[str, str | None]) -> None:
    good = {"templateName": "新", "templateText": "你好%name%", "signName": SIGNATURE, "smsTypeStr": "1"}
    assert await wire.refused("addsms", 501, **(good | wrong)) != ""
    assert (await wire.done("list"))["total"] == 3


async def test_another_accounts_signature_is_not_used(wire: Wire, other: Wire) -> None:
    hers = (await other.done("sign/list", SIGNS))["voList"][0]["id"]
    good = {"templateName": "新", "templateText": "你好", "smsTypeStr": "1"}
    assert "短信签名不存在" in await wire.refused("addsms", 501, signId=hers, **good)
    await wire.refused("sign/get", 501, id=hers)
    await wire.refused("sign/update", 501, id=hers, signName="夺来的签名")
    assert (await other.done("sign/list", SIGNS))["voList"][0]["signName"] == SIGNATURE


async def test_signatures_are_saved_reviewed_and_listed(wire: Wire) -> None:
    saved = (await wire.done("sign/save", "短信签名保存成功", signType="0", signName="送达商城"))["smsSignVo"]
    assert SECOND.fullmatch(saved.pop("createTime")) and SECOND.fullmatch(saved.pop("updateTime"))
    number = saved.pop("id")
    assert saved == {"signName": "送达商城", "signTypeDesc": "国内短信", "verifyStatus": "待审核"}
    shown = (await wire.done("sign/get", SIGNS, id=number))["smsSignVo"]
    assert (shown["id"], shown["verifyStatus"]) == (number, "待审核")
    listed = await wire.done("sign/list", SIGNS)
    assert (listed["total"], listed["count"]) == (2, 2)
    assert [each["verifyStatus"] for each in listed["voList"]] == ["待审核", "审核通过"]
    await wire.refused("sign/save", 501, signType="0", signName="送达商城")
    await wire.refused("sign/update", 501, id=number, signName="改名")
    await wire.db.pool.execute("UPDATE sms_signature SET state = 'rejected' WHERE number = $1", number)
    assert (await wire.done("sign/get", SIGNS, id=number))["smsSignVo"]["verifyStatus"] == "审核不通过"
    for path, name in (("sign/update", "送达商店"), ("sign/updatesms", "送达超市")):
        changed = (await wire.done(path, "短信签名更新成功", id=number, signName=name))["smsSignVo"]
        assert (changed["signName"], changed["verifyStatus"]) == (name, "待审核")
        await wire.db.pool.execute("UPDATE sms_signature SET state = 'rejected' WHERE number = $1", number)
    foreign = (await wire.done("sign/save", "短信签名保存成功", signType="1", signName="Songda Shop"))["smsSignVo"]
    assert foreign["signTypeDesc"] == "国际短信"


@pytest.mark.parametrize(
    "wrong", [{"signName": None}, {"signName": "x"}, {"signName": "a b c"}, {"signName": "1" * 17}, {"signType": "5"}]
)
async def test_a_signature_that_cannot_be_is_not_saved(wire: Wire, wrong: dict[str, str | None]) -> None:
    await wire.refused("sign/save", 501, **({"signType": "0", "signName": "送达商城"} | wrong))
    assert (await wire.done("sign/list", SIGNS))["total"] == 1


async def test_before_certification_nothing_of_a_refused_signature_stays(db: Database) -> None:
    async with wire_of(db, await begun(db, await make_sms_customer(db, certified=False))) as wire:
        await wire.refused("sign/save", 473, signType="0", signName="送达商城")
        assert (await wire.done("sign/list", SIGNS))["total"] == 1


async def test_a_refused_signature_leaves_what_was_written_before(wire: Wire) -> None:
    """A draft of the portal's that still lacks its proof is no business of this call."""
    draft = SignatureDraft("送达商城", source=SignatureSource.APP, note="our app")
    services = build_services(await foundation(wire.db))
    written = await services.sms_signatures.create(wire.customer.caller(), draft)
    await wire.refused("sign/save", 501, signType="0", signName="送达商城")
    await wire.refused("sign/update", 501, id=written.number, signName="送达商店")
    left = (await wire.done("sign/get", SIGNS, id=written.number))["smsSignVo"]
    assert (left["signName"], left["verifyStatus"]) == ("送达商城", "未提交审核")


async def test_labels(wire: Wire, other: Wire) -> None:
    saved = await wire.done("label/save", "插入成功", labelName="春季")
    number = saved["labelId"]
    assert set(saved) == {"labelId", "labelName", "createTime", "updateTime", "vo"}
    assert SECOND.fullmatch(saved["createTime"]) and saved["vo"]["labelName"] == "春季"
    assert (await wire.done("label/get", labelId=number))["labelName"] == "春季"
    assert (await wire.done("label/update", "更新成功", labelId=number, labelName="夏季"))["labelName"] == "夏季"
    for name in ("秋季", "冬季"):
        await wire.done("label/save", "插入成功", labelName=name)
    page = await wire.done("label/list", start=1, limit=1)
    assert (page["total"], page["count"], [each["labelName"] for each in page["voList"]]) == (3, 1, ["秋季"])
    assert (await wire.done("label/list", labelName="冬季"))["total"] == 1
    await wire.refused("label/save", 501, labelName="夏季")
    await wire.refused("label/save", 501)
    await wire.refused("label/list", 501, start="-1")
    for path in ("label/get", "label/update", "label/delete"):
        for wrong in ("", "x", "0", "9" * 40):
            await wire.refused(path, 501, labelId=wrong, labelName="x")
        await other.refused(path, 501, labelId=number, labelName="x")
    assert await wire.done("label/delete", "删除成功", labelId=number) == {}
    assert (await wire.done("label/list"))["total"] == 2


@pytest.mark.parametrize(
    ("named", "renamed"), [("contactListName", "newContactListName"), ("contactName", "newContactName")]
)
async def test_contact_lists(wire: Wire, other: Wire, named: str, renamed: str) -> None:
    made = (await wire.done("smsContactList/save", "保存成功", **{named: "会员"}, description="2026"))["contact"]
    assert isinstance(made["contactListId"], int) and SECOND.fullmatch(made["createTime"])
    assert {name: made[name] for name in ("contactListName", "description", "memberCount")} == {
        "contactListName": "会员", "description": "2026", "memberCount": 0,
    }  # fmt: skip
    change = {named: "会员", renamed: "老会员"}
    changed = (await wire.done("smsContactList/update", "更新成功", **change))["contact"]
    assert (changed["contactListName"], changed["description"]) == ("老会员", "2026")
    page = await wire.done("smsContactList/list", "查询成功", start=0, limit=10)
    assert (page["total"], page["count"], page["contactLists"][0]["contactListName"]) == (1, 1, "老会员")
    await wire.refused("smsContactList/save", 501, **{named: "老会员"})
    await wire.refused("smsContactList/save", 501)
    await other.refused("smsContactList/update", 501, **{named: "老会员"}, newContactListName="x")
    await other.refused("smsContactList/delete", 501, **{named: "老会员"})
    assert (await other.done("smsContactList/list", "查询成功"))["total"] == 0
    assert await wire.done("smsContactList/delete", "删除联系人列表和对应的成员成功", **{named: "老会员"}) == {}
    await wire.refused("smsContactList/delete", 501, **{named: "老会员"})


async def test_members_of_a_contact_list(wire: Wire, other: Wire) -> None:
    await wire.done("smsContactList/save", "保存成功", contactListName="会员")
    here = {"contactListName": "会员"}
    variables = json.dumps({"%code%": "1", "n": 2})
    given = here | {"phone": "138 0013 8000", "userName": "李雷", "vars": variables}
    member = (await wire.done("smsContactListMember/saveOrUpdate", "保存成功", **given))["contactMember"]
    assert SECOND.fullmatch(member["createTime"]) and isinstance(member["id"], int)
    assert (member["phone"], member["userName"]) == ("13800138000", "李雷")
    assert json.loads(member["vars"]) == {"code": "1", "n": "2"}
    assert set(member) == {"id", "contactlistId", "phone", "userName", "vars", "createTime"}
    changed = (
        await wire.done("smsContactListMember/saveOrUpdate", "保存成功", **here, phone="+8613800138000", userName="韩")
    )["contactMember"]
    assert (changed["id"], changed["userName"], changed["vars"]) == (member["id"], "韩", "{}")
    await wire.done("smsContactListMember/saveOrUpdate", "保存成功", **here, phone="+447400123456")
    page = await wire.done("smsContactListMember/list", "查询成功", **here, start=1, limit=5)
    assert (page["total"], page["count"]) == (2, 1)
    assert page["contactMemberList"][0]["phone"] == "+447400123456"
    for name, count in (("韩", 1), ("李雷", 0), ("\0", 0)):
        for phone in (None, "13800138000"):
            found = await wire.done("smsContactListMember/list", "查询成功", **here, userName=name, phone=phone)
            assert (found["total"], found["count"], len(found["contactMemberList"])) == (count, count, count)
    assert (await wire.done("smsContactListMember/list", "查询成功", **here, limit=0))["count"] == 0
    assert (await wire.done("smsContactListMember/list", "查询成功", **here, phone="13800138000"))["total"] == 1
    lists = (await wire.done("smsContactList/list", "查询成功"))["contactLists"]
    assert (lists[0]["memberCount"], lists[0]["contactListId"]) == (2, member["contactlistId"])
    for path in ("list", "saveOrUpdate", "delete"):
        await other.refused(f"smsContactListMember/{path}", 501, **here, phone="13800138000")
        await wire.refused(f"smsContactListMember/{path}", 501, phone="13800138000")
        await wire.refused(f"smsContactListMember/{path}", 412, **here, phone="1380013800")
    assert await wire.done("smsContactListMember/delete", "删除成功", **here, phone="13800138000") == {}
    await wire.refused("smsContactListMember/delete", 501, **here, phone="13800138000")
    assert (await wire.done("smsContactListMember/list", "查询成功", **here))["total"] == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"phone": ""}, 411),
        ({"phone": "010-62771234"}, 412),
        ({"phone": "1.38E+10"}, 412),
        ({"phone": "13800138000,13800138001"}, 412),
        ({"vars": "{"}, 441),
        ({"vars": "[1]"}, 441),
        ({"vars": '{"a": {}}'}, 441),
        ({"vars": '{"中文": "1"}'}, 441),
        ({"vars": '{"a": "x\\ny"}'}, 441),
        ({"vars": "[" * 5_000}, 441),
        ({"vars": json.dumps({"a": "x" * 33})}, 483),
        ({"vars": '{"a": "http://x.cn"}'}, 483),
        ({"userName": "x" * 33}, 501),
        ({"contactListName": "\x00"}, 501),
    ],
    ids=str,
)
async def test_a_member_that_cannot_be_is_not_saved(wire: Wire, wrong: dict[str, str], code: int) -> None:
    await wire.done("smsContactList/save", "保存成功", contactListName="会员")
    good = {"contactListName": "会员", "phone": "13800138000"}
    await wire.refused("smsContactListMember/saveOrUpdate", code, **(good | wrong))
    assert (await wire.done("smsContactListMember/list", "查询成功", contactListName="会员"))["total"] == 0


async def test_signatures_of_both_hashes_and_get_are_taken(wire: Wire) -> None:
    assert (await wire.call("label/list", "GET", "sha256"))["result"]
    assert (await wire.call("label/list", "POST", "sha256", labelName="春 季&=%"))["result"]
