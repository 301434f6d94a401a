"""`/smsapi` and what no client should send: every call answers with an envelope and a code of its table."""

import importlib
import itertools
import pkgutil
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from starlette.types import Message

from api import sendcloud
from api.sendcloud.parameters import LARGEST
from api.sendcloud.sms_envelope import MESSAGES
from api.sendcloud.sms_signing import SmsDoor
from domain.sendcloud_signing import sign
from domain.sms import SmsKind
from store import onboarding
from store.db import Database
from tests.smsapi_world import Wire, door, envelope, wire_of

MODULES = [importlib.import_module(each.name) for each in pkgutil.iter_modules(sendcloud.__path__, "api.sendcloud.")]
ROUTES = {route.path.removeprefix("/smsapi/"): route for each in MODULES for route in getattr(each, "ROUTES", ())}
TAKES = {
    "send": "phone templateId vars msgType labelId tag sendRequestId",
    "sendx": "tos templateId msgType labelId tag",
    "sendn": "tos",
    "sendCode": "phone code signId signName msgType labelId",
    "sendVoice": "phone code",
    "get": "templateIdStr",
    "list": "isVerifyStr",
    "submitsms": "templateIdStr",
    "deletesms": "templateIdStr",
    "addsms": "templateName templateText signName signId signPositionStr smsTypeStr",
    "updatesms": "templateIdStr templateName templateText signName signId signPositionStr smsTypeStr",
    "sign/get": "id",
    "sign/list": "",
    "sign/save": "signType signName",
    "sign/update": "id signType signName",
    "sign/updatesms": "id",
    "label/get": "labelId",
    "label/list": "labelName start limit",
    "label/save": "labelName",
    "label/update": "labelId labelName",
    "label/delete": "labelId",
    "smsContactList/list": "contactListName start limit",
    "smsContactList/save": "contactListName description",
    "smsContactList/update": "contactListName newContactListName description",
    "smsContactList/delete": "contactListName",
    "smsContactListMember/delete": "contactListName phone",
    "smsContactListMember/list": "contactListName phone userName start limit",
    "smsContactListMember/saveOrUpdate": "contactListName phone userName vars",
    "sendContactListTask": "contactListName taskName senderName templateId labelId executeTime sendRequestId",
    "queryContactListTask": "taskId",
    "data/sendDay": "days startDate endDate msgTypeStr templateIdsStr aggregate",
    "data/processFailed": "days",
    "data/sendFailed": "startDate endDate",
    "status/query": "phones smsIds days startDate endDate msgTypeStr templateId templateName start limit",
}
"""What each call reads besides who calls."""
BUSY = "系统繁忙"
"""What is said of trouble of the database: nothing that is asked may make some."""
ODD = (
    "\0", "a\0b", "\ufffd", "\u2028", "\U0001f600" * 40, "x" * 5_000, "9" * 18, "9" * 400, "-1", "0", "1e9", "٣",
    "None", "[]", "{}", "[[[[", '{"a":[1]}', '{"a":"\\u0000"}', '{"\\ud800":"\\udfff"}', "[{}]",
    '[{"phone":[],"vars":1}]', "%", "%7B", "'", "'; --", "{a:1}",
    "1_1_1_1_zzzzzz$13800138000", "281474976710655_4095_2147483647_2147483647_zzzzzz$+999999999999999", ";;", ",,",
)  # fmt: skip


DATES = (
    "1970-01-01", "9999-12-31", "0001-01-01", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "2026-02-30", "x" * 5_000,
    "\0", "٢٠٢٦-١١-٠١", "2026-11-01\n",
)  # fmt: skip
TURN = itertools.cycle(ODD)


@pytest.fixture
async def wire(db: Database) -> AsyncIterator[Wire]:
    async with wire_of(db) as made:
        async with db.begin() as session:
            await onboarding.begin(session, made.customer.account)
        yield made


def good(wire: Wire) -> dict[str, Any]:
    """What is right for every call at once; each takes what it knows."""
    number = wire.customer.numbers[SmsKind.NOTICE]
    return {
        "phone": "13800138000", "templateId": number, "templateIdStr": number, "vars": '{"name":"x"}', "code": "123456",
        "tos": '[{"phone":"13800138000","vars":{"name":"x"}}]', "signName": "送达科技", "contactListName": "会员",
        "taskName": "t", "labelName": "春季", "templateName": "新", "templateText": "你好", "smsTypeStr": "1",
    }  # fmt: skip


def test_every_call_is_looked_at_and_goes_through_the_same_door() -> None:
    assert {path.removeprefix("template/") for path in ROUTES} == {*TAKES, "timestamp/get"}
    assert {type(ROUTES[path].endpoint) for path in TAKES} == {SmsDoor}


