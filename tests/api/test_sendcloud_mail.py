"""`/apiv2/mail/send` on the wire: envelope, codes, what becomes of the content (reference/sendcloud-api.md §3.1)."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import pytest
from fastapi import FastAPI

from api.body_limit import BodyLimit
from api.sendcloud import mail
from domain.reviews import ReviewState
from domain.secrets import new_token
from domain.sendcloud import campaigns_of, message_id, submission_of, task_id
from domain.senders import SendKind
from services.catalog import build_services
from store.audience import AddressList
from store.db import Database
from store.senders import ApiKey
from store.templates import Template, TemplateVersion
from tests.lent_apps import lent_app
from tests.sending_world import VAULT, Customer, make_customer
from tests.sends_doors import foundation

URL = "/apiv2/mail/send"


@dataclass
class Wire:
    http: httpx2.AsyncClient
    db: Database
    customer: Customer
    key: str

    def good(self, **changes: Any) -> dict[str, str]:
        """The parameters of a good call; None takes one away."""
        fields: dict[str, Any] = {
            "apiUser": self.customer.api_user_name, "apiKey": self.key, "from": f"hi@{self.customer.domain_name}",
            "to": "li.lei@qq.com", "subject": "你好 李雷", "html": "<p>Hello 李雷</p>",
        }  # fmt: skip
        return {name: value for name, value in (fields | changes).items() if value is not None}

    async def send(self, **changes: Any) -> dict[str, Any]:
        """POST a form; the envelope that came back."""
        return envelope(await self.http.post(URL, data=self.good(**changes)))

    async def refused(self, **changes: Any) -> tuple[int, str]:
        """(code, message) of a call after which nothing was accepted."""
        answer = await self.send(**changes)
        assert (answer["result"], answer["info"]) == (False, {})
        assert await self.db.pool.fetchval("SELECT count(*) FROM submission") == 0
        assert await self.db.pool.fetchval("SELECT count(*) FROM quota_use") == 0
        return answer["statusCode"], answer["message"]

    async def messages(self) -> list[tuple[str, dict[str, str]]]:
        rows = await self.db.pool.fetch("SELECT address, variables FROM message ORDER BY submission_id, ordinal")
        return [(row["address"], row["variables"]) for row in rows]


def envelope(answer: httpx2.Response) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json;charset=UTF-8")
    body: dict[str, Any] = answer.json()
    assert set(body) == {"result", "statusCode", "message", "info"}
    return body


def door() -> FastAPI:
    app = FastAPI()
    app.router.routes.append(mail.route())
    app.add_middleware(BodyLimit)
    return app


@pytest.fixture
async def wire(db: Database) -> AsyncIterator[Wire]:
    async with opened(db) as made:
        yield made


@contextlib.asynccontextmanager
async def opened(db: Database, kind: SendKind = SendKind.TRIGGER) -> AsyncIterator[Wire]:
    app = lent_app(db, URL, door)
    app.state.services = build_services(await foundation(db))
    customer, key = await make_customer(db, kind=kind), new_token("sk_")
    async with db.begin() as session:
        session.add(
            ApiKey(
                account_id=customer.account, api_user_id=customer.api_user, prefix=key[:10], digest=VAULT.digest(key)
            )
        )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        yield Wire(http, db, customer, key)


async def test_a_mail_is_accepted_with_the_ids_of_its_messages(wire: Wire) -> None:
    answer = await wire.send()
    submission = await wire.db.pool.fetchval("SELECT id FROM submission")
    assert answer == {
        "result": True, "statusCode": 200, "message": "请求成功",
        "info": {"emailIdList": [f"{message_id(submission)}0$li.lei@qq.com"]},
    }  # fmt: skip
    assert await wire.messages() == [("li.lei@qq.com", {"name": "李雷"})]
    assert await wire.db.pool.fetchval("SELECT count(*) FROM due") == 1


async def test_headers_of_the_customers_own_are_kept(wire: Wire) -> None:
    assert (await wire.send(headers='{"SC-Custom-Order": "4711\\r\\nBcc: x@y.test", "References": "<a@b>"}'))["result"]
    kept = await wire.db.pool.fetchval("SELECT headers FROM submission")
    assert kept == {"SC-Custom-Order": "4711 Bcc: x@y.test", "References": "<a@b>"}


async def test_ids_say_which_submission_it_was(wire: Wire) -> None:
    (email_id,) = (await wire.send())["info"]["emailIdList"]
    name = email_id.partition("-inbound")[0] + "-inbound"
    assert submission_of(name) == await wire.db.pool.fetchval("SELECT id FROM submission")
    assert submission_of("1490660342514_27290_14064_6375.sc-10_9_12_206-inbound") is None


async def test_parameters_may_be_in_query_form_or_parts(wire: Wire) -> None:
    good = wire.good()
    query = f"{URL}?{urlencode(good, quote_via=quote)}"
    files = {"nothing": (None, b"")}
    half = {name: good.pop(name) for name in ("apiUser", "apiKey", "to")}
    for answer in (
        await wire.http.get(query),
        await wire.http.post(query),
        await wire.http.post(f"{URL}?{urlencode(half)}", data=good),
        await wire.http.post(f"{URL}?{urlencode(half)}", data=good, files=files),
        await wire.http.post(f"{URL}?{urlencode(half)}&cc&replyTo", data=good),
    ):
        assert envelope(answer)["statusCode"] == 200
    assert await wire.messages() == [("li.lei@qq.com", {"name": "李雷"})] * 5
    assert (await wire.http.head(query)).status_code == 405


@pytest.mark.parametrize("changes", [{"apiKey": "sk_wrong"}, {"apiKey": None}, {"apiUser": "another"}, {"apiUser": ""}])
async def test_who_is_not_known_is_told_nothing_else(wire: Wire, changes: dict[str, Any]) -> None:
    assert await wire.refused(to="", html="", **changes) == (40005, "认证失败")


async def test_a_key_ends_with_its_next_use(wire: Wire) -> None:
    assert (await wire.send())["result"]
    await wire.db.pool.execute("UPDATE api_key SET revoked_at = now()")
    assert (await wire.send())["statusCode"] == 40005


MANY = ";".join(f"p{n}@x.test" for n in range(101))
PERSONAL = json.dumps({"to": ["a@x.test", "b@x.test"], "sub": {"%who%": ["Ann", "Bob"]}})


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"from": ""}, 40801, "from"),
        ({"from": "x"}, 40802, "from"),
        ({"from": "x@elsewhere.example"}, 40802, "from"),
        ({"fromName": "a\nb"}, 40804, "fromName"),
        ({"fromName": "x" * 100}, 40804, "fromName"),
        ({"to": " ; "}, 40805, "to"),
        ({"to": "a@x.test;nobody"}, 40806, "to"),
        ({"to": MANY}, 40807, "to"),
        ({"subject": None}, 40808, "subject"),
        ({"subject": "a\nb"}, 40809, "subject"),
        ({"html": "", "plain": " "}, 40870, ""),
        ({"replyTo": "nobody"}, 40811, "replyTo"),
        ({"replyTo": "a@x.test;b@x.test;c@x.test;d@x.test"}, 40879, "replyTo"),
        ({"labelId": "7"}, 40106, "labelId"),
        ({"labelName": "x" * 60}, 40105, "labelName"),
        ({"cc": "c@x.test"}, 40853, "cc"),
        ({"bcc": "c@x.test"}, 40856, "bcc"),
        ({"headers": '{"X-A": "b"}'}, 40869, "headers"),
        ({"headers": '{"SC-Custom-A": "b", "Sender": "c"}'}, 40869, "headers"),
        ({"headers": '["SC-Custom-A"]'}, 40869, "headers"),
        ({"headers": '{"SC-Custom-A"'}, 40869, "headers"),
        ({"useNotification": "True"}, 40829, "useNotification"),
        ({"respEmailId": "perhaps"}, 40859, "respEmailId"),
        ({"useAddressList": "perhaps"}, 40874, "useAddressList"),
        ({"gzipCompress": "true"}, 40861, "gzipCompress"),
        ({"embeddedCid": "a;b"}, 40875, "embeddedCid"),
        ({"contentSummary": "字" * 67}, 40878, "contentSummary"),
        ({"contentSummary": "Read me"}, 40908, "contentSummary"),
        ({"xsmtpapi": "{"}, 40817, "xsmtpapi"),
        ({"xsmtpapi": "[1]"}, 40813, "xsmtpapi"),
        ({"xsmtpapi": '{"sub": {"%a%": ["b"]}}'}, 40815, "xsmtpapi"),
        ({"xsmtpapi": '{"to": []}'}, 40816, "xsmtpapi"),
        ({"xsmtpapi": json.dumps({"to": MANY.split(";")})}, 40827, "xsmtpapi"),
        ({"xsmtpapi": '{"to": ["nobody"]}'}, 40880, "xsmtpapi"),
        ({"xsmtpapi": '{"to": ["a@x.test"], "sub": {"%a%": []}}'}, 40813, "xsmtpapi"),
        ({"xsmtpapi": '{"to": ["a@x.test"], "sub": {"%a b%": ["c"]}}'}, 40813, "xsmtpapi"),
        ({"xsmtpapi": '{"to": ["a@x.test"], "filters": {"open_tracking": {}}}'}, 40813, "xsmtpapi"),
        ({"subject": "Anything"}, 40908, ""),
        ({"html": "<p>Hello 李雷</p><p>more</p>"}, 40908, ""),
        ({"html": "<p>Hello <b>李雷</b></p>"}, 40908, ""),
        ({"subject": "你好 韩梅梅"}, 40908, ""),
        ({"sendRequestId": "x" * 129}, 40901, "sendRequestId"),
    ],
    ids=[str(n) for n in range(42)],
)
async def test_each_code_names_the_parameter(wire: Wire, changes: dict[str, Any], code: int, named: str) -> None:
    found, message = await wire.refused(**changes)
    assert found == code
    assert (f"参数{named}: " in message) if named else ("参数" not in message)


async def test_files_are_refused_rather_than_lost(wire: Wire) -> None:
    for name, code in (("attachments", 40867), ("embeddedImage", 40875)):
        answer = await wire.http.post(URL, data=wire.good(), files={name: ("a.png", b"x", "image/png")})
        assert envelope(answer)["statusCode"] == code
    assert await wire.messages() == []


async def test_what_is_no_form_is_answered_in_the_envelope(wire: Wire) -> None:
    broken = {"content-type": "multipart/form-data; boundary=x"}
    assert envelope(await wire.http.post(URL, content=b"--y", headers=broken))["statusCode"] in (40901, 40005)
    assert envelope(await wire.http.post(URL, json=wire.good()))["statusCode"] == 40005
    assert (await wire.refused(html="x" * 5_000_000))[0] == 40901


async def test_quota_and_money_have_their_codes(wire: Wire) -> None:
    await wire.db.pool.execute("UPDATE account SET daily_quota = 1, free_quota = 0")
    assert (await wire.refused())[0] == 40912
    assert (await wire.refused(to="a@x.test;b@x.test"))[0] == 40913


async def test_optional_parameters_are_kept(wire: Wire) -> None:
    answer = await wire.send(
        **{"from": f"送达<hi@{wire.customer.domain_name}>", "replyTo": "r@x.test", "labelName": "spring"},
        respEmailId="False", to="a@x.test; b@x.test;a@x.test",
    )  # fmt: skip
    assert answer["info"] == {}
    row = await wire.db.pool.fetchrow("SELECT sender_name, reply_to, label, recipients, duplicates FROM submission")
    assert tuple(row) == ("送达", "r@x.test", "spring", 2, 1)


async def test_xsmtpapi_writes_to_each_alone_with_values_of_its_own(wire: Wire) -> None:
    """Its variables stand inside the template's; `to` and `cc` are ignored."""
    answer = await wire.send(
        subject="你好 Dear %who%", html="<p>Hello Dear %who%</p>", xsmtpapi=PERSONAL, to="c@x.test", cc="d@x.test"
    )
    assert [each.partition("$")[2] for each in answer["info"]["emailIdList"]] == ["a@x.test", "b@x.test"]
    assert await wire.messages() == [("a@x.test", {"name": "Dear Ann"}), ("b@x.test", {"name": "Dear Bob"})]


