"""`/smsapi` on the wire: signatures, sending, codes (reference/sendcloud-api.md §7)."""

import asyncio
import dataclasses
import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import pytest

from api.sendcloud import sms_signing
from domain.ids import new_id
from domain.reviews import ReviewState
from domain.secrets import SMS_KEY_PREFIX, new_token
from domain.sendcloud_signing import sign
from domain.sendcloud_sms import read_sms_id
from domain.sms import SmsKind
from store.columns import now
from store.db import Database
from tests.sending_world import VAULT
from tests.sms_world import (
    PHONES,
    SmsCustomer,
    add_international,
    add_template,
    make_sms_customer,
    set_sms_price,
)
from tests.smsapi_world import envelope, wire_of


@dataclass
class Wire:
    http: httpx2.AsyncClient
    db: Database
    customer: SmsCustomer

    def signed(self, given: dict[str, Any], algorithm: str = "md5", key: str = "") -> dict[str, str]:
        """The parameters of a call with their signature; None takes one away."""
        whole = {"smsUser": self.customer.name} | given
        fields = {name: str(value) for name, value in whole.items() if value is not None}
        return fields | {"signature": sign(key or self.customer.key, fields, algorithm)}

    def good(self, algorithm: str = "md5", key: str = "", **changes: Any) -> dict[str, str]:
        """Of a good `send`: a notice to a new number."""
        fields = {"templateId": self.customer.numbers[SmsKind.NOTICE], "phone": next(PHONES), "vars": '{"name":"李雷"}'}
        return self.signed(fields | changes, algorithm, key)

    async def call(self, path: str, given: dict[str, str]) -> dict[str, Any]:
        """POST a form; the envelope that came back."""
        return envelope(await self.http.post(f"/smsapi/{path}", data=given))

    async def send(self, **changes: Any) -> dict[str, Any]:
        return await self.call("send", self.good(**changes))

    async def refused(self, path: str, given: dict[str, str]) -> int:
        """The code of a call after which nothing was accepted."""
        answer = await self.call(path, given)
        assert answer["result"] is False
        assert await self.db.pool.fetchval("SELECT count(*) FROM submission") == 0
        return int(answer["statusCode"])

    async def count(self) -> int:
        return int(await self.db.pool.fetchval("SELECT count(*) FROM message"))


@pytest.fixture
async def wire(db: Database) -> AsyncIterator[Wire]:
    async with wire_of(db) as made:
        yield Wire(made.http, db, made.customer)


async def test_an_sms_is_accepted_with_the_id_of_its_message(wire: Wire) -> None:
    given = wire.good()
    answer = await wire.call("send", given)
    assert (answer["result"], answer["statusCode"], answer["message"]) == (True, 200, "请求成功")
    (name,) = answer["info"]["smsIds"]
    assert answer["info"] == {"successCount": 1, "smsIds": [name]}
    row = await wire.db.pool.fetchrow("SELECT submission_id, ordinal, address FROM message")
    read = read_sms_id(name)
    assert read is not None
    assert (read.submission, read.ordinal, read.phone) == tuple(row)
    assert name.endswith(f"${given['phone']}")


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
@pytest.mark.parametrize("upper", [False, True])
async def test_both_digests_in_any_case(wire: Wire, algorithm: str, upper: bool) -> None:
    given = wire.good(algorithm=algorithm)
    given["signature"] = given["signature"].upper() if upper else given["signature"]
    assert (await wire.call("send", given))["statusCode"] == 200


async def test_parameters_may_be_in_query_form_or_parts(wire: Wire) -> None:
    query = urlencode(wire.good(), quote_via=quote)
    half = wire.good()
    rest = {name: half.pop(name) for name in ("smsUser", "signature")}
    other = wire.good()
    for answer in (
        await wire.http.get(f"/smsapi/send?{query}"),
        await wire.http.post(f"/smsapi/send?{urlencode(wire.good(), quote_via=quote)}"),
        await wire.http.post(f"/smsapi/send?{urlencode(rest)}", data=half),
        await wire.http.post("/smsapi/send", data=other, files={"nothing": (None, b"")} | {}),
    ):
        assert envelope(answer)["statusCode"] == 200
    assert await wire.count() == 4
    assert (await wire.http.head(f"/smsapi/send?{query}")).status_code == 405


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"smsUser": None}, 472), ({"smsUser": ""}, 472), ({"smsUser": "nobody"}, 471), ({"smsUser": "a\0b"}, 471),
        ({"smsUser": "x" * 1000}, 471),
    ],
)  # fmt: skip
async def test_who_it_is(wire: Wire, change: dict[str, Any], code: int) -> None:
    assert await wire.refused("send", wire.good(**change)) == code


