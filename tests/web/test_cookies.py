"""Our cookies: flags and names, two stacks on one host, and that no session survives what must end it."""

import contextlib
from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie

import httpx2
import pytest

from domain.operators import GivenOut, OperatorRole
from store.db import Database
from tests.accounts_world import ALICE, BOB, PASSWORD, House, csrf_of, house, submit
from tests.operators_world import code_of, enrolled, signed
from web.console.sessions import COOKIE as OPERATOR
from web.sessions import COOKIE as SESSION

NEW_PASSWORD = "another set of words"
READABLE = {"lang", "starlette_admin_csrftoken"}
"""Neither says who somebody is; starlette-admin's scripts send the second back."""
EXPECTED = {
    "songda_session", "songda_visit", "songda_flash", "songda_registration", "songda_shown_once", "songda_operator",
    "songda_ticket",
}  # fmt: skip


@contextlib.asynccontextmanager
async def gathering(home: House, base: str) -> AsyncIterator[tuple[httpx2.AsyncClient, list[Morsel[str]]]]:
    """A browser that follows redirects, and every cookie that it was ever given."""
    given: list[Morsel[str]] = []

    async def note(answer: httpx2.Response) -> None:
        for line in answer.headers.get_list("set-cookie"):
            given.extend(SimpleCookie(line).values())

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(home.app), base_url=base, headers={"sec-fetch-site": "same-origin"},
        follow_redirects=True, event_hooks={"response": [note]},
    ) as client:  # fmt: skip
        yield client, given


async def use_everything(home: House, client: httpx2.AsyncClient) -> None:
    """Whatever gives cookies: registration, sign-in, a message, a secret shown once, the console and its lists."""
    await client.get("/?lang=en")
    await submit(client, "/register", name="B", email=BOB, password=PASSWORD, language="zh")
    await submit(client, "/login", email=ALICE, password=PASSWORD)
    await submit(client, "/portal/account/language", at="/portal/account", language="en")
    await submit(client, "/portal/webhooks/new", url="https://a.example/hook", events="deliver")
    given = await enrolled(home, "root", OperatorRole.ADMIN)
    await into_the_console(client, given)
    await client.get("/console/audit/list")
    await submit(client, "/console/logout", at="/console/me")
    await submit(client, "/logout", at="/portal/account")


async def into_the_console(client: httpx2.AsyncClient, given: GivenOut) -> None:
    """Name and password, then the code on the page that follows."""
    asked = await submit(client, "/console/login", name=given.name, password=given.password)
    form = {"csrf_token": csrf_of(asked), "code": code_of(given)}
    assert (await client.post("/console/login", data=form)).url.path == "/console/"


@pytest.mark.parametrize(("secure", "base"), [(False, "http://songda.test"), (True, "https://songda.test")])
async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(db: Database, secure: bool, base: str) -> None:
    home = await house(db, secure_cookies=secure, public_url=base)
    await home.member()
    async with gathering(home, base) as (client, given):
        await use_everything(home, client)
    bare = {each.key.removeprefix("__Host-").removeprefix("__Secure-") for each in given}
    assert bare >= EXPECTED
    for each in [each for each in given if each.value]:
        assert each["samesite"].lower() == "lax", each.key
        assert not each["domain"], each.key
        assert each["httponly"] or each.key in READABLE, each.key
        assert bool(each["secure"]) is secure, each.key
        prefix = "__Host-" if each["path"] == "/" else "__Secure-"
        assert each.key.startswith(prefix) is secure or each.key in READABLE, each.key


async def test_two_stacks_on_one_host_do_not_sign_each_other_out(db: Database) -> None:
    """Browsers do not look at the port of a cookie."""
    addresses = [f"http://127.0.0.1:{port}" for port in (8600, 8700)]
    homes = {address: await house(db, public_url=address) for address in addresses}
    one, two = addresses
    await homes[one].member()
    mounts = {base: httpx2.ASGITransport(home.app) for base, home in homes.items()}
    async with httpx2.AsyncClient(mounts=mounts, headers={"sec-fetch-site": "same-origin"}) as client:
        tokens = {base: csrf_of(await client.get(f"{base}/login")) for base in homes}
        for base in homes:
            body = {"csrf_token": tokens[base], "email": ALICE, "password": PASSWORD}
            assert (await client.post(f"{base}/login", data=body)).status_code == 303
        for base in homes:
            assert (await client.get(f"{base}/portal/account")).status_code == 200
        token = csrf_of(await client.get(f"{one}/portal/account"))
        await client.post(f"{one}/logout", data={"csrf_token": token})
        assert (await client.get(f"{one}/portal/account")).status_code == 303
        assert (await client.get(f"{two}/portal/account")).status_code == 200


async def test_what_was_known_before_sign_in_is_worth_nothing_after_it(db: Database) -> None:
    """Fixation: somebody planted a visitor's cookie and knows the token that belongs to it."""
    home = await house(db)
    await home.member()
    async with home.browser() as client:
        planted = csrf_of(await client.get("/login"))
        visit = client.cookies["songda_visit"]
        client.cookies.set(SESSION, "st_" + "x" * 43, domain="songda.test")
        await submit(client, "/login", email=ALICE, password=PASSWORD)
        [token] = [cookie.value for cookie in client.cookies.jar if cookie.name == SESSION]
        assert token != "st_" + "x" * 43
        form = {"csrf_token": planted, "language": "en"}
        assert (await client.post("/portal/account/language", data=form)).status_code == 403
        await submit(client, "/logout", at="/portal/account")
        await client.get("/login")
        assert client.cookies["songda_visit"] != visit


async def test_an_operators_planted_session_is_not_adopted_and_signing_out_ends_it(db: Database) -> None:
    home = await house(db)
    attacker, victim = await signed(home, "eve"), await enrolled(home, "rita")
    async with home.browser() as client:
        client.cookies.set(OPERATOR, attacker.token, domain="songda.test", path="/console")
        await into_the_console(client, victim)
        [token] = [cookie.value for cookie in client.cookies.jar if cookie.name == OPERATOR]
        assert token != attacker.token
        assert "rita" in (await client.get("/console/me")).text
        await submit(client, "/console/logout", at="/console/me")
        for dead in (token, attacker.token):
            client.cookies.set(OPERATOR, str(dead), domain="songda.test", path="/console")
            assert (await client.get("/console/me")).url.path == "/console/login"


async def test_a_new_password_ends_the_other_sessions_of_pages_and_api(db: Database) -> None:
    home = await house(db)
    stolen = await home.member()
    async with home.browser() as client, home.browser() as thief:
        thief.cookies.set(SESSION, stolen.token)
        assert (await thief.get("/portal/account")).url.path == "/portal/account"
        await submit(client, "/login", email=ALICE, password=PASSWORD)
        change = {"current": PASSWORD, "new": NEW_PASSWORD, "repeated": NEW_PASSWORD}
        await submit(client, "/portal/account/password", at="/portal/account", **change)
        assert (await client.get("/portal/account")).url.path == "/portal/account"
        assert (await thief.get("/portal/account")).url.path == "/login"
        bearer = {"authorization": f"Bearer {stolen.token}"}
        assert (await thief.get("/v1/account", headers=bearer)).status_code == 401