async def test_pubsub_is_for_everybody_and_sections_expand(wire: Wire) -> None:
    variable = {"subject": "你好 %name%", "html": "<p>Hello %name%</p>"}
    await wire.send(**variable, xsmtpapi='{"pubsub": {"%name%": 7}, "to": null}')
    sections = {"to": ["a@x.test"], "sub": {"name": ["%title% Ann"]}, "section": {"%title%": "Dr."}}
    await wire.send(**variable, xsmtpapi=json.dumps(sections))
    nothing = dict.fromkeys(("to", "sub", "pubsub", "section", "filters"))
    await wire.send(**variable, xsmtpapi=json.dumps(nothing))
    assert [values["name"] for _, values in await wire.messages()] == ["7", "Dr. Ann", "%name%"]


async def test_a_request_id_is_processed_once(wire: Wire) -> None:
    first, second = await wire.send(sendRequestId="order-7"), await wire.send(sendRequestId="order-7")
    other = await wire.send(sendRequestId="order-7", to="b@x.test")
    assert [each["statusCode"] for each in (first, second, other)] == [200, 40000, 40000]
    assert len(await wire.messages()) == 1


async def test_plain_text_is_compared_with_the_templates_text(wire: Wire) -> None:
    assert (await wire.send(html="", plain="Hello 李雷\r\n"))["statusCode"] == 200
    assert (await wire.send(html=" ", plain="Bye 李雷"))["statusCode"] == 40908