async def test_wrong_signatures(wire: Wire) -> None:
    good = wire.good()
    for signature, code in (("", 421), ("x" * 32, 421), ("ａ" * 32, 421), ("0" * 31, 421), ("0" * 32, 422),
                            ("0" * 64, 422), (good["signature"][:-1] + "g", 421)):  # fmt: skip
        assert await wire.refused("send", good | {"signature": signature}) == code
    assert await wire.refused("send", good | {"phone": next(PHONES)}) == 422
    assert await wire.refused("send", good | {"extra": "1"}) == 422
    assert await wire.refused("send", wire.good(key="another")) == 422
    assert await wire.refused("send", {k: v for k, v in good.items() if k != "signature"}) == 421
    assert (await wire.call("send", good | {"smsKey": "anything"}))["result"]


async def test_parameters_without_a_value_may_be_left_out_of_the_signature(wire: Wire) -> None:
    assert (await wire.call("send", wire.good() | {"labelId": "", "tag": ""}))["result"]
    assert (await wire.send(labelId="", tag=""))["result"]


async def test_a_reset_keys_predecessor_signs_until_it_ends(wire: Wire) -> None:
    key, identity = new_token(SMS_KEY_PREFIX), new_id()
    await wire.db.pool.execute("UPDATE sms_key SET expires_at = now() + interval '15 minutes'")
    await wire.db.pool.execute(
        "INSERT INTO sms_key (id, account_id, sms_user_id, prefix, sealed, digest, created_at)"
        " VALUES ($1, $2, $3, '', $4, $5, now())",
        *(identity, wire.customer.account, wire.customer.sms_user),
        *(VAULT.seal(key.encode(), f"sms-key/{identity}"), VAULT.digest(key)),
    )
    assert (await wire.send())["result"]
    assert (await wire.send(key=key))["result"]
    await wire.db.pool.execute("UPDATE sms_key SET expires_at = now() - interval '1 second' WHERE id <> $1", identity)
    assert (await wire.send())["statusCode"] == 422
    assert (await wire.send(key=key))["result"]


async def test_timestamps(wire: Wire) -> None:
    seconds = int(time.time())
    for said in ("x", "-1", "1e9", "9" * 40, seconds - 70, (seconds + 70) * 1000):
        assert await wire.refused("send", wire.good(timestamp=said)) == 461
    for said in (seconds, seconds * 1000, (seconds - 50) * 1000, ""):
        assert (await wire.send(timestamp=said))["result"]
    told = envelope(await wire.http.get("/smsapi/timestamp/get"))["info"]["timestamp"]
    assert abs(told - time.time() * 1000) < 60_000


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"phone": ""}, 411), ({"phone": " , "}, 411), ({"phone": "123"}, 412), ({"phone": "010-62345678"}, 412),
        ({"phone": ",".join(["13800138000"] * 2001)}, 412), ({"templateId": ""}, 433), ({"templateId": "notice"}, 431),
        ({"templateId": "999999"}, 431), ({"templateId": "9" * 30}, 431), ({"vars": "x"}, 441), ({"vars": "[1]"}, 441),
        ({"vars": '{"name":{}}'}, 441), ({"vars": "{}"}, 441), ({"vars": '{"name":"a\\nb"}'}, 441),
        ({"vars": json.dumps({"name": "x" * 33})}, 483), ({"vars": '{"name":"http://x.cn"}'}, 483),
        ({"vars": "{name:{x}}"}, 441), ({"vars": "{name}"}, 441), ({"vars": "{name:a,b}"}, 441),
        ({"vars": "{1,2}"}, 441),
        ({"vars": "[" * 100_000}, 441), ({"vars": '{"name":"\\ud800"}'}, 441),
        *(({"msgType": said}, 601) for said in ("1", "3", "4", "5", "x")),
        ({"msgType": "2"}, 432), ({"labelId": "4711"}, 501),
        ({"sendRequestId": "x" * 129}, 501),
        ({"tag": "x" * 129}, 501), ({"tag": "a\0b"}, 501), ({"sendRequestId": "a\0b"}, 501),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_it(wire: Wire, changes: dict[str, Any], code: int) -> None:
    assert await wire.refused("send", wire.good(**changes)) == code


