"""`/smsapi` as SendCloud's clients call it: what they post, and what exactly they sign (reference §7.1, §12).

`RECORDED` was posted by the clients named, with the key below, to a server that wrote it down; of those that want a
program which is not here (PHP, and the libraries of the Java ones) the signing code was run, or its string digested by
`md5sum`.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pytest

from api.sendcloud import sms_signing
from domain.sendcloud_signing import is_signed, sign
from store.columns import now
from store.db import Database
from tests.sending_world import VAULT
from tests.smsapi_world import Wire, envelope, wire_of

KEY = "smsk_ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Recorded:
    """A request of a client. `query` and `body` as they were on the wire; `sent`: to whom, with which values."""

    client: str
    path: str
    body: bytes = b""
    query: str = ""
    sent: tuple[tuple[str, dict[str, str]], ...] = ()

    @property
    def given(self) -> dict[str, str]:
        return dict(parse_qsl(self.query or self.body.decode(), keep_blank_values=True))


def code(phone: str, value: str = "123456") -> tuple[str, dict[str, str]]:
    return f"+86{phone}", {"code": value}


RECORDED = (
    Recorded(
        "django-sendcloud2 0.2.1", "send",
        b"templateId=1001&msgType=0&phone=13800138000&vars=%7B%22code%22%3A+123456%7D&smsUser=shop_sms"
        b"&signature=47e1a144fa3e709915dd6c2d18acb7ca",
        sent=(code("13800138000"),),
    ),
    Recorded(
        "django-sendcloud2 0.2.1, odd signs", "send",
        b"templateId=1002&msgType=0&phone=13800138001&vars=%7B%22name%22%3A+%22%5Cu674e%5Cu96f7+100%25%26%3D%2B%22%7D"
        b"&smsUser=shop_sms&signature=f2bb3a8822d0595d14dbcef4f2afc90d",
        sent=(("+8613800138001", {"name": "李雷 100%&=+"}),),
    ),
    Recorded(
        "official Python SDK, 2024", "send",
        b"smsUser=shop_sms&msgType=0&phone=13800138003&templateId=1002&timestamp=1796111468548&vars=%7B%22name%22%3A"
        b"+%22%5Cu674e%5Cu96f7+100%25%26%3D%2B%22%7D&sendRequestId=order-7&tag=%7B%22order%22%3A+%22A-7%22%7D"
        b"&signature=7932fd60457e2767a87b301e5843932af8ba1f6074d246c5c3a86ac1cae60b21",
        sent=(("+8613800138003", {"name": "李雷 100%&=+"}),),
    ),
    Recorded(
        "official Python SDK, 2024", "sendCode",
        b"smsUser=shop_sms&msgType=0&phone=13800138004&code=123456&timestamp=1796111468552&signName=%E9%80%81%E8%BE%BE"
        b"%E7%A7%91%E6%8A%80&signature=4e5fb7104b1525c937b39b1527b56ac6966a8b9c384d984b21058acc51729314",
        sent=(code("13800138004"),),
    ),
    Recorded(
        "official Node sample: a query, upper case, values that are no JSON", "send",
        query="msgType=0&smsUser=shop_sms&templateId=1001&phone=13800138005&vars=%7B%25code%25%3A123456%7D"
        "&signature=6BB6375A189E34F9D9E151F2BA4C1605",
        sent=(code("13800138005"),),
    ),
    Recorded(
        "official Perl sample", "send",
        b"smsUser=shop_sms&templateId=1001&msgType=0&phone=13800138006&vars=%7B%22%25code%25%22%3A%22123456%22%7D"
        b"&signature=6628c9dfe7dbb399a67a090756ef310e",
        sent=(code("13800138006"),),
    ),
    Recorded(
        "official Java sample", "sendx",
        b"msgType=0&smsUser=shop_sms&templateId=1001&tos=%5B%7B%22phone%22%3A%2213800138007%22%2C%22vars%22%3A%7B%22%25"
        b"code%25%22%3A+%22121212%22%7D%7D%5D&signature=322456966ef52835d46543f8b6f16f10",
        sent=(code("13800138007", "121212"),),
    ),
    Recorded(
        "official Java SDK: two numbers", "send",
        b"msgType=0&phone=13800138008%2C13800138009&signature=eb4d3529df4bdb1e5ae87513ec3f86ac&smsUser=shop_sms"
        b"&templateId=1001&timestamp=1796097600000&vars=%7B%22code%22%3A%22123456%22%7D",
        sent=(code("13800138008"), code("13800138009")),
    ),
    Recorded(
        "official Java sample of statistics: a name with a capital", "data/sendDay",
        b"Aggregate=1&endDate=2026-11-30&smsUser=shop_sms&startDate=2026-11-01"
        b"&signature=b65283c28aa81b98981062b7b7a2eb79",
    ),
    Recorded(
        "easy-sms (PHP), with country code", "send",
        b"smsUser=shop_sms&templateId=1001&msgType=0&phone=008613800138010&vars=%7B%22%25code%25%22%3A%22123456%22%7D"
        b"&timestamp=1796097600000&signature=2c705f12586809468a205a50894d45f0",
        sent=(code("13800138010"),),
    ),
    Recorded(
        "oldest Python sample: it sends its key, and signs it", "sendn",
        b"smsUser=shop_sms&smsKey=smsk_ABCDEFGHIJKLMNOPQRSTUVWXYZ&templateId=1001&tos=%5B%7B%27phone%27%3A+%2713800138011"
        b"%27%2C+%27vars%27%3A+%7B%27%25code%25%27%3A+%27123456%27%7D%7D%5D&signature=1889f71556423c374da46caffa3094f6",
        sent=(code("13800138011"),),
    ),
)  # fmt: skip


@pytest.fixture
async def wire(db: Database) -> Any:
    """The customer that was recorded."""
    async with wire_of(db) as made:
        (key_id,) = await db.pool.fetchrow("SELECT id FROM sms_key")
        await db.pool.execute("UPDATE sms_user SET name = 'shop_sms'")
        await db.pool.execute("UPDATE sms_key SET sealed = $1", VAULT.seal(KEY.encode(), f"sms-key/{key_id}"))
        for number, name in ((1001, "code"), (1002, "notice")):
            await db.pool.execute("UPDATE sms_template SET number = $1 WHERE name = $2", number, name)
        yield made


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: f"{each.client}, {each.path}")
async def test_what_clients_were_recorded_to_post(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, recorded: Recorded
) -> None:
    if stamp := recorded.given.get("timestamp"):
        monkeypatch.setattr(sms_signing, "now", lambda: dt.datetime.fromtimestamp(int(stamp) / 1000, dt.UTC))
    url = f"/smsapi/{recorded.path}" + (f"?{recorded.query}" if recorded.query else "")
    answer = envelope(await wire.http.post(url, content=recorded.body, headers=FORM))
    assert (answer["result"], answer["statusCode"]) == (True, 200), answer
    rows = await wire.db.pool.fetch("SELECT address, variables FROM message ORDER BY address")
    assert [tuple(row) for row in rows] == list(recorded.sent)
    assert recorded.sent or "total" in answer["info"]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: f"{each.client}, {each.path}")
def test_their_signatures_are_of_this_key_and_of_all_they_say(recorded: Recorded) -> None:
    given = recorded.given
    assert is_signed(given["signature"], (KEY,), given)
    for name in given.keys() - {"signature", "smsKey"}:
        assert not is_signed(given["signature"], (KEY,), given | {name: given[name] + " "})
        assert not is_signed(given["signature"], (KEY,), {each: given[each] for each in given if each != name})


SIGNED = (
    ({"smsUser": "u", "phone": "1", "msgType": "0"}, "K&msgType=0&phone=1&smsUser=u&K"),
    ({"b": "2", "a": "1", "B": "3", "_": "4"}, "K&B=3&_=4&a=1&b=2&K"),
    ({"vars": '{"a":"x&y=z%+ 李"}', "tag": ""}, 'K&tag=&vars={"a":"x&y=z%+ 李"}&K'),
    ({"signId": "1", "signName": "送达", "code": "0012"}, "K&code=0012&signId=1&signName=送达&K"),
    ({"templateIdStr": "1", "templateId": "2"}, "K&templateId=2&templateIdStr=1&K"),
)


@pytest.mark.parametrize(("given", "signed"), SIGNED)
def test_the_string_that_is_signed(given: dict[str, str], signed: str) -> None:
    assert sign("K", given) == hashlib.md5(signed.encode()).hexdigest()
    assert sign("K", given, "sha256") == hashlib.sha256(signed.encode()).hexdigest()


CALLS = (
    "msgType phone smsUser templateId timestamp vars labelId sendRequestId tag",
    "tos smsUser templateId msgType timestamp",
    "smsUser phone code signId signName msgType labelId timestamp sendRequestId tag",
    "templateIdStr smsUser isVerifyStr",
    "smsUser templateIdStr templateName templateText signName signId signPositionStr smsTypeStr",
    "smsUser id signType signName", "smsUser labelId labelName start limit",
    "smsUser contactListName newContactListName contactName newContactName description start limit",
    "smsUser contactListName phone userName vars start limit",
    "smsUser contactListName taskName senderName templateId labelId executeTime taskId",
    "smsUser days startDate endDate msgTypeStr templateIdsStr aggregate",
    "smsUser phones smsIds days startDate endDate msgTypeStr templateId templateName start limit",
)  # fmt: skip


@pytest.mark.parametrize("names", CALLS)
def test_java_sorts_without_regard_to_case_which_is_the_same_order(names: str) -> None:
    """The official Java samples do; no call has names for which it would matter."""
    assert sorted(names.split()) == sorted(names.split(), key=str.lower)


async def test_names_are_what_they_are_in_upper_and_lower_case(wire: Wire) -> None:
    given = {"smsUser": "shop_sms", "templateid": "1001", "phone": "13800138000", "vars": '{"code":"1"}'}
    answer = envelope(await wire.http.post("/smsapi/send", data=given | {"signature": sign(KEY, given)}))
    assert answer["statusCode"] == 433, "templateid is no templateId"
    given = {"smsuser": "shop_sms", "at": str(now())}
    answer = envelope(await wire.http.post("/smsapi/sign/list", data=given | {"signature": sign(KEY, given)}))
    assert answer["statusCode"] == 472