async def test_content_is_sent_as_the_approved_version_of_today(wire: Wire) -> None:
    await wire.send()
    async with wire.db.begin() as session:
        old = await session.get(TemplateVersion, wire.customer.version)
        assert old is not None
        session.add(
            TemplateVersion(
                template_id=old.template_id, account_id=old.account_id, number=2, subject="Hi %name%",
                variables=["name"], html="<p>Hi %name%</p>", text="Hi %name%", state=ReviewState.APPROVED.value,
            )
        )  # fmt: skip
    assert (await wire.send())["statusCode"] == 40908
    assert (await wire.send(subject="Hi 李雷", html="<p>Hi 李雷</p>"))["statusCode"] == 200


async def test_only_templates_of_the_api_users_kind_and_account_count(db: Database) -> None:
    async with opened(db) as theirs, opened(db, SendKind.BATCH) as mine:
        assert (await theirs.send())["result"] and (await mine.send())["result"]
        await db.pool.execute("UPDATE template SET kind = 'trigger' WHERE account_id = $1", mine.customer.account)
        assert (await mine.send())["statusCode"] == 40908
        async with db.begin() as session:
            session.add(
                Template(account_id=mine.customer.account, invoke_name="x", name="x", kind=SendKind.BATCH.value)
            )
        assert (await mine.send())["statusCode"] == 40908


