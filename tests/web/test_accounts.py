"""The pages of registration, sign-in and account over ASGI, as a browser uses them; CSRF, fixation, headers."""

import re
from string import Formatter

import httpx2
import pytest
from sqlmodel import select

from domain.refusals import REFUSALS
from store.accounts import Account, LoginSession
from store.db import Database
from tests.accounts_world import ALICE, BOB, PASSWORD, House, csrf_of, house, submit
from web.sessions import local_path

NEW_PASSWORD = "another set of words"


async def register(client: httpx2.AsyncClient, email: str = ALICE) -> httpx2.Response:
    return await submit(client, "/register", name="Alice & Co", email=email, password=PASSWORD, language="zh")


async def sign_in(client: httpx2.AsyncClient, password: str = PASSWORD, **more: str) -> httpx2.Response:
    return await submit(client, "/login", email=ALICE, password=password, **more)


async def mail_link(home: House, email: str = ALICE) -> str:
    """The path of the link in the latest mail, after the process did its work."""
    async with home.db.read() as session:
        for account in (await session.exec(select(Account.id))).all():
            await home.look(account)
    return (await home.mails(email))[-1].variables["link"].removeprefix("http://songda.test")


async def test_from_the_form_to_the_account_page(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        page = await register(client)
        assert page.url.path == "/register/check-mail"
        assert ALICE in page.text
        assert "垃圾箱" in page.text
        link = await mail_link(home)
        button = await client.get(link)
        assert "确认并开通账户" in button.text
        async with db.read() as session:
            states = set(await session.exec(select(Account.state).where(Account.name == "Alice & Co")))
        assert states == {"pending"}, "a scanner that follows the link confirms nothing"
        token = link.partition("token=")[2]
        done = await client.post("/confirm", data={"csrf_token": csrf_of(button), "token": token})
        assert done.url.path == "/login"
        assert "邮箱已确认，账户已开通" in done.text
        assert "邮箱已确认" not in (await client.get("/login")).text, "a message is shown once"
        landed = await sign_in(client, next="/portal/account")
        assert landed.url.path == "/portal/account"
        assert "Alice &amp; Co" in landed.text
        assert 'aria-current="page"' in landed.text


async def test_an_english_browser_reads_english(db: Database) -> None:
    home = await house(db)
    async with home.browser(**{"accept-language": "en-GB,en;q=0.9,zh;q=0.5"}) as client:
        page = await client.get("/register")
        assert '<html lang="en">' in page.text
        assert "Company or team" in page.text
        wrong = await submit(client, "/register", name="A", email="nonsense", password=PASSWORD)
        assert "An address needs an @" in wrong.text
        chinese = await client.get("/register?lang=zh")
        assert '<html lang="zh-CN">' in chinese.text
        assert '<html lang="zh-CN">' in (await client.get("/login")).text, "the choice is kept"


async def test_errors_stand_at_their_field_with_the_next_step(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        page = await submit(client, "/register", name="某公司", email="a@b", password="short")
        assert page.status_code == 422
        assert re.search(r'id="e-email">@ 后面的部分不是有效的域名。请改成', page.text)
        assert 'value="某公司"' in page.text
        assert "short" not in page.text, "a password is never sent back"
        page = await submit(client, "/register", name="某公司", email=ALICE, password="short")
        assert re.search(r'id="e-password">密码太短。请至少', page.text)
        assert 'aria-describedby="e-password"' in page.text


async def test_what_was_typed_is_escaped(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        page = await submit(client, "/register", name='"><script>alert(1)</script>', email="x", password=PASSWORD)
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;" in page.text


async def test_an_owned_address_is_answered_like_a_new_one(db: Database) -> None:
    home = await house(db)
    await home.member()
    pages = []
    for email in (ALICE, BOB):
        async with home.browser() as client:
            page = await register(client, email)
            pages.append((page.status_code, page.url.path, page.text))
    own = r'registration/\S+?<|datetime.*?<|alice|bob|content="[^"]+"|value="[^"]+"'
    unlike = [re.sub(own, "", text) for *_, text in pages]
    assert pages[0][:2] == pages[1][:2]
    assert unlike[0] == unlike[1]


async def test_correcting_and_resending_on_the_page(db: Database) -> None:
    home = await house(db, time_scale=6000)
    async with home.browser() as client:
        await register(client, "mistyped@customer.example")
        page = await submit(client, "/register/address", at="/register/check-mail", email=ALICE)
        assert "已更正" in page.text
        assert ALICE in page.text
        again = await submit(client, "/register/resend", at="/register/check-mail")
        assert "已重新发送" in again.text
        bad = await submit(client, "/register/address", at="/register/check-mail", email="nonsense")
        assert 'id="e-email"' in bad.text
        assert "<details" in bad.text
        assert " open>" in bad.text
    assert (await mail_link(home)).startswith("/confirm")


async def test_someone_elses_browser_cannot_correct_or_resend(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    async with home.browser() as client:
        page = await submit(client, "/register/address", at="/login", email=BOB)
        assert page.url.path == "/login"
    assert (await home.services.registrations.waiting(made.handle)).email == ALICE


async def test_a_bad_confirmation_link_says_what_to_do(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        button = await client.get("/confirm?token=ce_nonsense")
        page = await client.post("/confirm", data={"csrf_token": csrf_of(button), "token": "ce_nonsense"})
        assert page.status_code == 410
        assert "链接无效" in page.text
        assert 'href="/register"' in page.text


async def test_a_planted_session_is_not_kept_at_sign_in(db: Database) -> None:
    """Fixation: the attacker's session is in the victim's browser when the victim signs in."""
    home = await house(db)
    await home.member()
    attacker = await home.member(BOB)
    async with home.browser() as client:
        client.cookies.set("songda_session", attacker.token)
        await sign_in(client)
        kept = [cookie.value for cookie in client.cookies.jar if cookie.name == "songda_session"]
        assert attacker.token not in kept[-1:]
        page = await client.get("/portal/account")
        assert ALICE in page.text
    async with db.read() as session:
        rows = {row.id: row for row in await session.exec(select(LoginSession))}
    assert rows[attacker.session_id].revoked_at is not None


def _sent_over_http(jar: httpx2.Cookies, name: str) -> dict[str, str]:
    """A client keeps cookies that want HTTPS to itself."""
    return {"cookie": f"{name}={jar.get(name)}"}


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(db: Database) -> None:
    for secure, name in ((False, "songda_session"), (True, "__Host-songda_session")):
        home = await house(db, secure_cookies=secure)
        if not secure:
            await home.member()
        async with home.browser() as client:
            client.follow_redirects = False
            token = csrf_of(await client.get("/login"))
            answer = await client.post(
                "/login", data={"csrf_token": token, "email": ALICE, "password": PASSWORD},
                headers=_sent_over_http(client.cookies, "__Host-songda_visit") if secure else {},
            )  # fmt: skip
            [cookie] = [c for c in answer.headers.get_list("set-cookie") if c.startswith(name + "=st_")]
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
            assert "Path=/;" in cookie
            assert ("Secure" in cookie) is secure


@pytest.mark.parametrize(
    ("headers", "field", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, "right", 403),
        ({"sec-fetch-site": "same-site"}, "right", 403),
        ({"origin": "https://evil.example"}, "right", 403),
        ({"origin": "null"}, "right", 403),
        ({"origin": "http://songda.test"}, "wrong", 403),
        ({"origin": "http://songda.test"}, "", 403),
        ({"sec-fetch-site": "same-origin"}, "wrong", 403),
        ({"origin": "http://songda.test"}, "right", 303),
        ({"sec-fetch-site": "same-origin"}, "right", 303),
        ({}, "right", 303),
    ],
)
async def test_only_our_own_forms_count(db: Database, headers: dict[str, str], field: str, status: int) -> None:
    home = await house(db)
    await home.member()
    async with home.browser() as client:
        await sign_in(client)
        page = await client.get("/portal/account")
        client.headers.pop("sec-fetch-site")
        client.follow_redirects = False
        token = {"right": csrf_of(page), "wrong": "nonsense", "": ""}[field]
        form = {"csrf_token": token, "language": "zh"}
        answer = await client.post("/portal/account/language", data=form, headers=headers)
        assert answer.status_code == status


async def test_another_visitors_token_is_no_use(db: Database) -> None:
    home = await house(db)
    async with home.browser() as one, home.browser() as other:
        token = csrf_of(await one.get("/register"))
        await other.get("/register")
        form = {"csrf_token": token, "name": "A", "email": ALICE, "password": PASSWORD}
        assert (await other.post("/register", data=form)).status_code == 403


async def test_a_signed_out_browser_is_led_back_after_sign_in(db: Database) -> None:
    home = await house(db)
    await home.member()
    async with home.browser() as client:
        page = await client.get("/portal/account?lang=en")
        assert page.url.path == "/login"
        assert page.url.params["next"] == "/portal/account?lang=en"
        assert 'name="next" value="/portal/account?lang=en"' in page.text
        client.cookies.clear()
        answer = await client.post("/portal/account/language", data={})
        assert answer.status_code == 403, "the token is looked at first"


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "\\/evil", "/a\nb", "javascript:x", "", " /x"]
)
def test_the_way_back_never_leads_away(path: str) -> None:
    assert local_path(path) == "/portal/"


def test_the_way_back_keeps_local_paths() -> None:
    assert local_path("/portal/domains?x=1#y") == "/portal/domains?x=1#y"


async def test_signing_out_ends_the_session_itself(db: Database) -> None:
    home = await house(db)
    await home.member()
    async with home.browser() as client:
        await sign_in(client)
        token = client.cookies["songda_session"]
        page = await submit(client, "/logout", at="/portal/account")
        assert page.url.path == "/login"
        client.cookies.set("songda_session", token)
        assert (await client.get("/portal/account")).url.path == "/login"


async def test_the_password_is_changed_and_reset_on_pages(db: Database) -> None:
    home = await house(db)
    await home.member()
    async with home.browser() as client:
        await sign_in(client)
        bad = await submit(
            client, "/portal/account/password", at="/portal/account", current=PASSWORD, new=NEW_PASSWORD, repeated="x"
        )
        assert 'id="e-repeated"' in bad.text
        good = await submit(
            client, "/portal/account/password", at="/portal/account",
            current=PASSWORD, new=NEW_PASSWORD, repeated=NEW_PASSWORD,
        )  # fmt: skip
        assert "密码已修改" in good.text
    async with home.browser() as client:
        sent = await submit(client, "/forgot", email=ALICE)
        link = (await home.mails(ALICE))[-1].variables["link"].removeprefix("http://songda.test")
        token = link.partition("token=")[2]
        assert "重置链接已经发出" in sent.text
        done = await submit(client, "/reset", at=link, token=token, password=PASSWORD, repeated=PASSWORD)
        assert done.url.path == "/login"
        assert (await client.get(link)).status_code == 410
        assert (await sign_in(client)).url.path.startswith("/portal")


async def test_sessions_are_ended_on_the_page(db: Database) -> None:
    home = await house(db)
    other = await home.member()
    async with home.browser(**{"user-agent": "Mozilla/5.0 (Windows NT 10.0) Gecko Firefox/140.0"}) as client:
        await sign_in(client)
        page = await client.get("/portal/account")
        assert "Firefox · Windows" in page.text
        path = f"/portal/account/sessions/{other.session_id}/revoke"
        assert path in page.text
        assert "该登录已退出" in (await submit(client, path, at="/portal/account")).text
        again = await submit(client, path, at="/portal/account")
        assert again.status_code == 404
        assert "<h1" in again.text


async def test_brute_force_is_told_on_the_page(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        answers = [await sign_in(client, f"guess number {n}") for n in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
        assert re.search(r"请在 \d+ 秒后重试", answers[-1].text)


async def test_the_contact_form_acknowledges(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        page = await submit(client, "/contact", email=ALICE, subject="快捷注册", body="收不到邮件")
        assert "留言已收到" in page.text
        assert len(await home.mails(home.base.policy.support_email)) == 1


async def test_errors_are_pages_for_browsers_and_problems_for_machines(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        page = await client.get("/nothing/here")
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "没有这个页面" in page.text
        wrong_method = await client.get("/logout")
        assert (wrong_method.status_code, "<h1" in wrong_method.text) == (405, True)
        machine = await client.get("/v1/nothing")
        assert (machine.status_code, machine.headers["content-type"]) == (404, "application/problem+json")


async def test_a_fault_is_a_page_or_a_problem(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    home = await house(db)

    async def broken(*_: object) -> None:
        raise LookupError("a fault of ours")

    monkeypatch.setattr(home.services.contact, "ask", broken)
    transport = httpx2.ASGITransport(home.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://songda.test") as client:
        page = await submit(client, "/contact", email=ALICE, subject="a", body="b")
        assert page.status_code == 500
        assert "系统出现了问题" in page.text
        problem = await client.post("/v1/contact", json={"email": ALICE, "subject": "a", "body": "b"})
        assert (problem.status_code, problem.json()["code"]) == (500, "internal")
        assert "a fault of ours" not in page.text + problem.text


async def test_pages_carry_their_headers_and_need_nothing_from_elsewhere(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        for path in ("/", "/login", "/register", "/contact", "/nothing"):
            page = await client.get(path)
            policy = page.headers["content-security-policy"]
            assert "script-src 'self';" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert page.headers["x-content-type-options"] == "nosniff"
            assert page.headers["referrer-policy"] == "same-origin"
            assert page.headers["cache-control"] == "no-store"
            assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", page.text), path
            for asset in re.findall(r'(?:src|href)="(/(?:assets|static)/[^"]+)"', page.text):
                assert (await client.get(asset)).status_code == 200, asset
            assert not re.findall(r'(?:src|<link[^>]+href)="https?://', page.text)


def test_every_refusal_speaks_both_languages() -> None:
    for code, wording in REFUSALS.items():
        texts = (wording.detail_zh, wording.next_zh, wording.detail_en, wording.next_en)
        assert all(texts), code
        chinese, foreign = " ".join(texts[:2]), " ".join(texts[2:])
        assert not re.search(r"[\u4e00-\u9fff]", foreign), code
        assert params_of(chinese) == params_of(foreign), code


def params_of(text: str) -> set[str]:
    """The params that a text names; some exist once per language."""
    named = {name for _, name, _, _ in Formatter().parse(text) if name}
    return {re.sub("_?(zh|en)$", "", name) for name in named}
