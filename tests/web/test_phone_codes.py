"""The mobile number on pages: registration, account page, console; and the browser's proof of work in a real one."""

import re

import httpx2
import pytest
from playwright.async_api import Browser as Chrome
from playwright.async_api import expect
from sqlmodel import select

from domain.operators import OperatorRole
from store.audit_log import AuditEntry
from store.db import Database
from tests.accounts_world import ALICE, BOB, HERE, PASSWORD, csrf_of, submit
from tests.browsing import LOOKS, on_a_port, shoot, window
from tests.operators_world import at_the_console, signed
from tests.phone_world import (
    MINUTE,
    PHONE,
    asked,
    code_of,
    later,
    other_than,
    phone_house,
    phone_of,
    proof,
    registered,
    system_values,
)


async def register(client: httpx2.AsyncClient, phone: str) -> httpx2.Response:
    return await submit(client, "/register", name="Alice", email=ALICE, password=PASSWORD, language="zh", phone=phone)


async def test_from_the_form_to_the_confirmed_number(db: Database) -> None:
    home = await phone_house(db)
    async with home.browser() as client:
        page = await register(client, "138 0013 8000")
        assert page.url.path == "/register/phone"
        assert f'value="{PHONE}"' in page.text
        for hint in ("请重启手机", "被拦截的短信", "联系客服进行快捷注册", "registration/", "<noscript>"):
            assert hint in page.text
        at = "/register/phone"
        robot = await submit(client, at, phone=PHONE)
        assert (robot.status_code, "请启用 JavaScript" in robot.text) == (422, True)
        sent = await submit(client, at, phone=PHONE, proof=proof(home))
        assert "验证码已发送，请查看手机短信。" in sent.text
        assert 'data-wait="' in sent.text and 'autocomplete="one-time-code"' in sent.text
        wrong = await submit(client, f"{at}/confirm", at, code=other_than(await code_of(home)))
        assert (wrong.status_code, 'id="e-code"' in wrong.text) == (422, True)
        done = await submit(client, f"{at}/confirm", at, code=await code_of(home))
        assert "手机号码已验证。" in done.text and "还差一步" in done.text
        assert PHONE in (await client.get("/register/check-mail")).text


async def test_a_number_that_is_none_is_told_at_its_field_of_the_form(db: Database) -> None:
    home = await phone_house(db)
    async with home.browser() as client:
        page = await register(client, '12"><script>')
        assert page.status_code == 422
        assert 'id="e-phone"' in page.text and "<script>" not in page.text.partition("<main")[2]


async def test_without_a_number_one_goes_on_to_the_mail_and_may_add_it_there(db: Database) -> None:
    home = await phone_house(db)
    async with home.browser() as client:
        page = await register(client, "")
        assert page.url.path == "/register/check-mail"
        assert 'href="/register/phone"' in page.text


async def test_where_no_sms_are_sent_nothing_of_it_is_shown(db: Database) -> None:
    home = await phone_house(db, registration_phone="off")
    async with home.browser() as client:
        assert 'name="phone"' not in (await client.get("/register")).text
        page = await register(client, "13800138000")
        assert page.url.path == "/register/check-mail"
        assert "/register/phone" not in page.text
        assert (await client.get("/register/phone")).url.path == "/register/check-mail"


async def test_the_link_says_that_the_number_comes_first(db: Database) -> None:
    home = await phone_house(db, registration_phone="required")
    async with home.browser() as client:
        await register(client, "13800138000")
        made = await db.pool.fetchval("SELECT account_id FROM registration")
        await home.look(made)
        token = (await home.mails(ALICE))[-1].token
        page = await client.get(f"/confirm?token={token}")
        early = await client.post("/confirm", data={"csrf_token": csrf_of(page), "token": token})
        assert (early.status_code, 'href="/register/phone"' in early.text) == (409, True)
        assert f'value="{token}"' in early.text, "the button is there for afterwards"
        await submit(client, "/register/phone", proof=proof(home))
        await submit(client, "/register/phone/confirm", "/register/phone", code=await code_of(home))
        done = await client.post("/confirm", data={"csrf_token": csrf_of(page), "token": token})
        assert done.url.path == "/login"


