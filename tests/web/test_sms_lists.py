"""The portal's pages of interceptions, replies, opt-outs and SMSHook; support's page of the console."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from domain.operators import OperatorRole
from domain.sms_opt_out import OptOutSource
from domain.sms_results import SmsReason
from store import sms_opt_outs
from store.columns import now
from store.db import Database
from store.sms_interceptions import SmsFailure, held_back, note_failures
from tests.accounts_world import House, csrf_of, house
from tests.domain_doors import Doors, doors
from tests.operators_world import at_the_console, signed
from tests.sms_hooks_world import platform
from tests.sms_world import PHONES, SmsCustomer, make_sms_customer

INTERCEPTIONS, OPT_OUTS, REPLIES = "/portal/sms-interceptions", "/portal/sms-opt-outs", "/portal/sms-replies"
CONSOLE = "/console/sms-interceptions"


def number() -> str:
    return f"+86{next(PHONES)}"


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Doors]:
    async with doors(db, "zh") as opened:
        await platform(db)
        yield opened


async def fails(db: Database, account: object, phone: str, reason: SmsReason = SmsReason.EMPTY_NUMBER) -> None:
    async with db.raw() as connection:
        await note_failures(connection, [SmsFailure(account, phone, 1, reason, "MK:<b>")], now())  # type: ignore[arg-type]


async def test_own_interceptions_are_shown_narrowed_exported_and_removed(portal: Doors, db: Database) -> None:
    dead, busy = number(), number()
    await fails(db, portal.owner.account_id, dead)
    await fails(db, portal.owner.account_id, busy, SmsReason.BUSY)
    page = (await portal.http.get(INTERCEPTIONS)).text
    assert "共 2 条" in page
    assert page.count("本账户") == 2
    assert "500 空号 · MK:&lt;b&gt;" in page
    assert "530 用户忙" in page
    assert dead not in (await portal.http.get(f"{INTERCEPTIONS}?state=listed")).text
    assert busy not in (await portal.http.get(f"{INTERCEPTIONS}?scope=global")).text
    assert f"'{dead}" in (await portal.http.get(f"{INTERCEPTIONS}/export.csv?q={dead[5:]}")).text
    ids = [str(row["id"]) for row in await db.pool.fetch("SELECT id FROM sms_interception ORDER BY code")]
    assert (await portal.post(f"{INTERCEPTIONS}/{ids[0]}/remove")).status_code == 303
    assert (await portal.post(f"{INTERCEPTIONS}/{ids[0]}/remove")).status_code == 404
    assert (await portal.post(f"{INTERCEPTIONS}/remove", ids=[])).status_code == 303
    assert (await portal.post(f"{INTERCEPTIONS}/remove", ids=[ids[1], "no-id"])).status_code == 303
    assert "短信拦截列表是空的" in (await portal.http.get(INTERCEPTIONS)).text


async def test_a_number_that_others_block_is_asked_for(portal: Doors, db: Database) -> None:
    phone = number()
    other = await make_sms_customer(db, fen=0)
    await fails(db, other.account, phone)
    part = (await portal.http.get(INTERCEPTIONS, params={"q": phone[3:8]})).text
    assert phone not in part
    page = (await portal.http.get(INTERCEPTIONS, params={"q": phone})).text
    assert "来源不是您" in page
    assert "申请客服解除" in page
    assert str(other.account) not in page
    empty = await portal.post(f"{INTERCEPTIONS}/ask", phone=phone, note=" ")
    assert (empty.status_code, "此项必填" in empty.text) == (422, True)
    assert (await portal.post(f"{INTERCEPTIONS}/ask", phone="12", note="x")).status_code == 422
    assert (await portal.post(f"{INTERCEPTIONS}/ask", phone=phone, note="we <b>called</b>")).status_code == 303
    page = (await portal.http.get(INTERCEPTIONS, params={"q": phone})).text
    assert "您的申请正在等待客服处理。" in page
    assert "we &lt;b&gt;called&lt;/b&gt;" in page
    again = await portal.post(f"{INTERCEPTIONS}/ask", phone=phone, note="x")
    assert (again.status_code, "正在等待客服处理" in again.text) == (409, True)


async def test_opt_outs_are_entered_imported_and_removed(portal: Doors, db: Database) -> None:
    said, typed = number(), number()
    wrong = await portal.post(OPT_OUTS, phones=f"{typed}\n1380<b>")
    assert (wrong.status_code, "“1380&lt;b&gt;”：" in wrong.text) == (422, True)
    assert (await portal.post(OPT_OUTS, phones=f"{typed}\n {typed[3:]} \n")).status_code == 303
    async with db.raw() as connection:
        await sms_opt_outs.enter(connection, portal.owner.account_id, [said], OptOutSource.REPLY, now(), word="td")
    page = (await portal.http.get(OPT_OUTS)).text
    assert "已添加 1 个号码，1 个原已在列。" in page
    assert "共 2 个" in page
    assert said not in (await portal.http.get(f"{OPT_OUTS}?source=member")).text
    ids = {row["phone"]: str(row["id"]) for row in await db.pool.fetch("SELECT phone, id FROM sms_opt_out")}
    kept = await portal.post(f"{OPT_OUTS}/remove", ids=list(ids.values()))
    assert (kept.status_code, "手机用户自己退订" in kept.text) == (409, True)
    assert (await portal.post(f"{OPT_OUTS}/{ids[said]}/remove?despite_reply=true")).status_code == 303
    assert (await portal.post(f"{OPT_OUTS}/remove", ids=[ids[typed]])).status_code == 303
    token = csrf_of(await portal.http.get(OPT_OUTS))
    for content, status, words in ((b"phone\n13800138000\n123\n", 200, "1 行有问题"), (b"", 422, "文件")):
        told = await portal.http.post(
            f"{OPT_OUTS}/import", data={"csrf_token": token}, files={"file": ("n.csv", content, "text/csv")}
        )
        assert (told.status_code, words in told.text) == (status, True)
    assert "'+8613800138000" in (await portal.http.get(f"{OPT_OUTS}/export.csv")).text


async def test_replies_are_shown_as_text(portal: Doors, db: Database) -> None:
    assert "SMSHook" in (await portal.http.get(REPLIES)).text
    await db.pool.execute(
        "INSERT INTO sms_reply (id, account_id, phone, recipient, gateway, content, is_opt_out, at)"
        " SELECT gen_random_uuid(), $1, '+86138000000' || lpad(n::text, 2, '0'), '1069', 1,"
        " CASE WHEN n = 1 THEN '<script>' ELSE '=1' END, n = 2, now() FROM generate_series(1, 51) n",
        portal.owner.account_id,
    )
    page = (await portal.http.get(REPLIES)).text
    assert "共 51 条" in page
    following = page.partition("?after=")[2].partition('"')[0]
    assert "<script>" not in page + (await portal.http.get(f"{REPLIES}?after={following}")).text.partition("<main")[2]
    assert "&lt;script&gt;" in (await portal.http.get(f"{REPLIES}?words=<script>")).text
    assert "共 1 条" in (await portal.http.get(f"{REPLIES}?opt_out=yes")).text
    assert ",'=1," in (await portal.http.get(f"{REPLIES}/export.csv")).text


async def test_smshook_lists_the_endpoints_that_hear_of_sms(portal: Doors) -> None:
    assert "还没有 SMSHook" in (await portal.http.get("/portal/sms-hooks")).text
    new = (await portal.http.get("/portal/webhooks/new?sms=true")).text
    assert 'value="sms_reply" checked' in new
    assert 'value="deliver" checked' not in new
    await portal.post("/portal/webhooks/new", url="https://mail.example/x", events="deliver")
    await portal.post("/portal/webhooks/new", url="https://sms.example/x", events=["sms_reply", "deliver"])
    page = (await portal.http.get("/portal/sms-hooks?lang=en")).text
    assert "https://sms.example/x" in page
    assert "https://mail.example/x" not in page


@pytest.mark.parametrize(
    "path",
    [
        *(f"{INTERCEPTIONS}{rest}" for rest in ("?q=%00", "?scope=%00", "/export.csv?q=%00")),
        *(f"{OPT_OUTS}{rest}" for rest in ("?q=%00", "/export.csv?q=%00")),
        *(f"{REPLIES}{rest}" for rest in ("?q=%00", "?words=%00", "/export.csv?words=%00")),
        *(f"/v1/sms/{rest}" for rest in ("interceptions?q=%00", "opt-outs?q=%00", "replies?phone=%00&content=%00")),
        *(f"/v1/sms/{rest}.csv?q=%00&content=%00" for rest in ("interceptions", "opt-outs", "replies")),
        "/portal/suppressions?q=%00", "/portal/suppressions?reason=%00&scope=%00", "/v1/suppressions?q=%00",
    ],
)  # fmt: skip
async def test_what_no_text_can_hold_is_not_found(portal: Doors, path: str) -> None:
    """A NUL, of which PostgreSQL cannot even be asked."""
    assert (await portal.http.get(path)).status_code == 200


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


@pytest.fixture
async def support(there: House) -> AsyncIterator[httpx2.AsyncClient]:
    made = await signed(there, "sue", OperatorRole.SUPPORT)
    async with at_the_console(there, made.token) as client:
        yield client


async def act(client: httpx2.AsyncClient, path: str, **data: str) -> httpx2.Response:
    token = csrf_of(await client.get("/console/me"))
    return await client.post(f"{CONSOLE}{path}", data={"csrf_token": token, **data})


async def blocked(db: Database, customer: SmsCustomer, phone: str) -> bool:
    async with db.raw() as connection:
        return phone in await held_back(connection, customer.account, [phone], now())


async def test_support_answers_requests_and_keeps_the_global_list(
    there: House, support: httpx2.AsyncClient, db: Database
) -> None:
    mine, other, phone, banned = (
        await make_sms_customer(db, fen=0),
        await make_sms_customer(db, fen=0),
        number(),
        number(),
    )
    await fails(db, other.account, phone)
    asked = await there.services.sms_interceptions.ask(mine.caller(), phone, "it rang")
    await db.pool.execute(
        "INSERT INTO sms_reply (id, phone, recipient, gateway, content, is_opt_out, at)"
        " VALUES (gen_random_uuid(), '+8613900000001', '1069', 1, 'who is this', false, now())"
    )
    tile = (await support.get("/console/")).text.partition("解除全局拦截的申请")[2]
    assert tile.partition('<div class="h1 mb-0">')[2].startswith("1")
    page = (await support.get(CONSOLE)).text
    assert "it rang" in page
    assert "who is this" in page
    assert "+86139****0001" in page
    assert (await act(support, f"/requests/{asked.id}/refuse", reason="")).status_code == 303
    assert await blocked(db, mine, phone)
    assert (await act(support, f"/requests/{asked.id}/lift", reason="we called")).status_code == 303
    assert not await blocked(db, mine, phone)
    for days in ("0", "x", "99999999"):
        wrong = await act(support, "/add", phone=banned, days=days, reason="r")
        assert (wrong.status_code, 'id="e-days"' in wrong.text) == (422, True)
    assert (await act(support, "/add", phone="12", days="3", reason="r")).status_code == 422
    assert (await act(support, "/add", phone=banned, days="3", reason="asked")).status_code == 303
    assert await blocked(db, mine, banned)
    found = (await support.get(CONSOLE, params={"phone": banned, "lang": "en"})).text
    assert banned in found
    assert banned not in (await support.get(CONSOLE)).text, "masked in the list"
    assert (await support.get(CONSOLE, params={"phone": "12"})).status_code == 422
    row = await db.pool.fetchval("SELECT id FROM sms_interception WHERE phone = $1", banned)
    assert (await act(support, f"/{row}/lift", reason="a mistake")).status_code == 303
    assert not await blocked(db, mine, banned)
    actions = {each["action"] for each in await db.pool.fetch("SELECT action FROM audit_entry")}
    assert {"sms_unblock.lifted", "sms_interception.blocked", "sms_interception.lifted"} <= actions
