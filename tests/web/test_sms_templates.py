"""The life of SMS users, signatures and templates on pages: the customer's and the reviewer's, over HTTP."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from domain.accounts import SignedIn
from store.db import Database
from tests.accounts_world import House, csrf_of, house, submit
from tests.operators_world import at_the_console, signed
from tests.paper_samples import picture
from tests.sms_two_world import SMS_OPEN
from web.sessions import COOKIE

SIGNATURE = {"text": "送达科技", "market": "domestic", "source": "company", "note": "our company"}


@dataclass
class Desk:
    """A customer's browser, and a reviewer's."""

    there: House
    alice: SignedIn
    browser: httpx2.AsyncClient
    reviewer: httpx2.AsyncClient

    async def sent(self, path: str, at: str = "", **values: str) -> str:
        """The page that a form leads to, as text."""
        return html.unescape((await submit(self.browser, path, at, **values)).text)

    async def opens_sms(self) -> None:
        await self.there.db.pool.execute(SMS_OPEN)

    async def case(self, queue: str) -> str:
        """The path of the only case in a queue."""
        page = (await self.reviewer.get(f"/console/{queue}/list")).text
        return re.findall(r'href="(?:http://songda.test)?(/console/cases/[^"]+)"', page)[0]

    async def decides(self, path: str, decision: str, reason: str = "", seen: str = "") -> httpx2.Response:
        page = await self.reviewer.get(path)
        version = seen or re.findall(r'name="version" value="(\d+)"', page.text)[0]
        form = {"csrf_token": csrf_of(page), "decision": decision, "reason": reason, "version": version}
        return await self.reviewer.post(f"{path}/decide", data=form)


@pytest.fixture
async def desk(db: Database) -> AsyncIterator[Desk]:
    there = await house(db)
    alice, rita = await there.member(), await signed(there, "rita")
    async with there.browser() as browser, at_the_console(there, rita.token) as reviewer:
        browser.cookies.set(COOKIE, alice.token)
        yield Desk(there, alice, browser, reviewer)


async def test_an_sms_user_is_made_once_sms_is_open_and_its_key_shown_once(desk: Desk) -> None:
    page = await desk.sent("/portal/sms-users", name="shop_sms")
    assert "企业认证" in page and "alert-danger" in page
    await desk.opens_sms()
    page = await desk.sent("/portal/sms-users", name="shop_sms")
    (key,) = re.findall(r'data-copy="(smsk_[\w-]+)"', page)
    again = (await desk.browser.get("/portal/sms-users")).text
    assert "shop_sms" in again and key not in again and key[:10] in again
    (place,) = re.findall(r'href="(/portal/sms-users/[0-9a-f-]{36})"', again)
    page = await desk.sent(f"{place}/key", place)
    assert "15 分钟" in page and key not in page
    page = await desk.sent(f"{place}/change", place, enabled="false")
    assert "已停用" in page
    assert "只显示一次" in html.unescape((await desk.browser.get(f"{place}/key")).text)


async def test_from_a_signature_to_a_template_that_can_be_sent(desk: Desk) -> None:
    await desk.opens_sms()
    await desk.sent("/portal/sms-users", name="shop_sms")
    page = await desk.sent("/portal/sms-signatures", "/portal/sms-signatures/new", **SIGNATURE, step="submit")
    assert "签名正在审核" in page and "【送达科技】" in page
    case = await desk.case("sms-signature-queue")
    shown = (await desk.reviewer.get(case)).text
    assert "【送达科技】" in shown and "our company" in shown and "企业" in shown
    assert (await desk.decides(case, "reject")).status_code == 422
    assert (await desk.decides(case, "approve")).status_code == 303
    late = await desk.decides(case, "reject", "too late", seen="2")
    assert late.status_code == 409 and "已先作出决定" in late.text

    number = re.findall(r"/portal/sms-signatures/(\d+)", (await desk.browser.get("/portal/sms-signatures")).text)[0]
    wrong = {"name": "login", "kind": "code", "signature": number, "content": "您的验证码", "step": "submit"}
    page = await desk.sent("/portal/sms-templates", "/portal/sms-templates/new", **wrong)
    assert "草稿已保存，但还不能提交审核" in page and "需要一个验证码变量" in page
    (place,) = re.findall(r'action="(/portal/sms-templates/\d+)/edit"', page)
    right = wrong | {"content": "您的验证码是%code%，10分钟内有效。"}
    page = await desk.sent(f"{place}/edit", **right)
    assert "第 1 版正在审核" in page and "【送达科技】您的验证码是123456，10分钟内有效。" in page
    case = await desk.case("sms-template-queue")
    shown = (await desk.reviewer.get(case)).text
    assert "【送达科技】您的验证码是123456" in shown and "%code%" in shown and "没有发现问题" in shown
    assert (await desk.decides(case, "approve")).status_code == 303
    page = html.unescape((await desk.browser.get(place)).text)
    assert "已通过审核，可以用于发送" in page
    (sendable,) = await desk.there.services.sms_templates.sendable(desk.alice.caller)
    assert (sendable.name, sendable.signature) == ("login", "送达科技")

    page = await desk.sent(f"{place}/edit", **right | {"content": "验证码%code%。", "step": "save"})
    assert "第 2 版是草稿" in page and "目前发送的是第 1 版" in page
    await desk.sent(f"{place}/submit", place)
    case = await desk.case("sms-template-queue")
    assert "您的验证码是%code%，10分钟内有效。" in (await desk.reviewer.get(case)).text  # what was approved before
    await desk.decides(case, "reject", "Say how long it is valid.")
    page = html.unescape((await desk.browser.get(place)).text)
    assert "第 2 版未通过审核" in page and "Say how long it is valid." in page
    assert "未通过" in (await desk.browser.get("/portal/sms-templates?state=rejected")).text
    page = await desk.sent(f"/portal/sms-signatures/{number}/delete", f"/portal/sms-signatures/{number}")
    assert "有 1 个模板在使用这个签名" in page
    await desk.sent(f"{place}/delete", place)
    assert "签名已删除" in await desk.sent(
        f"/portal/sms-signatures/{number}/delete", f"/portal/sms-signatures/{number}"
    )


async def test_a_proof_is_uploaded_with_the_form_and_seen_by_the_reviewer(desk: Desk) -> None:
    await desk.opens_sms()
    form = SIGNATURE | {"source": "trademark", "step": "submit"}
    page = await desk.sent("/portal/sms-signatures", "/portal/sms-signatures/new", **form)
    assert "草稿已保存，但还不能提交审核" in page and "需要证明材料" in page
    (place,) = re.findall(r'action="(/portal/sms-signatures/\d+)/edit"', page)
    token = csrf_of(await desk.browser.get(f"{place}/edit"))
    for data, said in ((b"no picture", "alert-warning"), (picture("PNG"), "签名正在审核")):
        answer = await desk.browser.post(
            f"{place}/edit", data=form | {"csrf_token": token}, files={"file": ("proof.png", data, "image/png")}
        )
        assert said in answer.text
    shown = await desk.browser.get(f"{place}/proof")
    assert shown.headers["content-type"] == "image/png" and "attachment" in shown.headers["content-disposition"]
    case = await desk.case("sms-signature-queue")
    paper = await desk.reviewer.get(f"{case}/proof")
    assert paper.content == shown.content and paper.headers["cache-control"] == "no-store"
    page = await desk.sent(f"{place}/withdraw", place)
    assert "已撤回" in page


async def test_the_preview_counts_and_finds_as_one_types(desk: Desk) -> None:
    async def drawn(**values: str) -> str:
        at = "/portal/sms-templates/new"
        return html.unescape((await submit(desk.browser, "/portal/sms-templates/preview", at, **values)).text)

    page = await drawn(name="", kind="notice", signature="", content="您好%name%")
    assert "您好张小明" in page and "计 1 条" in page and "还没有选择签名" in page
    assert "计 2 条" in await drawn(kind="notice", content="字" * 80)
    assert "<script>" not in await submit_raw(desk, "<script>alert(1)</script>")
    assert "text-danger" in await drawn(kind="none", content="x")
    assert "text-danger" in await drawn(kind="notice", content="字" * 3_000)


async def submit_raw(desk: Desk, content: str) -> str:
    at = "/portal/sms-templates/new"
    return (await submit(desk.browser, "/portal/sms-templates/preview", at, kind="notice", content=content)).text


async def test_values_of_the_query_are_shown_and_escaped(desk: Desk) -> None:
    await desk.opens_sms()
    signature = await desk.there.db.pool.fetchval(
        "INSERT INTO sms_signature (id, account_id, text, market, source, note, is_builtin, state, row_version,"
        " created_at, due_provisional) VALUES (gen_random_uuid(), $1, '送达科技', 'domestic', 'company', '', false,"
        " 'approved', 1, now(), false) RETURNING number",
        desk.alice.caller.account_id,
    )
    form = {"name": "order", "kind": "notice", "signature": str(signature), "content": "您好%name%", "step": "save"}
    page = await desk.sent("/portal/sms-templates", "/portal/sms-templates/new", **form)
    (place,) = set(re.findall(r'"(/portal/sms-templates/\d+)"', page)) or {""}
    page = (await desk.browser.get(f"{place}?v.name=<b>李雷")).text
    assert "您好&lt;b&gt;李雷" in page and "<b>李雷" not in page
    assert (await desk.browser.get(f"{place}/versions/1")).status_code == 200
    assert (await desk.browser.get(f"{place}/versions/9")).status_code == 404
    for odd in (
        "/portal/sms-templates/none",
        "/portal/sms-templates/999999999999999999999999",
        "/portal/sms-templates/a%00",
    ):
        assert (await desk.browser.get(odd)).status_code in (404, 422)