async def test_a_strangers_browser_sees_no_number(db: Database) -> None:
    home = await phone_house(db)
    await registered(home, "13800138000")
    async with home.browser() as client:
        for method, path in (("GET", ""), ("POST", ""), ("POST", "/confirm")):
            token = csrf_of(await client.get("/login"))
            data = {"csrf_token": token, "code": "123456", "phone": PHONE, "proof": proof(home)}
            answer = await client.request(method, f"/register/phone{path}", data=data if method == "POST" else None)
            assert answer.url.path == "/login"
            assert "13800138000" not in answer.text
    assert await system_values(home) == []


async def test_a_member_adds_changes_and_removes_the_number(db: Database) -> None:
    home = await phone_house(db)
    await home.member()
    async with home.browser() as client:
        await submit(client, "/login", email=ALICE, password=PASSWORD)
        assert "未填写" in (await client.get("/portal/account")).text
        at = "/portal/account/phone"
        refused = await submit(client, at, phone="12345", proof=proof(home))
        assert (refused.status_code, 'id="e-phone"' in refused.text) == (422, True)
        await submit(client, at, phone="13800138000", proof=proof(home))
        await submit(client, f"{at}/confirm", at, code=await code_of(home))
        assert PHONE in (await client.get("/portal/account")).text
        await later(home, MINUTE)
        gone = await submit(client, f"{at}/remove", at)
        assert PHONE not in gone.text


def mark_of(page: str) -> str:
    """What stands in a page of the console for the number that it shows."""
    found = re.search(r'name="phone" value="([0-9a-f]{32})"', page)
    assert found
    return found[1]


async def test_support_opens_an_account_with_its_number(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home, "13800138000")
    await asked(home, made)
    root = await signed(home, "root", OperatorRole.SUPPORT)
    path = f"/console/customers/{made.account_id}"
    async with at_the_console(home, root.token) as client:
        page = await client.get(path)
        assert "快捷注册" in page.text and "+86138****8000" in page.text and "13800138000" not in page.text
        token = csrf_of(page)
        mark = mark_of(page.text)
        nothing = await client.post(f"{path}/quick-registration", data={"csrf_token": token, "phone": mark})
        assert (nothing.status_code, 'id="e-reason"' in nothing.text) == (422, True)
        data = {"csrf_token": token, "phone": mark, "reason": "ticket 4711"}
        assert (await client.post(f"{path}/quick-registration", data=data)).status_code == 303
        again = await client.post(f"{path}/quick-registration", data=data)
        assert again.status_code == 409
        assert "快捷注册" not in (await client.get(path)).text
    assert await phone_of(home, made.account_id) == PHONE
    async with db.read() as session:
        entries = [each for each in await session.exec(select(AuditEntry)) if each.action == "registration.quick"]
    assert [(each.actor, each.detail) for each in entries] == [
        ("operator/root", {"reason": "ticket 4711", "through": "console", "phone": True})
    ]
    state = await db.pool.fetchval("SELECT state FROM account WHERE id = $1", made.account_id)
    assert state == "active"


async def test_support_vouches_for_a_members_number(db: Database) -> None:
    home = await phone_house(db)
    alice, bob = await home.member(), await home.member(BOB)
    await home.services.phone_codes.send_to_member(alice.caller, PHONE, proof(home), HERE)
    root = await signed(home, "root", OperatorRole.SUPPORT)
    async with at_the_console(home, root.token) as client:
        path = f"/console/customers/{alice.caller.account_id}"
        page = await client.get(path)
        assert "等待验证的手机号码" in page.text
        data = {"csrf_token": csrf_of(page), "reason": "passport seen", "phone": mark_of(page.text)}
        act = f"members/{alice.caller.member_id}/phone"
        silent = await client.post(f"{path}/{act}", data=data | {"reason": " "})
        assert (silent.status_code, 'role="alert"' in silent.text) == (422, True)
        foreign = await client.post(f"/console/customers/{bob.caller.account_id}/{act}", data=data)
        assert foreign.status_code == 404
        assert (await client.post(f"{path}/{act}", data=data)).status_code == 303
        assert (await client.post(f"{path}/{act}", data=data)).status_code == 303, "a second time changes nothing"
        none = await client.post(
            f"/console/customers/{bob.caller.account_id}/members/{bob.caller.member_id}/phone", data=data
        )
        assert none.status_code == 422
    assert await phone_of(home, alice.caller.account_id) == PHONE
    async with db.read() as session:
        entries = [each for each in await session.exec(select(AuditEntry)) if each.action == "phone.vouched"]
    assert [each.detail for each in entries] == [{"reason": "passport seen"}]