async def test_some_numbers_are_wrong(wire: Wire) -> None:
    good = next(PHONES)
    answer = await wire.send(phone=f"{good},123，{good}")
    assert (answer["result"], answer["statusCode"], answer["message"]) == (True, 311, "部分成功")
    assert (answer["info"]["successCount"], answer["info"]["failedCount"]) == (1, 2)
    assert answer["info"]["items"] == [
        {"phone": "123", "vars": {"name": "李雷"}, "message": "手机号格式错误"},
        {"phone": good, "vars": {"name": "李雷"}, "message": "有重复的手机号"},
    ]
    answer = await wire.send(phone="123,456")
    assert (answer["result"], answer["statusCode"], answer["info"]["failedCount"]) == (False, 312, 2)
    assert (await wire.send(phone=f"{next(PHONES)},{next(PHONES)}", vars="{}"))["statusCode"] == 441


async def test_a_number_that_nothing_is_sent_to_is_no_fault_of_the_server(wire: Wire) -> None:
    """One that opted out, is on the interception list, or is of a country without a price: 312, and why."""
    phone, marketing = next(PHONES), wire.customer.numbers[SmsKind.MARKETING]
    await wire.db.pool.execute(
        "INSERT INTO sms_opt_out (id, account_id, phone, source, word, created_at)"
        " VALUES ($1, $2, $3, 'member', '', now())",
        *(new_id(), wire.customer.account, f"+86{phone}"),
    )
    world = await add_international(wire.db, wire.customer)
    for changes, said in (
        ({"templateId": marketing, "phone": phone, "vars": ""}, "退订"),
        ({"templateId": world.number, "phone": "447400123456", "vars": '{"code":"1"}', "msgType": 2}, "暂不支持"),
    ):
        answer = await wire.send(**changes)
        assert (answer["result"], answer["statusCode"], answer["message"]) == (False, 312, "全部请求失败"), answer
        info = answer["info"]
        assert (info["successCount"], info["failedCount"], info["smsIds"]) == (0, 1, [])
        assert info["items"][0]["phone"] == changes["phone"]
        assert said in info["items"][0]["message"]
    assert await wire.count() == 0


async def test_too_often(wire: Wire) -> None:
    given = wire.good(templateId=wire.customer.numbers[SmsKind.CODE], vars='{"%code%":123456}')
    assert (await wire.call("send", given))["result"]
    assert (await wire.call("send", given))["statusCode"] == 496
    await wire.db.pool.execute("UPDATE sms_recent SET at = array_fill(now() - interval '2 hours', ARRAY[10])")
    assert (await wire.call("send", given))["statusCode"] == 498


