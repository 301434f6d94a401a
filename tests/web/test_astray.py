"""No answer leads away or tells of our insides: faults, foreign Host headers, ways back after sign-in."""

import re

import asyncpg
import httpx2
import pytest

from store.db import Database
from tests.accounts_world import ALICE, PASSWORD, House, csrf_of, house, submit
from tests.guarded import HTTPS, missing
from web.console.sessions import console_path
from web.sessions import local_path


async def test_a_fault_is_guarded_and_tells_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    home = await house(db)

    async def broken(*_: object) -> None:
        raise LookupError("/secret/path alice@customer.example")

    monkeypatch.setattr(home.services.contact, "ask", broken)
    body = {"email": ALICE, "subject": "a", "body": "b"}
    async with outside(home) as client:
        token = csrf_of(await client.get("/contact"))
        page = await client.post("/contact", data=body | {"csrf_token": token})
        machine = await client.post("/v1/contact", json=body)
    for answer in (page, machine):
        assert answer.status_code == 500
        assert missing(answer) == []
        assert not re.search(r"secret|alice|Lookup|Traceback|\.py", answer.text)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (asyncpg.DiskFullError("no room"), 503),
        (asyncpg.CannotConnectNowError("starting"), 503),
        (ConnectionRefusedError("nobody there"), 503),
        (asyncpg.UndefinedColumnError("a mistake of ours"), 500),
    ],
)
async def test_a_database_out_of_service_is_told_from_a_fault(
    db: Database, monkeypatch: pytest.MonkeyPatch, trouble: Exception, status: int
) -> None:
    home = await house(db)

    async def away(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(home.services.contact, "ask", away)
    body = {"email": ALICE, "subject": "a", "body": "b"}
    async with outside(home) as client:
        token = csrf_of(await client.get("/contact"))
        page = await client.post("/contact", data=body | {"csrf_token": token})
        machine = await client.post("/v1/contact", json=body)
    assert (page.status_code, machine.status_code) == (status, status)
    assert (machine.json()["code"] == "unavailable") == (status == 503) == ("几秒" in page.text)


def outside(home: House, base: str = "http://songda.test", **headers: str) -> httpx2.AsyncClient:
    """A client that gets faults as answers."""
    transport = httpx2.ASGITransport(home.app, raise_app_exceptions=False)
    given = {"sec-fetch-site": "same-origin"} | headers
    return httpx2.AsyncClient(transport=transport, base_url=base, headers=given)


async def test_behind_https_browsers_are_told_to_stay_there(db: Database) -> None:
    home = await house(db, secure_cookies=True, public_url="https://songda.test")
    async with outside(home, "https://songda.test") as client:
        for path in ("/", "/login", "/v1/account", "/portal/", "/console/", "/nothing", "/static/songda.js"):
            assert (await client.get(path)).headers.get(HTTPS) == "max-age=31536000", path


async def test_nobodys_host_header_leads_away(db: Database) -> None:
    """Redirects are paths, and links in mails are of the configured address."""
    home = await house(db)
    await home.member()
    async with outside(home, host="evil.example") as client:
        for path in ("/login/", "/portal", "/portal/", "/portal/domains/", "/console", "/console/", "/portal/records"):
            answer = await client.get(path)
            assert answer.status_code in (303, 307), f"{path}: {answer.status_code}"
            assert answer.headers["location"].startswith("/"), answer.headers["location"]
            assert not answer.headers["location"].startswith("//")
        await submit(client, "/forgot", email=ALICE)
    assert (await home.mails(ALICE))[-1].variables["link"].startswith("http://songda.test/reset?")


AWAY = (
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "evil.example",
    "/\t/evil.example", "https:evil.example", "javascript:alert(1)", "/\r\nlocation: https://evil.example", "",
    "@evil.example", "http://songda.test@evil.example/portal/", "/%0d%0ax: y\n", "data:text/html,x",
    "https://evil.example/console/", "//evil.example/console/", "/console/\\..\\evil",
)  # fmt: skip


@pytest.mark.parametrize("wanted", AWAY)
async def test_after_sign_in_nobody_is_led_away(db: Database, wanted: str) -> None:
    for found in (local_path(wanted), console_path(wanted)):
        assert re.match(r"/(portal|console)/", found)
        assert not re.search(r"[\\\s]|//", found)
    if wanted != AWAY[0]:
        return
    home = await house(db)
    await home.member()
    async with outside(home) as client:
        page = await client.get("/login", params={"next": wanted})
        assert 'name="next" value="/portal/"' in page.text
        answer = await submit(client, "/login", email=ALICE, password=PASSWORD, next=wanted)
        assert (answer.status_code, answer.headers["location"]) == (303, "/portal/")
        page = await client.get("/console/login", params={"next": wanted})
        assert 'name="next" value="/console/"' in page.text