async def test_batch_users_leave_out_who_has_unsubscribed(db: Database) -> None:
    async with opened(db, SendKind.BATCH) as wire:
        await db.pool.execute(
            "INSERT INTO suppression (id, account_id, address, reason, created_at)"
            " VALUES (gen_random_uuid(), $1, 'a@x.test', 'unsubscribe', now())",
            wire.customer.account,
        )
        answer = await wire.send(to="A@x.test;b@x.test")
        assert [each.partition("-inbound")[2] for each in answer["info"]["emailIdList"]] == ["0$b@x.test"]
        assert (await wire.send(to="a@x.test"))["statusCode"] == 40901
        rejected = await db.pool.fetchval("SELECT rejected FROM submission")
        assert [(one["line"], one["reason"]) for one in rejected] == [(1, "suppressed")]


async def test_to_address_lists_it_is_a_campaign(db: Database) -> None:
    """What was written is the template itself: the members have the values."""
    async with opened(db, SendKind.BATCH) as wire:
        alias = f"readers-{wire.customer.account.hex[-6:]}@maillist.sendcloud.org"
        async with db.begin() as session:
            session.add(AddressList(account_id=wire.customer.account, alias=alias, name="Readers"))
        listed = {
            "useAddressList": "true", "to": alias, "subject": "你好 %name%", "html": "<p>Hello %name%</p>",
            "cc": "c@x.test",
        }  # fmt: skip
        for code, changes in (
            (40863, {"to": f"{alias};noexist@maillist.sendcloud.org"}),
            (40862, {"to": "readers"}),
            (40864, {"to": ";".join([alias] * 6)}),
            (40805, {"to": ""}),
            (40908, {"html": "<p>Hello you</p>", "subject": "你好 you"}),
        ):
            assert (await wire.send(**listed | changes))["statusCode"] == code
        assert await db.pool.fetchval("SELECT count(*) FROM campaign") == 0
        answer = await wire.send(**listed, sendRequestId="spring")
        row = await db.pool.fetchrow("SELECT id, lists, name FROM campaign")
        assert (answer["result"], answer["statusCode"], answer["message"]) == (True, 40821, "地址列表任务创建成功")
        assert answer["info"] == {"maillistTaskId": [task_id(row["id"])]}
        first, last = campaigns_of(task_id(row["id"]))
        assert first <= row["id"] <= last and task_id(row["id"]) < 2**53
        assert (await wire.send(**listed, sendRequestId="spring"))["statusCode"] == 40000


async def test_only_batch_users_send_to_lists(wire: Wire) -> None:
    assert (await wire.refused(useAddressList="true", to="a@maillist.sendcloud.org"))[0] == 40820


async def test_while_the_database_is_away_nothing_is_promised(wire: Wire) -> None:
    await wire.db.pool.execute("ALTER TABLE due RENAME TO due_away")
    try:
        assert (await wire.send())["statusCode"] == 40902
    finally:
        await wire.db.pool.execute("ALTER TABLE due_away RENAME TO due")
    assert await wire.messages() == []
    assert (await wire.send())["statusCode"] == 200