async def test_support_confirms_the_number_it_saw_and_no_other(db: Database) -> None:
    """Else a customer could show one number on the phone, and have another one confirmed."""
    home = await phone_house(db)
    made, alice = await registered(home, "13800138000", email=BOB), await home.member()
    codes = home.services.phone_codes
    await codes.send_to_member(alice.caller, "13700137000", proof(home), HERE)
    root = await signed(home, "root", OperatorRole.SUPPORT)
    async with at_the_console(home, root.token) as client:
        for account, act in (
            (made.account_id, "quick-registration"),
            (alice.caller.account_id, f"members/{alice.caller.member_id}/phone"),
        ):
            path = f"/console/customers/{account}"
            page = await client.get(path)
            await later(home, MINUTE)
            if account == made.account_id:
                await asked(home, made, "13900139000")
            else:
                await codes.send_to_member(alice.caller, "13600136000", proof(home), HERE)
            data = {"csrf_token": csrf_of(page), "reason": "told on the phone", "phone": mark_of(page.text)}
            for mark in (data["phone"], "1", "ü"):
                stale = await client.post(f"{path}/{act}", data=data | {"phone": mark})
                assert (stale.status_code, "客户换了手机号码" in stale.text) == (409, True), mark
            assert mark_of(stale.text) != data["phone"] and " checked" not in stale.text
            assert await phone_of(home, account) is None
            fresh = await client.post(f"{path}/{act}", data=data | {"phone": mark_of(stale.text)})
            assert fresh.status_code == 303
    assert await phone_of(home, made.account_id) == "+8613900139000"
    assert await phone_of(home, alice.caller.account_id) == "+8613600136000"


async def fill_in(page: object, base: str, language: str) -> None:
    await page.goto(f"{base}/register?lang={language}")  # type: ignore[attr-defined]
    for name, value in {"name": "Alice", "email": ALICE, "password": PASSWORD, "phone": "13800138000"}.items():
        await page.fill(f"[name={name}]", value)  # type: ignore[attr-defined]
    await page.click("main [type=submit]")  # type: ignore[attr-defined]


@pytest.mark.browser
@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_a_browser_computes_the_proof_and_counts_the_seconds(
    db: Database, chrome: Chrome, width: int, language: str
) -> None:
    home = await phone_house(db, registration_work=200_000)
    complaints: list[str] = []
    async with on_a_port(home.app) as base, await window(chrome, width) as context:
        page = await context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await fill_in(page, base, language)
        await shoot(page, f"register-phone-{width}")
        await page.click("form[data-proof] [type=submit]")
        again = page.locator("[data-wait]")
        await expect(again).to_be_disabled()
        assert re.search(r"\b(5\d|60) (s|秒)", await again.inner_text())
        await shoot(page, f"register-phone-sent-{width}")
        await page.fill("[name=code]", await code_of(home))
        await page.click("form[action$=confirm] [type=submit]")
        await expect(page.locator(".alert-success").last).to_contain_text(PHONE)
        await shoot(page, f"register-phone-done-{width}")
    assert complaints == []


@pytest.mark.browser
async def test_a_browser_without_scripts_is_told_what_to_do(db: Database, chrome: Chrome) -> None:
    home = await phone_house(db)
    context = await chrome.new_context(java_script_enabled=False, locale="zh-CN")
    async with on_a_port(home.app) as base, context:
        page = await context.new_page()
        await fill_in(page, base, "zh")
        await expect(page.locator("noscript .alert, .alert-warning").first).to_contain_text("JavaScript")
        await page.click("form[data-proof] [type=submit]")
        await expect(page.locator(".alert-danger")).to_contain_text("联系客服")
    assert await system_values(home) == []