@pytest.mark.parametrize("path", TAKES)
async def test_odd_values_of_every_parameter(wire: Wire, path: str) -> None:
    await wire.call("smsContactList/save", contactListName="会员")
    for name in TAKES[path].split():
        for odd in DATES if name in ("startDate", "endDate", "executeTime") else itertools.islice(TURN, 8):
            given = good(wire) | ({"startDate": odd, "endDate": odd} if name.endswith("Date") else {name: odd})
            answer = await wire.call(path, **given)
            assert answer["statusCode"] in MESSAGES and BUSY not in answer["message"], (name, odd, answer)


@pytest.mark.parametrize("path", ["/smsapi/send", "/smsapi/timestamp/get"])
async def test_odd_requests(wire: Wire, path: str) -> None:
    user = wire.customer.name
    form, parts = "application/x-www-form-urlencoded", "multipart/form-data"
    whole = f'--b\r\nContent-Disposition: form-data; name="smsUser"\r\n\r\n{user}\r\n--b--\r\n'.encode()
    for kind, body, query in (
        ("", b"", ""), ("", b"", "&&=&a&%zz=%&smsUser"), ("", b"", "smsUser=%00"), ("", b"", f"smsUser={'x' * 9_000}"),
        (form, b"\xff\xfe=\x00&smsUser=\xff", ""),
        (form, b"smsUser[]=1&smsUser=" + user.encode() + b"&signature[]=x", ""),
        (form, b"smsUser=" + user.encode() + b"&signature=" + b"0" * 64 + b"&phone=\xed\xa0\x80", ""),
        (form, b"&".join(b"p%d=" % n for n in range(200)), ""), (form, b"a" * (LARGEST + 1), ""),
        ("application/json", b'{"smsUser":"x"}', ""), ("application/json", b"{", ""), ("text/plain", b"smsUser=x", ""),
        (parts, whole, ""), (f"{parts}; boundary=", whole, ""), (f"{parts}; boundary=b", b"", ""),
        (f"{parts}; boundary=b", whole[:40], ""), (f"{parts}; boundary=b; charset=undefined", whole, ""),
        (f"{parts}; boundary=b; charset=utf-7", whole.replace(user.encode(), b"+2AA-"), ""),
        (f"{parts}; boundary=b", whole.replace(b'"smsUser"', b"smsUser"), ""), ("\x00", b"x", ""),
        ("a/b" * 900, b"x", ""),
    ):  # fmt: skip
        headers = [(b"content-type", kind.encode())] if kind else []
        answer = envelope(await wire.http.post(f"{path}?{query}", content=body, headers=headers))
        assert answer["statusCode"] in MESSAGES and BUSY not in answer["message"], (kind, body[:80], query, answer)
        assert answer["result"] is (path == "/smsapi/timestamp/get")


async def test_what_is_given_twice_counts_as_it_came_last_and_in_the_body(wire: Wire) -> None:
    given = {"smsUser": wire.customer.name, "labelName": "春季"}
    signature = sign(wire.customer.key, given)
    answer = await wire.http.post(
        f"/smsapi/label/save?labelName=x&labelName=y&smsUser={wire.customer.name}&signature={signature}",
        data={"labelName": ["z", "春季"]},
    )
    assert envelope(answer)["info"]["labelName"] == "春季"


async def test_parts_need_no_quotes_and_say_any_charset(wire: Wire) -> None:
    given = {"smsUser": wire.customer.name, "labelName": "春季"}
    given["signature"] = sign(wire.customer.key, given)
    for charset, quote in (("utf-8", ""), ("gb18030", '"')):
        body = "".join(f"--b\r\nContent-Disposition: form-data; name={quote}{name}{quote}\r\n\r\n{value}\r\n"
                       for name, value in given.items()) + "--b--\r\n"  # fmt: skip
        kind = f"multipart/form-data; boundary=b; charset={charset}"
        path = "/smsapi/label/save" if charset == "utf-8" else "/smsapi/label/list"
        answer = await wire.http.post(path, content=body.encode(charset), headers={"content-type": kind})
        assert envelope(answer)["statusCode"] == 200


async def test_who_hangs_up_in_the_middle_is_no_fault_of_ours(wire: Wire) -> None:
    said: list[Message] = []
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/smsapi/send", "raw_path": b"/smsapi/send",
        "query_string": b"", "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
    }  # fmt: skip
    heard: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"smsUser=x", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> Message:
        return next(heard)

    async def send(message: Message) -> None:
        said.append(message)

    app = door()
    await app(scope, receive, send)
    assert said[0]["status"] == 200
    assert "请求不完整" in said[1]["body"].decode()