async def test_a_signature_that_is_used_again(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as good as before: what stops it is the frequency of its number, and the minute of its timestamp."""
    given = wire.good(timestamp=int(time.time() * 1000))
    assert (await wire.call("send", given))["result"]
    assert (await wire.call("send", given))["statusCode"] == 496
    await wire.db.pool.execute("DELETE FROM sms_recent")
    assert (await wire.call("send", given))["result"]
    later = now() + dt.timedelta(seconds=61)
    monkeypatch.setattr(sms_signing, "now", lambda: later)
    assert (await wire.call("send", given))["statusCode"] == 461
    assert await wire.count() == 2


async def test_what_the_account_lacks(wire: Wire) -> None:
    await wire.db.pool.execute("UPDATE ledger_account SET balance_fen = 0")
    assert await wire.refused("send", wire.good()) == 499
    await wire.db.pool.execute("DELETE FROM certification")
    assert await wire.refused("send", wire.good()) == 473
    await wire.db.pool.execute("UPDATE sms_user SET disabled_at = now()")
    assert await wire.refused("send", wire.good()) == 473


async def test_a_request_id_is_sent_once(wire: Wire) -> None:
    given = wire.good(sendRequestId="order-1")
    first = await wire.call("send", given)
    assert await wire.call("send", given) == first
    signed = wire.signed({k: v for k, v in given.items() if k != "signature"} | {"timestamp": int(time.time())})
    assert await wire.call("send", signed) == first
    assert await wire.count() == 1
    assert (await wire.send(sendRequestId="order-1"))["statusCode"] == 501  # another number
    await wire.db.pool.execute("UPDATE sms_request_key SET at = at - interval '1 hour'")
    await wire.db.pool.execute("DELETE FROM sms_recent")
    assert (await wire.call("send", given))["info"]["smsIds"] != first["info"]["smsIds"]


@pytest.mark.parametrize("path", ["send", "sendx", "sendCode"])
async def test_repeats_that_come_at_once_are_one(wire: Wire, path: str) -> None:
    phone, number = next(PHONES), wire.customer.numbers[SmsKind.NOTICE]
    calls: dict[str, dict[str, Any]] = {
        "send": {"templateId": number, "phone": phone, "vars": '{"name":"x"}'},
        "sendx": {"templateId": number, "tos": json.dumps([{"phone": phone, "vars": {"name": "x"}}])},
        "sendCode": {"phone": phone, "code": "123456", "signName": "送达科技"},
    }
    signed = wire.signed(calls[path] | {"sendRequestId": "order-1"})
    answers = await asyncio.gather(*(wire.call(path, signed) for _ in range(6)))
    assert {answer["statusCode"] for answer in answers} == {200}
    assert len({answer["info"]["smsIds"][0] for answer in answers}) == await wire.count() == 1


@pytest.mark.parametrize("said", [None, "", "{}", "null", '{"unused":"1"}'])
async def test_no_values_are_written_in_several_ways(wire: Wire, said: str | None) -> None:
    assert (await wire.send(templateId=wire.customer.numbers[SmsKind.MARKETING], vars=said, unknown="1"))["result"]


async def test_a_template_that_is_not_approved_and_a_text_that_grows_too_long(wire: Wire) -> None:
    draft = await add_template(wire.db, wire.customer, SmsKind.NOTICE, "x", name="draft", state=ReviewState.DRAFT)
    assert await wire.refused("send", wire.good(templateId=draft.number)) == 432
    long = await add_template(wire.db, wire.customer, SmsKind.NOTICE, "x" * 480 + "%name%", name="long")
    assert await wire.refused("send", wire.good(templateId=long.number, vars=json.dumps({"name": "y" * 32}))) == 460
    assert (await wire.send(templateId=long.number))["result"]


async def test_two_thousand_numbers_in_one_call(wire: Wire) -> None:
    answer = await wire.send(phone=",".join(next(PHONES) for _ in range(2_000)))
    assert (answer["statusCode"], answer["info"]["successCount"], len(set(answer["info"]["smsIds"]))) == (
        200,
        2_000,
        2_000,
    )


@pytest.mark.parametrize(
    "said",
    ['{"name":"李雷"}', '{"%name%":"李雷"}', "%7B%22name%22%3A%22%E6%9D%8E%E9%9B%B7%22%7D", "{'name': '李雷'}",
     "{%name%:李雷}", "{ name : 李雷 }", '{"name":"李雷","more":null}'],
)  # fmt: skip
async def test_values_as_clients_write_them(wire: Wire, said: str) -> None:
    assert (await wire.send(vars=said))["result"]
    assert await wire.db.pool.fetchval("SELECT variables FROM message") == {"name": "李雷"}


async def test_tag_and_international(wire: Wire) -> None:
    template = await add_international(wire.db, wire.customer)
    await set_sms_price(wire.db, "sms:GB", 300_000)
    answer = await wire.send(
        templateId=template.number, phone="447400123456", vars='{"code":"1"}', msgType=2, tag='{"a":1}'
    )
    assert answer["info"]["smsIds"][0].endswith("$+447400123456")
    assert await wire.db.pool.fetchval("SELECT tag FROM submission") == '{"a":1}'


@pytest.mark.parametrize("path", ["sendx", "sendn"])
@pytest.mark.parametrize("write", [json.dumps, str])
async def test_numbers_with_values_of_their_own(wire: Wire, path: str, write: Any) -> None:
    people = [{"phone": next(PHONES), "vars": {"%name%": name}} for name in ("李雷", "韩梅梅")]
    tos = write([*people, {"phone": 1, "vars": {}}])
    given = wire.signed({"templateId": wire.customer.numbers[SmsKind.NOTICE], "tos": tos})
    answer = await wire.call(path, given | {"smsKey": wire.customer.key})
    assert (answer["statusCode"], answer["info"]["successCount"]) == (311, 2)
    assert answer["info"]["items"][0]["vars"] == {}
    rows = await wire.db.pool.fetch("SELECT variables FROM message ORDER BY ordinal")
    assert [row["variables"] for row in rows] == [{"name": "李雷"}, {"name": "韩梅梅"}]


@pytest.mark.parametrize(
    ("tos", "code"),
    [
        ("", 481), ("x", 482), ("{}", 482), ("[]", 482), ('[{"phone":"13800138000"}]', 482), ("[1]", 482),
        ('[{"phone":"13800138000","vars":[]}]', 482), ("(" * 10_000, 482), ("[" * 10_000, 482),
        (json.dumps([{"phone": "13800138000", "vars": {}}] * 201), 482), ("9" * 10_000, 482),
    ],
)  # fmt: skip
async def test_wrong_tos(wire: Wire, tos: str, code: int) -> None:
    given = wire.signed({"templateId": wire.customer.numbers[SmsKind.NOTICE], "tos": tos})
    assert await wire.refused("sendx", given) == code


async def test_a_code_under_a_signature(wire: Wire) -> None:
    number = await wire.db.pool.fetchval("SELECT number FROM sms_signature WHERE id = $1", wire.customer.signature)
    for given in ({"signId": number}, {"signName": "送达科技"}, {"signName": "【送达科技】"},
                  {"signId": number, "signName": "wrong", "code": '{"code":"4711"}'},
                  {"signId": number, "code": '{"%code%":4711}'}):  # fmt: skip
        answer = await wire.call("sendCode", wire.signed({"phone": next(PHONES), "code": "123456"} | given))
        assert answer["statusCode"] == 200, answer
    other = await make_sms_customer(wire.db)
    stranger = dataclasses.replace(wire, customer=other)
    given = stranger.signed({"phone": next(PHONES), "code": "123456", "signId": number})
    assert (await wire.call("sendCode", given))["statusCode"] == 431


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"code": "buy now!"}, 441), ({"code": ""}, 441), ({"code": "{x"}, 441), ({"signId": None}, 431),
     ({"signId": "9" * 30}, 431), ({"signId": "x"}, 431), ({"signId": None, "signName": "\0"}, 431),
     ({"phone": ""}, 411)],
)  # fmt: skip
async def test_wrong_codes(wire: Wire, changes: dict[str, Any], code: int) -> None:
    given = {"phone": next(PHONES), "code": "123456", "signId": 1001} | changes
    assert await wire.refused("sendCode", wire.signed(given)) == code


async def test_voice_is_not_offered(wire: Wire) -> None:
    assert await wire.refused("sendVoice", wire.signed({"phone": next(PHONES), "code": "1234"})) == 601
    assert await wire.refused("sendVoice", {"smsUser": wire.customer.name}) == 421


async def test_trouble_of_the_database_is_an_answer(wire: Wire) -> None:
    await wire.db.pool.execute("ALTER TABLE sms_recent RENAME TO gone")
    try:
        assert (await wire.send())["statusCode"] == 501
    finally:
        await wire.db.pool.execute("ALTER TABLE gone RENAME TO sms_recent")
